/* test_sql_text.c - what drivers do with the text of statements. */
#include "check.h"

#include <stdlib.h>

#include "sql/kept.h"
#include "sql/placeholder.h"

static const struct {
    const char *what, *text, *want;
    unsigned count;
} statements[] = {
    {"nothing", "", "", 0},
    {"none", "select 1", "select 1", 0},
    {"two", "a = ? and b = ?", "a = $1 and b = $2", 2},
    {"next to each other", "(?,?,?)", "($1,$2,$3)", 3},
    {"in a text", "a = '?' and b = ?", "a = '?' and b = $1", 1},
    {"a quote in a text", "'it''s ?' ?", "'it''s ?' $1", 1},
    {"a backslash is none", "'\\' ? '\\'", "'\\' $1 '\\'", 1},
    {"but in an escape text", "E'\\' ?' ?", "E'\\' ?' $1", 1},
    {"in a name", "\"a?\" = ?", "\"a?\" = $1", 1},
    {"in a line comment", "a -- ?\n?", "a -- ?\n$1", 1},
    {"a minus", "a - ? -?", "a - $1 -$2", 2},
    {"in a comment", "/* ? */ ?", "/* ? */ $1", 1},
    {"in comments in comments", "/* /* ? */ ? */ ?", "/* /* ? */ ? */ $1", 1},
    {"in dollars", "$$ ? $$ ?", "$$ ? $$ $1", 1},
    {"in dollars with a tag", "$a$ ? $b$ ? $a$ ?", "$a$ ? $b$ ? $a$ $1", 1},
    {"a dollar in a name", "a$b$ ? c$b$", "a$b$ $1 c$b$", 1},
    {"a number in dollars", "$1 ? $1", "$1 $1 $1", 1},
    {"a question mark", "a ?? ?", "a ? $1", 1},
    {"an operator", "a ??| ?", "a ?| $1", 1},
    {"a text without an end", "'a ?", "'a ?", 0},
    {"a comment without an end", "/* ?", "/* ?", 0},
    {"dollars without an end", "$$ ?", "$$ ?", 0},
    {"a dollar at the end", "? $", "$1 $", 1},
    {"a slash at the end", "? /", "$1 /", 1},
    {"one at the end", "?", "$1", 1},
};

static void test_placeholder__numbers_what_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(statements); i++) {
        struct pl_str text = pl_str_c(statements[i].text);
        /* As large as it says, and no byte larger: ASan watches. */
        char *out = malloc(pl_sql_number_room(text));
        unsigned count = 99;
        size_t len = pl_sql_number(text, out, &count);

        CHECK_STR(statements[i].want, ((struct pl_str){out, len}),
                  statements[i].what);
        CHECK_INT(statements[i].count, count, statements[i].what);
        CHECK_INT(len, pl_sql_number(text, NULL, &count), "without writing");
        free(out);
    }
}

/* ---- kept statements ---- */

static const struct pl_sql_memory memory = {malloc, free};

static struct pl_sql_kept *add(struct pl_sql_keeper *keeper, const char *text)
{
    struct pl_sql_kept *old = pl_sql_keeper_surplus(keeper);

    if (old != NULL)
        pl_sql_keeper_drop(keeper, old);
    return pl_sql_keeper_add(keeper, pl_str_c(text));
}

static void drop_all(struct pl_sql_keeper *keeper)
{
    struct pl_sql_kept *kept;

    while ((kept = pl_sql_keeper_any(keeper)) != NULL)
        pl_sql_keeper_drop(keeper, kept);
    CHECK_INT(0, keeper->count, "none is left");
}

static void test_keeper__keeps_the_last_used(void **state)
{
    struct pl_sql_keeper keeper;

    (void)state;
    pl_sql_keeper_init(&keeper, &memory, 3);
    add(&keeper, "a");
    add(&keeper, "b");
    add(&keeper, "c");
    CHECK(pl_sql_keeper_find(&keeper, PL_STR("a")) != NULL, "a is used");
    add(&keeper, "d");
    CHECK(pl_sql_keeper_find(&keeper, PL_STR("b")) == NULL, "b has gone");
    CHECK(pl_sql_keeper_find(&keeper, PL_STR("a")) != NULL, "a has not");
    CHECK_INT(3, keeper.count, "three");
    drop_all(&keeper);
}

static void test_keeper__leaves_those_in_use(void **state)
{
    struct pl_sql_keeper keeper;

    (void)state;
    pl_sql_keeper_init(&keeper, &memory, 2);
    add(&keeper, "a")->busy = true;
    add(&keeper, "b");
    CHECK(add(&keeper, "c") != NULL, "in the place of b");
    CHECK(pl_sql_keeper_find(&keeper, PL_STR("a")) != NULL, "a stays");
    pl_sql_keeper_find(&keeper, PL_STR("c"))->busy = true;
    CHECK(add(&keeper, "d") == NULL, "there is no room");
    drop_all(&keeper);
}

static void test_keeper__finds_many(void **state)
{
    struct pl_sql_keeper keeper;
    char text[16];

    (void)state;
    pl_sql_keeper_init(&keeper, &memory, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "select %d", i);
        CHECK(add(&keeper, text) != NULL, text);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "select %d", i);
        CHECK(pl_sql_keeper_find(&keeper, pl_str_c(text)) != NULL, text);
    }
    CHECK(pl_sql_keeper_find(&keeper, PL_STR("select")) == NULL, "a part");
    drop_all(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placeholder__numbers_what_is_one),
        cmocka_unit_test(test_keeper__keeps_the_last_used),
        cmocka_unit_test(test_keeper__leaves_those_in_use),
        cmocka_unit_test(test_keeper__finds_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
