/* failure.c - what PostgreSQL and libpq say is wrong, as an error of ours. */
#include <stdio.h>

#include "plugins/postgres/postgres.h"

/* By the beginnings of SQLSTATEs (appendix A of PostgreSQL's manual); the first
 * that fits is taken. */
static const struct {
    const char *state;
    int err;
} failures[] = {
    {"23505", PL_ERR_EXISTS},   {"23", PL_ERR_INVALID},
    {"22", PL_ERR_INVALID},     {"40", PL_ERR_BUSY},
    {"55P03", PL_ERR_BUSY},     {"55", PL_ERR_STATE},
    {"57014", PL_ERR_TIMEOUT},  {"57", PL_ERR_CLOSED},
    {"08", PL_ERR_CLOSED},      {"42501", PL_ERR_DENIED},
    {"42", PL_ERR_SYNTAX},      {"28", PL_ERR_DENIED},
    {"25006", PL_ERR_DENIED},   {"25", PL_ERR_STATE},
    {"3D", PL_ERR_NOT_FOUND},   {"3F", PL_ERR_NOT_FOUND},
    {"42P", PL_ERR_SYNTAX},     {"53100", PL_ERR_NO_SPACE},
    {"53200", PL_ERR_NOMEM},    {"53300", PL_ERR_BUSY},
    {"53", PL_ERR_LIMIT},       {"54", PL_ERR_LIMIT},
    {"58", PL_ERR_IO},          {"XX", PL_ERR_IO},
    {"0A", PL_ERR_UNSUPPORTED},
};

static int err_of(const char *state)
{
    for (size_t i = 0; i < PL_COUNT(failures); i++)
        if (strncmp(failures[i].state, state, strlen(failures[i].state)) == 0)
            return failures[i].err;
    return PL_ERR_INVALID;
}

/* The first line of a text, without what every one begins with. */
void pl_postgres_fail(struct pl_sql_call *call, int err, const char *state,
                      const char *text)
{
    struct pl_sql_failure *failure = &call->answer.failure;

    failure->err = err;
    snprintf(failure->state, sizeof(failure->state), "%s",
             state == NULL ? "" : state);
    snprintf(failure->text, sizeof(failure->text), "%.*s",
             (int)strcspn(text, "\n"), text);
}

void pl_postgres_result_failed(struct pl_sql_call *call, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (text == NULL)
        text = PQresultErrorMessage(res);
    pl_postgres_fail(call, state == NULL ? PL_ERR_CLOSED : err_of(state),
                     state == NULL ? "08006" : state, text);
}

/* The server's own words come with their state, for it was asked for: "...
 * FATAL: 28P01: password authentication failed ...". */
static const char *find_state(const char *message)
{
    const char *mark = strstr(message, "FATAL:  ");

    mark = mark == NULL ? NULL : mark + strlen("FATAL:  ");
    return mark != NULL && strcspn(mark, ":") == 5 ? mark : NULL;
}

static int err_of_words(const char *message)
{
    static const struct {
        const char *words;
        int err;
    } known[] = {
        {"Connection refused", PL_ERR_REFUSED},
        {"No such file", PL_ERR_REFUSED},
        {"could not translate host name", PL_ERR_NOT_FOUND},
        {"timeout expired", PL_ERR_TIMEOUT},
        {"no password supplied", PL_ERR_DENIED},
        {"invalid ", PL_ERR_INVALID},
    };

    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (strstr(message, known[i].words) != NULL)
            return known[i].err;
    return PL_ERR_UNREACHABLE;
}

void pl_postgres_connect_failed(struct pl_sql_call *call, const char *message)
{
    const char *found = find_state(message);
    char state[6] = "08001";

    if (found == NULL) {
        pl_postgres_fail(call, err_of_words(message), state, message);
        return;
    }
    memcpy(state, found, 5);
    pl_postgres_fail(call, err_of(state), state,
                     found[6] == ' ' ? found + 7 : found);
}

void pl_postgres_lost(struct session *session, struct pl_sql_call *call)
{
    session->base.broken = true;
    session->open = false;
    if (call->answer.failure.err == 0)
        pl_postgres_fail(call, PL_ERR_CLOSED, "08006",
                         PQerrorMessage(session->conn));
    if (call->answer.failure.text[0] == '\0')
        pl_postgres_fail(call, PL_ERR_CLOSED, "08006",
                         "the server has closed the connection");
}
