/* test_fields.c - C structs as the data of a template. */
#include "check.h"

#include "base/buf.h"
#include "template/fields.h"

struct place {
    const char *name;
    int height;
};

struct crew {
    struct pl_str name;
    uint64_t number;
};

struct landing {
    struct pl_str mission;
    const char *note;
    bool crewed;
    uint64_t mass;
    int64_t offset;
    struct place site;
    const struct place *next, *none;
    const struct crew *crew;
    size_t ncrew;
    const struct pl_str *words;
    size_t nwords;
    char code[4];
    double speed;
    float thrust;
    uint16_t days[4];
    size_t ndays;
    const int16_t *year, *month;
};

static const struct pl_field place_fields[] = {
    PL_FIELD(TEXT, struct place, name),
    PL_FIELD(INT, struct place, height),
    {0},
};
static const struct pl_field place = PL_FIELD_OF(struct place, place_fields);

static const struct pl_field crew_fields[] = {
    PL_FIELD(STR, struct crew, name),
    PL_FIELD(UINT, struct crew, number),
    {0},
};
static const struct pl_field crew = PL_FIELD_OF(struct crew, crew_fields);

static const struct pl_field day = PL_FIELD_ITEM(UINT, uint16_t);
static const struct pl_field year = PL_FIELD_ITEM(INT, int16_t);
static const struct pl_field landing_fields[] = {
    PL_FIELD(STR, struct landing, mission),
    PL_FIELD(TEXT, struct landing, note),
    PL_FIELD(BOOL, struct landing, crewed),
    PL_FIELD(UINT, struct landing, mass),
    PL_FIELD(INT, struct landing, offset),
    PL_FIELD_SUB(STRUCT, "site", struct landing, site, &place),
    PL_FIELD_SUB(PTR, "next", struct landing, next, &place),
    PL_FIELD_SUB(PTR, "none", struct landing, none, &place),
    PL_FIELD_LIST("crew", struct landing, crew, ncrew, &crew),
    PL_FIELD_LIST("words", struct landing, words, nwords, &pl_field_strings),
    PL_FIELD(CHARS, struct landing, code),
    PL_FIELD(REAL, struct landing, speed),
    PL_FIELD(REAL, struct landing, thrust),
    PL_FIELD_LIST_INLINE("days", struct landing, days, ndays, &day),
    PL_FIELD_SUB(PTR, "year", struct landing, year, &year),
    PL_FIELD_SUB(PTR, "month", struct landing, month, &year),
    {0},
};
static const struct pl_field type = PL_FIELD_OF(struct landing, landing_fields);

static const struct place there = {"Descartes", 8000};
static const struct crew three[] = {{{"Armstrong", 9}, 1}, {{"Aldrin", 6}, 2}};
static const struct pl_str words[] = {{"one", 3}, {"<", 1}};
static const int16_t landed = -1969;
static const struct landing landing = {
    .mission = {"Apollo 11", 9},
    .note = "",
    .crewed = true,
    .mass = UINT64_MAX,
    .offset = INT64_MIN,
    .site = {"Tranquility", -2},
    .next = &there,
    .crew = three,
    .ncrew = 2,
    .words = words,
    .nwords = 2,
    .code = {'A', '1', '1', '<'},
    .speed = 1.5e-7,
    .thrust = 0.1f,
    .days = {16, 20, 24, 99},
    .ndays = 3,
    .year = &landed,
};

static const struct {
    const char *source, *want;
} cases[] = {
    {"{{mission}}{{^note}}, no note{{/note}}{{#note}}{{.}}{{/note}}",
     "Apollo 11, no note"},
    {"{{#crewed}}crewed: {{crewed}}{{/crewed}}", "crewed: true"},
    {"{{mass}} {{offset}}", "18446744073709551615 -9223372036854775808"},
    {"{{#mass}}{{.}}{{/mass}}", "18446744073709551615"},
    {"{{site.name}} {{site.height}} {{#site}}{{name}}{{/site}}",
     "Tranquility -2 Tranquility"},
    {"{{next.name}}{{#next}} {{height}}{{/next}}", "Descartes 8000"},
    {"{{none.name}}{{#none}}x{{/none}}{{^none}}none{{/none}}", "none"},
    {"{{#crew}}{{number}} {{name}} of {{mission}}; {{/crew}}",
     "1 Armstrong of Apollo 11; 2 Aldrin of Apollo 11; "},
    {"{{#words}}{{.}},{{.x}}{{/words}}", "one,&lt;,"},
    {"{{code}}{{#code}}.{{/code}} {{speed}} {{#thrust}}{{.}}{{/thrust}}",
     "A11&lt;. 1.5e-7 0.1"},
    {"{{#days}}{{.}} {{/days}}", "16 20 24 "},
    {"{{year}} {{#year}}{{.}}{{/year}}{{month}}{{^month}}, no month{{/month}}",
     "-1969 -1969, no month"},
    {"[{{site}}{{crew}}{{next}}{{missing}}{{mission.x}}{{crew.x}}]", "[]"},
};

static void test_fields__each_kind(void **state)
{
    struct pl_data data = pl_fields_data(&type, &landing);
    struct pl_pool pool;
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_template *template =
            pl_template_new(PL_STR("x"), pl_str_c(cases[i].source), NULL);

        pl_buf_init(&out, &pool, NULL, 0);
        CHECK_INT(0, pl_template_render(template, &data, NULL, &out, NULL),
                  cases[i].source);
        CHECK_STR(cases[i].want, pl_buf_str(&out), cases[i].source);
        pl_buf_fini(&out);
        pl_template_free(template);
    }
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_fields__each_kind))
