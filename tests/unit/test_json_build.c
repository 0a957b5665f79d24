/* test_json_build.c - JSON written value by value, and of structs. */
#include "check.h"

#include <math.h>

#include "base/faults.h"
#include "base/json_scan.h"

static struct pl_json_builder *json;

static int set_up(void **state)
{
    (void)state;
    json = pl_json_builder_new(NULL, 0);
    return json == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pl_json_builder_free(json);
    return 0;
}

static void check_text(const char *want)
{
    CHECK_STR(want, pl_json_builder_str(json), want);
}

/* ---- value by value ---- */

static void add_all(void)
{
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("text"));
    pl_json_add_str(json, PL_STR("a\"</\xe2\x80\xa8\n\xff"));
    pl_json_key(json, PL_STR("absent"));
    pl_json_add_str(json, pl_str(NULL, 0));
    pl_json_key(json, PL_STR("a\"b"));
    pl_json_begin_array(json);
    pl_json_add_i64(json, INT64_MIN);
    pl_json_add_u64(json, UINT64_MAX);
    pl_json_add_double(json, 0.1);
    pl_json_begin_array(json);
    pl_json_end(json);
    pl_json_begin_object(json);
    pl_json_end(json);
    pl_json_add_bool(json, true);
    pl_json_add_raw(json, PL_STR("[1, 2]"));
    pl_json_end(json);
    pl_json_key(json, PL_STR(""));
    pl_json_add_null(json);
    CHECK_INT(0, pl_json_end(json), "all went well");
}

static void test_json_build__writes(void **state)
{
    (void)state;
    add_all();
    check_text("{\"text\":\"a\\\"</\xe2\x80\xa8\\n\xef\xbf\xbd\","
               "\"absent\":null,\"a\\\"b\":[-9223372036854775808,"
               "18446744073709551615,0.1,[],{},true,[1, 2]],\"\":null}");
    CHECK_STR("", pl_str_c(pl_json_builder_error(json)), "no error");
    pl_json_builder_clear(json);
    check_text(NULL);
    pl_json_add_str(json, PL_STR("again"));
    check_text("\"again\"");
}

static void test_json_build__is_fit_for_html(void **state)
{
    (void)state;
    pl_json_builder_free(json);
    json = pl_json_builder_new(NULL, PL_JSON_HTML);
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("</script>"));
    pl_json_add_str(json, PL_STR("<!--&\xe2\x80\xa8"));
    pl_json_end(json);
    check_text("{\"\\u003c/script\\u003e\":\"\\u003c!--\\u0026\\u2028\"}");
}

static void test_json_build__is_fit_for_people(void **state)
{
    (void)state;
    pl_json_builder_free(json);
    json = pl_json_builder_new(NULL, PL_JSON_PRETTY);
    add_all();
    check_text("{\n"
               "  \"text\": \"a\\\"</\xe2\x80\xa8\\n\xef\xbf\xbd\",\n"
               "  \"absent\": null,\n"
               "  \"a\\\"b\": [\n"
               "    -9223372036854775808,\n"
               "    18446744073709551615,\n"
               "    0.1,\n"
               "    [],\n"
               "    {},\n"
               "    true,\n"
               "    [1, 2]\n"
               "  ],\n"
               "  \"\": null\n"
               "}");
}

/* A letter for each call; what it comes to: the text, or in words why not. */
static void play(const char *calls)
{
    pl_json_builder_clear(json);
    for (; *calls != '\0'; calls++) {
        switch (*calls) {
        case '{':
            pl_json_begin_object(json);
            break;
        case '[':
            pl_json_begin_array(json);
            break;
        case '.':
            pl_json_end(json);
            break;
        case 'k':
            pl_json_key(json, PL_STR("k"));
            break;
        case 'r':
            pl_json_add_raw(json, PL_STR(""));
            break;
        case 'i':
            pl_json_add_double(json, INFINITY);
            break;
        case 'n':
            pl_json_add_double(json, NAN);
            break;
        default:
            pl_json_add_bool(json, true);
        }
    }
}

static const struct {
    const char *calls, *text, *error;
} plays[] = {
    {"1", "true", ""},
    {"[11.", "[true,true]", ""},
    {"{k1k[.k{k1..", "{\"k\":true,\"k\":[],\"k\":{\"k\":true}}", ""},
    {"", NULL, ""},
    {"[1", NULL, ""},
    {"11", NULL, "more than one value"},
    {"[.[.", NULL, "more than one value"},
    {"{1", NULL, "a value without a key"},
    {"{k11", NULL, "a value without a key"},
    {"{[", NULL, "a value without a key"},
    {"k", NULL, "a key where no key may be"},
    {"[k", NULL, "a key where no key may be"},
    {"{kk", NULL, "a key where no key may be"},
    {"{k1.k", NULL, "a key where no key may be"},
    {".", NULL, "an end where nothing may end"},
    {"[..", NULL, "an end where nothing may end"},
    {"{k.", NULL, "an end where nothing may end"},
    {"[i1.", NULL, "a number that is not finite"},
    {"[n1.", NULL, "a number that is not finite"},
    {"[r1.", NULL, "an empty text"},
};

static void test_json_build__insists_on_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(plays); i++) {
        play(plays[i].calls);
        CHECK_STR(plays[i].text, pl_json_builder_str(json), plays[i].calls);
        CHECK_STR(plays[i].error, pl_str_c(pl_json_builder_error(json)),
                  plays[i].calls);
    }
    play("11");
    CHECK_INT(PL_ERR_STATE, pl_json_begin_array(json), "stays failed");
    CHECK_INT(PL_ERR_STATE, pl_json_key(json, PL_STR("k")), "stays failed");
    CHECK_INT(PL_ERR_STATE, pl_json_add_str(json, PL_STR("")), "stays failed");
    CHECK_INT(PL_ERR_STATE, pl_json_add_double(json, NAN), "stays failed");
    CHECK_INT(PL_ERR_STATE, pl_json_end(json), "stays failed");
    play("i");
    CHECK_INT(PL_ERR_INVALID, pl_json_add_null(json), "stays failed");
    pl_json_builder_free(json);
    json = pl_json_builder_new(NULL, PL_JSON_NAN_NULL);
    play("[in.");
    check_text("[null,null]");
}

static void test_json_build__has_levels(void **state)
{
    char calls[2 * PL_JSON_LEVELS + 2];

    (void)state;
    for (int i = 0; i < PL_JSON_LEVELS; i++)
        calls[i] = '[', calls[PL_JSON_LEVELS + i] = '.';
    calls[2 * PL_JSON_LEVELS] = '\0';
    play(calls);
    CHECK_INT(2 * PL_JSON_LEVELS, pl_json_builder_str(json).len, "all levels");
    calls[PL_JSON_LEVELS] = '[';
    play(calls);
    CHECK_STR("nesting too deep", pl_str_c(pl_json_builder_error(json)), "one");
    CHECK_INT(PL_ERR_LIMIT, pl_json_end(json), "too many");
}

static void test_json_build__survives_without_memory(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'x', sizeof(text));
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_json_builder *mine = pl_json_builder_new(NULL, 0);
        int err;

        pl_json_begin_array(mine);
        for (int i = 0; i < 20; i++)
            pl_json_add_str(mine, pl_str(text, sizeof(text)));
        err = pl_json_end(mine);
        CHECK((pl_json_builder_str(mine).data == NULL) == (err < 0), "text");
        CHECK((*pl_json_builder_error(mine) == '\0') == (err == 0), "words");
        pl_json_builder_clear(mine);
        CHECK(err == 0 || (err == PL_ERR_NOMEM && pl_faults_hit()), "build");
        pl_json_builder_free(mine);
    }
    pl_faults_reset();
}

/* A builder that there was no memory for takes everything. */
static void test_json_build__nothing_is_a_failed_builder(void **state)
{
    struct pl_json_builder *none = NULL;

    (void)state;
    CHECK_INT(PL_ERR_NOMEM, pl_json_begin_object(none), "object");
    CHECK_INT(PL_ERR_NOMEM, pl_json_begin_array(none), "array");
    CHECK_INT(PL_ERR_NOMEM, pl_json_key(none, PL_STR("k")), "key");
    CHECK_INT(PL_ERR_NOMEM, pl_json_add_str(none, PL_STR("v")), "string");
    CHECK_INT(PL_ERR_NOMEM, pl_json_add_double(none, NAN), "double");
    CHECK_INT(PL_ERR_NOMEM, pl_json_add_raw(none, PL_STR("")), "raw");
    CHECK_INT(PL_ERR_NOMEM, pl_json_add_value(none, NULL), "value");
    CHECK_INT(PL_ERR_NOMEM, pl_json_end(none), "end");
    CHECK_STR(NULL, pl_json_builder_str(none), "text");
    CHECK_STR("out of memory", pl_str_c(pl_json_builder_error(none)), "words");
    pl_json_builder_clear(none);
}

/* ---- structs ---- */

struct moon {
    char name[8];
    float radius;
    const int16_t *year;
};

struct planet {
    struct pl_str name;
    const char *symbol;
    bool rings;
    int8_t i8;
    int16_t i16;
    int i;
    long l;
    uint8_t u8;
    uint16_t u16;
    unsigned u;
    size_t size;
    double mass;
    struct moon first;
    struct moon *moons;
    size_t nmoons;
    int days[4];
    size_t ndays;
    const struct planet *next;
};

static const struct pl_field year_type = PL_FIELD_ITEM(INT, int16_t);
static const struct pl_field moon_fields[] = {
    PL_FIELD(CHARS, struct moon, name),
    PL_FIELD(REAL, struct moon, radius),
    PL_FIELD_SUB(PTR, "discovered", struct moon, year, &year_type),
    PL_FIELD_END,
};
static const struct pl_field moon_type = PL_FIELD_OF(struct moon, moon_fields);
static const struct pl_field day_type = PL_FIELD_ITEM(INT, int);
static const struct pl_field planet_type;
static const struct pl_field planet_fields[] = {
    PL_FIELD(STR, struct planet, name),
    PL_FIELD(TEXT, struct planet, symbol),
    PL_FIELD(BOOL, struct planet, rings),
    PL_FIELD(INT, struct planet, i8),
    PL_FIELD(INT, struct planet, i16),
    PL_FIELD(INT, struct planet, i),
    PL_FIELD(INT, struct planet, l),
    PL_FIELD(UINT, struct planet, u8),
    PL_FIELD(UINT, struct planet, u16),
    PL_FIELD(UINT, struct planet, u),
    PL_FIELD(UINT, struct planet, size),
    PL_FIELD(REAL, struct planet, mass),
    PL_FIELD_SUB(STRUCT, "first", struct planet, first, &moon_type),
    PL_FIELD_LIST("moons", struct planet, moons, nmoons, &moon_type),
    PL_FIELD_LIST_INLINE("days", struct planet, days, ndays, &day_type),
    PL_FIELD_SUB(PTR, "next", struct planet, next, &planet_type),
    PL_FIELD_END,
};
static const struct pl_field planet_type =
    PL_FIELD_OF(struct planet, planet_fields);
/* An array as the whole. */
static const struct pl_field moons_type =
    PL_FIELD_LIST(NULL, struct planet, moons, nmoons, &moon_type);

static const int16_t found = 1877;
static struct moon moons[] = {{"Phobos", 11.1f, &found},
                              {"Deimos!!", 6.5f, NULL}};
static const struct planet mars = {
    .name = PL_STR("Mars"),
    .i8 = INT8_MIN,
    .i16 = INT16_MIN,
    .i = INT32_MIN,
    .l = INT64_MIN,
    .u8 = UINT8_MAX,
    .u16 = UINT16_MAX,
    .u = UINT32_MAX,
    .size = SIZE_MAX,
    .mass = 6.4171e23,
    .first = {"", 0.5f, NULL},
    .moons = moons,
    .nmoons = 2,
    .days = {1, -2, 3, 4},
    .ndays = 3,
};

static void test_json_build__writes_structs(void **state)
{
    (void)state;
    pl_json_add_struct(json, &planet_type, &mars);
    check_text("{\"name\":\"Mars\",\"symbol\":null,\"rings\":false,"
               "\"i8\":-128,\"i16\":-32768,\"i\":-2147483648,"
               "\"l\":-9223372036854775808,\"u8\":255,\"u16\":65535,"
               "\"u\":4294967295,\"size\":18446744073709551615,"
               "\"mass\":6.4171e+23,"
               "\"first\":{\"name\":\"\",\"radius\":0.5,\"discovered\":null},"
               "\"moons\":[{\"name\":\"Phobos\",\"radius\":11.1,"
               "\"discovered\":1877},{\"name\":\"Deimos!!\",\"radius\":6.5,"
               "\"discovered\":null}],\"days\":[1,-2,3],\"next\":null}");
    pl_json_builder_clear(json);
    pl_json_begin_array(json);
    pl_json_add_struct(json, &moons_type, &mars);
    pl_json_add_struct(json, &planet_type, NULL);
    pl_json_add_struct(json, &day_type, &mars.days[1]);
    pl_json_end(json);
    check_text("[[{\"name\":\"Phobos\",\"radius\":11.1,\"discovered\":1877},"
               "{\"name\":\"Deimos!!\",\"radius\":6.5,\"discovered\":null}],"
               "null,-2]");
}

/* A list of structs that goes in a circle ends at the deepest level. */
static void test_json_build__circles_end(void **state)
{
    struct planet round = mars;
    struct planet chain[PL_JSON_LEVELS];

    (void)state;
    round.next = &round;
    CHECK_INT(PL_ERR_LIMIT, pl_json_add_struct(json, &planet_type, &round),
              "a circle");
    pl_json_builder_clear(json);
    memset(chain, 0, sizeof(chain));
    for (int i = 1; i < PL_JSON_LEVELS; i++)
        chain[i - 1].next = &chain[i];
    CHECK_INT(PL_ERR_LIMIT, pl_json_add_struct(json, &planet_type, chain),
              "its member \"first\" is one level more");
    pl_json_builder_clear(json);
    chain[PL_JSON_LEVELS - 2].next = NULL;
    CHECK_INT(0, pl_json_add_struct(json, &planet_type, chain), "a chain");
}

static void test_json_build__failures_in_structs_stay(void **state)
{
    struct planet vague = mars;

    (void)state;
    vague.mass = NAN;
    CHECK_INT(PL_ERR_INVALID, pl_json_add_struct(json, &planet_type, &vague),
              "nan");
    check_text(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

RUN_TESTS(TEST(test_json_build__writes), TEST(test_json_build__is_fit_for_html),
          TEST(test_json_build__is_fit_for_people),
          TEST(test_json_build__insists_on_the_order),
          TEST(test_json_build__has_levels),
          TEST(test_json_build__survives_without_memory),
          TEST(test_json_build__nothing_is_a_failed_builder),
          TEST(test_json_build__writes_structs),
          TEST(test_json_build__circles_end),
          TEST(test_json_build__failures_in_structs_stay))
