/* test_template.c - Mustache: the modules that the specification asks of
 * everybody, and what it leaves to us. */
#include "check.h"

#include "template_world.h"

/* ---- comments ---- */

static void test_template__comments(void **state)
{
    (void)state;
    RUN(comments_cases);
}

/* ---- delimiters ---- */

static void test_template__delimiters(void **state)
{
    (void)state;
    RUN(delimiters_cases);
}

/* ---- interpolation ---- */

static void test_template__interpolation(void **state)
{
    (void)state;
    RUN(interpolation_cases);
}

/* ---- sections ---- */

static void test_template__sections(void **state)
{
    (void)state;
    RUN(sections_cases);
}

static void test_template__inverted_sections(void **state)
{
    (void)state;
    RUN(inverted_cases);
}

/* ---- partials ---- */

static void test_template__partials(void **state)
{
    (void)state;
    RUN(partials_cases);
}

/* ---- errors ---- */

static const struct {
    const char *what, *source, *where, *text;
} faults[] = {
    {"open tag", "a\n{{b", "main:2", "a tag that is not closed"},
    {"open triple", "\n\n{{{b}}", "main:3", "a tag that is not closed"},
    {"open comment", "{{! b", "main:1", "a tag that is not closed"},
    {"no name", "x{{ }}", "main:1", "a tag without a name"},
    {"no name", "{{#}}{{/}}", "main:1", "a tag without a name"},
    {"no name", "{{>*}}", "main:1", "a tag without a name"},
    {"space", "\n{{#if x}}{{/if x}}", "main:2", "a name with a space in it"},
    {"open section", "a\n{{#b}}\n\nc", "main:2",
     "a section, a block or a parent that is not closed"},
    {"wrong end", "{{#a}}\n{{/b}}", "main:2",
     "'/b' cannot close '#a' of line 1"},
    {"wrong end", "{{$a}}\n{{/b}}", "main:2",
     "'/b' cannot close '$a' of line 1"},
    {"crossed", "{{#a}}{{^b}}{{/a}}{{/b}}", "main:1",
     "'/a' cannot close '^b' of line 1"},
    {"end without begin", "\n{{/a}}", "main:2", "'/a' closes nothing"},
    {"delimiters", "{{=<%=}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{=a b c=}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{=a = =}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{==}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
};

static void test_template__faults_have_a_line(void **state)
{
    struct pl_error error;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        CHECK(pl_template_new(PL_STR("main"), pl_str_c(faults[i].source),
                              &error) == NULL,
              faults[i].what);
        CHECK_INT(PL_ERR_SYNTAX, error.code, faults[i].what);
        CHECK_STR(faults[i].where, pl_str_c(error.where), faults[i].what);
        CHECK_STR(faults[i].text, pl_str_c(error.text), faults[i].what);
        CHECK(pl_template_new(PL_STR("main"), pl_str_c(faults[i].source),
                              NULL) == NULL,
              "nobody wants to know");
    }
}

/* ---- limits ---- */

static const struct {
    const char *what, *source, *data, *partials, *where;
    int err;
    size_t limit;
} limits[] = {
    {"a partial in itself", "{{>p}}", "{}", "{p: '.{{>p}}'}", "p:1",
     PL_ERR_LIMIT, 0},
    {"parents without end", "{{>p}}", "{}",
     "{p: '{{<p}}{{$a}}{{>p}}{{/a}}{{/p}}'}", "p:1", PL_ERR_LIMIT, 0},
    {"a lambda in itself", "\n{{again}}", "{again: &again}", NULL, "main:1",
     PL_ERR_LIMIT, 0},
    {"much output", "{{#l}}\n0123456789{{/l}}", "{l: [1, 2, 3]}", NULL,
     "main:2", PL_ERR_LIMIT, 20},
    {"steps without output",
     "{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}"
     "{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
     "{l: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}", NULL,
     "main:1", PL_ERR_LIMIT, 0},
    {"a lambda's template", "\n{{l}}", "{l: &broken}", NULL, "main:1",
     PL_ERR_SYNTAX, 0},
    {"a lambda that fails", "\n{{#l}}{{/l}}", "{l: &failing}", NULL, "main:2",
     PL_ERR_IO, 0},
    {"lambdas that render in each other", "{{#l}}{{/l}}", "{l: &deep}", NULL,
     "main:1", PL_ERR_LIMIT, 0},
    {"a lambda that renders what is broken", "\n{{#l}}{{#x}}{{/l}}",
     "{l: &bold}", NULL, "main:2", PL_ERR_SYNTAX, 0},
    {"no such lambda", "{{#a}}\n{{#l}}x{{/l}}{{/a}}", "{a: [1], l: &nobody}",
     NULL, "main:2", PL_ERR_NOT_FOUND, 0},
};

static void test_template__rendering_is_bounded(void **state)
{
    struct pl_error error;
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(limits); i++) {
        CHECK_INT(limits[i].err,
                  render(limits[i].source, limits[i].data, limits[i].partials,
                         limits[i].limit, &out, &error),
                  limits[i].what);
        CHECK_STR(limits[i].where, pl_str_c(error.where), limits[i].what);
        pl_buf_fini(&out);
    }
    CHECK_INT(0, pool.account.used, "all memory is given back");
    pl_pool_fini(&pool);
}

static void test_template__nesting_is_bounded(void **state)
{
    struct pl_error error;
    struct pl_buf text;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&text, &pool, NULL, 0);
    for (int i = 0; i <= PL_TEMPLATE_NESTING_MAX; i++)
        pl_buf_add(&text, PL_STR("{{#a}}"));
    CHECK(pl_template_new(PL_STR("x"), pl_buf_str(&text), &error) == NULL,
          "too deep");
    CHECK_INT(PL_ERR_LIMIT, error.code, "too deep");
    CHECK(pl_template_new(PL_STR("x"),
                          pl_str(text.data, PL_TEMPLATE_SOURCE_MAX + 1),
                          &error) == NULL,
          "too large: not even looked at");
    CHECK_INT(PL_ERR_LIMIT, error.code, "too large");
    pl_buf_fini(&text);
    pl_pool_fini(&pool);
}

/* As deep as it may be: with one more frame than there is room for at first,
 * and with each number up to the limit. */
static void test_template__frames_grow(void **state)
{
    struct pl_error error;
    struct pl_buf out, source;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (int deep = 1; deep <= PL_TEMPLATE_NESTING_MAX; deep++) {
        pl_buf_init(&source, &pool, NULL, 0);
        for (int i = 0; i < deep; i++)
            pl_buf_add(&source, PL_STR("{{#a}}"));
        pl_buf_add(&source, PL_STR("{{b}}"));
        for (int i = 0; i < deep; i++)
            pl_buf_add(&source, PL_STR("{{/a}}"));
        pl_buf_addc(&source, '\0');
        CHECK_INT(0,
                  render(source.data, "{a: [{}], b: 7}", NULL, 0, &out, &error),
                  "renders");
        CHECK_STR("7", pl_buf_str(&out), "renders");
        pl_buf_fini(&out);
        pl_buf_fini(&source);
    }
    pl_pool_fini(&pool);
}

/* ---- names ---- */

static int collect(void *arg, struct pl_str name)
{
    pl_buf_add(arg, name);
    return pl_str_eq(name, PL_STR("stop")) ? PL_ERR_CANCELED
                                           : pl_buf_addc(arg, ' ');
}

static void test_template__partials_are_listed(void **state)
{
    struct pl_template *template = pl_template_new(
        PL_STR("x"),
        PL_STR("{{>a}}{{#s}}{{>b/c}}{{/s}}{{>*d}}{{<e}}{{$f}}{{>g}}{{/f}}{{/e}}"
               "{{>stop}}{{>h}}"),
        NULL);
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    CHECK_INT(PL_ERR_CANCELED, pl_template_partials(template, collect, &out),
              "until it is stopped");
    CHECK_STR("a b/c e g stop", pl_buf_str(&out), "those with a name");
    CHECK_STR("x", pl_str_c(pl_template_name(template)), "name");
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    pl_template_free(template);
    pl_template_free(NULL);
}

RUN_TESTS(cmocka_unit_test(test_template__comments),
          cmocka_unit_test(test_template__delimiters),
          cmocka_unit_test(test_template__interpolation),
          cmocka_unit_test(test_template__sections),
          cmocka_unit_test(test_template__inverted_sections),
          cmocka_unit_test(test_template__partials),
          cmocka_unit_test(test_template__faults_have_a_line),
          cmocka_unit_test(test_template__rendering_is_bounded),
          cmocka_unit_test(test_template__nesting_is_bounded),
          cmocka_unit_test(test_template__frames_grow),
          cmocka_unit_test(test_template__partials_are_listed))
