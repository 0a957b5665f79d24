/* fcgi_world.h - a web server for the site of h1_world.h: says records of
 * FastCGI, and puts what comes back into words that can be compared:
 *
 *     O1=text   STDOUT of request 1 (O1#5000 if long; ~ is CR LF)
 *     O1.       ... and its end
 *     X1=text   STDERR, and X1. its end
 *     E1=0      END_REQUEST with the status of the program; E1=0/OVERLOADED
 *     V=A:1,    GET_VALUES_RESULT
 *     U12       UNKNOWN_TYPE */
#ifndef PL_TESTS_FCGI_WORLD_H
#define PL_TESTS_FCGI_WORLD_H

#include "h1_world.h"

#include "fcgi/fcgi.h"
#include "fcgi/record.h"

static struct {
    int far;
    char heard[65536]; /* what came, in words */
    size_t len;
    char out[700000]; /* all STDOUT since the last forget() */
    size_t out_len;
} client;

/* ---- records to the application ---- */

PL_UNUSED static void say_padded(enum pl_fcgi_type type, unsigned id,
                                 struct pl_str content, unsigned padding)
{
    char head[PL_FCGI_HEAD], zeroes[255] = "";

    pl_fcgi_put_head(head, type, id, content.len);
    head[6] = (char)padding;
    pl_script_send(script, client.far, pl_str(head, sizeof(head)));
    pl_script_send(script, client.far, content);
    pl_script_send(script, client.far, pl_str(zeroes, padding));
}

PL_UNUSED static void say_record(enum pl_fcgi_type type, unsigned id,
                                 struct pl_str content)
{
    say_padded(type, id, content, 0);
}

PL_UNUSED static void say_begin(unsigned id, enum pl_fcgi_role role,
                                unsigned flags)
{
    char record[PL_FCGI_SMALL];

    pl_fcgi_put_begin(record, id, role, flags);
    pl_script_send(script, client.far, pl_str(record, sizeof(record)));
}

/* Params from "NAME=value" lines; in a static buffer. */
PL_UNUSED static struct pl_str pairs_of(const char *lines)
{
    static char pairs[70000];
    struct pl_str rest = pl_str_c(lines), line;
    char *at = pairs;

    while (rest.len > 0 && pl_str_split(&rest, '\n', &line) && line.len > 0) {
        size_t mark = (size_t)pl_str_chr(line, '=');

        CHECK((size_t)(at - pairs) + line.len + 8 < sizeof(pairs), "pairs");
        at = pl_fcgi_put_pair(at, pl_str_first(line, mark),
                              pl_str_skip(line, mark + 1));
    }
    return pl_str(pairs, (size_t)(at - pairs));
}

PL_UNUSED static void say_params(unsigned id, const char *lines)
{
    say_record(PL_FCGI_PARAMS, id, pairs_of(lines));
    say_record(PL_FCGI_PARAMS, id, PL_STR(""));
}

PL_UNUSED static void say_stdin(unsigned id, const char *text)
{
    say_record(PL_FCGI_STDIN, id, pl_str_c(text));
}

#define GET_PARAMS(target)                                                     \
    "REQUEST_METHOD=GET\nREQUEST_URI=" target                                  \
    "\nHTTP_HOST=a\nSERVER_PROTOCOL=HTTP/1.1\n"
#define POST_PARAMS(target, length)                                            \
    "REQUEST_METHOD=POST\nREQUEST_URI=" target                                 \
    "\nHTTP_HOST=a\nCONTENT_LENGTH=" length "\n"

/* A whole request without a body, on a connection that is kept. */
PL_UNUSED static void say_get(unsigned id, const char *params)
{
    say_begin(id, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_params(id, params);
    say_stdin(id, "");
}

/* ---- records from it ---- */

PL_PRINTF(1, 2) static void hear(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    client.len += (size_t)vsnprintf(client.heard + client.len,
                                    sizeof(client.heard) - client.len, fmt, ap);
    va_end(ap);
    CHECK(client.len < sizeof(client.heard), "heard");
}

static void hear_text(char what, unsigned id, struct pl_str text)
{
    if (text.len == 0) {
        hear("%c%u.", what, id);
        return;
    }
    if (text.len >= 1000) {
        hear("%c%u#%zu", what, id, text.len);
        return;
    }
    hear("%c%u=", what, id);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != '\n')
            hear("%c", text.data[i] == '\r' ? '~' : text.data[i]);
}

static void hear_end(unsigned id, struct pl_str body)
{
    static const char *const names[] = {"", "/CANT_MPX", "/OVERLOADED",
                                        "/UNKNOWN_ROLE"};
    struct pl_fcgi_end end;

    pl_fcgi_end_read(&end, body.data);
    CHECK(end.status < PL_COUNT(names), "status");
    hear("E%u=%u%s", id, end.app_status, names[end.status]);
}

static void hear_values(struct pl_str pairs)
{
    struct pl_fcgi_pair pair;
    size_t need;

    hear("V=");
    while (pairs.len > 0) {
        CHECK_INT(0, pl_fcgi_pair_read(&pairs, &pair, &need), "values");
        hear("%.*s:%.*s,", PL_STR_ARG(pair.name), PL_STR_ARG(pair.value));
    }
}

static void hear_record(const struct pl_fcgi_record *record,
                        struct pl_str content)
{
    switch (record->type) {
    case PL_FCGI_STDOUT:
        CHECK(client.out_len + content.len <= sizeof(client.out), "out");
        memcpy(client.out + client.out_len, content.data, content.len);
        client.out_len += content.len;
        hear_text('O', record->id, content);
        break;
    case PL_FCGI_STDERR:
        hear_text('X', record->id, content);
        break;
    case PL_FCGI_END_REQUEST:
        hear_end(record->id, content);
        break;
    case PL_FCGI_GET_VALUES_RESULT:
        hear_values(content);
        break;
    case PL_FCGI_UNKNOWN_TYPE:
        hear("U%u", (unsigned char)content.data[0]);
        break;
    default:
        fail_msg("a record of type %u", record->type);
    }
    hear(" ");
}

/* Takes all whole records that have come. */
PL_UNUSED static void listen_to(void)
{
    struct pl_fcgi_record record;
    struct pl_str all;
    size_t size;

    for (;;) {
        all = pl_script_received(script, client.far);
        if (all.len < PL_FCGI_HEAD)
            return;
        pl_fcgi_record_read(&record, all.data);
        CHECK_INT(0, pl_fcgi_record_check(&record), "record");
        size = PL_FCGI_HEAD + (size_t)record.length + record.padding;
        if (all.len < size)
            return;
        hear_record(&record, pl_str(all.data + PL_FCGI_HEAD, record.length));
        pl_script_take(script, client.far, size);
        turn(1);
    }
}

PL_UNUSED static void hear_all(void)
{
    settle();
    listen_to();
    settle();
    listen_to();
}

PL_UNUSED static void forget_heard(void)
{
    client.len = client.out_len = 0;
    client.heard[0] = '\0';
}

/* All that has come, and what comes when it is taken, is these words. */
PL_UNUSED static void expect_words(const char *words, const char *what)
{
    char want[4096];

    hear_all();
    snprintf(want, sizeof(want), "%s%s", words, *words != '\0' ? " " : "");
    CHECK_STR(want, pl_str(client.heard, client.len), what);
    forget_heard();
}

PL_UNUSED static void forget(void)
{
    hear_all();
    forget_heard();
}

/* ---- what answers look like ---- */

#define HEAD(status, length) "Status: " status "~Content-Length: " length "~~"
#define ENDED(id) " O" id ". E" id "=0"
#define HELLO(id) "O" id "=" HEAD("200 OK", "5") "hello" ENDED(id)

/* ---- connections ---- */

PL_UNUSED static int make_fcgi(void **state)
{
    make(state);
    listener->protocol = listener->door = &pl_fcgi_protocol;
    forget_heard();
    client.far = connect_far();
    return 0;
}

MAKE_IN_PIECES(make_fcgi)
#define FCGI_BOTH(name) BOTH_WAYS(name, make_fcgi, end_http)
#define FCGI_WHOLE(name)                                                       \
    cmocka_unit_test_setup_teardown(name, make_fcgi, end_http)

#endif
