/* test_conditional.c - preconditions in their order (RFC 9110, 13). */
#include "check.h"

#include "http/conditional.h"

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"
enum { WHEN = 784111777 };

/* Fields in the order of RFC 9110, 13.2.2; etag "now" (strong) and WHEN unless
 * said otherwise. */
static const struct {
    const char *what;
    enum pl_method method;
    const char *match, *unmodified, *none_match, *modified;
    enum pl_precondition want;
    const char *etag; /* NULL: "now"; "": absent */
    int64_t last_modified;
    bool missing;
} cases[] = {
#define GET PL_METHOD_GET
#define PUT PL_METHOD_PUT
#define GO PL_PROCEED
#define NOT PL_NOT_MODIFIED
#define BAD PL_PRECONDITION_FAILED
    {"none", GET, NULL, NULL, NULL, NULL, GO, NULL, WHEN, 0},
    /* If-Match (13.1.1) */
    {"the tag", PUT, "\"now\"", NULL, NULL, NULL, GO, NULL, WHEN, 0},
    {"in a list", PUT, "\"a\", \"now\"", NULL, NULL, NULL, GO, NULL, WHEN, 0},
    {"other tag", PUT, "\"old\"", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    {"for reads, too", GET, "\"old\"", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    {"strong only", PUT, "W/\"now\"", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    {"weak one", PUT, "W/\"w\"", NULL, NULL, NULL, BAD, "W/\"w\"", WHEN, 0},
    {"any", PUT, "*", NULL, NULL, NULL, GO, NULL, WHEN, 0},
    {"any, no tag", PUT, " * ", NULL, NULL, NULL, GO, "", -1, 0},
    {"any, missing", PUT, "*", NULL, NULL, NULL, BAD, NULL, -1, 1},
    {"no tag", PUT, "\"now\"", NULL, NULL, NULL, BAD, "", WHEN, 0},
    {"empty", PUT, "", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    {"malformed", PUT, "now", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    {"* in a list", PUT, "*, *", NULL, NULL, NULL, BAD, NULL, WHEN, 0},
    /* If-Unmodified-Since (13.1.4) */
    {"unmodified", PUT, NULL, MODIFIED, NULL, NULL, GO, NULL, WHEN, 0},
    {"unmodified", PUT, NULL, AFTER, NULL, NULL, GO, NULL, WHEN, 0},
    {"modified", PUT, NULL, BEFORE, NULL, NULL, BAD, NULL, WHEN, 0},
    {"no date", PUT, NULL, "yesterday", NULL, NULL, GO, NULL, WHEN, 0},
    {"not known", PUT, NULL, BEFORE, NULL, NULL, GO, NULL, -1, 0},
    {"If-Match first", PUT, "\"now\"", BEFORE, NULL, NULL, GO, NULL, WHEN, 0},
    {"If-Match only", PUT, "\"old\"", AFTER, NULL, NULL, BAD, NULL, WHEN, 0},
    /* If-None-Match (13.1.2) */
    {"known", GET, NULL, NULL, "\"now\"", NULL, NOT, NULL, WHEN, 0},
    {"HEAD", PL_METHOD_HEAD, NULL, NULL, "\"now\"", NULL, NOT, NULL, WHEN, 0},
    {"weak is enough", GET, NULL, NULL, "W/\"now\"", NULL, NOT, NULL, WHEN, 0},
    {"both weak", GET, NULL, NULL, "W/\"w\"", NULL, NOT, "W/\"w\"", WHEN, 0},
    {"list", GET, NULL, NULL, "\"a\",\"now\"", NULL, NOT, NULL, WHEN, 0},
    {"news", GET, NULL, NULL, "\"old\"", NULL, GO, NULL, WHEN, 0},
    {"any", GET, NULL, NULL, "*", NULL, NOT, NULL, WHEN, 0},
    {"no tag", GET, NULL, NULL, "\"now\"", NULL, GO, "", WHEN, 0},
    {"malformed", GET, NULL, NULL, "now", NULL, GO, NULL, WHEN, 0},
    {"create", PUT, NULL, NULL, "*", NULL, GO, NULL, -1, 1},
    {"is there", PUT, NULL, NULL, "*", NULL, BAD, NULL, WHEN, 0},
    {"is that", PUT, NULL, NULL, "\"now\"", NULL, BAD, NULL, WHEN, 0},
    {"POST", PL_METHOD_POST, NULL, NULL, "*", NULL, BAD, NULL, WHEN, 0},
    /* If-Modified-Since (13.1.3) */
    {"not since", GET, NULL, NULL, NULL, MODIFIED, NOT, NULL, WHEN, 0},
    {"not since", GET, NULL, NULL, NULL, AFTER, NOT, NULL, WHEN, 0},
    {"since", GET, NULL, NULL, NULL, BEFORE, GO, NULL, WHEN, 0},
    {"reads only", PUT, NULL, NULL, NULL, AFTER, GO, NULL, WHEN, 0},
    {"no date", GET, NULL, NULL, NULL, "0", GO, NULL, WHEN, 0},
    {"not known", GET, NULL, NULL, NULL, AFTER, GO, NULL, -1, 0},
    {"tag first", GET, NULL, NULL, "\"old\"", AFTER, GO, NULL, WHEN, 0},
    {"tag first", GET, NULL, NULL, "\"now\"", BEFORE, NOT, NULL, WHEN, 0},
    /* one after the other (13.2.2) */
    {"both", GET, "\"now\"", NULL, "\"now\"", NULL, NOT, NULL, WHEN, 0},
    {"412 first", GET, "\"old\"", NULL, "\"now\"", NULL, BAD, NULL, WHEN, 0},
    {"412 first", GET, NULL, BEFORE, "\"now\"", NULL, BAD, NULL, WHEN, 0},
    {"dates", GET, NULL, AFTER, NULL, AFTER, NOT, NULL, WHEN, 0},
    /* methods without a representation (13.2.1) */
    {"OPTIONS", PL_METHOD_OPTIONS, "\"old\"", BEFORE, "*", AFTER, GO, NULL,
     WHEN, 0},
    {"TRACE", PL_METHOD_TRACE, "\"old\"", NULL, NULL, NULL, GO, NULL, WHEN, 0},
    {"CONNECT", PL_METHOD_CONNECT, "\"old\"", NULL, NULL, NULL, GO, NULL, WHEN,
     0},
    {"any other", PL_METHOD_UNKNOWN, "\"old\"", NULL, NULL, NULL, BAD, NULL,
     WHEN, 0},
};

static void test_conditional__follows_the_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *etag = cases[i].etag;
        struct pl_conditional in = {
            .method = cases[i].method,
            .if_match = pl_str_c(cases[i].match),
            .if_unmodified_since = pl_str_c(cases[i].unmodified),
            .if_none_match = pl_str_c(cases[i].none_match),
            .if_modified_since = pl_str_c(cases[i].modified),
            .missing = cases[i].missing,
            .etag = etag == NULL ? PL_STR("\"now\"") : pl_str_c(etag),
            .last_modified = cases[i].last_modified,
        };
        char what[80];

        if (in.etag.len == 0)
            in.etag.data = NULL;
        snprintf(what, sizeof(what), "case %zu: %s", i, cases[i].what);
        CHECK_INT(cases[i].want, pl_conditional_evaluate(&in), what);
    }
}

static void test_conditional__if_range(void **state)
{
    static const struct {
        const char *what, *field, *etag;
        int64_t last_modified, now;
        bool want;
    } ranges[] = {
        {"without", NULL, "\"a\"", WHEN, WHEN + 9, true},
        {"tag", "\"a\"", "\"a\"", WHEN, WHEN, true},
        {"other tag", "\"b\"", "\"a\"", WHEN, WHEN, false},
        {"weak tag", "W/\"a\"", "W/\"a\"", WHEN, WHEN, false},
        {"weak tag", "W/\"a\"", "\"a\"", WHEN, WHEN, false},
        {"weak tag", "\"a\"", "W/\"a\"", WHEN, WHEN, false},
        {"no tag", "\"a\"", NULL, WHEN, WHEN, false},
        {"date", MODIFIED, "\"a\"", WHEN, WHEN + 1, true},
        {"later date", AFTER, "\"a\"", WHEN, WHEN + 9, false}, /* exact */
        {"earlier date", BEFORE, "\"a\"", WHEN, WHEN + 9, false},
        {"this second", MODIFIED, "\"a\"", WHEN, WHEN, false},
        {"no date", MODIFIED, "\"a\"", -1, WHEN, false},
        {"garbage", "a", "\"a\"", WHEN, WHEN, false},
        {"empty", "", "\"a\"", WHEN, WHEN, false},
        {"no list here", "\"a\", \"b\"", "\"a\"", WHEN, WHEN, false},
        {"no star here", "*", "\"a\"", WHEN, WHEN, false},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(ranges); i++)
        CHECK_INT(ranges[i].want,
                  pl_if_range_matches(pl_str_c(ranges[i].field),
                                      pl_str_c(ranges[i].etag),
                                      ranges[i].last_modified, ranges[i].now),
                  ranges[i].what);
}

RUN_TESTS(cmocka_unit_test(test_conditional__follows_the_order),
          cmocka_unit_test(test_conditional__if_range))
