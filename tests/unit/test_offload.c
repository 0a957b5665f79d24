/* test_offload.c - blocking calls on threads of their own. Run under TSan. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/faults.h"
#include "loop/loop.h"
#include "loop/offload.h"

static struct pl_loop *new_loop(void)
{
    struct pl_loop *loop = NULL;

    CHECK_INT(0, pl_loop_new(&(struct pl_loop_options){0}, &loop), "loop");
    return loop;
}

static struct pl_offload *new_offload(unsigned threads, unsigned queue)
{
    struct pl_offload *offload = NULL;

    CHECK_INT(0, pl_offload_new(threads, queue, &offload), "offload");
    return offload;
}

struct job {
    struct pl_job job;
    int in, out;
    atomic_uint *worked;
    unsigned *done; /* of the loop's thread */
};

static void work(struct pl_job *job)
{
    struct job *self = PL_CONTAINER_OF(job, struct job, job);

    self->out = self->in * 2;
    atomic_fetch_add(self->worked, 1);
}

static void done(struct pl_job *job)
{
    struct job *self = PL_CONTAINER_OF(job, struct job, job);

    CHECK_INT(self->in * 2, self->out, "the result");
    ++*self->done;
    free(self);
}

static struct job *new_job(struct pl_loop *loop, int in, atomic_uint *worked,
                           unsigned *count)
{
    struct job *job = malloc(sizeof(*job));

    *job = (struct job){
        .job = {.work = work, .done = done, .reply = pl_loop_mailbox(loop)},
        .in = in,
        .worked = worked,
        .done = count};
    return job;
}

static void test_offload__results_come_back_to_the_loop(void **state)
{
    enum { N = 2000 };
    struct pl_offload *offload = new_offload(4, 64);
    struct pl_loop *loop = new_loop();
    atomic_uint worked = 0;
    unsigned count = 0;

    (void)state;
    CHECK_INT(0, pl_offload_threads(offload), "no thread before work");
    for (int i = 0; i < N; i++) {
        struct job *job = new_job(loop, i, &worked, &count);

        while (pl_offload_submit(offload, &job->job) == PL_ERR_LIMIT)
            pl_loop_step(loop, -1); /* full: so something is on its way */
    }
    while (count < N)
        CHECK(pl_loop_step(loop, -1) >= 0, "step");
    CHECK_INT(N, atomic_load(&worked), "each once");
    CHECK(pl_offload_threads(offload) <= 4, "not more than allowed");
    pl_offload_free(offload);
    pl_loop_free(loop);
}

/* A job that holds its thread until the test lets it go. */
struct gate {
    struct pl_job job;
    sem_t *open;
    atomic_uint *inside;
    unsigned *done;
};

static void wait_at_gate(struct pl_job *job)
{
    struct gate *gate = PL_CONTAINER_OF(job, struct gate, job);

    atomic_fetch_add(gate->inside, 1);
    while (sem_wait(gate->open) < 0)
        continue;
}

static void gate_done(struct pl_job *job)
{
    ++*PL_CONTAINER_OF(job, struct gate, job)->done;
}

struct gates {
    struct gate gates[16];
    sem_t open;
    atomic_uint inside;
    unsigned done;
};

static void init_gates(struct gates *gates, struct pl_loop *loop)
{
    sem_init(&gates->open, 0, 0);
    atomic_init(&gates->inside, 0);
    gates->done = 0;
    for (size_t i = 0; i < PL_COUNT(gates->gates); i++)
        gates->gates[i] = (struct gate){.job = {.work = wait_at_gate,
                                                .done = gate_done,
                                                .reply = pl_loop_mailbox(loop)},
                                        .open = &gates->open,
                                        .inside = &gates->inside,
                                        .done = &gates->done};
}

static int submit_gate(struct pl_offload *offload, struct gates *gates, int i)
{
    return pl_offload_submit(offload, &gates->gates[i].job);
}

static void wait_inside(struct gates *gates, unsigned n)
{
    while (atomic_load(&gates->inside) < n)
        sched_yield();
}

static void run_beside(struct pl_offload *offload, int rounds)
{
    struct pl_loop *loop = new_loop();
    struct gates gates;

    init_gates(&gates, loop);
    for (int round = 1; round <= rounds; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_INT(0, submit_gate(offload, &gates, i), "submit");
        wait_inside(&gates, 3u * (unsigned)round); /* all three at once */
        for (int i = 0; i < 3; i++)
            sem_post(&gates.open);
        while (gates.done < 3u * (unsigned)round)
            pl_loop_step(loop, -1);
    }
    pl_offload_free(offload);
    pl_loop_free(loop);
}

static void test_offload__jobs_run_beside_each_other(void **state)
{
    struct pl_offload *impatient = new_offload(3, 8);

    (void)state;
    run_beside(new_offload(3, 8), 20);
    pl_offload_set_idle(impatient, 0); /* each round finds threads that end */
    run_beside(impatient, 200);
}

static void test_offload__a_full_queue_refuses(void **state)
{
    struct pl_offload *offload = new_offload(1, 4);
    struct pl_loop *loop = new_loop();
    struct gates gates;

    (void)state;
    init_gates(&gates, loop);
    CHECK_INT(0, submit_gate(offload, &gates, 0), "runs");
    wait_inside(&gates, 1);
    for (int i = 1; i <= 4; i++)
        CHECK_INT(0, submit_gate(offload, &gates, i), "waits");
    CHECK_INT(PL_ERR_LIMIT, submit_gate(offload, &gates, 5), "full");
    CHECK_INT(1, atomic_load(&gates.inside), "one thread, one job");
    for (int i = 0; i < 5; i++)
        sem_post(&gates.open);
    while (gates.done < 5)
        pl_loop_step(loop, -1);
    CHECK_INT(0, submit_gate(offload, &gates, 5), "there is room again");
    sem_post(&gates.open);
    while (gates.done < 6)
        pl_loop_step(loop, -1);
    pl_offload_free(offload);
    pl_loop_free(loop);
}

static void test_offload__free_runs_what_is_queued(void **state)
{
    struct pl_offload *offload = new_offload(2, 16);
    struct pl_loop *loop = new_loop();
    struct gates gates;

    (void)state;
    init_gates(&gates, loop);
    for (int i = 0; i < 10; i++)
        CHECK_INT(0, submit_gate(offload, &gates, i), "submit");
    for (int i = 0; i < 10; i++)
        sem_post(&gates.open);
    pl_offload_free(offload);
    CHECK_INT(10, atomic_load(&gates.inside), "all have run");
    while (gates.done < 10)
        CHECK(pl_loop_step(loop, 0) >= 0, "and all answers are in the mail");
    pl_loop_free(loop);
    pl_offload_free(NULL);
}

/* Threads end, and begin again: places are re-used and their threads joined. */
static void test_offload__idle_threads_end(void **state)
{
    struct pl_offload *offload = new_offload(2, 8);
    struct pl_loop *loop = new_loop();
    atomic_uint worked = 0;
    unsigned count = 0;

    (void)state;
    pl_offload_set_idle(offload, 0);
    for (unsigned round = 1; round <= 200; round++) {
        for (int i = 0; i < 2; i++)
            CHECK_INT(0,
                      pl_offload_submit(
                          offload, &new_job(loop, i, &worked, &count)->job),
                      "submit");
        while (count < 2 * round)
            pl_loop_step(loop, -1);
        while (round % 2 == 0 && pl_offload_threads(offload) > 0)
            sched_yield();
    }
    pl_offload_free(offload);
    pl_loop_free(loop);
}

/* ---- many senders, threads that come and go ---- */

enum { SENDERS = 4, JOBS = 3000 };

struct sender {
    pthread_t thread;
    struct pl_offload *offload;
    struct pl_loop *loop;
    atomic_uint *worked;
};

static void *send_jobs(void *arg)
{
    struct sender *sender = arg;
    struct pl_loop *loop = sender->loop;
    unsigned count = 0, sent = 0;

    while (count < JOBS) {
        while (sent < JOBS) {
            struct job *job = new_job(loop, (int)sent, sender->worked, &count);

            if (pl_offload_submit(sender->offload, &job->job) < 0) {
                free(job);
                break;
            }
            sent++;
        }
        /* Nothing of ours may be under way when the queue was full of others'
         * jobs: then do not sleep. */
        pl_loop_step(loop, count < sent ? -1 : 0);
    }
    return NULL;
}

static void test_offload__many_loops_share_it(void **state)
{
    static const struct {
        unsigned threads, idle_ms;
    } sets[] = {{3, 0}, {3, 1}, {3, 10000}, {1, 0}, {1, 1}};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(sets); i++) {
        struct pl_offload *offload = new_offload(sets[i].threads, 16);
        struct sender senders[SENDERS];
        atomic_uint worked = 0;

        pl_offload_set_idle(offload, sets[i].idle_ms);
        for (int j = 0; j < SENDERS; j++) {
            senders[j].offload = offload;
            senders[j].loop = new_loop();
            senders[j].worked = &worked;
            pthread_create(&senders[j].thread, NULL, send_jobs, &senders[j]);
        }
        for (int j = 0; j < SENDERS; j++)
            pthread_join(senders[j].thread, NULL);
        pl_offload_free(offload);
        for (int j = 0; j < SENDERS; j++)
            pl_loop_free(senders[j].loop);
        CHECK_INT(SENDERS * JOBS, atomic_load(&worked), "each job once");
    }
}

/* ---- what a thread looks like ---- */

struct look {
    struct pl_job job;
    char name[16];
    sigset_t mask;
    int nice;
    bool done;
};

static void look_around(struct pl_job *job)
{
    struct look *look = PL_CONTAINER_OF(job, struct look, job);

    pthread_getname_np(pthread_self(), look->name, sizeof(look->name));
    pthread_sigmask(SIG_BLOCK, NULL, &look->mask);
    look->nice = getpriority(PRIO_PROCESS, 0); /* of the thread */
}

static void look_done(struct pl_job *job)
{
    PL_CONTAINER_OF(job, struct look, job)->done = true;
}

static void test_offload__threads_are_named_and_take_no_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,  SIGUSR1, SIGUSR2,
                                  SIGPIPE, SIGPROF, SIGCHLD, SIGALRM, SIGQUIT};
    struct pl_offload *offload = new_offload(1, 2);
    struct pl_loop *loop = new_loop();
    struct look look = {.job = {.work = look_around,
                                .done = look_done,
                                .reply = pl_loop_mailbox(loop)}};

    (void)state;
    CHECK_INT(0, pl_offload_submit(offload, &look.job), "submit");
    while (!look.done)
        pl_loop_step(loop, -1);
    CHECK_STR("pl-offload-0", pl_str_c(look.name), "its name");
    for (size_t i = 0; i < PL_COUNT(signals); i++)
        CHECK_INT(1, sigismember(&look.mask, signals[i]), "blocked");
    pl_offload_free(offload);
    pl_loop_free(loop);
}

/* ---- faults (in a build with -Dfaults=true) ---- */

static void test_offload__threads_may_step_back(void **state)
{
    struct pl_offload *offload = new_offload(1, 2);
    struct pl_loop *loop = new_loop();
    struct look look = {.job = {.work = look_around,
                                .done = look_done,
                                .reply = pl_loop_mailbox(loop)}};
    int own = getpriority(PRIO_PROCESS, 0);

    (void)state;
    pl_offload_set_nice(offload, 3);
    CHECK_INT(0, pl_offload_submit(offload, &look.job), "submit");
    while (!look.done)
        CHECK(pl_loop_step(loop, -1) >= 0, "a step");
    CHECK_INT(own > 16 ? 19 : own + 3, look.nice, "behind the others");
    CHECK_INT(own, getpriority(PRIO_PROCESS, 0), "who stay where they were");
    pl_offload_free(offload);
    pl_loop_free(loop);
}

static void test_offload__without_a_thread_the_job_is_refused(void **state)
{
    struct pl_loop *loop = new_loop();
    atomic_uint worked = 0;
    unsigned count = 0, sent = 0;

    (void)state;
    FOR_EACH_FAULT (PL_SYS_thread, EAGAIN) {
        struct pl_offload *offload = new_offload(2, 8);

        for (int i = 0; i < 4; i++) {
            struct job *job = new_job(loop, i, &worked, &count);
            int err = pl_offload_submit(offload, &job->job);

            CHECK(err == 0 || (err == PL_ERR_NOMEM && pl_faults_hit()),
                  "refused only for want of a thread");
            if (err == 0)
                sent++;
            else
                free(job);
        }
        pl_offload_free(offload);
        while (count < sent)
            CHECK(pl_loop_step(loop, 0) >= 0, "all that was taken is done");
    }
    CHECK(sent >= 4, "but some was");
    pl_loop_free(loop);
}

static void test_offload__rests_and_goes_on(void **state)
{
    struct pl_offload *offload = new_offload(3, 8);
    struct pl_loop *loop = new_loop();
    struct gates gates;

    (void)state;
    pl_offload_rest(offload); /* that nothing was asked of */
    for (unsigned round = 1; round <= 20; round++) {
        init_gates(&gates, loop);
        for (int i = 0; i < 3; i++)
            CHECK_INT(0, submit_gate(offload, &gates, i), "submit");
        for (int i = 0; i < 3; i++)
            sem_post(&gates.open);
        pl_offload_rest(offload);
        CHECK_INT(0, pl_offload_threads(offload), "no thread is left");
        CHECK_INT(3, atomic_load(&gates.inside), "what was taken was done");
        while (gates.done < 3)
            CHECK(pl_loop_step(loop, -1) >= 0, "and is told");
    }
    pl_offload_free(offload);
    pl_loop_free(loop);
}

static void test_offload__opening_may_run_out_of_memory(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_offload *offload = NULL;
        int err = pl_offload_new(2, 8, &offload);

        CHECK_INT(pl_faults_hit() ? PL_ERR_NOMEM : 0, err, "the error");
        pl_offload_free(offload);
    }
}

RUN_TESTS(cmocka_unit_test(test_offload__results_come_back_to_the_loop),
          cmocka_unit_test(test_offload__jobs_run_beside_each_other),
          cmocka_unit_test(test_offload__a_full_queue_refuses),
          cmocka_unit_test(test_offload__free_runs_what_is_queued),
          cmocka_unit_test(test_offload__idle_threads_end),
          cmocka_unit_test(test_offload__many_loops_share_it),
          cmocka_unit_test(test_offload__threads_are_named_and_take_no_signals),
          cmocka_unit_test(test_offload__threads_may_step_back),
          cmocka_unit_test(test_offload__without_a_thread_the_job_is_refused),
          cmocka_unit_test(test_offload__rests_and_goes_on),
          cmocka_unit_test(test_offload__opening_may_run_out_of_memory))
