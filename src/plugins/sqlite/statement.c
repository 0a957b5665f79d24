/* statement.c - statements: prepared, given their values, stepped. On whatever
 * thread; one at a time. */
#include "plugins/sqlite/sqlite.h"

/* ---- preparing ---- */

/* Behind a comment, or text itself. */
static const char *skip_comment(const char *text)
{
    const char *end = text;

    if (strncmp(text, "--", 2) == 0)
        end = text + strcspn(text, "\n");
    else if (strncmp(text, "/*", 2) == 0 && (end = strstr(text, "*/")) != NULL)
        end += 2;
    return end == NULL ? text : end;
}

static bool is_word(struct pl_str text, const char *word)
{
    const char *at = text.data, *from;

    do {
        from = at;
        at = skip_comment(at + strspn(at, " \n\t\r\f"));
    } while (at != from);
    return sqlite3_strnicmp(at, word, (int)strlen(word)) == 0;
}

/* Would it change what the statements after it find? */
static bool leaves_a_trace(struct pl_str text)
{
    return (is_word(text, "pragma") &&
            memchr(text.data, '=', text.len) != NULL) ||
           is_word(text, "attach") || is_word(text, "detach") ||
           is_word(text, "create temp");
}

/* Is there only space and comments behind it? */
static bool is_the_only_one(struct session *session, const char *tail)
{
    sqlite3_stmt *next = NULL;
    int code = sqlite3_prepare_v2(session->db, tail, -1, &next, NULL);

    sqlite3_finalize(next);
    return code == SQLITE_OK && next == NULL;
}

static void keep(struct session *session, struct pl_str text)
{
    struct pl_sql_kept *old = pl_sql_keeper_surplus(&session->keeper);

    if (old != NULL) {
        sqlite3_finalize(old->statement);
        pl_sql_keeper_drop(&session->keeper, old);
    }
    session->kept = pl_sql_keeper_add(&session->keeper, text);
    if (session->kept == NULL)
        return;
    session->kept->statement = session->statement;
    session->kept->busy = true;
}

static int prepare_new(struct session *session, struct pl_sql_call *call)
{
    const char *tail;
    int code = sqlite3_prepare_v3(
        session->db, call->text.data, (int)call->text.len + 1,
        SQLITE_PREPARE_PERSISTENT, &session->statement, &tail);

    if (code != SQLITE_OK)
        return code;
    if (session->statement == NULL) {
        pl_sqlite_misused(call, "there is no statement");
        return SQLITE_ERROR;
    }
    if (!is_the_only_one(session, tail)) {
        sqlite3_finalize(session->statement);
        session->statement = NULL;
        pl_sqlite_misused(call, "more than one statement");
        return SQLITE_ERROR;
    }
    keep(session, call->text);
    return SQLITE_OK;
}

static int prepare(struct session *session, struct pl_sql_call *call)
{
    struct pl_sql_kept *kept = pl_sql_keeper_find(&session->keeper, call->text);

    if (kept == NULL)
        return prepare_new(session, call);
    kept->busy = true;
    session->kept = kept;
    session->statement = kept->statement;
    return SQLITE_OK;
}

void pl_sqlite_finish(struct session *session)
{
    if (session->statement == NULL)
        return;
    if (session->kept == NULL) {
        sqlite3_finalize(session->statement);
    } else {
        sqlite3_reset(session->statement);
        sqlite3_clear_bindings(session->statement);
        session->kept->busy = false;
    }
    session->kept = NULL;
    session->statement = NULL;
}

void pl_sqlite_forget(struct session *session)
{
    struct pl_sql_kept *kept;

    pl_sqlite_finish(session);
    while ((kept = pl_sql_keeper_any(&session->keeper)) != NULL) {
        sqlite3_finalize(kept->statement);
        pl_sql_keeper_drop(&session->keeper, kept);
    }
}

/* ---- values ---- */

/* A statement whose rows are fetched one batch after another outlives the call
 * that has its values. */
static int bind_one(sqlite3_stmt *statement, int at,
                    const struct pl_sql_value *value, bool lasts)
{
    sqlite3_destructor_type how = lasts ? SQLITE_TRANSIENT : SQLITE_STATIC;

    switch (value->type) {
    case PL_SQL_NULL:
        return sqlite3_bind_null(statement, at);
    case PL_SQL_INTEGER:
    case PL_SQL_BOOL:
        return sqlite3_bind_int64(statement, at, value->integer);
    case PL_SQL_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case PL_SQL_BLOB:
        return sqlite3_bind_blob64(statement, at, value->text.data,
                                   value->text.len, how);
    default:
        return sqlite3_bind_text64(statement, at, value->text.data,
                                   value->text.len, how, SQLITE_UTF8);
    }
}

static int bind_all(struct session *session, struct pl_sql_call *call)
{
    int wanted = sqlite3_bind_parameter_count(session->statement);
    int code = SQLITE_OK;

    if (wanted != (int)call->nvalues) {
        pl_sqlite_misused(call,
                          "the statement has %d placeholders, and was "
                          "given %u values",
                          wanted, call->nvalues);
        return SQLITE_ERROR;
    }
    for (int i = 0; i < wanted && code == SQLITE_OK; i++)
        code = bind_one(session->statement, i + 1, &call->values[i],
                        call->batch > 0);
    return code;
}

/* ---- rows ---- */

static void put_columns(sqlite3_stmt *statement, struct pl_sql_rows *rows)
{
    int n = sqlite3_column_count(statement);

    for (int i = 0; i < n; i++)
        pl_sql_rows_column(rows, pl_sqlite_memory,
                           sqlite3_column_name(statement, i));
}

static void put_text(sqlite3_stmt *statement, int i, enum pl_sql_type type,
                     struct pl_sql_rows *rows)
{
    const void *data = type == PL_SQL_TEXT
                           ? (const void *)sqlite3_column_text(statement, i)
                           : sqlite3_column_blob(statement, i);
    struct pl_str text = {data, (size_t)sqlite3_column_bytes(statement, i)};

    pl_sql_rows_text(rows, pl_sqlite_memory, type, text);
}

static void put_cell(sqlite3_stmt *statement, int i, struct pl_sql_rows *rows)
{
    int64_t integer;
    double real;

    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
        integer = sqlite3_column_int64(statement, i);
        pl_sql_rows_number(rows, pl_sqlite_memory, PL_SQL_INTEGER, &integer);
        break;
    case SQLITE_FLOAT:
        real = sqlite3_column_double(statement, i);
        pl_sql_rows_number(rows, pl_sqlite_memory, PL_SQL_REAL, &real);
        break;
    case SQLITE_TEXT:
        put_text(statement, i, PL_SQL_TEXT, rows);
        break;
    case SQLITE_BLOB:
        put_text(statement, i, PL_SQL_BLOB, rows);
        break;
    default:
        pl_sql_rows_null(rows, pl_sqlite_memory);
    }
}

/* Steps until the end, or a batch is full: SQLITE_DONE, SQLITE_ROW (there may
 * be more), or an error. */
static int take_rows(struct session *session, struct pl_sql_call *call)
{
    struct pl_sql_rows *rows = &call->answer.rows;
    sqlite3_stmt *statement = session->statement;
    int columns, code = SQLITE_ROW;

    put_columns(statement, rows);
    columns = (int)rows->columns;
    while (call->batch == 0 || rows->count < call->batch) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW || rows->err < 0)
            break;
        for (int i = 0; i < columns; i++)
            put_cell(statement, i, rows);
        rows->count++;
    }
    return code;
}

/* ---- calls ---- */

static void empty(struct pl_sql_rows *rows)
{
    *rows = (struct pl_sql_rows){
        .data = rows->data, .cap = rows->cap, .limit = rows->limit};
}

/* It could not be done here, or not now. */
static bool is_locked(int code)
{
    return (code & 0xff) == SQLITE_LOCKED ||
           ((code & 0xff) == SQLITE_BUSY && code != SQLITE_BUSY_SNAPSHOT);
}

static void fail_rows(struct pl_sql_call *call)
{
    struct pl_sql_answer *answer = &call->answer;

    answer->failure = (struct pl_sql_failure){
        .err = answer->rows.err,
        .state = "54000",
        .text = "the answer is larger than its limit",
    };
    if (answer->rows.err == PL_ERR_NOMEM)
        memcpy(answer->failure.text, "out of memory", sizeof("out of memory"));
}

static enum pl_sql_next end(struct session *session, struct pl_sql_call *call,
                            int code)
{
    call->answer.more = code == SQLITE_ROW;
    if (call->answer.rows.err < 0)
        fail_rows(call);
    else if (code != SQLITE_DONE && code != SQLITE_ROW &&
             !call->answer.failure.misuse)
        pl_sqlite_failed(session, call, code);
    if (call->answer.failure.err < 0) {
        call->answer.more = false;
        empty(&call->answer.rows);
    }
    if (!call->answer.more)
        pl_sqlite_finish(session);
    session->base.inside = !sqlite3_get_autocommit(session->db);
    return is_locked(code) ? PL_SQL_BUSY : PL_SQL_DONE;
}

/* What was changed, by the difference: a statement that changes nothing leaves
 * the figures of the one before. */
static int take_changes(struct session *session, struct pl_sql_call *call)
{
    sqlite3 *db = session->db;
    sqlite3_int64 before = sqlite3_total_changes64(db);
    int code;

    sqlite3_set_last_insert_rowid(db, 0);
    code = take_rows(session, call);
    call->answer.changes =
        sqlite3_total_changes64(db) == before ? 0 : sqlite3_changes64(db);
    call->answer.last_id = sqlite3_last_insert_rowid(db);
    return code;
}

static int run(struct session *session, struct pl_sql_call *call)
{
    int code = session->statement == NULL ? prepare(session, call) : SQLITE_OK;

    if (code == SQLITE_OK)
        code = bind_all(session, call);
    if (code != SQLITE_OK)
        return code;
    return sqlite3_stmt_readonly(session->statement)
               ? take_rows(session, call)
               : take_changes(session, call);
}

/* What sqlite3_interrupt() says is forgotten if it comes between two steps. */
int pl_sqlite_pause(void *arg)
{
    struct session *session = arg;

    return session->trying || atomic_load(&session->stop);
}

/* What only reads, and is not part of a transaction, which an error would roll
 * back. */
static bool may_try(struct session *session, struct pl_sql_call *call)
{
    return sqlite3_stmt_readonly(session->statement) &&
           sqlite3_column_count(session->statement) > 0 &&
           !is_word(call->text, "pragma");
}

static enum pl_sql_next try(struct session *session, struct pl_sql_call *call)
{
    int code;
    bool waits;

    pl_sqlite_nowait_begin();
    code = prepare(session, call);
    if (code == SQLITE_OK && !may_try(session, call)) {
        pl_sqlite_nowait_end();
        return PL_SQL_WORK; /* the statement is prepared by now */
    }
    if (code == SQLITE_OK) {
        session->trying = true;
        code = run(session, call);
        session->trying = false;
    }
    waits = pl_sqlite_nowait_end();
    if (waits || code == SQLITE_INTERRUPT || is_locked(code)) {
        pl_sqlite_finish(session);
        empty(&call->answer.rows);
        return PL_SQL_WORK;
    }
    return end(session, call, code);
}

enum pl_sql_next pl_sqlite_run(struct session *session,
                               struct pl_sql_call *call, bool trying)
{
    enum pl_sql_next next;

    if (trying)
        return try(session, call);
    next = end(session, call, run(session, call));
    if (leaves_a_trace(call->text))
        session->base.dirty = !session->in_memory;
    return next;
}

enum pl_sql_next pl_sqlite_fetch(struct session *session,
                                 struct pl_sql_call *call)
{
    return end(session, call, take_rows(session, call));
}

/* One after another; the text behind the last is space and comments. */
enum pl_sql_next pl_sqlite_script(struct session *session,
                                  struct pl_sql_call *call)
{
    const char *at = call->text.data, *tail;
    int code = SQLITE_OK;

    while (code == SQLITE_OK && *at != '\0') {
        code =
            sqlite3_prepare_v2(session->db, at, -1, &session->statement, &tail);
        at = tail;
        while (code == SQLITE_OK && session->statement != NULL &&
               (code = sqlite3_step(session->statement)) == SQLITE_ROW)
            code = SQLITE_OK;
        if (code == SQLITE_DONE)
            code = SQLITE_OK;
        if (code == SQLITE_OK)
            pl_sqlite_finish(session);
    }
    session->base.dirty = !session->in_memory;
    return end(session, call, code == SQLITE_OK ? SQLITE_DONE : code);
}
