/* test_records.c - exchanges over FastCGI on the scripted backend: what is
 * written, and what callers are told of answers, however they are cut. */
#include "fetch_world.h"

#include "client/records.h"
#include "fcgi/record.h"

static int make(void **state)
{
    const struct pl_origin_spec spec = {.url = PL_STR("127.0.0.1:1"),
                                        .fastcgi = true};

    return make_fetch(state, &spec);
}

static void begin(void)
{
    begin_fetch();
    CHECK_INT(0, pl_fetch_begin_records(&fetch, PL_STR("\1\1Av")), "begin");
    CHECK_INT(0, pl_fetch_end_input(&fetch), "end");
    pl_fetch_sent(&fetch);
    turn(3);
    pl_script_take(script, far, pl_script_received(script, far).len);
}

/* ---- records ---- */

/* An answer in words: "o" and "e" are records of output and of errors, whose
 * text follows up to "|"; "E0" ends it with that status, "?" is a record that
 * nobody knows, "!" one of another request. */
static struct pl_str records_of(const char *words, unsigned padding, char *out)
{
    char *at = out;

    for (struct pl_str rest = pl_str_c(words), word;
         pl_str_split(&rest, '|', &word) && word.len > 0;) {
        struct pl_str text = pl_str_skip(word, 1);
        char *head = at;

        switch (word.data[0]) {
        case 'E':
            at = pl_fcgi_put_end(at, 1, 0,
                                 (enum pl_fcgi_status)(text.data[0] - '0'));
            break;
        case '?':
            at = pl_fcgi_put_head(at, (enum pl_fcgi_type)77, 0, 0);
            break;
        default:
            at = pl_fcgi_put_head(
                at, word.data[0] == 'e' ? PL_FCGI_STDERR : PL_FCGI_STDOUT,
                word.data[0] == '!' ? 2 : 1, text.len);
            at = mempcpy(at, text.data, text.len);
        }
        head[6] = (char)padding;
        memset(at, 'p', padding);
        at += padding;
    }
    return pl_str(out, (size_t)(at - out));
}

static const struct {
    const char *what, *words;
    bool finishes;
    const char *want;
    unsigned kept;
} answers[] = {
    {"a body", "oA: b\r\n\r\nhello|E0", false, "200 hello done", 1},
    {"in pieces", "oA: b\r|o\n\r|o\nhel|olo|o|E0", false, "200 hello done", 1},
    {"LF", "oA: b\n\nhello|E0", false, "200 hello done", 1},
    {"a status", "oStatus: 404 No\r\n\r\n|E0", false, "404  done", 1},
    {"a location", "oLocation: /x\r\n\r\n|E0", false, "302  done", 1},
    {"a length", "oContent-Length: 2\r\n\r\nhello|E0", false, "200 he done", 1},
    {"no content", "oStatus: 204\r\n\r\nhello|E0", false, "204  done", 1},
    {"what nobody knows", "?|oA: b\r\n\r\n|?|oh|E0", false, "200 h done", 1},
    {"closed with it", "oA: b\r\n\r\nh|E0", true, "200 h done", 0},
    {"more than that", "oA: b\r\n\r\nh|E0|oevil|", false, "200 h done", 0},
    {"no head", "E0", false, " failed-2", 0},
    {"half a head", "oA: b\r\n|E0", false, " failed-2", 0},
    {"an empty head", "o\r\n|E0", false, " failed-2", 0},
    {"no field", "ohello\r\n\r\n|E0", false, " failed-2", 0},
    {"a status that is none", "oStatus: no\r\n\r\n|E0", false, " failed-2", 0},
    {"another request", "!A: b\r\n\r\n|E0", false, " failed-2", 0},
    {"too much to do", "E2", false, " failed-14", 0},
    {"no responder", "E3", false, " failed-2", 0},
    {"too short", "oContent-Length: 9\r\n\r\nx|E0", false, "200 x failed-7", 0},
    {"broken off", "oA: b\r\n\r\nx|", true, "200 x failed-7", 0},
    {"no word", "", true, " failed-7", 0},
};

static void test_records__tell_the_same_however_they_are_cut(void **state)
{
    static const unsigned paddings[] = {0, 1, 255};
    char bytes[8192];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(answers) * PL_COUNT(paddings); i++) {
        size_t n = i % PL_COUNT(answers);
        unsigned padding = paddings[i / PL_COUNT(answers)];

        for (size_t chop = 0; chop < 4; chop++) {
            if (idle() == 0)
                open_link();
            begin();
            answer_with(records_of(answers[n].words, padding, bytes), chop,
                        answers[n].finishes);
            turn(2000);
            CHECK_STR(answers[n].want, pl_str_c(told), answers[n].what);
            CHECK_INT(answers[n].kept, idle(), answers[n].what);
            pl_fetch_end(&fetch);
            turn(3);
        }
    }
}

static void test_records__errors_are_told(void **state)
{
    char bytes[512];

    (void)state;
    begin();
    answer_with(records_of("eone\n|oA: b\r\n\r\nx|etwo|E0", 0, bytes), 0,
                false);
    CHECK_STR("(one\n)200 x(two) done", pl_str_c(told), "told");
}

static void test_records__bodies_of_a_head_are_for_nobody(void **state)
{
    char bytes[512];

    (void)state;
    begin();
    fetch.bodyless = true;
    answer_with(records_of("oContent-Length: 5\r\n\r\nhello|E0", 3, bytes), 1,
                false);
    CHECK_STR("200  done", pl_str_c(told), "told");
    CHECK_INT(1, idle(), "kept");
}

static void test_records__a_head_has_a_limit(void **state)
{
    char bytes[512];

    (void)state;
    begin();
    for (int i = 0; i < 400 && told[0] == '\0'; i++)
        answer_with(
            records_of("oName: a value that goes on and on\r\n|", 0, bytes), 0,
            false);
    CHECK_STR(" failed-2", pl_str_c(told), "more than 8192 bytes");
}

static void test_records__may_be_paused(void **state)
{
    char bytes[512];

    (void)state;
    begin();
    pause_at = sizeof("200 12345") - 1;
    pl_script_chop(script, 1);
    pl_script_send(script, far,
                   records_of("oA: b\r\n\r\n12345|o6789|E0", 1, bytes));
    turn(200);
    CHECK_STR("200 12345", pl_str_c(told), "paused");
    pause_at = 0;
    pl_fetch_resume(&fetch);
    turn(100);
    CHECK_STR("200 123456789 done", pl_str_c(told), "resumed");
    pl_script_chop(script, 0);
}

/* ---- what is written ---- */

static struct pl_str next_record(struct pl_str *rest,
                                 struct pl_fcgi_record *record)
{
    struct pl_str content;

    CHECK(rest->len >= PL_FCGI_HEAD, "a head");
    pl_fcgi_record_read(record, rest->data);
    CHECK_INT(0, pl_fcgi_record_check(record), "record");
    content = pl_str_first(pl_str_skip(*rest, PL_FCGI_HEAD), record->length);
    CHECK_INT(record->length, content.len, "content");
    *rest = pl_str_skip(*rest, PL_FCGI_HEAD + (size_t)record->length);
    return content;
}

static void test_records__of_a_request(void **state)
{
    static char pairs[100000];
    struct pl_fcgi_record record;
    struct pl_str rest, content;

    (void)state;
    memset(pairs, 'x', sizeof(pairs));
    begin_fetch();
    pl_script_window(script, far, 1000000);
    CHECK_INT(0, pl_fetch_begin_records(&fetch, pl_str(pairs, sizeof(pairs))),
              "begin");
    CHECK_INT(0, pl_fetch_write_input(&fetch, PL_STR("body")), "input");
    CHECK_INT(0, pl_fetch_end_input(&fetch), "end");
    turn(20);
    rest = pl_script_received(script, far);
    content = next_record(&rest, &record);
    CHECK_INT(PL_FCGI_BEGIN_REQUEST, record.type, "type");
    CHECK_INT(PL_FCGI_RESPONDER, content.data[1], "role");
    CHECK_INT(PL_FCGI_KEEP_CONN, content.data[2], "flags");
    CHECK_INT(65535, next_record(&rest, &record).len, "first piece");
    CHECK_INT(sizeof(pairs) - 65535, next_record(&rest, &record).len, "second");
    CHECK_INT(PL_FCGI_PARAMS, record.type, "type");
    CHECK_INT(0, next_record(&rest, &record).len, "their end");
    CHECK_STR("body", next_record(&rest, &record), "body");
    CHECK_INT(PL_FCGI_STDIN, record.type, "type");
    CHECK_INT(0, next_record(&rest, &record).len, "its end");
    CHECK_INT(0, rest.len, "nothing else");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end_fetch)
    const struct CMUnitTest tests[] = {
        TEST(test_records__tell_the_same_however_they_are_cut),
        TEST(test_records__errors_are_told),
        TEST(test_records__bodies_of_a_head_are_for_nobody),
        TEST(test_records__a_head_has_a_limit),
        TEST(test_records__may_be_paused),
        TEST(test_records__of_a_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
