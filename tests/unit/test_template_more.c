/* test_template_more.c - Mustache: the optional parts of the specification. */
#include "check.h"

#include "template_world.h"

/* ---- dynamic names ---- */

static void test_template_more__dynamic_names(void **state)
{
    (void)state;
    RUN(dynamic_cases);
}

/* ---- lambdas ---- */

static void test_template_more__lambdas(void **state)
{
    (void)state;
    RUN(lambda_cases);
    RUN(rendering_cases);
}

/* ---- inheritance ---- */

static void test_template_more__inheritance(void **state)
{
    (void)state;
    RUN(inheritance_cases);
}

/* Found by the fuzzer. */
static void test_template_more__errors_that_are_got_over(void **state)
{
    struct pl_error error = {.code = 0};
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    CHECK_INT(0,
              render("{{#l}}{{x}}{{/l}}", "{x: 1, l: &stubborn}", NULL, 0, &out,
                     &error),
              "renders");
    CHECK_STR("1", pl_buf_str(&out), "renders");
    CHECK_INT(0, error.code, "no error is left");
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_template_more__dynamic_names),
          cmocka_unit_test(test_template_more__lambdas),
          cmocka_unit_test(test_template_more__inheritance),
          cmocka_unit_test(test_template_more__errors_that_are_got_over))
