/* test_negotiate.c - media types, qualities, choices (RFC 9110, 8.3, 12.5). */
#include "arena_world.h"

#include "http/media.h"
#include "http/negotiate.h"

static const struct quality {
    const char *field, *offer;
    int want;
} types[] = {
    {NULL, "text/html", 1000},
    {"", "text/html", 1000},
    {" ", "text/html", 1000},
    {"*/*", "text/html", 1000},
    {"text/html", "text/html", 1000},
    {"Text/HTML", "text/html", 1000},
    {"text/html", "text/plain", 0},
    {"text/*", "text/plain", 1000},
    {"text/*", "texts/plain", 0},
    {"text/*;q=0.3", "text/html", 300},
    {"text/html;q=0", "text/html", 0},
    {"*/*, text/html;q=0", "text/html", 0},
    {"text/html;q=0.5, */*;q=0.1", "image/png", 100},
    {"audio/*; q=0.2, audio/basic", "audio/basic", 1000},
    {"audio/*; q=0.2, audio/basic", "audio/mp3", 200},
/* the table of RFC 9110, 12.5.1 */
#define RFC_EXAMPLE                                                            \
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, "               \
    "text/plain;format=fixed;q=0.4, */*;q=0.5"
    {RFC_EXAMPLE, "text/plain;format=flowed", 1000},
    {RFC_EXAMPLE, "text/plain", 700},
    {RFC_EXAMPLE, "text/html", 300},
    {RFC_EXAMPLE, "image/jpeg", 500},
    {RFC_EXAMPLE, "text/plain;format=fixed", 400},
    {RFC_EXAMPLE, "text/html;level=3", 300},
    {RFC_EXAMPLE, "text/plain; format=\"fixed\"", 400},
    /* a range with parameters needs them in the offer */
    {"text/html;level=1", "text/html", 0},
    {"text/html;level=1", "text/html;level=2", 0},
    {"text/html;level=1, text/*;q=0.2", "text/html", 200},
    {"text/html;q=0.5;level=1", "text/html", 500}, /* after q: no parameter */
    /* weights (12.4.2) */
    {"text/html;q=1", "text/html", 1000},
    {"text/html;q=1.", "text/html", 1000},
    {"text/html;q=1.000", "text/html", 1000},
    {"text/html;q=0.", "text/html", 0},
    {"text/html;q=0.001", "text/html", 1},
    {"text/html;Q=0.05", "text/html", 50},
    {"text/html ; q=0.999", "text/html", 999},
    {"text/html;q=1.001, */*;q=0.2", "text/html", 200}, /* passed over */
    {"text/html;q=0.0001, */*;q=0.2", "text/html", 200},
    {"text/html;q=2, */*;q=0.2", "text/html", 200},
    {"text/html;q=-1, */*;q=0.2", "text/html", 200},
    {"text/html;q=0x1, */*;q=0.2", "text/html", 200},
    {"text/html;q=00.1, */*;q=0.2", "text/html", 200},
    {"text/html;q=\"0.1\", */*;q=0.2", "text/html", 200},
    {"text/html;q=.2", "text/html", 200}, /* Java */
    {"text/plain, *; q=.2, */*; q=.2", "text/html", 200},
    /* lists with holes, and commas in quotes (5.6.1) */
    {",, text/html ,,", "text/html", 1000},
    {"text/x;a=\"text/html,\", text/html;q=0.1", "text/html", 100},
    {";q=1, text/html;q=0.1", "text/html", 100},
};

static const struct quality codings[] = {
    {NULL, "identity", 1000},
    {NULL, "gzip", 0}, /* the RFC would allow it */
    {"", "identity", 1},
    {"", "gzip", 0},
    {"gzip", "gzip", 1000},
    {"gzip", "identity", 1},
    {"gzip", "br", 0},
    {"GZip", "gzip", 1000},
    {"x-gzip", "gzip", 1000}, /* 8.4.1.3 */
    {"gzip", "x-gzip", 1000},
    {"compress, gzip", "gzip", 1000},
    {"gzip;q=1.0, identity; q=0.5, *;q=0", "gzip", 1000},
    {"gzip;q=1.0, identity; q=0.5, *;q=0", "identity", 500},
    {"gzip;q=1.0, identity; q=0.5, *;q=0", "br", 0},
    {"*;q=0", "identity", 0},
    {"identity;q=0", "identity", 0},
    {"*;q=0, identity", "identity", 1000},
    {"*", "br", 1000},
    {"*;q=0.5", "identity", 500},
    {"gzip;q=0, *", "gzip", 0},
    {"*, gzip;q=0", "gzip", 0},
    {"deflate;q=0.5, *;q=0.2", "br", 200},
    {"gzip, deflate, br, zstd", "zstd", 1000},
};

static const struct quality languages[] = {
    {NULL, "en", 1000},
    {"", "en", 1000},
    {"da, en-gb;q=0.8, en;q=0.7", "da", 1000},
    {"da, en-gb;q=0.8, en;q=0.7", "en-GB", 800},
    {"da, en-gb;q=0.8, en;q=0.7", "en-US", 700},
    {"da, en-gb;q=0.8, en;q=0.7", "en", 700},
    {"da, en-gb;q=0.8, en;q=0.7", "fr", 0},
    {"en", "eng", 0},
    {"*;q=0.3, en", "fr", 300},
    {"*;q=0.3, en", "en-US", 1000},
    {"zh-Hant-TW;q=0.4, zh;q=0.9", "zh-Hant-TW", 400},
    {"zh-Hant;q=0.4, zh;q=0.9", "zh-Hant-TW", 400},
    {"de-AT", "de", 1000},
    {"de-AT, *;q=0.1", "de", 1000},
    {"de-AT;q=0.2, de-CH;q=0.6", "de", 600},
    {"de-AT;q=0, *;q=0.5", "de", 500},
    {"de-AT;q=0", "de-AT", 0},
};

static void check_qualities(const struct quality *cases, size_t n,
                            int (*quality)(struct pl_str, struct pl_str))
{
    for (size_t i = 0; i < n; i++) {
        char what[200];

        snprintf(what, sizeof(what), "%s for %s", cases[i].offer,
                 cases[i].field ? cases[i].field : "(absent)");
        CHECK_INT(cases[i].want,
                  quality(pl_str_c(cases[i].field), pl_str_c(cases[i].offer)),
                  what);
    }
}

static void test_negotiate__qualities(void **state)
{
    (void)state;
    check_qualities(types, PL_COUNT(types), pl_accept_quality);
    check_qualities(codings, PL_COUNT(codings), pl_accept_encoding_quality);
    check_qualities(languages, PL_COUNT(languages), pl_accept_language_quality);
}

static void test_negotiate__the_best_offer_and_the_first_of_equals(void **state)
{
    const struct pl_str kinds[] = {PL_STR("text/html"),
                                   PL_STR("application/json")};
    const struct pl_str codings_[] = {PL_STR("br"), PL_STR("gzip"),
                                      PL_STR("identity")};
    const struct pl_str tags[] = {PL_STR("en"), PL_STR("de")};
    const enum pl_negotiation type = PL_NEGOTIATE_TYPE,
                              coding = PL_NEGOTIATE_ENCODING,
                              language = PL_NEGOTIATE_LANGUAGE;

    (void)state;
    CHECK_INT(0, pl_negotiate(type, PL_STR("*/*"), kinds, 2), "equal");
    CHECK_INT(0, pl_negotiate(type, pl_str(NULL, 0), kinds, 2), "absent");
    CHECK_INT(1,
              pl_negotiate(type, PL_STR("text/html;q=0.9, application/json"),
                           kinds, 2),
              "weight");
    CHECK_INT(PL_ERR_NOT_FOUND,
              pl_negotiate(type, PL_STR("image/png"), kinds, 2), "406");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_negotiate(type, PL_STR("*/*"), kinds, 0),
              "nothing on offer");
    CHECK_INT(2, pl_negotiate(coding, pl_str(NULL, 0), codings_, 3), "plain");
    CHECK_INT(1, pl_negotiate(coding, PL_STR("gzip, deflate"), codings_, 3),
              "gzip");
    CHECK_INT(0, pl_negotiate(coding, PL_STR("gzip, br"), codings_, 3), "br");
    CHECK_INT(2, pl_negotiate(coding, PL_STR("zstd"), codings_, 3), "fallback");
    CHECK_INT(PL_ERR_NOT_FOUND,
              pl_negotiate(coding, PL_STR("zstd, *;q=0"), codings_, 3), "406");
    CHECK_INT(1, pl_negotiate(language, PL_STR("de-AT, *;q=0.1"), tags, 2),
              "language");
}

static void test_media__compares_the_type_only(void **state)
{
    struct pl_str type = PL_STR("application/json");

    (void)state;
    CHECK(pl_media_is(PL_STR("application/json"), type), "same");
    CHECK(pl_media_is(PL_STR("Application/JSON;charset=utf-8"), type), "any");
    CHECK(pl_media_is(PL_STR(" application/json ; a=b"), type), "spaces");
    CHECK(!pl_media_is(PL_STR("application/jsonp"), type), "longer");
    CHECK(!pl_media_is(PL_STR("application/jso"), type), "shorter");
    CHECK(!pl_media_is(PL_STR("text/x; a=application/json"), type), "param");
    CHECK(!pl_media_is(PL_STR(""), type), "empty");
    CHECK(!pl_media_is(pl_str(NULL, 0), type), "absent");
}

static const struct {
    const char *text, *want;
} params[] = {
    {"a/b; boundary=xyz", "xyz"},
    {"a/b;boundary=xyz;c=d", "xyz"},
    {"a/b; c=d; BOUNDARY=xyz", "xyz"},
    {"a/b; boundary=\"x y;z\"", "x y;z"},
    {"a/b; boundary=\"\"", ""},
    {"a/b; boundary=\"a\\\"b\\\\c\"", "a\"b\\c"},
    {"a/b; c=\"; boundary=no\"; boundary=yes", "yes"},
    {"a/b; c=\"\\\"; boundary=no\"; boundary=yes", "yes"},
    {"a/b; boundary=1; boundary=2", "1"},
    {"a/b;;; boundary=x;", "x"},
    {"a/b", NULL},
    {"a/b; boundary", NULL},
    {"a/b; boundary=", NULL},
    {"a/b; boundary =x", NULL}, /* no space around "=" (5.6.6) */
    {"a/b; boundary= x", NULL},
    {"a/b; boundary=x y", NULL},
    {"a/b; boundary=\"x", NULL},
    {"a/b; boundary=\"x\\\"", NULL},
    {"a/b; boundary=\"x\"y", NULL},
    {"a/b; xboundary=x", NULL},
    {"boundary=x", NULL}, /* that is the type */
    {"", NULL},
};

static void test_media__params(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(params); i++)
        CHECK_STR(params[i].want,
                  pl_media_param(pl_str_c(params[i].text), PL_STR("boundary"),
                                 &arena),
                  params[i].text);
    CHECK(pl_media_param(pl_str(NULL, 0), PL_STR("a"), &arena).data == NULL,
          "absent");
}

RUN_TESTS(
    cmocka_unit_test(test_negotiate__qualities),
    cmocka_unit_test(test_negotiate__the_best_offer_and_the_first_of_equals),
    cmocka_unit_test(test_media__compares_the_type_only),
    ARENA_TEST(test_media__params))
