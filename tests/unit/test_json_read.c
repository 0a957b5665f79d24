/* test_json_read.c - JSON texts as values: which are accepted, where others are
 * wrong, and what can be asked of a value. */
#include "check.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/faults.h"
#include "json_cases.h"

static const struct pl_json *value;
static struct pl_json_error error;
static char *copy;

static int tear_down(void **state)
{
    (void)state;
    pl_json_free(value);
    value = NULL;
    free(copy);
    copy = NULL;
    return 0;
}

static int parse_with(struct pl_str text, const struct pl_json_options *options)
{
    int err;

    tear_down(NULL);
    copy = malloc(text.len + (text.len == 0)); /* no byte more, for ASan */
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    error = (struct pl_json_error){0};
    err = pl_json_parse(NULL, pl_str(copy, text.len), options, &value, &error);
    CHECK_INT(err, error.code, text.data);
    return err;
}

static int parse(struct pl_str text)
{
    return parse_with(text, NULL);
}

/* Of text, which is valid. */
static const struct pl_json *of(const char *text)
{
    CHECK_INT(0, parse(pl_str_c(text)), text);
    return value;
}

/* ---- which texts ---- */

/* The member that is the last of its name, and whose name is the next one
 * behind *after; NULL: there is none. */
static const struct pl_json *next_name(const struct pl_json *object,
                                       const struct pl_json *after)
{
    const struct pl_json *best = NULL;

    for (const struct pl_json *member = pl_json_first(object); member != NULL;
         member = pl_json_next(member)) {
        struct pl_str name = pl_json_name(member);

        if (pl_json_get(object, name) == member &&
            (after == NULL || pl_str_cmp(name, pl_json_name(after)) > 0) &&
            (best == NULL || pl_str_cmp(name, pl_json_name(best)) < 0))
            best = member;
    }
    return best;
}

static void add_sorted(struct pl_json_builder *json, const struct pl_json *from)
{
    const struct pl_json *item = NULL;

    switch (pl_json_type(from)) {
    case PL_JSON_ARRAY:
        pl_json_begin_array(json);
        for (size_t i = 0; (item = pl_json_at(from, i)) != NULL; i++)
            add_sorted(json, item);
        pl_json_end(json);
        break;
    case PL_JSON_OBJECT:
        pl_json_begin_object(json);
        while ((item = next_name(from, item)) != NULL) {
            pl_json_key(json, pl_json_name(item));
            add_sorted(json, item);
        }
        pl_json_end(json);
        break;
    default:
        pl_json_add_value(json, from);
    }
}

static void test_json_read__accepts(void **state)
{
    struct pl_json_builder *json = pl_json_builder_new(NULL, 0);

    (void)state;
    for (size_t i = 0; i < PL_COUNT(json_accepted); i++) {
        const char *name = json_accepted[i].text.data;

        CHECK_INT(0, parse(json_accepted[i].text), name);
        pl_json_builder_clear(json);
        add_sorted(json, value);
        CHECK_STR(json_accepted[i].back == NULL ? name : json_accepted[i].back,
                  pl_json_builder_str(json), name);
    }
    pl_json_builder_free(json);
}

static void test_json_read__refuses_and_says_where(void **state)
{
    char message[200];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(json_refused); i++) {
        struct pl_str text = json_refused[i].text;
        size_t line = 1, column = 1;

        CHECK_INT(PL_ERR_PROTO, parse(text), text.data);
        CHECK(value == NULL, text.data);
        snprintf(message, sizeof(message), "line %zu column %zu: %s",
                 error.line, error.column, error.text);
        CHECK_STR(json_refused[i].message, pl_str_c(message), text.data);
        CHECK(error.offset <= text.len, text.data);
        for (size_t at = 0; at < error.offset; at++, column++)
            if (text.data[at] == '\n') {
                line++;
                column = 0;
            }
        CHECK_INT(line, error.line, text.data);
        CHECK_INT(column, error.column, text.data);
    }
}

/* Only a number or what ends with white space may be cut and stay valid. */
static void test_json_read__refuses_every_beginning(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(json_accepted); i++) {
        struct pl_str text = json_accepted[i].text;

        while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
            text.len--;
        if (strchr("]}\"el", text.data[text.len - 1]) == NULL)
            continue;
        for (size_t len = 0; len < text.len; len++) {
            CHECK_INT(PL_ERR_PROTO, parse(pl_str(text.data, len)), text.data);
            CHECK(error.offset <= len, text.data);
        }
    }
}

static void test_json_read__has_limits(void **state)
{
    struct pl_json_options options = {.size = sizeof(options)};
    char text[2000];

    (void)state;
    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    CHECK_INT(0, parse(pl_str(text + 1000 - 128, 256)), "128 levels");
    CHECK_INT(PL_ERR_LIMIT, parse(pl_str(text + 1000 - 129, 258)), "129");
    CHECK_INT(128, error.offset, "where");
    CHECK_STR("nesting too deep", pl_str_c(error.text), "why");
    options.max_depth = 1000;
    CHECK_INT(0, parse_with(pl_str(text, 2000), &options), "1000");
    options = (struct pl_json_options){.size = sizeof(options), .max_size = 4};
    CHECK_INT(0, parse_with(PL_STR("[10]"), &options), "4 bytes");
    CHECK_INT(PL_ERR_LIMIT, parse_with(PL_STR("[100]"), &options), "5 bytes");
    CHECK_STR("the text is too large", pl_str_c(error.text), "why");
    CHECK_INT(PL_ERR_PROTO, parse((struct pl_str){NULL, 0}), "absent");
    CHECK_INT(PL_ERR_PROTO,
              pl_json_parse(NULL, PL_STR("x"), NULL, &value, NULL),
              "nobody wants to know");
}

static void test_json_read__replaces_what_is_not_utf8(void **state)
{
    struct pl_json_options options = {.size = sizeof(options), .replace = true};

    (void)state;
    CHECK_INT(0, parse_with(PL_STR("[\"a\xff\", \"\\ud800\"]"), &options), "");
    CHECK_STR("a\xef\xbf\xbd", pl_json_str(pl_json_at(value, 0)), "bytes");
    CHECK_STR("\xef\xbf\xbd", pl_json_str(pl_json_at(value, 1)), "escape");
}

/* Every allocation may fail: then nothing is left behind. */
static void test_json_read__survives_without_memory(void **state)
{
    char text[4000];
    int n = 0;

    (void)state;
    while (n < 3900)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\"\\n%0100d\"",
                      n == 0 ? "[" : ",", n);
    text[n++] = ']';
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        int err =
            pl_json_parse(NULL, pl_str(text, (size_t)n), NULL, &value, &error);

        CHECK(err == 0 || (err == PL_ERR_NOMEM && pl_faults_hit()), "parse");
        if (err == 0)
            pl_json_free(value);
        value = NULL;
    }
    pl_faults_reset();
}

/* ---- what a value says ---- */

static void test_json_read__tells_types(void **state)
{
    const struct pl_json *v =
        of("[null, true, -1, \"x\", [], {}, 1.5, false, \"\"]");
    static const enum pl_json_type types[] = {
        PL_JSON_NULL,   PL_JSON_BOOL,   PL_JSON_NUMBER, PL_JSON_STRING,
        PL_JSON_ARRAY,  PL_JSON_OBJECT, PL_JSON_NUMBER, PL_JSON_BOOL,
        PL_JSON_STRING, PL_JSON_NONE};
    bool flag = true;

    (void)state;
    CHECK_INT(9, pl_json_count(v), "count");
    for (size_t i = 0; i < PL_COUNT(types); i++)
        CHECK_INT(types[i], pl_json_type(pl_json_at(v, i)), "type");
    CHECK(pl_json_to_bool(pl_json_at(v, 7), &flag) && !flag, "false");
    CHECK(pl_json_to_bool(pl_json_at(v, 1), &flag) && flag, "true");
    CHECK(!pl_json_to_bool(pl_json_at(v, 0), &flag) && flag, "null");
    CHECK_STR("", pl_json_str(pl_json_at(v, 8)), "empty");
    CHECK_STR(NULL, pl_json_str(pl_json_at(v, 2)), "no string");
}

static const struct {
    const char *text;
    bool i64, u64;
    int64_t want_i64;
    uint64_t want_u64;
    double real;
} numbers[] = {
    {"0", true, true, 0, 0, 0},
    {"-1", true, false, -1, 0, -1},
    {"9007199254740993", true, true, 9007199254740993, 9007199254740993,
     9007199254740992.0},
    {"9223372036854775807", true, true, INT64_MAX, INT64_MAX, 0x1p63},
    {"9223372036854775808", false, true, 0, (uint64_t)1 << 63, 0x1p63},
    {"-9223372036854775808", true, false, INT64_MIN, 0, -0x1p63},
    {"-9223372036854775809", false, false, 0, 0, -0x1p63},
    {"18446744073709551615", false, true, 0, UINT64_MAX, 0x1p64},
    {"18446744073709551616", false, false, 0, 0, 0x1p64},
    {"1.0", true, true, 1, 1, 1},
    {"1e3", true, true, 1000, 1000, 1000},
    {"-0", true, true, 0, 0, -0.0},
    {"-2.50e1", true, false, -25, 0, -25},
    {"1.5", false, false, 0, 0, 1.5},
    {"9007199254740992.0", true, true, 9007199254740992, 9007199254740992,
     0x1p53},
    {"9007199254740994.0", false, false, 0, 0, 9007199254740994.0},
    {"1e300", false, false, 0, 0, 1e300},
};

static void test_json_read__numbers_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(numbers); i++) {
        const struct pl_json *v = of(numbers[i].text);
        int64_t i64 = 0;
        uint64_t u64 = 0;
        double real = 7;

        CHECK_INT(numbers[i].i64, pl_json_to_i64(v, &i64), numbers[i].text);
        CHECK_INT(numbers[i].want_i64, i64, numbers[i].text);
        CHECK_INT(numbers[i].u64, pl_json_to_u64(v, &u64), numbers[i].text);
        CHECK(numbers[i].want_u64 == u64, numbers[i].text);
        CHECK(pl_json_to_double(v, &real), numbers[i].text);
        CHECK(numbers[i].real == real &&
                  signbit(real) == signbit(numbers[i].real),
              numbers[i].text);
    }
}

static void test_json_read__members_and_items(void **state)
{
    static const char *const names[] = {"a", "b", "a", "\n"};
    const struct pl_json *v =
        of("{\"a\":[1,[2,{\"x\":3}],4],\"b\":{},\"a\":\"last\",\"\\n\":null}");
    const struct pl_json *item;
    int64_t number = 0;
    size_t i = 0;

    (void)state;
    for (item = pl_json_first(v); item != NULL; item = pl_json_next(item))
        CHECK_STR(names[i++], pl_json_name(item), "name");
    CHECK_INT(4, i, "members");
    CHECK_STR("last", pl_json_str(pl_json_get(v, PL_STR("a"))), "the last");
    CHECK(pl_json_get(v, PL_STR("A")) == NULL, "missing");
    CHECK(pl_json_at(v, 0) == NULL, "no array");
    CHECK(pl_json_first(pl_json_get(v, PL_STR("b"))) == NULL, "empty");
    item = pl_json_first(v);
    CHECK_INT(3, pl_json_count(item), "items");
    CHECK(pl_json_to_i64(pl_json_at(item, 2), &number) && number == 4, "4");
    CHECK(pl_json_at(item, 3) == NULL, "behind the last");
    CHECK(pl_json_get(item, PL_STR("a")) == NULL, "no object");
    CHECK_STR(NULL, pl_json_name(pl_json_at(item, 0)), "an item has no name");
    CHECK(pl_json_next(v) == NULL, "the root stands alone");
}

static void test_json_read__nothing_is_a_value_too(void **state)
{
    bool flag;
    double real;
    int64_t i64;
    uint64_t u64;

    (void)state;
    CHECK_INT(PL_JSON_NONE, pl_json_type(NULL), "type");
    CHECK_INT(0, pl_json_count(NULL), "count");
    CHECK(pl_json_first(NULL) == NULL && pl_json_next(NULL) == NULL, "walk");
    CHECK(pl_json_get(NULL, PL_STR("")) == NULL, "get");
    CHECK(pl_json_at(NULL, 0) == NULL, "at");
    CHECK(pl_json_find(NULL, PL_STR("/a")) == NULL, "find");
    CHECK_STR(NULL, pl_json_str(NULL), "string");
    CHECK_STR(NULL, pl_json_name(NULL), "name");
    CHECK(!pl_json_to_bool(NULL, &flag) && !pl_json_to_double(NULL, &real) &&
              !pl_json_to_i64(NULL, &i64) && !pl_json_to_u64(NULL, &u64),
          "scalars");
    pl_json_free(NULL);
}

/* The examples of RFC 6901, 5, and what is no pointer. */
static const struct {
    const char *pointer, *want; /* NULL: nothing */
} pointers[] = {
    {"/foo", "[\"bar\",\"baz\"]"},
    {"/foo/0", "\"bar\""},
    {"/foo/1", "\"baz\""},
    {"/", "0"},
    {"/a~1b", "1"},
    {"/c%d", "2"},
    {"/e^f", "3"},
    {"/g|h", "4"},
    {"/i\\j", "5"},
    {"/k\"l", "6"},
    {"/ ", "7"},
    {"/m~0n", "8"},
    {"/deep/0/x//y", "true"},
    {"/foo/2", NULL},
    {"/foo/-", NULL},
    {"/foo/00", NULL},
    {"/foo/01", NULL},
    {"/foo/-1", NULL},
    {"/foo/", NULL},
    {"/foo/0/x", NULL},
    {"/foo/18446744073709551616", NULL},
    {"foo", NULL},
    {"/m~", NULL},
    {"/m~2n", NULL},
    {"/m~n", NULL},
    {"/deep/0/x/y", NULL},
};

static void test_json_read__follows_pointers(void **state)
{
    static const char text[] =
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,"
        "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"m~\":9,"
        "\"m~2n\":10,\"deep\":[{\"x\":{\"\":{\"y\":true}}}]}";
    struct pl_json_builder *json = pl_json_builder_new(NULL, 0);
    const struct pl_json *v = of(text), *found;

    (void)state;
    CHECK(pl_json_find(v, PL_STR("")) == v, "the whole");
    for (size_t i = 0; i < PL_COUNT(pointers); i++) {
        found = pl_json_find(v, pl_str_c(pointers[i].pointer));
        CHECK((found == NULL) == (pointers[i].want == NULL),
              pointers[i].pointer);
        if (found == NULL)
            continue;
        pl_json_builder_clear(json);
        pl_json_add_value(json, found);
        CHECK_STR(pointers[i].want, pl_json_builder_str(json),
                  pointers[i].pointer);
    }
    pl_json_builder_free(json);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

RUN_TESTS(TEST(test_json_read__accepts),
          TEST(test_json_read__refuses_and_says_where),
          TEST(test_json_read__refuses_every_beginning),
          TEST(test_json_read__has_limits),
          TEST(test_json_read__replaces_what_is_not_utf8),
          TEST(test_json_read__survives_without_memory),
          TEST(test_json_read__tells_types),
          TEST(test_json_read__numbers_are_exact),
          TEST(test_json_read__members_and_items),
          TEST(test_json_read__nothing_is_a_value_too),
          TEST(test_json_read__follows_pointers))
