/* postgres.h - what the files of the driver for PostgreSQL share. */
#ifndef PL_PLUGINS_POSTGRES_H
#define PL_PLUGINS_POSTGRES_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "base/error.h"
#include "sql/driver.h"
#include "sql/kept.h"

enum phase {
    PHASE_OPEN,       /* on a thread: names are looked up */
    PHASE_CONNECT,    /* PQconnectPoll() */
    PHASE_DEALLOCATE, /* a statement is forgotten, to make room for another */
    PHASE_PREPARE,    /* ... which is made, to be run next */
    PHASE_RUN,        /* results of the call */
    PHASE_CANCEL,     /* on a thread: the server is told to stop */
    PHASE_DRAIN,      /* what still comes is thrown away; then comes `then` */
};

/* What is sent when the results of something else have been thrown away. */
enum then { THEN_DONE, THEN_ROLLBACK, THEN_DISCARD };

struct session {
    struct pl_sql_session base; /* the first member */
    const struct pl_sql_settings *settings;
    PGconn *conn;
    PGcancel *cancel; /* in PHASE_CANCEL */
    enum phase phase;
    enum then then;
    bool writing;   /* libpq could not send all */
    bool open;      /* results are still to come: also between calls */
    bool again;     /* the call has been sent twice: no more */
    unsigned reads; /* of this call, and how much came with them */
    size_t bytes;
    struct pl_sql_keeper keeper;
    struct pl_sql_kept *kept; /* the statement of the call; NULL: not kept */
    uint64_t numbers;         /* of names of statements */
    char *scratch;            /* values as texts, statements with "$1" */
    size_t scratch_size;
};

/* The number of a prepared statement, whose name is made of it. */
struct prepared {
    uint64_t number;
    unsigned values;
};

/* The program's; always the same. */
extern _Atomic(const struct pl_sql_memory *) pl_postgres_memory;

/* ---- failure.c ---- */

void pl_postgres_fail(struct pl_sql_call *call, int err, const char *state,
                      const char *text);

/* What the server has answered. */
void pl_postgres_result_failed(struct pl_sql_call *call, const PGresult *res);

/* What libpq says of a connection that was not made, or is no more. */
void pl_postgres_connect_failed(struct pl_sql_call *call, const char *message);
void pl_postgres_lost(struct session *session, struct pl_sql_call *call);

/* ---- send.c: each returns false with the failure filled ---- */

bool pl_postgres_send(struct session *session, struct pl_sql_call *call);

/* The statement that was prepared. */
bool pl_postgres_send_prepared(struct session *session,
                               struct pl_sql_call *call);

/* Statements without values, in one text. */
bool pl_postgres_send_text(struct session *session, struct pl_sql_call *call,
                           const char *text);

/* Forgets the statement of the call; or all. The server has, or need not. */
void pl_postgres_drop_kept(struct session *session);
void pl_postgres_forget(struct session *session);

/* ---- rows.c ---- */

void pl_postgres_put_columns(const PGresult *res, struct pl_sql_rows *rows);
void pl_postgres_put_rows(const PGresult *res, struct pl_sql_rows *rows);

#endif
