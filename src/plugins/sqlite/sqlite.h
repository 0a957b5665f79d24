/* sqlite.h - what the files of the driver for SQLite share. */
#ifndef PL_PLUGINS_SQLITE_H
#define PL_PLUGINS_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/error.h"
#include "sql/driver.h"
#include "sql/kept.h"

struct session {
    struct pl_sql_session base; /* the first member */
    const struct pl_sql_settings *settings;
    sqlite3 *db;
    bool connected;        /* of the worker: interrupt() may use db */
    bool in_memory;        /* all is lost when it is closed */
    bool trying;           /* on the worker: not for longer than a moment */
    atomic_bool stop;      /* the call is to end soon */
    enum pl_sql_next next; /* what work() has come to */
    struct pl_sql_keeper keeper;
    /* The statement that is under way: also between RUN and FETCH. */
    sqlite3_stmt *statement;
    struct pl_sql_kept *kept; /* NULL: it is not kept, but used once */
};

/* What the program has given us; always the same. */
extern _Atomic(const struct pl_sql_host *) pl_sqlite_host;
#define pl_sqlite_memory (&pl_sqlite_host->memory)

/* ---- failure.c ---- */

/* Fills the answer's failure from a result code, and what the session says. */
void pl_sqlite_failed(struct session *session, struct pl_sql_call *call,
                      int code);
void pl_sqlite_misused(struct pl_sql_call *call, const char *fmt, ...)
    PL_PRINTF(2, 3);

/* ---- statement.c ---- */

/* Runs, or goes on with, one statement: DONE, BUSY; trying: also WORK, if it
 * would have to wait for the disk or takes longer than a moment. Nothing has
 * happened then. */
enum pl_sql_next pl_sqlite_run(struct session *session,
                               struct pl_sql_call *call, bool trying);
enum pl_sql_next pl_sqlite_fetch(struct session *session,
                                 struct pl_sql_call *call);
enum pl_sql_next pl_sqlite_script(struct session *session,
                                  struct pl_sql_call *call);

/* A moment has passed: is the call to end? For sqlite3_progress_handler(). */
enum { PL_SQLITE_MOMENT = 10000 }; /* steps of its machine: some 100 us */
int pl_sqlite_pause(void *session);

/* Ends what is under way. */
void pl_sqlite_finish(struct session *session);

/* Forgets what is kept. */
void pl_sqlite_forget(struct session *session);

/* ---- nowait.c ---- */

/* Once, before any session. */
void pl_sqlite_nowait_init(void);

/* Between the two, reads of this thread that would have to wait for the disk
 * fail instead. End says whether one did. */
void pl_sqlite_nowait_begin(void);
bool pl_sqlite_nowait_end(void);

#endif
