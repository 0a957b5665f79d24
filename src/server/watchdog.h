/* watchdog.h - a thread that sees when a worker has stopped turning, says what
 * holds it while it does, and ends it if that is Lua.
 *
 *     worker      writes when it began what it does (pl_loop_busy_since)
 *     watchdog    reads that; after `warn` sends the worker a signal
 *     handler     on the worker: copies what the task is, its C stack, and arms
 *                 a hook if Lua runs
 *     hook        on the worker: says where Lua is, or aborts it after `abort`
 *     watchdog    logs what they have said
 *
 * A hook that is not called within a moment means that Lua is inside a C
 * function. That is named by a second signal, and cannot be aborted. */
#ifndef PL_SERVER_WATCHDOG_H
#define PL_SERVER_WATCHDOG_H

#include <perilune.h>
#include <stdbool.h>

struct pl_worker;
struct pl_server;
struct pl_watchdog;

/* Before the workers' VMs are made; lua: they will be. GIVES *out, or NULL if
 * the site wants none or the process is not ours. Returns 0 or PL_ERR_*. */
int pl_watchdog_open(struct pl_server *server, bool lua,
                     struct pl_watchdog **out);

/* Begins to watch. Returns 0 or PL_ERR_*. */
int pl_watchdog_start(struct pl_watchdog *dog);

/* Ends watching: the workers' threads and loops may go then. */
void pl_watchdog_stop(struct pl_watchdog *dog);

/* All VMs are freed. dog may be NULL in all of these. */
void pl_watchdog_close(struct pl_watchdog *dog);

/* By the thread of a worker: lets alarms through. dog may be NULL. */
void pl_watchdog_enter(struct pl_watchdog *dog, const struct pl_worker *worker);

/* The same, once it has a loop and a scheduler: it is watched from now on. */
void pl_watchdog_follow(struct pl_watchdog *dog, struct pl_worker *worker);

/* Is worker one that will not turn any more, as far as can be said? Any
 * thread. */
bool pl_watchdog_gives_up(const struct pl_watchdog *dog, unsigned worker);

/* What holds a worker now, as somebody wants to know who cannot wait for it
 * (admin_ask.c). Texts are empty where there is nothing to say. */
struct pl_holder {
    struct pl_holder *next;
    unsigned worker;
    bool known; /* it could be found out */
    char id[PL_REQUEST_ID_LEN + 1];
    char method[16], path[256], route[128];
    char where[3000]; /* "in Lua: site.lua:3 in spin", "in C: strlen < ..." */
    /* Called when all is filled, on the watchdog's thread: the last it does
     * with it. */
    void (*known_by)(struct pl_holder *held);
};

/* Any thread, while the watchdog is not stopped. BORROWS held until known_by()
 * is called, which it is not when the watchdog stops before. */
void pl_watchdog_ask(struct pl_watchdog *dog, struct pl_holder *held);

/* Logs, on debug level, how long the turns of a worker were that is over. */
void pl_watchdog_say_turns(const struct pl_worker *worker);

#endif
