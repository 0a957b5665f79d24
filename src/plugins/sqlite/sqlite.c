/* sqlite.c - SQLite as a driver (sql/driver.h).
 *
 * A statement that only reads is tried on the worker: as long as its pages are
 * in memory and it is over in a moment, it costs less there than the way to
 * another thread (docs/decisions/0012). All else runs on offload threads. */
#include <pthread.h>
#include <stdio.h>

#include "base/plugin.h"
#include "plugins/sqlite/sqlite.h"

_Atomic(const struct pl_sql_host *) pl_sqlite_host;

static const char memory_name[] = ":memory:";

/* "sqlite:site.db", "sqlite:/srv/site.db", "sqlite:///srv/site.db" */
static const char *path_of(const struct pl_sql_settings *settings)
{
    const char *path = strchr(settings->url, ':') + 1;

    return strncmp(path, "///", 3) == 0 ? path + 2 : path;
}

static struct pl_sql_session *
open_session(const struct pl_sql_settings *settings)
{
    struct session *session = pl_sqlite_memory->malloc(sizeof(*session));

    if (session == NULL)
        return NULL;
    memset(session, 0, sizeof(*session));
    session->base.fd = -1;
    session->settings = settings;
    session->in_memory = strcmp(path_of(settings), memory_name) == 0;
    pl_sql_keeper_init(&session->keeper, pl_sqlite_memory,
                       settings->statements);
    return &session->base;
}

static void disconnect(struct session *session)
{
    pl_sqlite_forget(session);
    sqlite3_close(session->db);
    session->db = NULL;
}

static void close_session(struct pl_sql_session *base)
{
    struct session *session = (struct session *)base;

    disconnect(session);
    pl_sqlite_memory->free(session);
}

/* ---- connecting ---- */

static int configure(struct session *session)
{
    sqlite3 *db = session->db;
    const struct pl_sql_settings *settings = session->settings;
    int code;

    sqlite3_progress_handler(db, PL_SQLITE_MOMENT, pl_sqlite_pause, session);
    code = sqlite3_exec(db, "pragma foreign_keys = on", NULL, NULL, NULL);
    if (code == SQLITE_OK && !settings->read_only && !session->in_memory)
        code = sqlite3_exec(db, "pragma journal_mode = wal", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db,
                            settings->durable ? "pragma synchronous = full"
                                              : "pragma synchronous = normal",
                            NULL, NULL, NULL);
    /* Reads the file: one that is none of SQLite's is refused here. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "select count(*) from sqlite_schema", NULL,
                            NULL, NULL);
    return code;
}

static enum pl_sql_next open_file(struct session *session,
                                  struct pl_sql_call *call)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code;

    flags |= session->settings->read_only
                 ? SQLITE_OPEN_READONLY
                 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    code =
        sqlite3_open_v2(path_of(session->settings), &session->db, flags, NULL);
    if (code == SQLITE_OK)
        code = configure(session);
    if (code == SQLITE_OK)
        return PL_SQL_DONE;
    pl_sqlite_failed(session, call, code);
    disconnect(session);
    return (code & 0xff) == SQLITE_BUSY ? PL_SQL_BUSY : PL_SQL_DONE;
}

/* ---- calls ---- */

static enum pl_sql_next reset(struct session *session)
{
    sqlite3 *db = session->db;

    pl_sqlite_finish(session);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    session->base.inside = !sqlite3_get_autocommit(db);
    /* What a pragma has changed is not known: another session is opened. */
    session->base.broken = session->base.inside || session->base.dirty;
    return PL_SQL_DONE;
}

static enum pl_sql_next do_call(struct session *session,
                                struct pl_sql_call *call)
{
    switch (call->kind) {
    case PL_SQL_CONNECT:
        return open_file(session, call);
    case PL_SQL_RUN:
        return pl_sqlite_run(session, call, false);
    case PL_SQL_FETCH:
        return pl_sqlite_fetch(session, call);
    case PL_SQL_FINISH:
        pl_sqlite_finish(session);
        return PL_SQL_DONE;
    case PL_SQL_SCRIPT:
        return pl_sqlite_script(session, call);
    case PL_SQL_RESET:
        return reset(session);
    }
    return PL_SQL_DONE;
}

/* Before its work began: also of a cursor, which nobody will finish. */
static enum pl_sql_next give_up(struct session *session,
                                struct pl_sql_call *call)
{
    pl_sqlite_finish(session);
    pl_sqlite_failed(session, call, SQLITE_INTERRUPT);
    return PL_SQL_DONE;
}

static void work(struct pl_sql_session *base, struct pl_sql_call *call)
{
    struct session *session = (struct session *)base;

    call->answer.failure.err = 0; /* of the time before */
    session->next = atomic_load(&session->stop) ? give_up(session, call)
                                                : do_call(session, call);
}

/* A cursor, and what is in a transaction, is not tried: an error there would
 * undo what was done before. */
static bool is_tried(const struct session *session,
                     const struct pl_sql_call *call)
{
    return call->kind == PL_SQL_RUN && call->batch == 0 &&
           !session->base.inside && !session->settings->offload;
}

static enum pl_sql_next step(struct pl_sql_session *base,
                             struct pl_sql_call *call, enum pl_sql_why why)
{
    struct session *session = (struct session *)base;

    switch (why) {
    case PL_SQL_BEGIN:
        atomic_store(&session->stop, false);
        if (call->kind == PL_SQL_RUN || call->kind == PL_SQL_SCRIPT)
            pl_sqlite_finish(session); /* there is none: see pool.c */
        return is_tried(session, call) ? pl_sqlite_run(session, call, true)
                                       : PL_SQL_WORK;
    case PL_SQL_WORKED:
        session->connected = session->db != NULL;
        return session->next;
    case PL_SQL_STOP:
        return give_up(session, call);
    default:
        return PL_SQL_WORK;
    }
}

static void interrupt(struct pl_sql_session *base)
{
    struct session *session = (struct session *)base;

    atomic_store(&session->stop, true);
    if (session->connected)
        sqlite3_interrupt(session->db);
}

/* ---- the plug-in ---- */

static void libraries(char *out, size_t size)
{
    snprintf(out, size, "SQLite %s", sqlite3_libversion());
}

static void init(void)
{
    /* All threads would take a lock to count what they allocate. Refused if
     * somebody else has used the library before. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    pl_sqlite_nowait_init();
}

static void open_plugin(const void *host)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    atomic_store(&pl_sqlite_host, host);
    pthread_once(&once, init);
}

static const struct pl_sql_driver driver = {
    .name = "sqlite",
    .open = open_session,
    .step = step,
    .work = work,
    .interrupt = interrupt,
    .close = close_session,
    .begin = "begin immediate",
    .begin_read = "begin",
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
