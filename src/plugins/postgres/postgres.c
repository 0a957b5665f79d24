/* postgres.c - PostgreSQL as a driver (sql/driver.h), by libpq without
 * blocking.
 *
 *     CONNECT: OPEN (thread) -> CONNECT
 *     RUN:     [DEALLOCATE ->] [PREPARE ->] RUN; the first time a statement is
 *              run by a session it is prepared
 *     FETCH:   RUN goes on; FINISH, RESET: [CANCEL (thread) ->] DRAIN -> ...
 *
 * What blocks in libpq is done on threads: looking up names, which it does when
 * a connection is begun, and PQcancel(), which makes a connection of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/plugin.h"
#include "plugins/postgres/postgres.h"

_Atomic(const struct pl_sql_memory *) pl_postgres_memory;

/* Reads of a call that are not weighed: most have one or two. */
enum { LIGHT_READS = 8 };

static enum pl_sql_next go_on(struct session *session,
                              struct pl_sql_call *call);

static struct pl_sql_session *
open_session(const struct pl_sql_settings *settings)
{
    struct session *session = pl_postgres_memory->malloc(sizeof(*session));

    if (session == NULL)
        return NULL;
    memset(session, 0, sizeof(*session));
    session->base.fd = -1;
    session->settings = settings;
    pl_sql_keeper_init(&session->keeper, pl_postgres_memory,
                       settings->statements);
    return &session->base;
}

static void close_session(struct pl_sql_session *base)
{
    struct session *session = (struct session *)base;

    pl_postgres_forget(session);
    PQfreeCancel(session->cancel);
    PQfinish(session->conn);
    pl_postgres_memory->free(session->scratch);
    pl_postgres_memory->free(session);
}

/* ---- connecting ---- */

/* What the URL says wins over what stands before it. */
static PGconn *start(const struct session *session)
{
    static const char *const names[] = {
        "fallback_application_name", "gssencmode", "dbname",
        "client_encoding",           "options",    NULL};
    const char *values[] = {"perilune",
                            "disable",
                            session->settings->url,
                            "UTF8",
                            session->settings->read_only
                                ? "-c default_transaction_read_only=on"
                                : NULL,
                            NULL};

    return PQconnectStartParams(names, values, 1);
}

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static enum pl_sql_next connect_failed(struct session *session,
                                       struct pl_sql_call *call)
{
    session->base.broken = true;
    if (session->conn == NULL)
        pl_postgres_fail(call, PL_ERR_NOMEM, "53200", "out of memory");
    else
        pl_postgres_connect_failed(call, PQerrorMessage(session->conn));
    return PL_SQL_DONE;
}

static enum pl_sql_next connected(struct session *session,
                                  struct pl_sql_call *call)
{
    if (PQsetnonblocking(session->conn, 1) != 0)
        return connect_failed(session, call);
    PQsetErrorVerbosity(session->conn, PQERRORS_DEFAULT);
    session->base.fd = PQsocket(session->conn);
    return PL_SQL_DONE;
}

static enum pl_sql_next poll_connect(struct session *session,
                                     struct pl_sql_call *call)
{
    PostgresPollingStatusType status = PQconnectPoll(session->conn);

    session->base.fd = PQsocket(session->conn);
    switch (status) {
    case PGRES_POLLING_OK:
        return connected(session, call);
    case PGRES_POLLING_READING:
        return PL_SQL_READ;
    case PGRES_POLLING_WRITING:
        return PL_SQL_WRITE;
    default:
        return connect_failed(session, call);
    }
}

/* The connection is begun: see PQconnectStart() for why it is written first. */
static enum pl_sql_next opened(struct session *session,
                               struct pl_sql_call *call)
{
    if (session->conn == NULL || PQstatus(session->conn) == CONNECTION_BAD)
        return connect_failed(session, call);
    PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
    PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
    session->phase = PHASE_CONNECT;
    session->base.fd = PQsocket(session->conn);
    return PL_SQL_WRITE;
}

/* ---- results ---- */

/* The rows of a call are counted against its limit when they are all there; so
 * what comes in many pieces is weighed before. */
static bool is_too_heavy(struct session *session, struct pl_sql_call *call)
{
    size_t limit = call->answer.rows.limit;
    int waiting = 0;

    if (++session->reads <= LIGHT_READS || limit == 0 || call->batch > 0 ||
        ioctl(session->base.fd, FIONREAD, &waiting) < 0)
        return false;
    session->bytes += (size_t)waiting;
    return session->bytes / 2 > limit;
}

/* Statements that change how the session works: by the beginning of what the
 * server says of them. */
static bool leaves_a_trace(const char *status)
{
    static const char *const words[] = {"SET",     "LISTEN", "DECLARE",
                                        "PREPARE", "LOAD",   "RESET"};

    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (strncmp(status, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* To commit a transaction that has failed is no error to the server. */
static bool is_refused_commit(const struct pl_sql_call *call, PGresult *res)
{
    return strcmp(PQcmdStatus(res), "ROLLBACK") == 0 &&
           strncasecmp(call->text.data, "commit", 6) == 0;
}

static void take_rows(struct pl_sql_call *call, const PGresult *res)
{
    struct pl_sql_rows *rows = &call->answer.rows;

    if (rows->columns == 0)
        pl_postgres_put_columns(res, rows);
    pl_postgres_put_rows(res, rows);
    if (rows->err == PL_ERR_LIMIT)
        pl_postgres_fail(call, PL_ERR_LIMIT, "54000",
                         "the answer is larger than its limit");
    else if (rows->err < 0)
        pl_postgres_fail(call, rows->err, "53200", "out of memory");
}

static void take_result(struct session *session, struct pl_sql_call *call,
                        PGresult *res)
{
    const char *changes = PQcmdTuples(res);

    if (session->phase != PHASE_RUN && PQresultStatus(res) != PGRES_FATAL_ERROR)
        return; /* of making statements, or nobody's */
    switch (PQresultStatus(res)) {
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        if (call->kind != PL_SQL_SCRIPT && call->answer.failure.err == 0)
            take_rows(call, res);
        break;
    case PGRES_COMMAND_OK:
        session->base.dirty |= leaves_a_trace(PQcmdStatus(res));
        if (is_refused_commit(call, res))
            pl_postgres_fail(call, PL_ERR_STATE, "25P02",
                             "a call before has failed: rolled back");
        break;
    case PGRES_FATAL_ERROR:
        if (session->phase != PHASE_DRAIN && call->answer.failure.err == 0)
            pl_postgres_result_failed(call, res);
        return;
    case PGRES_EMPTY_QUERY:
        return;
    default: /* COPY, which is not spoken here */
        session->base.broken = true;
        pl_postgres_fail(call, PL_ERR_UNSUPPORTED, "0A000",
                         "COPY from and to a client is not supported");
        return;
    }
    if (changes[0] != '\0' && strncmp(PQcmdStatus(res), "SELECT", 6) != 0)
        call->answer.changes = strtoll(changes, NULL, 10);
}

static bool is_full(const struct session *session,
                    const struct pl_sql_call *call)
{
    return session->phase == PHASE_RUN && call->batch > 0 &&
           call->answer.rows.count >= call->batch;
}

/* Takes results until there is none yet (false), or none any more. */
static bool take_results(struct session *session, struct pl_sql_call *call)
{
    while (!PQisBusy(session->conn)) {
        PGresult *res = PQgetResult(session->conn);

        if (res == NULL) {
            session->open = false;
            return true;
        }
        take_result(session, call, res);
        PQclear(res);
        if (session->base.broken || is_full(session, call))
            return true;
    }
    return false;
}

/* ---- the steps of a call ---- */

static enum pl_sql_next cancel(struct session *session)
{
    session->cancel = PQgetCancel(session->conn);
    session->phase = PHASE_CANCEL;
    return PL_SQL_WORK;
}

static enum pl_sql_next end(struct session *session, struct pl_sql_call *call)
{
    PGTransactionStatusType status = PQtransactionStatus(session->conn);

    session->base.inside = status == PQTRANS_INTRANS ||
                           status == PQTRANS_INERROR ||
                           (status == PQTRANS_ACTIVE && session->base.inside);
    if (status == PQTRANS_UNKNOWN)
        pl_postgres_lost(session, call);
    if (call->answer.failure.err < 0)
        call->answer.rows.count = 0;
    call->answer.more = session->open && !session->base.broken;
    return PL_SQL_DONE;
}

/* What the server knows of a statement can be out of date: tables have been
 * changed, or it was another server behind a proxy. Outside of a transaction
 * nothing has happened yet. */
static bool is_out_of_date(const struct session *session,
                           const struct pl_sql_call *call)
{
    const char *state = call->answer.failure.state;

    return session->kept != NULL && !session->again &&
           (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0 ||
            strcmp(state, "42P05") == 0) &&
           PQtransactionStatus(session->conn) == PQTRANS_IDLE;
}

static enum pl_sql_next send_again(struct session *session,
                                   struct pl_sql_call *call)
{
    session->again = true;
    pl_postgres_forget(session);
    session->numbers += 1000000; /* whatever those of the old names are */
    call->answer.failure = (struct pl_sql_failure){.err = 0};
    return pl_postgres_send(session, call) ? go_on(session, call)
                                           : end(session, call);
}

static enum pl_sql_next after_drain(struct session *session,
                                    struct pl_sql_call *call)
{
    enum then then = session->then;

    session->then = THEN_DONE;
    if (then == THEN_ROLLBACK &&
        PQtransactionStatus(session->conn) != PQTRANS_IDLE) {
        session->then = session->base.dirty ? THEN_DISCARD : THEN_DONE;
        if (!pl_postgres_send_text(session, call, "rollback"))
            return end(session, call);
        session->phase = PHASE_DRAIN;
        return go_on(session, call);
    }
    if (then != THEN_DONE && session->base.dirty) {
        session->base.dirty = false;
        pl_postgres_forget(session);
        if (!pl_postgres_send_text(session, call, "discard all"))
            return end(session, call);
        session->phase = PHASE_DRAIN;
        return go_on(session, call);
    }
    return end(session, call);
}

/* All results of what was sent are there. */
static enum pl_sql_next after_results(struct session *session,
                                      struct pl_sql_call *call)
{
    bool failed = call->answer.failure.err < 0;

    if (session->base.broken || session->open) /* or a batch is full */
        return end(session, call);
    if (session->phase == PHASE_DRAIN)
        return after_drain(session, call);
    if (failed && is_out_of_date(session, call))
        return send_again(session, call);
    if (failed && session->phase == PHASE_PREPARE)
        pl_postgres_drop_kept(session);
    if (failed || session->phase == PHASE_RUN)
        return end(session, call);
    if (session->phase == PHASE_PREPARE
            ? pl_postgres_send_prepared(session, call)
            : pl_postgres_send(session, call))
        return go_on(session, call);
    return end(session, call);
}

static enum pl_sql_next lost(struct session *session, struct pl_sql_call *call)
{
    pl_postgres_lost(session, call);
    return end(session, call);
}

/* Writes what is left, takes what is there. */
static enum pl_sql_next go_on(struct session *session, struct pl_sql_call *call)
{
    int left = session->writing ? PQflush(session->conn) : 0;

    if (left < 0 && PQstatus(session->conn) == CONNECTION_BAD)
        return lost(session, call);
    session->writing = left > 0;
    if (take_results(session, call))
        return after_results(session, call);
    return session->writing ? PL_SQL_READ | PL_SQL_WRITE : PL_SQL_READ;
}

static enum pl_sql_next ready(struct session *session, struct pl_sql_call *call)
{
    if (session->phase == PHASE_CONNECT)
        return poll_connect(session, call);
    if (session->phase == PHASE_RUN && is_too_heavy(session, call)) {
        pl_postgres_fail(call, PL_ERR_LIMIT, "54000",
                         "the answer is larger than its limit");
        return cancel(session);
    }
    if (!PQconsumeInput(session->conn) && !take_results(session, call))
        return lost(session, call);
    return go_on(session, call);
}

/* ---- calls ---- */

static enum pl_sql_next begin_call(struct session *session,
                                   struct pl_sql_call *call)
{
    bool ok = true;

    session->reads = 0;
    session->bytes = 0;
    session->again = false;
    session->then = THEN_DONE;
    switch (call->kind) {
    case PL_SQL_CONNECT:
        session->phase = PHASE_OPEN;
        return PL_SQL_WORK;
    case PL_SQL_RUN:
        ok = pl_postgres_send(session, call);
        break;
    case PL_SQL_SCRIPT:
        ok = pl_postgres_send_text(session, call, call->text.data);
        break;
    case PL_SQL_FETCH:
        break;
    case PL_SQL_RESET:
        session->then = THEN_ROLLBACK;
        /* fall through */
    case PL_SQL_FINISH:
        /* To cancel would be the end of the transaction. */
        if (session->open &&
            !(session->base.inside && session->then == THEN_DONE))
            return cancel(session);
        session->phase = PHASE_DRAIN;
        return session->open ? go_on(session, call)
                             : after_drain(session, call);
    }
    return ok ? go_on(session, call) : end(session, call);
}

static enum pl_sql_next worked(struct session *session,
                               struct pl_sql_call *call)
{
    if (session->phase == PHASE_OPEN)
        return opened(session, call);
    PQfreeCancel(session->cancel);
    session->cancel = NULL;
    session->phase = PHASE_DRAIN;
    return go_on(session, call);
}

static void work(struct pl_sql_session *base, struct pl_sql_call *call)
{
    struct session *session = (struct session *)base;
    char why[256];

    (void)call;
    if (session->phase == PHASE_OPEN)
        session->conn = start(session);
    else if (session->cancel != NULL)
        (void)PQcancel(session->cancel, why, sizeof(why));
}

static enum pl_sql_next stop(struct session *session, struct pl_sql_call *call)
{
    pl_postgres_fail(call, PL_ERR_TIMEOUT, "57014", "nobody waits for it");
    return cancel(session);
}

static enum pl_sql_next step(struct pl_sql_session *base,
                             struct pl_sql_call *call, enum pl_sql_why why)
{
    struct session *session = (struct session *)base;

    switch (why) {
    case PL_SQL_BEGIN:
        return begin_call(session, call);
    case PL_SQL_READY:
        return ready(session, call);
    case PL_SQL_WORKED:
        return worked(session, call);
    case PL_SQL_AGAIN:
        return PL_SQL_WORK;
    case PL_SQL_STOP:
        return stop(session, call);
    }
    return PL_SQL_DONE;
}

/* Something came between two calls: news that nobody has asked for, or the
 * end. */
static void idle(struct pl_sql_session *base)
{
    struct session *session = (struct session *)base;
    PGnotify *note;

    if (!PQconsumeInput(session->conn) ||
        PQstatus(session->conn) == CONNECTION_BAD)
        base->broken = true;
    while ((note = PQnotifies(session->conn)) != NULL)
        PQfreemem(note);
}

/* ---- the plug-in ---- */

static void libraries(char *out, size_t size)
{
    int version = PQlibVersion();

    snprintf(out, size, "libpq %d.%d", version / 10000, version % 10000);
}

static void open_plugin(const void *arg)
{
    const struct pl_sql_host *host = arg;

    atomic_store(&pl_postgres_memory, &host->memory);
}

static const struct pl_sql_driver driver = {
    .name = "postgres",
    .open = open_session,
    .step = step,
    .work = work,
    .idle = idle,
    .close = close_session,
    .begin = "begin",
    .begin_read = "begin read only",
    .begin_level = " isolation level ",
    .lock = "select pg_advisory_xact_lock(7523689142)",
};

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_sql_host),
    .offer_size = sizeof(driver),
    .offer = &driver,
    .libraries = libraries,
    .open = open_plugin,
};
