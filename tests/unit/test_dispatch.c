/* test_dispatch.c - what a route gives its requests: parameters, rest, limits
 * and what is said about caching. */
#include "http_world.h"

#include "http/date.h"
#include "route/site.h"

static struct pl_site *site;

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str text = pl_arena_printf(
        &req->arena, "a=%.*s b=%.*s rest=%.*s max=%llu",
        PL_STR_ARG(pl_request_param(req, PL_STR("a"))),
        PL_STR_ARG(pl_request_param(req, PL_STR("b"))), PL_STR_ARG(req->rest),
        (unsigned long long)req->limits->max_body);

    CHECK(pl_request_param(req, PL_STR("none")).data == NULL, "no such one");
    CHECK(req->route != NULL, "route");
    return pl_response_bytes(res, text, NULL, NULL);
}

static int own_caching(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    return pl_response_set(res, PL_STR("Cache-Control"), PL_STR("no-store"));
}

static int not_here(struct pl_request *req, struct pl_response *res, void *arg)
{
    return 404;
}

static int tagged(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_response_set(res, PL_STR("ETag"), PL_STR("\"1\""));
}

static void add(const char *pattern, bool mount, pl_handler_fn *fn,
                const struct pl_route_options *options)
{
    CHECK_INT(0,
              pl_site_route(
                  site, PL_METHOD_BIT(PL_METHOD_GET), pl_str_c(pattern), mount,
                  pl_fiber_handler_new(fn, NULL, NULL), options, "s", NULL),
              pattern);
}

static int make(void **state)
{
    make_http(state);
    site = pl_site_new();
    CHECK(site != NULL, "site");
    pl_router_free(router);
    router = site->router; /* which the requests go through */
    http.settings = &site->http;
    return 0;
}

static int end(void **state)
{
    pl_net_each(&net, close_it, NULL);
    turn(5);
    router = NULL; /* the site's */
    http.settings = &settings;
    pl_site_free(site);
    return end_http(state);
}

static int get_from(const char *host, const char *path)
{
    char text[200];
    int far = connect_far();

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
             host);
    request(far, text);
    return far;
}

static int get(const char *path)
{
    return get_from("a.example", path);
}

static void test_dispatch__binds_parameters(void **state)
{
    struct pl_route_options options = {.limits = {.max_body = 7}};

    (void)state;
    add("/p/:a/:b", false, show, NULL);
    add("/r/:a/*b", false, show, &options);
    add("/m", true, show, NULL);
    expect_answer(get("/p/x%20y/%2525"), 200, "a=x y b=%25 rest= max=1048576",
                  "decoded once");
    expect_answer(get("/r/1/2/3"), 200, "a=1 b=2/3 rest=2/3 max=7", "rest");
    expect_answer(get("/m/n"), 200, "a= b= rest=n max=1048576", "mount");
    expect_answer(get("/m"), 200, "a= b= rest= max=1048576", "mount");
}

static void test_dispatch__routes_by_host(void **state)
{
    (void)state;
    pl_site_enter(site, PL_STR("a.example"), PL_STR(""), "s", NULL);
    add("/", false, show, NULL);
    pl_site_leave(site);
    add("/", false, not_here, NULL);
    expect_status(get_from("a.example", "/"), 200, "its own");
    expect_status(get_from("A.example:8080", "/"), 200, "with a port");
    expect_status(get_from("b.example", "/"), 404, "another");
}

static void expect_expires(int64_t after, const char *what)
{
    struct pl_str date = answer_field(answer.head, "date");
    struct pl_str expires = answer_field(answer.head, "expires");
    int64_t from, to;

    CHECK(pl_http_date_parse(date, &from), what);
    CHECK(pl_http_date_parse(expires, &to), what);
    CHECK_INT(after, to - from, what);
}

static void test_dispatch__says_what_may_be_cached(void **state)
{
    struct pl_route_options options = {.expires = PL_STR("1h")};

    (void)state;
    add("/a", false, show, &options);
    add("/own", false, own_caching, &options);
    add("/gone", false, not_here, &options);
    options.expires = PL_STR("0s");
    add("/now", false, show, &options);
    options = (struct pl_route_options){.cache_control = PL_STR("private")};
    add("/private", false, show, &options);
    next_answer(get("/a"));
    expect_field("cache-control", "max-age=3600");
    expect_expires(3600, "an hour from now");
    next_answer(get("/own"));
    expect_field("cache-control", "no-store");
    expect_field("expires", NULL);
    next_answer(get("/gone"));
    expect_field("cache-control", NULL);
    expect_field("expires", NULL);
    next_answer(get("/now"));
    expect_field("cache-control", "max-age=0");
    expect_expires(0, "now");
    next_answer(get("/private"));
    expect_field("cache-control", "private");
    expect_field("expires", NULL);
}

static void test_dispatch__a_304_says_it_too(void **state)
{
    struct pl_route_options options = {.expires = PL_STR("1m")};
    int far = connect_far();

    (void)state;
    add("/tag", false, tagged, &options);
    request(far,
            "GET /tag HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"1\"\r\n\r\n");
    expect_status(far, 304, "not modified");
    expect_field("cache-control", "max-age=60");
    expect_expires(60, "a minute from now");
}

#define DISPATCH_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(DISPATCH_TEST(test_dispatch__binds_parameters),
          DISPATCH_TEST(test_dispatch__routes_by_host),
          DISPATCH_TEST(test_dispatch__says_what_may_be_cached),
          DISPATCH_TEST(test_dispatch__a_304_says_it_too))
