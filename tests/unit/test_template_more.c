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

RUN_TESTS(cmocka_unit_test(test_template_more__dynamic_names),
          cmocka_unit_test(test_template_more__lambdas),
          cmocka_unit_test(test_template_more__inheritance))
