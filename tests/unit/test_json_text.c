/* test_json_text.c - quoting and unquoting, at every place of a 16-byte step.
 */
#include "check.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/json_text.h"

static struct pl_pool pool;
static struct pl_buf out;

static int set_up(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    return 0;
}

/* A copy that ends where its memory does, so that ASan sees a step too far. */
static char *exact(struct pl_str s)
{
    char *copy = malloc(s.len + (s.len == 0));

    memcpy(copy, s.data, s.len);
    return copy;
}

static int quote(struct pl_str s, unsigned flags)
{
    char *copy = exact(s);
    int err;

    out.len = 0;
    err = pl_json_quote(&out, pl_str(copy, s.len), flags);
    free(copy);
    return err;
}

/* text begins behind the opening quote; *used is how far it was read. */
static int unquote(struct pl_str text, unsigned flags, struct pl_str *s,
                   size_t *used)
{
    static char *copy;
    const char *at, *what = NULL;
    int err;

    free(copy);
    copy = exact(text);
    at = copy;
    err = pl_json_unquote(&at, copy + text.len, flags, &out, s, &what);
    *used = (size_t)(at - copy);
    CHECK(err == 0 || what != NULL, "says what is wrong");
    if (err < 0) { /* the last user of copy */
        free(copy);
        copy = NULL;
    }
    return err;
}

static const struct {
    struct pl_str in;
    unsigned flags;
    const char *want; /* NULL: refused */
} quotes[] = {
    {PL_STR(""), 0, "\"\""},
    {PL_STR("plain"), 0, "\"plain\""},
    {PL_STR("a\"b\\c/d"), 0, "\"a\\\"b\\\\c/d\""},
    {PL_STR("\b\f\n\r\t"), 0, "\"\\b\\f\\n\\r\\t\""},
    {PL_STR("\0\x01\x1f\x7f"), 0, "\"\\u0000\\u0001\\u001f\x7f\""},
    {PL_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x92"), 0,
     "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x92\""},
    {PL_STR("<a&b>"), 0, "\"<a&b>\""},
    {PL_STR("\xc3\xa4>\xc3\xa4\n"), 0, "\"\xc3\xa4>\xc3\xa4\\n\""},
    {PL_STR("<a&b>'"), PL_JSON_HTML, "\"\\u003ca\\u0026b\\u003e'\""},
    {PL_STR("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"), PL_JSON_HTML,
     "\"\\u2028\\u2029\xe2\x80\xaa\""},
    {PL_STR("\xe2\x80\xa8"), 0, "\"\xe2\x80\xa8\""},
    {PL_STR("a\xff"
            "b"),
     0, NULL},
    {PL_STR("a\xff"
            "b"),
     PL_JSON_REPLACE,
     "\"a\xef\xbf\xbd"
     "b\""},
    {PL_STR("\xe2\x82"), PL_JSON_REPLACE, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {PL_STR("\xff\xff"), PL_JSON_REPLACE | PL_JSON_HTML,
     "\"\xef\xbf\xbd\xef\xbf\xbd\""},
};

static void test_json_text__quotes(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(quotes); i++) {
        int err = quote(quotes[i].in, quotes[i].flags);

        CHECK_INT(quotes[i].want == NULL ? PL_ERR_PROTO : 0, err,
                  quotes[i].in.data);
        if (err == 0)
            CHECK_STR(quotes[i].want, pl_buf_str(&out), quotes[i].in.data);
    }
}

static const struct {
    struct pl_str in;
    unsigned flags;
    struct pl_str want; /* absent: refused, at the byte: */
    size_t at;
} unquotes[] = {
    {PL_STR("\""), 0, PL_STR(""), 1},
    {PL_STR("abc\" rest"), 0, PL_STR("abc"), 4},
    {PL_STR("\\\"\\\\\\/\\b\\f\\n\\r\\t\""), 0, PL_STR("\"\\/\b\f\n\r\t"), 17},
    {PL_STR("\\u0041\\u00e4\\u20aC\\u0000\""), 0,
     PL_STR("A\xc3\xa4\xe2\x82\xac\0"), 25},
    {PL_STR("\\ud83c\\udf12\""), 0, PL_STR("\xf0\x9f\x8c\x92"), 13},
    {PL_STR("\\uD800\\uDC00\""), 0, PL_STR("\xf0\x90\x80\x80"), 13},
    {PL_STR("\\uDBFF\\uDFFF\""), 0, PL_STR("\xf4\x8f\xbf\xbf"), 13},
    {PL_STR("\xc3\xa4\\n\xe2\x82\xac\""), 0, PL_STR("\xc3\xa4\n\xe2\x82\xac"),
     8},
    {PL_STR("\x7f\""), 0, PL_STR("\x7f"), 2},
    {PL_STR("\\ud83c\""), PL_JSON_REPLACE, PL_STR("\xef\xbf\xbd"), 7},
    {PL_STR("\\udf12\\ud83c\""), PL_JSON_REPLACE,
     PL_STR("\xef\xbf\xbd\xef\xbf\xbd"), 13},
    {PL_STR("\\ud83c\\u0041\""), PL_JSON_REPLACE,
     PL_STR("\xef\xbf\xbd"
            "A"),
     13},
    {PL_STR("a\xff\""), PL_JSON_REPLACE, PL_STR("a\xef\xbf\xbd"), 3},
    {PL_STR(""), 0, {NULL, 0}, 0},
    {PL_STR("abc"), 0, {NULL, 0}, 3},
    {PL_STR("a\nb\""), 0, {NULL, 0}, 1},
    {PL_STR("a\nb\""), PL_JSON_REPLACE, {NULL, 0}, 1},
    {PL_STR("a\0b\""), 0, {NULL, 0}, 1},
    {PL_STR("ab\\x\""), 0, {NULL, 0}, 2},
    {PL_STR("ab\\"), 0, {NULL, 0}, 2},
    {PL_STR("\\u12\""), 0, {NULL, 0}, 0},
    {PL_STR("\\u12g4\""), 0, {NULL, 0}, 0},
    {PL_STR("\\U0041\""), 0, {NULL, 0}, 0},
    {PL_STR("\\ud83c\""), 0, {NULL, 0}, 0},
    {PL_STR("\\ud83c\\u0041\""), 0, {NULL, 0}, 0},
    {PL_STR("\\ud83c\\ud83c\""), 0, {NULL, 0}, 0},
    {PL_STR("x\\udf12\""), 0, {NULL, 0}, 1},
    {PL_STR("a\xff\""), 0, {NULL, 0}, 1},
    {PL_STR("\\n\xff\""), 0, {NULL, 0}, 2},
    {PL_STR("a\xc3"), PL_JSON_REPLACE, {NULL, 0}, 2},
};

static void test_json_text__unquotes(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(unquotes); i++) {
        const char *name = unquotes[i].in.data;
        struct pl_str want = unquotes[i].want, s = {NULL, 0};
        size_t used;
        int err = unquote(unquotes[i].in, unquotes[i].flags, &s, &used);

        CHECK_INT(want.data == NULL ? PL_ERR_PROTO : 0, err, name);
        CHECK_INT(unquotes[i].at, used, name);
        if (err == 0)
            CHECK(pl_str_eq(want, s), name);
    }
}

/* Where a special byte stands must not matter, nor how long the rest is. */
static void test_json_text__every_offset(void **state)
{
    static const char specials[] = "\"\\\n\x1f<\xc3";
    char text[40], *quoted;
    struct pl_str s;
    size_t used;

    (void)state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof(specials) - 1; i++) {
                memset(text, 'x', len);
                text[at] = specials[i];
                CHECK_INT(
                    0, quote(pl_str(text, len), PL_JSON_HTML | PL_JSON_REPLACE),
                    "quote");
                CHECK(out.len > len + 2, "something was escaped");
                s = pl_buf_str(&out);
                quoted = exact(s);
                CHECK_INT(0,
                          unquote(pl_str(quoted + 1, s.len - 1), 0, &s, &used),
                          "unquote");
                free(quoted);
                if (specials[i] != '\xc3')
                    CHECK(pl_str_eq(pl_str(text, len), s), "came back");
            }
        }
    }
}

/* A block this large is as long as its text: nothing may be written behind. */
static void test_json_text__large_strings(void **state)
{
    static const char part[] = "plain \xc3\xa4\xe2\x82\xac \"\\\n<";
    enum { PART = sizeof(part) - 1, PARTS = 20000 };
    char *text = malloc(PART * PARTS), *quoted;
    struct pl_str s, whole = {text, PART * PARTS};
    size_t used;

    (void)state;
    for (int i = 0; i < PARTS; i++)
        memcpy(text + i * PART, part, PART);
    for (unsigned flags = 0; flags <= PL_JSON_HTML; flags += PL_JSON_HTML) {
        CHECK_INT(0, quote(whole, flags), "quote");
        quoted = exact(pl_buf_str(&out));
        CHECK_INT(0, unquote(pl_str(quoted + 1, out.len - 1), 0, &s, &used),
                  "unquote");
        CHECK(pl_str_eq(whole, s), "came back");
        free(quoted);
    }
    free(text);
}

static void test_json_text__obeys_the_limit(void **state)
{
    struct pl_buf small;

    (void)state;
    for (size_t limit = 1; limit < 60; limit++) {
        pl_buf_init(&small, &pool, NULL, limit);
        if (pl_json_quote(&small, PL_STR("ab\n\x01 cd\xff"), PL_JSON_REPLACE) <
            0)
            CHECK_INT(PL_ERR_LIMIT, small.err, "refused");
        CHECK(small.len <= limit, "kept");
        pl_buf_fini(&small);
    }
}

static void test_json_text__asks_for_a_scratch(void **state)
{
    const char *at = "ab\\n\"", *begin = at, *what;
    struct pl_str s;

    (void)state;
    CHECK_INT(PL_ERR_AGAIN, pl_json_unquote(&at, at + 5, 0, NULL, &s, &what),
              "escape");
    CHECK(at == begin, "nothing was used");
    at = begin = "ab\"";
    CHECK_INT(0, pl_json_unquote(&at, at + 3, 0, NULL, &s, &what), "plain");
    CHECK(s.data == begin, "a piece of the text");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

RUN_TESTS(TEST(test_json_text__quotes), TEST(test_json_text__unquotes),
          TEST(test_json_text__every_offset),
          TEST(test_json_text__large_strings),
          TEST(test_json_text__obeys_the_limit),
          TEST(test_json_text__asks_for_a_scratch))
