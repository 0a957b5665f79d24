/* arm64.c - what this project has written for 64-bit ARM, run under emulation:
 * the switch of fibers (src/task/context.S) and the NEON scanner. Linked to
 * nothing else of perilune; exits with 0 if all is well. */
#include <fenv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h1_scan.h"
#include "task/context.h"

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);             \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

void pl_assert_failed(const char *what)
{
    printf("%s\n", what);
    exit(1);
}

/* ---- contexts ---- */

enum { STACK = 64 * 1024, SWITCHES = 1000 };

static struct pl_context outside, inside;
static char stack[STACK] __attribute__((aligned(16)));
static char text[128];
static double sum;

/* Many values that live over a switch: they need the registers that a function
 * has to preserve, general and floating-point ones. */
static struct pl_context *run(void *arg)
{
    double a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;
    long i = 1, j = 2, k = 3, l = 4, m = 5, n = 6, o = 7, p = 8;

    CHECK((uintptr_t)__builtin_frame_address(0) % 16 == 0);
    CHECK(fegetround() == FE_TONEAREST);
    /* printf stores vector registers: a fault if the stack is not aligned. */
    snprintf(text, sizeof(text), "%s %.3f %.1Lf", (const char *)arg, 3.14159,
             2.5L);
    fesetround(FE_UPWARD); /* of this context only */
    for (int at = 0; at < SWITCHES; at++) {
        pl_context_switch(&inside, &outside);
        CHECK(fegetround() == FE_UPWARD);
        a += i, b += j, c += k, d += l, e += m, f += n, g += o, h += p;
        i++, j++, k++, l++, m++, n++, o++, p++;
    }
    sum = a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p;
    return &outside;
}

static void test_contexts(void)
{
    double a = 0.5, b = 0.25;
    long i = 0;
    double want = 72; /* of the values, */

    for (int start = 1; start <= 8; start++) /* and of what is added */
        for (int at = 0; at < SWITCHES; at++)
            want += start + at;
    want += 8 * SWITCHES;
    pl_context_make(&inside, stack, stack + STACK, run, "floats");
    for (int at = 0; at <= SWITCHES; at++) {
        pl_context_switch(&outside, &inside);
        CHECK(fegetround() == FE_TONEAREST);
        a += b;
        i += 2;
    }
    CHECK(strcmp(text, "floats 3.142 2.5") == 0);
    CHECK(sum == want);
    CHECK(a == 0.5 + 0.25 * (SWITCHES + 1) && i == 2 * (SWITCHES + 1));
}

/* ---- the scanner ---- */

enum { ROUNDS = 20000, LENGTH = 100 };

static void fill(char *bytes, size_t len)
{
    static const char kinds[] = "abc-XYZ019./?=&%~_ \t\r\n:\"\x7f\x80\xff\x01";

    for (size_t i = 0; i < len; i++)
        bytes[i] = rand() % 8 != 0 ? kinds[rand() % 19]
                                   : kinds[(size_t)rand() % sizeof(kinds)];
}

static void compare(const struct pl_h1_scanner *scanner, const char *bytes,
                    size_t from, size_t len)
{
    const struct pl_h1_scanner *plain = &pl_h1_scan_scalar;

    CHECK(scanner->target(bytes, from, len) == plain->target(bytes, from, len));
    CHECK(scanner->token(bytes, from, len) == plain->token(bytes, from, len));
    CHECK(scanner->value(bytes, from, len) == plain->value(bytes, from, len));
}

static void test_scanner(void)
{
    char bytes[LENGTH];

    CHECK(strcmp(pl_h1_scan->name, "neon") == 0);
    for (int round = 0; round < ROUNDS; round++) {
        size_t from = (size_t)rand() % 20;

        fill(bytes, sizeof(bytes));
        compare(pl_h1_scan, bytes, from, from + (size_t)rand() % 80);
    }
}

int main(void)
{
    test_contexts();
    test_scanner();
    printf("all is well\n");
    return 0;
}
