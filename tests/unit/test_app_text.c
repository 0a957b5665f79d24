/* test_app_text.c - texts inside of other texts, names and types, for C. */
#include "app_world.h"

static const struct {
    struct pl_str text, html, url;
} cases[] = {
    {PL_STR(""), PL_STR(""), PL_STR("")},
    {PL_STR("a-b_c.~"), PL_STR("a-b_c.~"), PL_STR("a-b_c.~")},
    {PL_STR("<a href=\"x\">"), PL_STR("&lt;a href=&quot;x&quot;&gt;"),
     PL_STR("%3Ca%20href%3D%22x%22%3E")},
    {PL_STR("&'/\0\xff"), PL_STR("&amp;&#39;/\0\xff"),
     PL_STR("%26%27%2F%00%FF")},
};

static void check_text(struct pl_str want, struct pl_str got, const char *what)
{
    CHECK(pl_str_eq(want, got), what);
    CHECK_INT(0, got.data[got.len], "terminated");
}

static int texts(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_str url = pl_url_encode(req, cases[i].text);

        check_text(cases[i].html, pl_escape(req, cases[i].text), "HTML");
        check_text(cases[i].url, url, "URL");
        check_text(cases[i].text, pl_url_decode(req, url), "and back");
    }
    check_text(PL_STR("a+%zz%4"), pl_url_decode(req, PL_STR("a+%zz%4")),
               "what is no escape");
    CHECK(pl_str_eq(PL_STR("text/html; charset=utf-8"),
                    pl_mime_type(PL_STR("/a.b/index.HTML"))),
          "a type");
    CHECK(pl_str_eq(PL_STR("application/octet-stream"),
                    pl_mime_type(PL_STR("core"))),
          "none");
    return pl_respond(res, 200, "text/plain", PL_STR("all of it"));
}

static int no_memory(struct pl_request *req, struct pl_response *res, void *arg)
{
    static char large[1 << 16];
    const struct pl_str text = {large, sizeof(large)};

    (void)arg;
    memset(large, '<', sizeof(large));
    CHECK(pl_escape(req, text).data == NULL, "HTML");
    CHECK(pl_url_encode(req, text).data == NULL, "URL");
    CHECK(pl_url_decode(req, text).data == NULL, "and back");
    return pl_respond(res, 200, "text/plain", PL_STR("none of it"));
}

static void test_app_text__is_put_into_others(void **state)
{
    (void)state;
    app = pl_app_new();
    pl_app_set(app, "request_memory", "32k");
    pl_app_get(app, "/texts", texts, NULL);
    pl_app_get(app, "/none", no_memory, NULL);
    start_app();
    CHECK(strstr(ask("GET", "/texts", "", ""), "all of it") != NULL, answer);
    CHECK(strstr(ask("GET", "/none", "", ""), "none of it") != NULL, answer);
    stop_app();
}

static void test_app_text__names_are_uuids(void **state)
{
    char one[PL_UUID_LEN + 1], two[PL_UUID_LEN + 1];

    (void)state;
    pl_uuid(one);
    pl_uuid(two);
    CHECK_INT(PL_UUID_LEN, strlen(one), "its length");
    CHECK_INT('4', one[14], "the version");
    CHECK(strchr("89ab", one[19]) != NULL, "the variant");
    CHECK(strcmp(one, two) != 0, "each is another");
}

RUN_TESTS(cmocka_unit_test(test_app_text__is_put_into_others),
          cmocka_unit_test(test_app_text__names_are_uuids))
