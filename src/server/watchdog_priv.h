/* watchdog_priv.h - the watchdog's thread, the workers that it watches, and
 * what it asks them (inquiry.c). */
#ifndef PL_SERVER_WATCHDOG_PRIV_H
#define PL_SERVER_WATCHDOG_PRIV_H

#include <semaphore.h>
#include <signal.h>

#include "http/request.h"
#include "lua/watch.h"
#include "server/server.h"
#include "server/watchdog.h"

/* Nobody uses it, who does not know it ignores it, and debuggers let it pass.
 * (Go interrupts its threads by the same one.) SIGPROF is LuaJIT's. */
#define PL_INQUIRY_SIGNAL SIGURG

enum {
    PL_INQUIRY_WORDS = 1024,     /* of the C stack: looked at, */
    PL_INQUIRY_ANSWER_MS = 1000, /* a thread that does not run cannot answer */
};

/* What is asked of a worker that is held. */
struct pl_question {
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
struct pl_inquiry {
    struct pl_alarm lua; /* first: heard() gets this one */
    struct pl_ward *ward;
    struct pl_question question;
    /* by the handler */
    bool stale; /* the worker does something else by now */
    bool in_lua;
    uintptr_t pc;
    unsigned nwords;
    uintptr_t words[PL_INQUIRY_WORDS];                    /* of the C stack */
    char where[sizeof(((struct pl_alarm *)NULL)->where)]; /* only_where */
    char id[PL_REQUEST_ID_LEN + 1];
    char method[16], path[256], route[128];
    /* lua.where is valid once heard is asked, the rest once answered is. */
    _Atomic unsigned asked, answered, heard;
};

/* One worker, and the episode that it is in. */
struct pl_ward {
    struct pl_watchdog *dog;
    struct pl_worker *worker;
    struct pl_inquiry inquiry;
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
    struct pl_holder *_Atomic asked; /* newest first */
    _Atomic uint64_t next_look;      /* ns; by then a deadline is seen anyway */
    bool handling;                   /* before is what it was */
    struct sigaction before;
    unsigned nwards;
    struct pl_ward wards[];
};

PL_INLINE struct timespec pl_watchdog_time(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
}

/* Handles PL_INQUIRY_SIGNAL on the thread of a worker. */
void pl_inquiry_on_alarm(int signal, siginfo_t *info, void *context);

/* From the hook, on the worker's thread. */
void pl_inquiry_on_heard(struct pl_alarm *alarm);

/* Asks, and waits for the answer. Returns false if the worker did not answer,
 * or has gone on. */
bool pl_inquiry_ask(struct pl_ward *ward, const struct pl_question *question);

/* Waits until *answer follows what was asked; false after so many ms. */
bool pl_inquiry_await(struct pl_watchdog *dog, const struct pl_inquiry *inquiry,
                      const _Atomic unsigned *answer, unsigned ms);

#endif
