/* driver.h - what speaks to one kind of database.
 *
 * Drivers are plug-ins, perilune-sqlite.so and perilune-postgres.so, which link
 * to their libraries and to nothing of ours (base/plugin.h); so this header has
 * types and inline functions only. A driver knows sessions and calls: no pools,
 * no queues, no time-outs, no loop. Those are in pool.h.
 *
 * A call is done in steps on the worker's loop, none of which blocks:
 *
 *     step(session, call, why) -> DONE: call->answer says what came of it
 *                                 READ, WRITE (or both): wait for session->fd
 *                                 WORK: run work() on an offload thread
 *                                 BUSY: somebody has locked it; ask again later
 *                                 (the failure is filled, in case it is never
 *                                 free)
 *
 * so that one interface serves libraries that block (SQLite: WORK), those that
 * wait for sockets, and those that do either (libpq, which looks up names). One
 * call at a time is under way in a session, and one of step() and work() runs
 * at a time, on whatever thread. */
#ifndef PL_SQL_DRIVER_H
#define PL_SQL_DRIVER_H

#include <sys/uio.h>

#include "sql/rows.h"

/* A value that a statement is given. text: TEXT, BLOB, DECIMAL, in the call's
 * own block. */
struct pl_sql_value {
    enum pl_sql_type type;
    union {
        int64_t integer; /* INTEGER, BOOL */
        double real;
        struct pl_str text;
    };
};

enum pl_sql_kind {
    PL_SQL_CONNECT, /* the first call of a session */
    PL_SQL_RUN,     /* one statement with values */
    PL_SQL_FETCH,   /* more rows of the statement that RUN has begun */
    PL_SQL_FINISH,  /* forgets the rows that are left of it */
    PL_SQL_SCRIPT,  /* any number of statements, without values */
    PL_SQL_RESET,   /* rolls back, and forgets what was set for the session */
};

/* What went wrong. state is an SQLSTATE, whichever the engine: "23505". */
struct pl_sql_failure {
    int err;     /* 0, or PL_ERR_* */
    bool misuse; /* the program's fault: it is raised */
    char state[6];
    char text[320];
};

struct pl_sql_answer {
    struct pl_sql_failure failure;
    struct pl_sql_rows rows;
    int64_t changes; /* rows that were changed; -1: it has changed none */
    int64_t last_id; /* of a row that was inserted; 0: not known */
    bool more;       /* there are rows that FETCH brings */
};

struct pl_sql_call {
    enum pl_sql_kind kind;
    uint32_t batch;     /* rows of one answer; 0: all */
    struct pl_str text; /* followed by a NUL */
    const struct pl_sql_value *values;
    unsigned nvalues;
    struct pl_sql_answer answer;
};

enum pl_sql_next {
    PL_SQL_DONE = 0,
    PL_SQL_READ = 1,
    PL_SQL_WRITE = 2,
    PL_SQL_WORK = 4,
    PL_SQL_BUSY = 8,
};

enum pl_sql_why {
    PL_SQL_BEGIN,  /* the call is new */
    PL_SQL_READY,  /* fd is what was waited for */
    PL_SQL_WORKED, /* work() is over */
    PL_SQL_AGAIN,  /* after BUSY, or if there was no thread for WORK */
    PL_SQL_STOP,   /* nobody waits for the answer any more: end soon */
};

/* The first member of a driver's own session. */
struct pl_sql_session {
    int fd;      /* -1: none. May change while it connects */
    bool broken; /* no call can be made any more */
    bool inside; /* a transaction is open */
    bool dirty;  /* a statement has changed how it works: RESET */
};

struct pl_sql_settings {
    const char *url;     /* whole */
    unsigned statements; /* prepared ones that are kept; 0: none */
    uint32_t connect_ms;
    size_t limit; /* bytes of an answer */
    bool read_only;
    bool durable; /* a commit is on the disk when it is answered */
    bool offload; /* each call goes to an offload thread */
};

/* What a plug-in is given; the calls may be made on any thread. */
struct pl_sql_host {
    struct pl_sql_memory memory;
    ssize_t (*preadv2)(int fd, const struct iovec *iov, int n, off_t at,
                       int flags);
};

/* What it offers. */
struct pl_sql_driver {
    const char *name; /* "sqlite" */
    /* GIVES a session that is not connected yet; borrows settings for its
     * life. NULL: no memory. */
    struct pl_sql_session *(*open)(const struct pl_sql_settings *settings);
    enum pl_sql_next (*step)(struct pl_sql_session *session,
                             struct pl_sql_call *call, enum pl_sql_why why);
    /* On an offload thread; may be NULL if step() never says WORK. */
    void (*work)(struct pl_sql_session *session, struct pl_sql_call *call);
    /* While work() runs: it is to end soon. On the worker. May be NULL. */
    void (*interrupt)(struct pl_sql_session *session);
    /* Something can be read, and no call is under way: sets broken if the
     * server has gone. May be NULL. */
    void (*idle)(struct pl_sql_session *session);
    /* Between calls, or in the middle of one that waits for fd. Short. */
    void (*close)(struct pl_sql_session *session);
    /* How a transaction begins: "begin immediate", and one that only reads. */
    const char *begin, *begin_read;
    /* Between one of them and a level of isolation; NULL: there is one level.
     */
    const char *begin_level; /* " isolation level " */
    /* A statement at the beginning of a transaction that migrates: nobody else
     * does meanwhile. NULL: begin sees to that. */
    const char *lock;
};

#endif
