#include "server/watchdog.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#include "base/log.h"
#include "base/str.h"
#include "base/symbol.h"
#include "base/sys.h"
#include "http/request.h"
#include "lua/watch.h"
#include "route/router.h"
#include "server/server.h"
#include "task/fiber.h"
#include "task/meter.h"

/* Nobody uses it, who does not know it ignores it, and debuggers let it pass.
 * (Go interrupts its threads by the same one.) SIGPROF is LuaJIT's. */
#define ALARM SIGURG

enum {
    WORDS = 1024, /* of the C stack: looked at, */
    FRAMES = 8,   /* and calls in them that the log has */
    LOOKS = 4,    /* in the time of the shortest limit */
    TICK_MOST_MS = 1000,
    ANSWER_MS = 1000, /* a thread that does not run cannot answer */
    HOOK_MS = 200,    /* for the next instruction of Lua, or line of a trace */
    ABORTS = 5,       /* so many are tried before a worker is given up */
};

/* What is asked of a worker that is held. */
struct question {
    uint64_t busy_since; /* what it is about */
    bool only_where;     /* the hook was not heard: look at Lua's stack */
    bool budget;         /* not that, but a run that is beyond its deadline */
    enum pl_alarm_kind kind;
    int status;
    char why[sizeof(((struct pl_alarm *)NULL)->why)];
};

/* A question and its answer, which pass from thread to thread: what is asked is
 * the watchdog's to write while answered is asked, and the handler's to read
 * from when asked is raised until answered follows, however late. A question
 * that was not answered stays as it is, and is asked again before the next. */
struct call {
    struct pl_alarm lua; /* first: heard() gets this one */
    struct ward *ward;
    struct question question;
    /* by the handler */
    bool stale; /* the worker does something else by now */
    bool in_lua;
    uintptr_t pc;
    unsigned nwords;
    uintptr_t words[WORDS];                               /* of the C stack */
    char where[sizeof(((struct pl_alarm *)NULL)->where)]; /* only_where */
    char id[PL_REQUEST_ID_LEN + 1];
    char method[16], path[256], route[128];
    /* lua.where is valid once heard is asked, the rest once answered is. */
    _Atomic unsigned asked, answered, heard;
};

/* One worker, and the episode that it is in. */
struct ward {
    struct pl_watchdog *dog;
    struct pl_worker *worker;
    struct call call;
    uintptr_t stack_end; /* of its thread */
    uint64_t busy_since;
    uint64_t next_report; /* ns of being held */
    unsigned aborts;      /* that were tried */
    atomic_bool given_up;
    atomic_bool followed; /* worker has a loop and a scheduler */
};

struct pl_watchdog {
    struct pl_server *server;
    struct pl_watch_settings settings;
    uint64_t tick, warn, abort; /* ns */
    pthread_t thread;
    bool lua, started, ready; /* ready: what the first alarm needs is there */
    sem_t news;               /* answered, heard, or stop */
    atomic_bool stop;
    _Atomic uint64_t next_look; /* ns; by then a deadline is seen anyway */
    bool handling;              /* before is what it was */
    struct sigaction before;
    unsigned nwards;
    struct ward wards[];
};

/* ---- in the handler ---- */

static void copy(char *out, size_t size, struct pl_str text)
{
    size_t n = PL_MIN(text.len, size - 1);

    memcpy(out, text.data, n);
    out[n] = '\0';
}

/* Children of a handler's task belong to its request, too. */
static void copy_request(struct call *call, const struct pl_task *task)
{
    const struct pl_request *req;

    while (task != NULL && task->owner == NULL)
        task = task->parent;
    call->id[0] = call->method[0] = call->path[0] = call->route[0] = '\0';
    if (task == NULL)
        return;
    req = task->owner;
    copy(call->method, sizeof(call->method), req->method_name);
    copy(call->path, sizeof(call->path), req->path);
    if (req->route != NULL)
        copy(call->route, sizeof(call->route), pl_str_c(req->route->pattern));
    pl_request_id(req, call->id);
    call->id[PL_REQUEST_ID_LEN] = '\0';
}

static void registers(const ucontext_t *context, uintptr_t *pc, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *pc = (uintptr_t)context->uc_mcontext.pc;
    *sp = (uintptr_t)context->uc_mcontext.sp;
#else
    *pc = *sp = 0;
#endif
}

/* The words of the stack from the interrupted function outwards: return
 * addresses are found in them later. (An unwinder may abort when it meets the
 * frames of LuaJIT, which it cannot know.) */
PL_NO_SANITIZE static void copy_stack(struct call *call,
                                      const struct pl_task *task,
                                      const ucontext_t *context)
{
    uintptr_t sp, end = task == NULL ? 0 : pl_fiber_stack_end(task);
    const uintptr_t *word;

    registers(context, &call->pc, &sp);
    if (end == 0 || sp > end || end - sp > PL_FIBER_STACK * 4u)
        end = call->ward->stack_end;
    call->nwords = 0;
    if (sp == 0 || sp > end)
        return;
    word = (const uintptr_t *)(sp & ~(sizeof(sp) - 1));
    while (call->nwords < WORDS && (uintptr_t)(word + 1) <= end)
        call->words[call->nwords++] = *word++;
}

static bool alarm_lua(struct call *call, const struct pl_task *task)
{
    const struct question *question = &call->question;

    call->lua.kind = question->kind;
    call->lua.status = question->status;
    memcpy(call->lua.why, question->why, sizeof(call->lua.why));
    return pl_lua_alarm(task, &call->lua);
}

/* A deadline that came too early, for CPU, is set anew. */
static void answer_budget(struct call *call)
{
    struct pl_sched *sched = &call->ward->worker->sched;
    struct pl_meter *meter = sched->meter;

    call->stale = meter == NULL || pl_meter_judge(meter) == PL_OVER_NONE;
    if (!call->stale)
        call->in_lua = alarm_lua(call, pl_sched_seen(sched));
}

static void answer(struct call *call, const ucontext_t *context)
{
    struct pl_worker *worker = call->ward->worker;
    const struct pl_task *task;

    if (call->question.budget) {
        answer_budget(call);
        return;
    }
    call->stale = pl_loop_busy_since(worker->loop) != call->question.busy_since;
    if (call->stale)
        return;
    task = pl_sched_seen(&worker->sched);
    copy_request(call, task);
    copy_stack(call, task, context);
    if (call->question.only_where)
        call->in_lua = pl_lua_where(task, call->where, sizeof(call->where));
    else
        call->in_lua = alarm_lua(call, task);
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
    int keep = errno;
    struct call *call = info->si_value.sival_ptr;
    unsigned asked;

    (void)signal;
    if (info->si_code != SI_QUEUE || info->si_pid != getpid())
        return; /* somebody else's */
    asked = atomic_load(&call->asked);
    if (asked == atomic_load(&call->answered))
        return; /* asked again just before the answer came */
    answer(call, context);
    atomic_store(&call->answered, asked);
    sem_post(&call->ward->dog->news);
    errno = keep;
}

/* From the hook, on the worker's thread. */
static void on_heard(struct pl_alarm *alarm)
{
    struct call *call = (struct call *)alarm;

    if (alarm->kind == PL_ALARM_ABORT)
        pl_loop_count_held(call->ward->worker->loop, true);
    atomic_store(&call->heard, atomic_load(&call->answered));
    sem_post(&call->ward->dog->news);
}

/* ---- asking ---- */

static struct timespec at_ns(uint64_t at)
{
    return (struct timespec){.tv_sec = (time_t)(at / 1000000000),
                             .tv_nsec = (long)(at % 1000000000)};
}

/* Waits until *answer follows what was asked; false after so many ms. */
static bool await(struct pl_watchdog *dog, const struct call *call,
                  const _Atomic unsigned *answer, unsigned ms)
{
    struct timespec end = at_ns(pl_clock_monotonic() + (uint64_t)ms * 1000000);

    while (atomic_load(answer) != atomic_load(&call->asked)) {
        if (sem_clockwait(&dog->news, CLOCK_MONOTONIC, &end) < 0 &&
            errno != EINTR)
            return atomic_load(answer) == atomic_load(&call->asked);
        if (dog->stop)
            return false;
    }
    return true;
}

/* Asks what is asked already. */
static bool deliver(struct ward *ward)
{
    struct call *call = &ward->call;

    return pthread_sigqueue(ward->worker->thread, ALARM,
                            (union sigval){.sival_ptr = call}) == 0 &&
           await(ward->dog, call, &call->answered, ANSWER_MS);
}

/* Returns false if the worker did not answer, or has gone on. */
static bool ask(struct ward *ward, const struct question *question)
{
    struct call *call = &ward->call;

    if (atomic_load(&call->answered) != atomic_load(&call->asked) &&
        !deliver(ward))
        return false;
    call->question = *question;
    atomic_fetch_add(&call->asked, 1);
    return deliver(ward) && !call->stale;
}

/* ---- telling ---- */

struct text {
    size_t len;
    char bytes[3000];
};

PL_PRINTF(2, 3) static void add(struct text *text, const char *fmt, ...)
{
    size_t room = sizeof(text->bytes) - text->len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text->bytes + text->len, room, fmt, ap);
    va_end(ap);
    text->len += PL_MIN((size_t)PL_MAX(n, 0), room - 1);
}

static void add_request(struct text *text, const struct call *call)
{
    if (call->method[0] == '\0')
        return;
    add(text, " by %s %s request=%s", call->method, call->path, call->id);
    if (call->route[0] != '\0')
        add(text, " route=%s", call->route);
}

/* "strlen (libc.so.6+0x9a1) < slow (site+0x12)": the code that ran, and what
 * has called it. Calls that were over may stand between them. */
static void add_stack(struct text *text, const struct call *call)
{
    struct pl_symbols *symbols = pl_symbols_new();
    uintptr_t last = 0;
    char name[512];
    int frames = 0;

    pl_symbols_name(symbols, call->pc, name, sizeof(name));
    add(text, "%s", name);
    for (unsigned i = 0; i < call->nwords && frames < FRAMES; i++) {
        if (call->words[i] == last || /* of a function that calls itself */
            !pl_symbols_is_return(symbols, call->words[i]))
            continue;
        last = call->words[i];
        /* The function may end with the call. */
        pl_symbols_name(symbols, call->words[i] - 1, name, sizeof(name));
        add(text, " < %s", name);
        frames++;
    }
    pl_symbols_free(symbols);
}

static void describe_mute(struct text *text, const struct ward *ward)
{
    double held =
        (double)(pl_clock_monotonic() - ward->busy_since) / 1000000000;

    text->len = 0;
    add(text, "worker %u has been held for %.3f s", ward->worker->id, held);
}

/* "worker 0 has been held for 5.2 s by GET /x request=... route=/x in Lua:
 * site.lua:3 in spin < site.lua:9" */
static void describe(struct text *text, const struct ward *ward, bool heard)
{
    const struct call *call = &ward->call;
    const char *where = heard ? call->lua.where : call->where;

    describe_mute(text, ward);
    add_request(text, call);
    if (call->in_lua && where[0] != '\0')
        add(text, " in Lua: %s", where);
    if (!heard) {
        add(text, " in C: ");
        add_stack(text, call);
    }
}

/* Asks a worker that is held what it does. Returns whether it could say; heard:
 * Lua has said it, and not from inside a C function. */
static bool inquire(struct ward *ward, struct question *question, bool *heard)
{
    struct call *call = &ward->call;

    *heard = false;
    if (!ask(ward, question))
        return false;
    if (!call->in_lua)
        return true;
    *heard = await(ward->dog, call, &call->heard, HOOK_MS);
    question->only_where = true;
    return *heard || ask(ward, question);
}

/* ---- the limits ---- */

/* What takes time is left until the first alarm. */
static void get_ready(struct pl_watchdog *dog)
{
    if (dog->ready)
        return;
    dog->ready = true;
    if (dog->lua && !pl_lua_watch_probe())
        pl_log(PL_LOG_WARN, "watchdog",
               "this LuaJIT cannot be interrupted in compiled code: what holds "
               "a worker there is reported, but not named or aborted");
}

/* A thread that is in the kernel, where no signal reaches it, cannot answer. */
static void report(struct ward *ward, uint64_t held, bool answered, bool heard)
{
    struct text text;

    if (answered) {
        describe(&text, ward, heard);
    } else {
        describe_mute(&text, ward);
        add(&text, ", and does not answer a signal");
    }
    pl_log(PL_LOG_WARN, "watchdog", "%s", text.bytes);
    while (ward->next_report <= held)
        ward->next_report *= 2;
}

static void give_up(struct ward *ward)
{
    struct pl_watchdog *dog = ward->dog;

    ward->given_up = true;
    pl_log(PL_LOG_ERROR, "watchdog", "worker %u cannot be set free%s",
           ward->worker->id, dog->settings.kill ? ": the process ends" : "");
    if (dog->settings.kill)
        pl_server_stop(dog->server, false, PL_EXIT_FAILURE);
}

/* Once it is to be aborted, every further alarm says so, too. The error of the
 * handler is logged by itself. */
static void alarm_it(struct ward *ward, uint64_t held)
{
    struct pl_watchdog *dog = ward->dog;
    bool abort = held >= dog->abort, answered, heard;
    struct question question = {
        .busy_since = ward->busy_since,
        .kind = abort ? PL_ALARM_ABORT : PL_ALARM_REPORT,
        .status = 500,
    };

    snprintf(question.why, sizeof(question.why),
             "it ran for %.3g s without waiting", (double)held / 1000000000);
    if (held >= ward->next_report)
        pl_loop_count_held(ward->worker->loop, false);
    answered = inquire(ward, &question, &heard);
    if (pl_loop_busy_since(ward->worker->loop) != ward->busy_since && !heard)
        return; /* it has just gone on */
    if (held >= ward->next_report)
        report(ward, held, answered, heard);
    if (abort && !heard && !ward->given_up && ++ward->aborts == ABORTS)
        give_up(ward);
}

/* A run with a budget: aborted if it is Lua. What it is, is said where the
 * request is answered. */
static void enforce_budget(struct ward *ward)
{
    struct call *call = &ward->call;
    struct question question = {
        .budget = true, .kind = PL_ALARM_ABORT, .status = 503};
    uint64_t deadline = atomic_load(&ward->worker->sched.deadline);

    if (deadline == 0 || pl_clock_monotonic() < deadline)
        return;
    get_ready(ward->dog);
    if (ask(ward, &question) && call->in_lua)
        await(ward->dog, call, &call->heard, HOOK_MS);
}

static void look_at(struct ward *ward)
{
    struct pl_watchdog *dog = ward->dog;
    uint64_t since, held;

    if (!ward->followed || ward->worker->stage >= PL_WORKER_OVER)
        return;
    enforce_budget(ward);
    since = pl_loop_busy_since(ward->worker->loop);
    if (since != ward->busy_since) {
        ward->busy_since = since;
        ward->next_report = dog->warn;
        ward->given_up = false;
        ward->aborts = 0;
    }
    if (since == 0)
        return;
    held = pl_clock_monotonic() - since;
    if (held < ward->next_report && (held < dog->abort || ward->given_up))
        return;
    get_ready(dog);
    alarm_it(ward, held);
}

static uint64_t first_deadline(const struct pl_watchdog *dog)
{
    uint64_t first = UINT64_MAX;

    for (unsigned i = 0; i < dog->nwards; i++) {
        const struct pl_worker *worker = dog->wards[i].worker;
        uint64_t deadline = 0;

        if (dog->wards[i].followed)
            deadline = atomic_load(&worker->sched.deadline);
        if (deadline != 0)
            first = PL_MIN(first, deadline);
    }
    return first;
}

/* Until the next tick, or the first deadline of a run: one that comes up
 * meanwhile posts news if it is before next_look. */
static void wait_for_look(struct pl_watchdog *dog)
{
    uint64_t tick = pl_clock_monotonic() + dog->tick, look;
    struct timespec at;

    do {
        atomic_store(&dog->next_look, tick);
        look = PL_MIN(tick, first_deadline(dog));
        atomic_store(&dog->next_look, look);
        at = at_ns(look);
    } while (sem_clockwait(&dog->news, CLOCK_MONOTONIC, &at) == 0 &&
             !dog->stop);
}

/* On the worker's thread, or in a handler there. */
static void on_deadline(void *arg, uint64_t deadline)
{
    struct pl_watchdog *dog = arg;

    if (deadline < atomic_load(&dog->next_look))
        sem_post(&dog->news);
}

static void *run(void *arg)
{
    struct pl_watchdog *dog = arg;
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_setname_np(pthread_self(), "watchdog");
    while (!dog->stop) {
        wait_for_look(dog);
        for (unsigned i = 0; i < dog->nwards && !dog->stop; i++)
            look_at(&dog->wards[i]);
    }
    return NULL;
}

/* ---- life ---- */

/* 0 is "never". */
static uint64_t limit_of(uint32_t ms)
{
    return ms == 0 ? UINT64_MAX : (uint64_t)ms * 1000000;
}

static uint64_t tick_of(const struct pl_watchdog *dog)
{
    uint64_t least = PL_MIN(dog->warn, dog->abort) / LOOKS;

    return PL_MIN(PL_MAX(least, (uint64_t)1000000),
                  (uint64_t)TICK_MOST_MS * 1000000);
}

static bool wanted(const struct pl_server *server)
{
    const struct pl_watch_settings *settings = &server->watch;

    return server->options.own_process && settings->on &&
           (settings->warn_ms > 0 || settings->abort_ms > 0);
}

int pl_watchdog_open(struct pl_server *server, bool lua,
                     struct pl_watchdog **out)
{
    struct pl_watchdog *dog;

    *out = NULL;
    if (!wanted(server))
        return 0;
    dog = pl_calloc(1, sizeof(*dog) + server->nworkers * sizeof(dog->wards[0]));
    if (dog == NULL)
        return PL_ERR_NOMEM;
    dog->server = server;
    dog->lua = lua;
    dog->settings = server->watch;
    dog->warn = limit_of(dog->settings.warn_ms);
    dog->abort = limit_of(dog->settings.abort_ms);
    dog->tick = tick_of(dog);
    dog->nwards = server->nworkers;
    for (unsigned i = 0; i < dog->nwards; i++) {
        struct ward *ward = &dog->wards[i];

        ward->dog = dog;
        ward->worker = &server->workers[i];
        ward->call.ward = ward;
        ward->call.lua.heard = on_heard;
    }
    if (lua && pl_lua_watch_open() < 0) {
        pl_free(dog);
        return PL_ERR_NOMEM;
    }
    sem_init(&dog->news, 0, 0);
    *out = dog;
    return 0;
}

int pl_watchdog_start(struct pl_watchdog *dog)
{
    struct sigaction action = {
        .sa_sigaction = on_alarm,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
    };

    if (dog == NULL)
        return 0;
    sigemptyset(&action.sa_mask);
    dog->handling = sigaction(ALARM, &action, &dog->before) == 0;
    if (pl_sys_thread(&dog->thread, run, dog) < 0)
        return pl_err_from_errno(errno);
    dog->started = true;
    return 0;
}

void pl_watchdog_stop(struct pl_watchdog *dog)
{
    if (dog == NULL || !dog->started)
        return;
    dog->stop = true;
    sem_post(&dog->news);
    pthread_join(dog->thread, NULL);
    dog->started = false;
}

void pl_watchdog_close(struct pl_watchdog *dog)
{
    if (dog == NULL)
        return;
    if (dog->handling)
        sigaction(ALARM, &dog->before, NULL);
    if (dog->lua)
        pl_lua_watch_close();
    sem_destroy(&dog->news);
    pl_free(dog);
}

/* 0 if it cannot be found. */
static uintptr_t find_stack_end(void)
{
    pthread_attr_t attr;
    uintptr_t end = 0;
    void *low;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return 0;
    if (pthread_attr_getstack(&attr, &low, &size) == 0)
        end = (uintptr_t)low + size;
    pthread_attr_destroy(&attr);
    return end;
}

void pl_watchdog_enter(struct pl_watchdog *dog, const struct pl_worker *worker)
{
    sigset_t alarm;

    if (dog == NULL)
        return;
    dog->wards[worker->id].stack_end = find_stack_end();
    sigemptyset(&alarm);
    sigaddset(&alarm, ALARM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
}

void pl_watchdog_follow(struct pl_watchdog *dog, struct pl_worker *worker)
{
    if (dog == NULL)
        return;
    worker->sched.on_deadline_arg = dog;
    worker->sched.on_deadline = on_deadline;
    dog->wards[worker->id].followed = true;
}

bool pl_watchdog_gives_up(const struct pl_watchdog *dog, unsigned worker)
{
    return dog != NULL && dog->wards[worker].given_up;
}

/* ---- figures ---- */

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void pl_watchdog_say_turns(const struct pl_worker *worker)
{
    const struct pl_turns *turns = pl_loop_turns(worker->loop);
    uint64_t count = get(&turns->count);
    struct text text = {.len = 0};

    for (int i = 0; i < PL_TURN_BUCKETS; i++)
        if (get(&turns->buckets[i]) > 0)
            add(&text, " %llu<2^%dns",
                (unsigned long long)get(&turns->buckets[i]), PL_TURN_FIRST + i);
    pl_log(PL_LOG_DEBUG, "watchdog",
           "turns: worker=%u count=%llu mean=%lluus longest=%lluus held=%llu "
           "aborted=%llu:%s",
           worker->id, (unsigned long long)count,
           (unsigned long long)(get(&turns->total) / PL_MAX(count, 1u) / 1000),
           (unsigned long long)(get(&turns->longest) / 1000),
           (unsigned long long)get(&turns->held),
           (unsigned long long)get(&turns->aborted), text.bytes);
}
