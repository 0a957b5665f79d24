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

/* ---- lambdas ---- */

struct page {
    struct pl_str who;
    pl_lambda_fn *bold, *shout, *greeting, *template, *none, *fails, *stray;
    int times;
};

static int bold(struct pl_lambda *lambda, const void *self)
{
    struct pl_str shown;
    int err = pl_lambda_render(lambda, pl_lambda_text(lambda), &shown);

    return err < 0 ? err
                   : pl_lambda_writef(lambda, "<b>%.*s</b>", PL_STR_ARG(shown));
}

/* As often as its struct says. */
static int shout(struct pl_lambda *lambda, const void *self)
{
    const struct page *page = self;

    for (int i = 0; i < page->times; i++)
        pl_lambda_write(lambda, pl_lambda_text(lambda));
    return 0;
}

static int greeting(struct pl_lambda *lambda, const void *self)
{
    const struct page *page = self;

    CHECK(pl_lambda_text(lambda).data == NULL, "no section");
    return pl_lambda_writef(lambda, "hello, <%.*s> {{who}}",
                            PL_STR_ARG(page->who));
}

static int template(struct pl_lambda *lambda, const void *self)
{
    pl_lambda_write(lambda, PL_STR("[{{{who}}}]"));
    pl_lambda_write(lambda, pl_lambda_text(lambda));
    return PL_LAMBDA_TEMPLATE;
}

static int fails(struct pl_lambda *lambda, const void *self)
{
    return PL_ERR_DENIED;
}

static int stray(struct pl_lambda *lambda, const void *self)
{
    struct pl_str shown;

    return pl_lambda_render(lambda, PL_STR("x"), &shown);
}

PL_FIELD_TYPE(page_type, struct page, PL_FIELD(STR, struct page, who),
              PL_FIELD(LAMBDA, struct page, bold),
              PL_FIELD(LAMBDA, struct page, shout),
              PL_FIELD(LAMBDA, struct page, greeting),
              PL_FIELD(LAMBDA, struct page, template),
              PL_FIELD(LAMBDA, struct page, none),
              PL_FIELD(LAMBDA, struct page, fails),
              PL_FIELD(LAMBDA, struct page, stray));

static const struct {
    const char *source, *want;
    int err;
} lambdas[] = {
    {"{{#bold}}{{who}} & {{#bold}}x{{/bold}}{{/bold}}",
     "<b>&lt;Ada&gt; & <b>x</b></b>", 0},
    {"{{#shout}}{{who}}! {{/shout}}", "{{who}}! {{who}}! ", 0},
    {"{{greeting}}|{{{greeting}}}|{{&greeting}}",
     "hello, &lt;&lt;Ada&gt;&gt; {{who}}|hello, <<Ada>> {{who}}|"
     "hello, <<Ada>> {{who}}",
     0},
    {"{{#template}}{{who}}{{/template}}", "[<Ada>]&lt;Ada&gt;", 0},
    {"{{template}}|{{{template}}}", "[&lt;Ada&gt;]|[<Ada>]", 0},
    {"{{#none}}x{{/none}}{{^none}}none{{/none}}{{none}}", "none", 0},
    {"{{^bold}}x{{/bold}}", "", 0},
    {"a{{fails}}", "a lambda has failed", PL_ERR_DENIED},
    {"a{{#fails}}b{{/fails}}", "a lambda has failed", PL_ERR_DENIED},
    {"{{stray}}", "a lambda has failed", PL_ERR_STATE},
    {"{{#bold}}{{#fails}}{{/fails}}{{/bold}}", "a lambda has failed",
     PL_ERR_DENIED},
};

static void test_fields__lambdas(void **state)
{
    const struct page page = {.who = PL_STR("<Ada>"),
                              .bold = bold,
                              .shout = shout,
                              .greeting = greeting,
                              .template = template,
                              .fails = fails,
                              .stray = stray,
                              .times = 2};
    struct pl_data data = pl_fields_data(&page_type, &page);
    struct pl_pool pool;
    struct pl_buf out;

    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(lambdas); i++) {
        struct pl_error error = {.code = 0};
        struct pl_template *compiled =
            pl_template_new(PL_STR("x"), pl_str_c(lambdas[i].source), NULL);

        pl_buf_init(&out, &pool, NULL, 0);
        CHECK_INT(lambdas[i].err,
                  pl_template_render(compiled, &data, NULL, &out, &error),
                  lambdas[i].source);
        if (lambdas[i].err == 0)
            CHECK_STR(lambdas[i].want, pl_buf_str(&out), lambdas[i].source);
        else
            CHECK(strstr(error.text, lambdas[i].want) != NULL, error.text);
        pl_buf_fini(&out);
        pl_template_free(compiled);
    }
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_fields__each_kind),
          cmocka_unit_test(test_fields__lambdas))
