/* test_symbol.c - names of code addresses. */
#include "check.h"

#include <unistd.h>

#include "base/symbol.h"

static PL_NOINLINE uintptr_t where_it_returns(void)
{
    return (uintptr_t)__builtin_return_address(0);
}

static void test_symbol__names_static_functions(void **state)
{
    struct pl_symbols *symbols = pl_symbols_new();
    char name[200], cut[6];

    pl_symbols_name(symbols, (uintptr_t)where_it_returns + 1, name,
                    sizeof(name));
    CHECK(strstr(name, "where_it_returns (test_symbol+0x") == name, name);
    CHECK_INT(
        5,
        pl_symbols_name(symbols, (uintptr_t)where_it_returns, cut, sizeof(cut)),
        "cut");
    CHECK_STR("where", pl_str_c(cut), "cut");
    pl_symbols_name(symbols, (uintptr_t)getpid, name, sizeof(name));
    CHECK(strstr(name, "libc.so.6+0x") != NULL, name);
    pl_symbols_free(symbols);
}

static void test_symbol__what_is_no_code_is_a_number(void **state)
{
    struct pl_symbols *symbols = pl_symbols_new();
    int local = 0;
    char name[64], want[64];

    pl_symbols_name(symbols, (uintptr_t)&local, name, sizeof(name));
    snprintf(want, sizeof(want), "%#lx", (unsigned long)&local);
    CHECK_STR(want, pl_str_c(name), "an address of data");
    pl_symbols_name(NULL, 16, name, sizeof(name));
    CHECK_STR("0x10", pl_str_c(name), "without symbols");
    pl_symbols_free(symbols);
}

static void test_symbol__knows_return_addresses(void **state)
{
    struct pl_symbols *symbols = pl_symbols_new();

    CHECK(pl_symbols_is_return(symbols, where_it_returns()), "one");
    CHECK(!pl_symbols_is_return(symbols, (uintptr_t)symbols), "data");
    CHECK(!pl_symbols_is_return(symbols, 0), "nowhere");
    pl_symbols_free(symbols);
}

static void test_symbol__finds_calls_among_the_words_of_a_stack(void **state)
{
    struct pl_symbols *symbols = pl_symbols_new();
    uintptr_t back = where_it_returns();
    const uintptr_t words[] = {1, back, (uintptr_t)symbols, back, 0};
    char text[300], cut[20];
    size_t len = pl_symbols_stack(symbols, words, PL_COUNT(words), 9, text,
                                  sizeof(text));

    CHECK_INT((int)strlen(text), (int)len, "the length");
    CHECK(strstr(text, "test_symbol__finds_calls") == text, text);
    CHECK(strstr(text, " < ") == NULL, "the same twice in turn is one");
    len =
        pl_symbols_stack(symbols, words, PL_COUNT(words), 9, cut, sizeof(cut));
    CHECK_INT(19, (int)len, "cut");
    CHECK(memcmp(cut, text, 19) == 0 && cut[19] == '\0', cut);
    CHECK_INT(0, (int)pl_symbols_stack(symbols, words, 1, 9, text, 300),
              "none");
    CHECK_INT(0, (int)pl_symbols_stack(symbols, words, 5, 0, text, 300), "few");
    CHECK_STR("", pl_str_c(text), "empty");
    pl_symbols_free(symbols);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbol__names_static_functions),
        cmocka_unit_test(test_symbol__what_is_no_code_is_a_number),
        cmocka_unit_test(test_symbol__knows_return_addresses),
        cmocka_unit_test(test_symbol__finds_calls_among_the_words_of_a_stack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
