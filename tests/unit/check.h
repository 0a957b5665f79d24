/* check.h - what every unit test includes: cmocka and CHECK_* with a name.
 *
 * A CHECK in a table of cases says which case failed. */
#ifndef PL_TESTS_CHECK_H
#define PL_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <perilune.h>

#include "base/compiler.h"
#include "base/str.h"

#define CHECK_INT(want, got, what)                                             \
    do {                                                                       \
        long long want_ = (long long)(want), got_ = (long long)(got);          \
        if (want_ != got_)                                                     \
            fail_msg("%s: want %lld, got %lld", (what), want_, got_);          \
    } while (0)

#define CHECK(cond, what)                                                      \
    do {                                                                       \
        if (!(cond))                                                           \
            fail_msg("%s: %s", (what), #cond);                                 \
    } while (0)

/* want is a C string, got a struct pl_str. */
#define CHECK_STR(want, got, what)                                             \
    do {                                                                       \
        struct pl_str got_ = (got), want_ = pl_str_c(want);                    \
        if ((want_.data == NULL) != (got_.data == NULL) ||                     \
            !pl_str_eq(want_, got_))                                           \
            fail_msg("%s: want \"%s\", got \"%.*s\"", (what),                  \
                     (const char *)(want), PL_STR_ARG(got_));                  \
    } while (0)

#define RUN_TESTS(...)                                                         \
    int main(void)                                                             \
    {                                                                          \
        const struct CMUnitTest tests_[] = {__VA_ARGS__};                      \
        return cmocka_run_group_tests(tests_, NULL, NULL);                     \
    }

#endif
