#include "server/watchdog_priv.h"

#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/symbol.h"
#include "base/sys.h"

enum {
    FRAMES = 8, /* calls on the C stack that the log has */
    LOOKS = 4,  /* in the time of the shortest limit */
    TICK_MOST_MS = 1000,
    HOOK_MS = 200, /* for the next instruction of Lua, or line of a trace */
    ABORTS = 5,    /* so many are tried before a worker is given up */
};

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

static void add_request(struct text *text, const struct pl_inquiry *inquiry)
{
    if (inquiry->method[0] == '\0')
        return;
    add(text, " by %s %s request=%s", inquiry->method, inquiry->path,
        inquiry->id);
    if (inquiry->route[0] != '\0')
        add(text, " route=%s", inquiry->route);
}

/* "strlen (libc.so.6+0x9a1) < slow (site+0x12)": the code that ran, and what
 * has called it. */
static void add_stack(struct text *text, const struct pl_inquiry *inquiry)
{
    struct pl_symbols *symbols = pl_symbols_new();
    char name[512], calls[2000];

    pl_symbols_name(symbols, inquiry->pc, name, sizeof(name));
    add(text, "%s", name);
    if (pl_symbols_stack(symbols, inquiry->words, inquiry->nwords, FRAMES,
                         calls, sizeof(calls)) > 0)
        add(text, " < %s", calls);
    pl_symbols_free(symbols);
}

static void describe_mute(struct text *text, const struct pl_ward *ward)
{
    double held =
        (double)(pl_clock_monotonic() - ward->busy_since) / 1000000000;

    text->len = 0;
    add(text, "worker %u has been held for %.3f s", ward->worker->id, held);
}

/* " in Lua: site.lua:3 in spin < site.lua:9" */
static void add_where(struct text *text, const struct pl_inquiry *inquiry,
                      bool heard)
{
    const char *where = heard ? inquiry->lua.where : inquiry->where;

    if (inquiry->in_lua && where[0] != '\0')
        add(text, " in Lua: %s", where);
    if (!heard) {
        add(text, " in C: ");
        add_stack(text, inquiry);
    }
}

/* "worker 0 has been held for 5.2 s by GET /x request=... route=/x in Lua:
 * site.lua:3 in spin < site.lua:9" */
static void describe(struct text *text, const struct pl_ward *ward, bool heard)
{
    describe_mute(text, ward);
    add_request(text, &ward->inquiry);
    add_where(text, &ward->inquiry, heard);
}

/* Asks a worker that is held what it does. Returns whether it could say; heard:
 * Lua has said it, and not from inside a C function. */
static bool inquire(struct pl_ward *ward, struct pl_question *question,
                    bool *heard)
{
    struct pl_inquiry *inquiry = &ward->inquiry;

    *heard = false;
    if (!pl_inquiry_ask(ward, question))
        return false;
    if (!inquiry->in_lua)
        return true;
    *heard = pl_inquiry_await(ward->dog, inquiry, &inquiry->heard, HOOK_MS);
    question->only_where = true;
    return *heard || pl_inquiry_ask(ward, question);
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
static void report(struct pl_ward *ward, uint64_t held, bool answered,
                   bool heard)
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

static void give_up(struct pl_ward *ward)
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
static void alarm_it(struct pl_ward *ward, uint64_t held)
{
    struct pl_watchdog *dog = ward->dog;
    bool abort = held >= dog->abort, answered, heard;
    struct pl_question question = {
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
static void enforce_budget(struct pl_ward *ward)
{
    struct pl_inquiry *inquiry = &ward->inquiry;
    struct pl_question question = {
        .budget = true, .kind = PL_ALARM_ABORT, .status = 503};
    uint64_t deadline = atomic_load(&ward->worker->sched.deadline);

    if (deadline == 0 || pl_clock_monotonic() < deadline)
        return;
    get_ready(ward->dog);
    if (pl_inquiry_ask(ward, &question) && inquiry->in_lua)
        pl_inquiry_await(ward->dog, inquiry, &inquiry->heard, HOOK_MS);
}

static void look_at(struct pl_ward *ward)
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

/* ---- for those who ask ---- */

static void find_out(struct pl_ward *ward, struct pl_holder *held)
{
    const struct pl_inquiry *inquiry = &ward->inquiry;
    struct pl_question question = {.kind = PL_ALARM_REPORT, .status = 500};
    struct text text = {.len = 0};
    bool heard;

    if (!ward->followed || ward->worker->stage >= PL_WORKER_OVER)
        return;
    get_ready(ward->dog);
    question.busy_since = pl_loop_busy_since(ward->worker->loop);
    if (question.busy_since == 0 || !inquire(ward, &question, &heard))
        return;
    held->known = true;
    memcpy(held->id, inquiry->id, sizeof(held->id));
    memcpy(held->method, inquiry->method, sizeof(held->method));
    memcpy(held->path, inquiry->path, sizeof(held->path));
    memcpy(held->route, inquiry->route, sizeof(held->route));
    add_where(&text, inquiry, heard);
    if (text.len > 0)
        snprintf(held->where, sizeof(held->where), "%s", text.bytes + 1);
}

static void answer_asked(struct pl_watchdog *dog)
{
    struct pl_holder *held, *next;

    for (held = atomic_exchange(&dog->asked, NULL); held != NULL; held = next) {
        next = held->next;
        find_out(&dog->wards[held->worker], held);
        held->known_by(held);
    }
}

void pl_watchdog_ask(struct pl_watchdog *dog, struct pl_holder *held)
{
    held->next = atomic_load(&dog->asked);
    while (!atomic_compare_exchange_weak(&dog->asked, &held->next, held))
        ;
    sem_post(&dog->news);
}

/* ---- the thread ---- */

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
        at = pl_watchdog_time(look);
    } while (sem_clockwait(&dog->news, CLOCK_MONOTONIC, &at) == 0 &&
             !dog->stop && atomic_load(&dog->asked) == NULL);
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
        answer_asked(dog);
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

    return PL_WITH_WATCHDOG && server->options.own_process && settings->on &&
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
        struct pl_ward *ward = &dog->wards[i];

        ward->dog = dog;
        ward->worker = &server->workers[i];
        ward->inquiry.ward = ward;
        ward->inquiry.lua.heard = pl_inquiry_on_heard;
    }
    if (lua && pl_lua_watch_open() < 0) {
        pl_free(dog);
        return PL_ERR_NOMEM;
    }
    sem_init(&dog->news, 0, 0);
    *out = dog;
    return 0;
}

static bool is_off(const struct pl_watchdog *dog)
{
    return !PL_WITH_WATCHDOG || dog == NULL;
}

int pl_watchdog_start(struct pl_watchdog *dog)
{
    struct sigaction action = {
        .sa_sigaction = pl_inquiry_on_alarm,
        .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
    };

    if (is_off(dog))
        return 0;
    sigemptyset(&action.sa_mask);
    dog->handling = sigaction(PL_INQUIRY_SIGNAL, &action, &dog->before) == 0;
    if (pl_sys_thread(&dog->thread, run, dog) < 0)
        return pl_err_from_errno(errno);
    dog->started = true;
    return 0;
}

void pl_watchdog_stop(struct pl_watchdog *dog)
{
    if (is_off(dog) || !dog->started)
        return;
    dog->stop = true;
    sem_post(&dog->news);
    pthread_join(dog->thread, NULL);
    dog->started = false;
}

void pl_watchdog_close(struct pl_watchdog *dog)
{
    if (is_off(dog))
        return;
    if (dog->handling)
        sigaction(PL_INQUIRY_SIGNAL, &dog->before, NULL);
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

    if (is_off(dog))
        return;
    dog->wards[worker->id].stack_end = find_stack_end();
    sigemptyset(&alarm);
    sigaddset(&alarm, PL_INQUIRY_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
}

void pl_watchdog_follow(struct pl_watchdog *dog, struct pl_worker *worker)
{
    if (is_off(dog))
        return;
    worker->sched.on_deadline_arg = dog;
    worker->sched.on_deadline = on_deadline;
    dog->wards[worker->id].followed = true;
}

bool pl_watchdog_gives_up(const struct pl_watchdog *dog, unsigned worker)
{
    return !is_off(dog) && dog->wards[worker].given_up;
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
