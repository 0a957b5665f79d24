/* test_app_rewrite.c - rules, redirects and fixed responses of C programs. */
#include "app_world.h"

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str path = pl_request_path(req), query = pl_request_query(req);

    return pl_respondf(res, 200, "text/plain", "%.*s?%.*s", PL_STR_ARG(path),
                       PL_STR_ARG(query));
}

/* The second capture, after a wait; none for "skip", an error for "bad". */
static int make_path(struct pl_request *req, const struct pl_str *captures,
                     unsigned count, void *arg, struct pl_str *to)
{
    CHECK_INT(3, count, "captures");
    CHECK_STR("context", pl_str_c(arg), "arg");
    pl_sleep(req, 1);
    if (pl_str_eq(captures[1], PL_STR("bad")))
        return 503;
    if (!pl_str_eq(captures[1], PL_STR("skip")))
        *to = pl_printf(req, "/new/%.*s?a b", PL_STR_ARG(captures[2]));
    return 0;
}

static const struct pl_condition dark[] = {
    {.when = PL_WHEN_COOKIE, .name = "style", .value = "%1"},
    {.when = PL_WHEN_QUERY, .name = "off", .unless = true}};

static const struct pl_rewrite_options simple = {.size = sizeof(simple),
                                                 .to = "/new/%1"},
                                       away = {.size = sizeof(away),
                                               .to = "https://a.example/%1",
                                               .redirect = 307},
                                       asks = {.size = sizeof(asks),
                                               .to = "/new/dark",
                                               .conditions = dark,
                                               .conditions_count = 2},
                                       makes = {.size = sizeof(makes),
                                                .fn = make_path,
                                                .arg = "context"},
                                       loop = {.size = sizeof(loop),
                                               .to = "%0x"};

static void add_rules(void)
{
    const char *const patterns[] = {"^(%d+)$", "^(%a+)$"};
    const struct pl_rewrite_options rules[] = {simple, away};
    const char *const fields[] = {"X-A", "1", "X-A", "2", NULL};
    const struct pl_redirect_options moved = {
        .size = sizeof(moved), .to = "/new/", .rest = true, .query = true};
    const struct pl_fixed_options teapot = {.size = sizeof(teapot),
                                            .status = 418,
                                            .body = PL_STR("short"),
                                            .headers = fields};

    CHECK_INT(0, pl_app_get(app, "/new/*rest", show, NULL), "route");
    CHECK_INT(0, pl_app_rewrite(app, "^/old/(.*)$", &simple), "simple");
    CHECK_INT(0, pl_app_rewrite(app, "^/away/(.*)$", &away), "away");
    CHECK_INT(0, pl_app_rewrite(app, "^/ask/(.*)$", &asks), "asks");
    CHECK_INT(0, pl_app_rewrite(app, "^/make/(%w*)/(.*)$", &makes), "makes");
    CHECK_INT(0, pl_app_rewrite(app, "^/loop.*", &loop), "loop");
    CHECK_INT(0, pl_app_rewrite_below(app, "/below", patterns, rules, 2),
              "below");
    CHECK_INT(0, pl_app_redirect(app, "/moved", &moved), "redirect");
    CHECK_INT(0, pl_app_respond_with(app, "/teapot", &teapot), "fixed");
}

static void expect(const char *path, const char *fields, int status,
                   const char *part)
{
    CHECK_INT(status, status_of(ask("GET", path, fields, "")), path);
    if (strstr(answer, part) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"", path, part, answer);
}

static void test_app_rewrite__leads_elsewhere(void **state)
{
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    add_rules();
    start_app();
    CHECK_INT(PL_ERR_STATE, pl_app_rewrite(app, "a", &simple), "it runs");
    expect("/old/a%20b?c=d", "", 200, "/new/a b?c=d");
    expect("/away/x", "", 307, "Location: https://a.example/x\r\n");
    expect("/ask/dark", "Cookie: style=dark\r\n", 200, "/new/dark?");
    expect("/ask/dark?off", "Cookie: style=dark\r\n", 404, "");
    expect("/ask/dark", "Cookie: style=light\r\n", 404, "");
    expect("/make/a/b", "", 200, "/new/b?a%20b");
    expect("/make/skip/b", "", 404, "");
    expect("/make/bad/b", "", 503, "");
    expect("/loop", "", 500, "");
    expect("/below/42", "", 200, "/new/42?");
    expect("/below/moon", "", 307, "Location: https://a.example/moon\r\n");
    expect("/below/4x", "", 404, "");
    expect("/moved/a/b?c", "", 301, "Location: /new/a/b?c\r\n");
    expect("/teapot", "", 418, "X-A: 1\r\nX-A: 2\r\n");
    expect("/teapot", "", 418, "\r\n\r\nshort");
    stop_app();
}

/* ---- what is wrong ---- */

static void refuse(int err, const char *why)
{
    CHECK_INT(PL_ERR_INVALID, err == PL_ERR_SYNTAX ? PL_ERR_INVALID : err, why);
    if (strstr(pl_app_error(app), why) == NULL)
        fail_msg("no \"%s\" in \"%s\"", why, pl_app_error(app));
    pl_app_free(app);
    app = pl_app_new();
}

static void test_app_rewrite__refuses_what_is_wrong(void **state)
{
    const struct pl_rewrite_options nothing = {.size = sizeof(nothing)},
                                    odd = {.size = sizeof(odd),
                                           .to = "/",
                                           .redirect = 200};
    const struct pl_condition unknown = {.when = (enum pl_when)99};
    const struct pl_condition nameless = {.when = PL_WHEN_COOKIE};
    struct pl_rewrite_options with = {.size = sizeof(with),
                                      .to = "/",
                                      .conditions = &unknown,
                                      .conditions_count = 1};
    const struct pl_redirect_options relative = {.size = sizeof(relative),
                                                 .to = "a"};
    const struct pl_fixed_options early = {.size = sizeof(early),
                                           .status = 103};

    app = pl_app_new();
    refuse(pl_app_rewrite(app, "(", &simple), "lacks its");
    refuse(pl_app_rewrite(app, "a", &nothing), "to or fn is needed");
    refuse(pl_app_rewrite(app, "a", NULL), "to or fn is needed");
    refuse(pl_app_rewrite(app, "a", &simple), "the pattern has 0 captures");
    refuse(pl_app_rewrite(app, "a", &odd), "a redirect is 301");
    refuse(pl_app_rewrite(app, "a", &with), "there is no such condition");
    with.conditions = &nameless;
    refuse(pl_app_rewrite(app, "a", &with), "'cookie': a name is needed");
    refuse(pl_app_redirect(app, "/a", &relative), "to must be a URL");
    refuse(pl_app_redirect(app, "/a", NULL), "to must be a URL");
    refuse(pl_app_respond_with(app, "/a", &early), "from 200 to 599");
    pl_app_free(app);
}

RUN_TESTS(cmocka_unit_test(test_app_rewrite__leads_elsewhere),
          cmocka_unit_test(test_app_rewrite__refuses_what_is_wrong))
