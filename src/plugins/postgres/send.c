/* send.c - statements and values on their way to the server. */
#include <math.h>
#include <stdio.h>

#include "plugins/postgres/postgres.h"
#include "sql/placeholder.h"

enum { NAME_ROOM = 24, NUMBER_ROOM = 32 };

static void name_of(const struct prepared *prepared, char out[NAME_ROOM])
{
    snprintf(out, NAME_ROOM, "pl%llu", (unsigned long long)prepared->number);
}

static bool make_room(struct session *session, struct pl_sql_call *call,
                      size_t size)
{
    char *made;

    if (size <= session->scratch_size)
        return true;
    made = pl_postgres_memory->malloc(size);
    if (made == NULL) {
        pl_postgres_fail(call, PL_ERR_NOMEM, "53200", "out of memory");
        return false;
    }
    pl_postgres_memory->free(session->scratch);
    session->scratch = made;
    session->scratch_size = size;
    return true;
}

static bool check_count(struct pl_sql_call *call, unsigned wanted)
{
    struct pl_sql_failure *failure = &call->answer.failure;

    if (wanted == call->nvalues)
        return true;
    pl_postgres_fail(call, PL_ERR_INVALID, "42601", "");
    failure->misuse = true;
    snprintf(failure->text, sizeof(failure->text),
             "the statement has %u placeholders, and was given %u values",
             wanted, call->nvalues);
    return false;
}

/* ---- values ---- */

struct values {
    const char **texts;
    int *lengths, *formats;
    char *numbers; /* NUMBER_ROOM for each */
};

static const char *write_real(double real, char *out)
{
    if (isnan(real))
        return "NaN";
    if (isinf(real))
        return real < 0 ? "-Infinity" : "Infinity";
    snprintf(out, NUMBER_ROOM, "%.17g", real);
    return out;
}

/* Numbers as texts: their types are those of the places that they are put in.
 * Bytes are sent as they are, for which the place must be a bytea. */
static bool write_value(struct values *values, unsigned i,
                        const struct pl_sql_value *value)
{
    char *number = values->numbers + (size_t)i * NUMBER_ROOM;

    values->formats[i] = value->type == PL_SQL_BLOB;
    values->lengths[i] = 0;
    switch (value->type) {
    case PL_SQL_NULL:
        values->texts[i] = NULL;
        return true;
    case PL_SQL_BOOL:
        values->texts[i] = value->integer != 0 ? "t" : "f";
        return true;
    case PL_SQL_INTEGER:
        snprintf(number, NUMBER_ROOM, "%lld", (long long)value->integer);
        values->texts[i] = number;
        return true;
    case PL_SQL_REAL:
        values->texts[i] = write_real(value->real, number);
        return true;
    default:
        values->texts[i] = value->text.data;
        values->lengths[i] = (int)value->text.len;
        return value->type == PL_SQL_BLOB ||
               memchr(value->text.data, '\0', value->text.len) == NULL;
    }
}

/* In the scratch memory, behind the first offset bytes. */
static bool write_values(struct session *session, struct pl_sql_call *call,
                         size_t offset, struct values *values)
{
    size_t n = call->nvalues;
    char *at;

    offset = (offset + 15) & ~(size_t)15;
    if (!make_room(session, call,
                   offset +
                       n * (sizeof(char *) + 2 * sizeof(int) + NUMBER_ROOM)))
        return false;
    at = session->scratch + offset;
    values->texts = (const char **)(void *)at;
    values->lengths = (int *)(void *)(at + n * sizeof(char *));
    values->formats = values->lengths + n;
    values->numbers = (char *)(values->formats + n);
    for (unsigned i = 0; i < n; i++) {
        if (write_value(values, i, &call->values[i]))
            continue;
        pl_postgres_fail(call, PL_ERR_INVALID, "22021",
                         "a text has a NUL: PostgreSQL stores none");
        return false;
    }
    return true;
}

/* ---- statements ---- */

static bool sent(struct session *session, struct pl_sql_call *call, int ok)
{
    if (!ok && PQstatus(session->conn) == CONNECTION_OK) { /* too many values */
        pl_postgres_fail(call, PL_ERR_INVALID, "54000",
                         PQerrorMessage(session->conn));
        return false;
    }
    if (!ok) {
        pl_postgres_lost(session, call);
        return false;
    }
    session->open = true;
    session->writing = true;
    if (call->kind == PL_SQL_RUN && call->batch > 0 &&
        session->phase == PHASE_RUN)
        PQsetSingleRowMode(session->conn);
    return true;
}

bool pl_postgres_send_prepared(struct session *session,
                               struct pl_sql_call *call)
{
    const struct prepared *prepared = session->kept->statement;
    struct values values;
    char name[NAME_ROOM];

    if (!check_count(call, prepared->values) ||
        !write_values(session, call, 0, &values))
        return false;
    name_of(prepared, name);
    session->phase = PHASE_RUN;
    return sent(session, call,
                PQsendQueryPrepared(session->conn, name, (int)call->nvalues,
                                    values.texts, values.lengths,
                                    values.formats, 0));
}

static void drop(struct session *session, struct pl_sql_kept *kept)
{
    pl_postgres_memory->free(kept->statement);
    pl_sql_keeper_drop(&session->keeper, kept);
}

void pl_postgres_forget(struct session *session)
{
    struct pl_sql_kept *kept;

    session->kept = NULL;
    while ((kept = pl_sql_keeper_any(&session->keeper)) != NULL)
        drop(session, kept);
}

/* One more is to be kept than may be: the server forgets another first. */
static bool send_deallocate(struct session *session, struct pl_sql_call *call,
                            struct pl_sql_kept *old)
{
    char name[NAME_ROOM], text[NAME_ROOM + 16];

    name_of(old->statement, name);
    snprintf(text, sizeof(text), "deallocate %s", name);
    drop(session, old);
    session->phase = PHASE_DEALLOCATE;
    return sent(session, call, PQsendQuery(session->conn, text));
}

static struct pl_sql_kept *keep(struct session *session, struct pl_str text,
                                unsigned values)
{
    struct prepared *prepared = pl_postgres_memory->malloc(sizeof(*prepared));
    struct pl_sql_kept *kept = NULL;

    if (prepared != NULL)
        kept = pl_sql_keeper_add(&session->keeper, text);
    if (kept == NULL) {
        pl_postgres_memory->free(prepared);
        return NULL;
    }
    *prepared = (struct prepared){++session->numbers, values};
    kept->statement = prepared;
    return kept;
}

static bool send_once(struct session *session, struct pl_sql_call *call,
                      size_t len)
{
    struct values values;

    if (!write_values(session, call, len + 1, &values))
        return false;
    session->phase = PHASE_RUN;
    return sent(session, call,
                PQsendQueryParams(session->conn, session->scratch,
                                  (int)call->nvalues, NULL, values.texts,
                                  values.lengths, values.formats, 0));
}

/* The text for the server is in the scratch memory. */
static bool send_new(struct session *session, struct pl_sql_call *call)
{
    unsigned wanted;
    size_t len;
    char name[NAME_ROOM];

    /* Room for the values, too: it does not move between the two. */
    if (!make_room(session, call,
                   pl_sql_number_room(call->text) + 32 +
                       call->nvalues * (size_t)(NUMBER_ROOM + 16)))
        return false;
    len = pl_sql_number(call->text, session->scratch, &wanted);
    if (!check_count(call, wanted))
        return false;
    session->kept = keep(session, call->text, wanted);
    if (session->kept == NULL)
        return send_once(session, call, len);
    name_of(session->kept->statement, name);
    session->phase = PHASE_PREPARE;
    return sent(session, call,
                PQsendPrepare(session->conn, name, session->scratch, 0, NULL));
}

bool pl_postgres_send(struct session *session, struct pl_sql_call *call)
{
    struct pl_sql_kept *old;

    if (memchr(call->text.data, '\0', call->text.len) != NULL) {
        pl_postgres_fail(call, PL_ERR_INVALID, "42601",
                         "the statement has a NUL");
        return false;
    }
    session->kept = pl_sql_keeper_find(&session->keeper, call->text);
    if (session->kept != NULL)
        return pl_postgres_send_prepared(session, call);
    old = session->keeper.most == 0 ? NULL
                                    : pl_sql_keeper_surplus(&session->keeper);
    return old != NULL ? send_deallocate(session, call, old)
                       : send_new(session, call);
}

bool pl_postgres_send_text(struct session *session, struct pl_sql_call *call,
                           const char *text)
{
    session->kept = NULL;
    session->phase = PHASE_RUN;
    return sent(session, call, PQsendQuery(session->conn, text));
}

void pl_postgres_drop_kept(struct session *session)
{
    if (session->kept != NULL)
        drop(session, session->kept);
    session->kept = NULL;
}
