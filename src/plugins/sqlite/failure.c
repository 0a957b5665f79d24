/* failure.c - what SQLite says is wrong, as an error of ours. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "plugins/sqlite/sqlite.h"

/* The first row that fits is taken: extended codes stand before the codes that
 * they are of. */
static const struct {
    int code, err;
    const char *state;
} failures[] = {
    {SQLITE_CONSTRAINT_UNIQUE, PL_ERR_EXISTS, "23505"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, PL_ERR_EXISTS, "23505"},
    {SQLITE_CONSTRAINT_ROWID, PL_ERR_EXISTS, "23505"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, PL_ERR_INVALID, "23503"},
    {SQLITE_CONSTRAINT_NOTNULL, PL_ERR_INVALID, "23502"},
    {SQLITE_CONSTRAINT_CHECK, PL_ERR_INVALID, "23514"},
    {SQLITE_CONSTRAINT, PL_ERR_INVALID, "23000"},
    {SQLITE_BUSY_SNAPSHOT, PL_ERR_BUSY, "40001"},
    {SQLITE_BUSY, PL_ERR_BUSY, "55P03"},
    {SQLITE_LOCKED, PL_ERR_BUSY, "55P03"},
    {SQLITE_INTERRUPT, PL_ERR_TIMEOUT, "57014"},
    {SQLITE_READONLY, PL_ERR_DENIED, "25006"},
    {SQLITE_PERM, PL_ERR_DENIED, "42501"},
    {SQLITE_AUTH, PL_ERR_DENIED, "42501"},
    {SQLITE_FULL, PL_ERR_NO_SPACE, "53100"},
    {SQLITE_NOMEM, PL_ERR_NOMEM, "53200"},
    {SQLITE_TOOBIG, PL_ERR_LIMIT, "54000"},
    {SQLITE_MISMATCH, PL_ERR_INVALID, "22000"},
    {SQLITE_CORRUPT, PL_ERR_IO, "XX001"},
    {SQLITE_NOTADB, PL_ERR_IO, "XX001"},
    {SQLITE_CANTOPEN, PL_ERR_IO, "58030"},
    {SQLITE_IOERR, PL_ERR_IO, "58030"},
};

static void set(struct pl_sql_failure *failure, int err, const char *state)
{
    failure->err = err;
    memcpy(failure->state, state, sizeof(failure->state));
}

/* Why the file cannot be opened. */
static int open_error(sqlite3 *db)
{
    switch (sqlite3_system_errno(db)) {
    case ENOENT:
    case ENOTDIR:
        return PL_ERR_NOT_FOUND;
    case EACCES:
    case EROFS:
        return PL_ERR_DENIED;
    default:
        return PL_ERR_IO;
    }
}

/* A plain SQLITE_ERROR: of the text if there is no statement yet. */
static void set_plain(const struct session *session,
                      struct pl_sql_failure *failure)
{
    if (session->statement == NULL)
        set(failure, PL_ERR_SYNTAX, "42000");
    else
        set(failure, PL_ERR_INVALID, "22000");
}

void pl_sqlite_failed(struct session *session, struct pl_sql_call *call,
                      int code)
{
    struct pl_sql_failure *failure = &call->answer.failure;

    set_plain(session, failure);
    for (size_t i = 0; i < PL_COUNT(failures); i++) {
        int row = failures[i].code;

        if (row != code && row != (code & 0xff))
            continue;
        set(failure, failures[i].err, failures[i].state);
        break;
    }
    if ((code & 0xff) == SQLITE_CANTOPEN)
        failure->err = open_error(session->db);
    snprintf(failure->text, sizeof(failure->text), "%s",
             session->db == NULL || code == SQLITE_INTERRUPT
                 ? sqlite3_errstr(code)
                 : sqlite3_errmsg(session->db));
}

void pl_sqlite_misused(struct pl_sql_call *call, const char *fmt, ...)
{
    struct pl_sql_failure *failure = &call->answer.failure;
    va_list ap;

    set(failure, PL_ERR_INVALID, "42601");
    failure->misuse = true;
    va_start(ap, fmt);
    vsnprintf(failure->text, sizeof(failure->text), fmt, ap);
    va_end(ap);
}
