/* test_site.c - settings, listeners, scopes and routes as a site records them.
 */
#include "check.h"

#include <stdlib.h>

#include "route/site.h"

static struct pl_site *site;
static struct pl_error error;
static int live; /* handlers and filters that have not been freed */

/* Every test ends with this: nothing is left, whatever went wrong in it. */
static int make(void **state)
{
    (void)state;
    site = pl_site_new();
    CHECK(site != NULL, "site");
    error = (struct pl_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    pl_site_free(site);
    CHECK_INT(0, live, "all handlers and filters were freed once");
    return 0;
}

static void gone_handler(struct pl_handler *handler)
{
    live--;
    free(handler);
}

static struct pl_handler *handler(void)
{
    struct pl_handler *made = calloc(1, sizeof(*made));

    live++;
    made->kind = "test";
    made->free = gone_handler;
    return made;
}

static void gone_filter(struct pl_filter *filter)
{
    live--;
    free(filter);
}

static struct pl_filter *filter(void)
{
    struct pl_filter *made = calloc(1, sizeof(*made));

    live++;
    made->refs = 1;
    made->free = gone_filter;
    return made;
}

/* ---- settings ---- */

static int set_text(const char *name, const char *text)
{
    struct pl_value value = {PL_VALUE_STRING, .string = pl_str_c(text)};

    return pl_site_set(site, pl_str_c(name), &value, "s.lua:1", &error);
}

static int set_number(const char *name, double number)
{
    struct pl_value value = {PL_VALUE_NUMBER, .number = number};

    return pl_site_set(site, pl_str_c(name), &value, "s.lua:2", &error);
}

static int set_bool(const char *name, bool flag)
{
    struct pl_value value = {PL_VALUE_BOOL, .boolean = flag};

    return pl_site_set(site, pl_str_c(name), &value, "s.lua:3", &error);
}

static void test_site__takes_numbers_sizes_and_durations(void **state)
{
    (void)state;
    CHECK_INT(0, set_number("workers", 4), "workers");
    CHECK_INT(4, site->workers, "workers");
    CHECK_INT(0, set_text("workers", "3"), "as environment variables say it");
    CHECK_INT(3, site->workers, "workers");
    CHECK_INT(0, set_text("max_body", "2m"), "size");
    CHECK_INT(2 << 20, site->http.body.max_body, "size");
    CHECK_INT(0, set_number("max_body", 0), "no limit");
    CHECK_INT(0, site->http.body.max_body, "no limit");
    CHECK_INT(0, set_number("header_timeout", 1.5), "seconds");
    CHECK_INT(1500, site->http.header_ms, "seconds");
    CHECK_INT(0, set_text("header_timeout", "250ms"), "unit");
    CHECK_INT(250, site->http.header_ms, "unit");
    CHECK_INT(0, set_number("max_headers", PL_H1_MAX_FIELDS), "most");
    CHECK_INT(PL_H1_MAX_FIELDS, site->http.h1.headers, "most");
    CHECK_INT(0, set_bool("dev", true), "bool");
    CHECK(site->dev, "bool");
    CHECK_INT(0, set_text("dev", "false"), "bool of a command line");
    CHECK(!site->dev, "bool of a command line");
}

static void test_site__takes_texts_and_false_for_none(void **state)
{
    char name[] = "www-data";

    (void)state;
    CHECK_INT(0, set_text("user", name), "text");
    name[0] = '?';
    CHECK_STR("www-data", pl_str_c(site->user), "a copy");
    CHECK_INT(0, set_bool("user", false), "none");
    CHECK(site->user == NULL, "none");
    CHECK_STR("perilune", site->http.server, "default");
    CHECK_INT(0, set_text("server", "x/1 (y)"), "server");
    CHECK_STR("x/1 (y)", site->http.server, "server");
    CHECK_INT(0, set_bool("server", false), "no server field");
    CHECK_INT(0, site->http.server.len, "no server field");
    CHECK_INT(0, set_text("access_log", "-"), "log");
    CHECK_STR("-", pl_str_c(site->access_log), "log");
    CHECK_INT(0, set_text("log_level", "warn"), "level");
}

static void expect(int err, const char *where, const char *text)
{
    CHECK_INT(PL_ERR_INVALID, err, text);
    CHECK_STR(where, pl_str_c(error.where), text);
    CHECK_STR(text, pl_str_c(error.text), text);
}

static void test_site__says_what_is_wrong_with_a_setting(void **state)
{
    (void)state;
    expect(set_number("worker", 1), "s.lua:2",
           "unknown setting 'worker'; did you mean 'workers'?");
    expect(set_number("max_haeders", 1), "s.lua:2",
           "unknown setting 'max_haeders'; did you mean 'max_headers'?");
    expect(set_number("zzz", 1), "s.lua:2", "unknown setting 'zzz'");
    expect(set_number("", 1), "s.lua:2", "unknown setting ''");
    expect(set_number("a_name_that_is_longer_than_any_setting_has", 1),
           "s.lua:2",
           "unknown setting 'a_name_that_is_longer_than_any_setting_has'");
    expect(set_number("max_headers", PL_H1_MAX_FIELDS + 1), "s.lua:2",
           "setting 'max_headers' must be from 1 to 256");
    expect(set_text("max_head", "2g"), "s.lua:1",
           "setting 'max_head' must be from 64 to 1g");
    expect(set_text("idle_timeout", "2d"), "s.lua:1",
           "setting 'idle_timeout' must be from 1ms to 24h");
    expect(set_text("max_body", "many"), "s.lua:1",
           "setting 'max_body' wants a size (1048576 or \"1m\")");
    expect(set_number("workers", 1.5), "s.lua:2",
           "setting 'workers' wants a whole number");
    expect(set_number("workers", -1), "s.lua:2",
           "setting 'workers' wants a whole number");
    expect(set_number("workers", 0.0 / 0.0), "s.lua:2",
           "setting 'workers' wants a whole number");
    expect(set_number("idle_timeout", 1e300), "s.lua:2",
           "setting 'idle_timeout' wants a duration (10 or \"10s\" or "
           "\"500ms\")");
    expect(set_bool("workers", true), "s.lua:3",
           "setting 'workers' wants a whole number");
    expect(set_number("user", 0), "s.lua:2",
           "setting 'user' wants a string, or false for none");
    expect(set_bool("error_log", false), "s.lua:3",
           "setting 'error_log' wants a string");
    expect(set_text("log_level", "loud"), "s.lua:1",
           "setting 'log_level': not a possible value (debug, info, notice, "
           "warn or error)");
    CHECK_INT(PL_ERR_INVALID, set_text("server", "a\r\nb"), "no CR LF");
}

static void test_site__every_setting_has_a_name_and_a_text(void **state)
{
    const struct pl_setting *setting, *other;

    (void)state;
    for (unsigned i = 0; (setting = pl_setting_at(i)) != NULL; i++) {
        CHECK(setting->kind != PL_SETTING_TEXT || setting->doc[0] != '\0',
              setting->name);
        CHECK(setting->low <= setting->high, setting->name);
        for (unsigned j = 0; j < i; j++) {
            other = pl_setting_at(j);
            CHECK(strcmp(setting->name, other->name) != 0, setting->name);
            CHECK(setting->field != other->field, setting->name);
        }
    }
}

static void test_site__checks_settings_against_each_other(void **state)
{
    (void)state;
    CHECK_INT(0, pl_site_settings_check(site, &error), "defaults");
    set_text("output_low", "512k");
    CHECK_INT(PL_ERR_INVALID, pl_site_settings_check(site, &error), "marks");
    set_text("output_low", "1k");
    set_text("max_head", "1m");
    CHECK_INT(PL_ERR_INVALID, pl_site_settings_check(site, &error), "memory");
    set_text("conn_memory", "2m");
    CHECK_INT(0, pl_site_settings_check(site, &error), "both");
}

/* ---- fields of all responses ---- */

static int add_header(const char *name, const char *value)
{
    return pl_site_add_header(site, pl_str_c(name), pl_str_c(value), "s.lua:9",
                              &error);
}

static void test_site__keeps_fields_for_all_responses(void **state)
{
    char name[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "X-%d", i);
        CHECK_INT(0, add_header(name, "a"), name);
    }
    CHECK_INT(0, add_header("x-3", "bcd"), "replaced");
    CHECK_INT(20, site->http.nheaders, "all");
    CHECK_STR("bcd", pl_header_value(&site->http.headers[3]), "replaced");
    CHECK_STR("a", pl_header_value(&site->http.headers[19]), "last");
    CHECK_INT(10 * (3 + 5) + 10 * (4 + 5) + 2, site->http.headers_size, "size");
    CHECK_INT(PL_ERR_DENIED, add_header("Connection", "close"), "framing");
    CHECK_INT(PL_ERR_DENIED, add_header("content-length", "1"), "framing");
    CHECK_INT(PL_ERR_DENIED, add_header("ETag", "\"a\""), "single");
    CHECK_INT(PL_ERR_DENIED, add_header("Server", "a"), "setting");
    CHECK_STR("field 'Server' cannot be set for all responses: there is a "
              "setting 'server' for it",
              pl_str_c(error.text), "text");
    CHECK_INT(PL_ERR_INVALID, add_header("a b", "1"), "name");
    CHECK_INT(PL_ERR_INVALID, add_header("a", "1\n"), "value");
    CHECK_STR("s.lua:9", pl_str_c(error.where), "where");
    CHECK_INT(20, site->http.nheaders, "nothing was added");
}

/* ---- listeners ---- */

static int listen_on(const char *address, const char *where)
{
    struct pl_listen_spec spec = {.address = address, .where = where};

    return pl_site_listen(site, &spec, &error);
}

static void test_site__records_listeners_in_order(void **state)
{
    struct pl_listen_spec *first;

    (void)state;
    CHECK_INT(0, listen_on(":8080", "s.lua:1"), "first");
    CHECK_INT(0, listen_on("unix:/tmp/x", NULL), "second");
    CHECK_INT(0, listen_on("127.0.0.1:0", NULL), "any port");
    CHECK_INT(0, listen_on("127.0.0.1:0", NULL), "any other port");
    first = PL_LIST_ENTRY(site->listeners.next, struct pl_listen_spec, node);
    CHECK_STR(":8080", pl_str_c(first->address), "order");
    CHECK_INT(PL_SPEAK_HTTP, first->options.speak, "protocol");
    CHECK_INT(PL_ERR_EXISTS, listen_on(":8080", "s.lua:7"), "twice");
    CHECK_STR("listen: ':8080' is already taken (s.lua:1)",
              pl_str_c(error.text), "twice");
    CHECK_INT(PL_ERR_INVALID, listen_on("", "s.lua:8"), "empty");
    CHECK_STR("s.lua:8", pl_str_c(error.where), "where");
}

/* ---- routes ---- */

static int route(const char *pattern, const struct pl_route_options *options)
{
    return pl_site_route(site, PL_METHOD_BIT(PL_METHOD_GET), pl_str_c(pattern),
                         false, handler(), options, "s.lua:4", &error);
}

static const struct pl_route *added(unsigned index)
{
    const struct pl_route *found = pl_router_route(site->router, index);

    CHECK(found != NULL, "route");
    return found;
}

static int enter(const char *host, const char *prefix)
{
    return pl_site_enter(site, pl_str_c(host), pl_str_c(prefix), "s.lua:5",
                         &error);
}

static void test_site__scopes_nest(void **state)
{
    (void)state;
    CHECK_INT(0, pl_site_use(site, filter(), &error), "use");
    CHECK_INT(0, route("/", NULL), "outside");
    CHECK_INT(0, enter("a.example", "/v1/"), "enter");
    CHECK_INT(0, pl_site_use(site, filter(), &error), "use");
    CHECK_INT(0, enter("", "/:id"), "enter");
    for (int i = 0; i < 5; i++)
        CHECK_INT(0, pl_site_use(site, filter(), &error), "use");
    CHECK_INT(0, route("/x", NULL), "inside");
    CHECK_INT(0, route("", NULL), "the prefix itself");
    pl_site_leave(site);
    CHECK_INT(0, route("/", NULL), "between");
    CHECK_INT(0, enter("b.example", ""), "another host");
    CHECK_INT(0, route("/b", NULL), "another host");
    pl_site_leave(site);
    pl_site_leave(site);
    CHECK_INT(0, route("/end", NULL), "outside again");

    CHECK_STR("/v1/:id/x", pl_str_c(added(1)->pattern), "prefix");
    CHECK_STR("a.example", pl_str_c(added(1)->host), "host");
    CHECK_STR("s.lua:4", pl_str_c(added(1)->where), "where");
    CHECK_INT(7, pl_chain_filters(added(1)->chain), "all filters");
    CHECK_STR("/v1/:id", pl_str_c(added(2)->pattern), "prefix");
    CHECK_STR("/v1/", pl_str_c(added(3)->pattern), "prefix");
    CHECK_INT(2, pl_chain_filters(added(3)->chain), "two filters");
    CHECK_STR("/v1/b", pl_str_c(added(4)->pattern), "prefix stays");
    CHECK_STR("b.example", pl_str_c(added(4)->host), "host");
    CHECK_STR("", pl_str_c(added(5)->host), "host");
    CHECK_INT(1, pl_chain_filters(added(5)->chain), "one filter");
}

static void test_site__a_scope_may_be_left_open_by_an_error(void **state)
{
    (void)state;
    CHECK_INT(0, enter("", "/a"), "enter");
    CHECK_INT(0, pl_site_use(site, filter(), &error), "use");
    CHECK_INT(0, enter("", "/b"), "enter");
    /* end() looks whether all filters have gone */
}

static void test_site__refuses_bad_scopes_and_routes(void **state)
{
    (void)state;
    CHECK_INT(PL_ERR_INVALID, enter("a.example:80", ""), "port");
    CHECK_INT(PL_ERR_INVALID, enter("a b", ""), "blank");
    CHECK_INT(PL_ERR_INVALID, enter("*.", ""), "empty name");
    CHECK_INT(PL_ERR_INVALID, enter("", "x"), "no slash");
    CHECK_INT(PL_ERR_INVALID, enter("", "/*rest"), "rest");
    CHECK_STR("s.lua:5", pl_str_c(error.where), "where");
    CHECK_INT(PL_ERR_INVALID, route("x", NULL), "no slash");
    CHECK_INT(PL_ERR_INVALID, route("", NULL), "empty");
    CHECK_INT(PL_ERR_INVALID, route("/:", NULL), "no name");
    CHECK_INT(0, route("/a/:x", NULL), "first");
    CHECK_INT(PL_ERR_EXISTS, route("/a/:y", NULL), "same");
    CHECK_STR("s.lua:4", pl_str_c(error.where), "where");
    CHECK_INT(0, enter("", "/a"), "enter");
    CHECK_INT(PL_ERR_INVALID, route("x", NULL), "no slash below a prefix");
    pl_site_leave(site);
}

static void test_site__mounts_at_the_root(void **state)
{
    (void)state;
    CHECK_INT(0,
              pl_site_route(site, PL_METHODS_ANY, PL_STR(""), true, handler(),
                            NULL, "", &error),
              "mount");
    CHECK_STR("/", pl_str_c(added(0)->pattern), "root");
}

static void test_site__expires_means_max_age_too(void **state)
{
    struct pl_route_options options = {.expires = PL_STR("1h"),
                                       .limits = {.max_body = 77}};

    (void)state;
    CHECK_INT(0, route("/a", &options), "expires");
    CHECK_INT(3600, added(0)->expires, "expires");
    CHECK_STR("max-age=3600", added(0)->cache_control, "max-age");
    CHECK_INT(77, added(0)->limits.max_body, "max_body");
    options.cache_control = PL_STR("private");
    CHECK_INT(0, route("/b", &options), "both");
    CHECK_STR("private", added(1)->cache_control, "its own word");
    CHECK_INT(3600, added(1)->expires, "expires");
    options.expires = pl_str(NULL, 0);
    CHECK_INT(0, route("/c", &options), "no expires");
    CHECK_INT(-1, added(2)->expires, "no expires");
    options.expires = PL_STR("soon");
    CHECK_INT(PL_ERR_INVALID, route("/d", &options), "no duration");
    options = (struct pl_route_options){.cache_control = PL_STR("a\nb")};
    CHECK_INT(PL_ERR_INVALID, route("/e", &options), "no value");
}

#define SITE_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(SITE_TEST(test_site__takes_numbers_sizes_and_durations),
          SITE_TEST(test_site__takes_texts_and_false_for_none),
          SITE_TEST(test_site__says_what_is_wrong_with_a_setting),
          SITE_TEST(test_site__every_setting_has_a_name_and_a_text),
          SITE_TEST(test_site__checks_settings_against_each_other),
          SITE_TEST(test_site__keeps_fields_for_all_responses),
          SITE_TEST(test_site__records_listeners_in_order),
          SITE_TEST(test_site__scopes_nest),
          SITE_TEST(test_site__a_scope_may_be_left_open_by_an_error),
          SITE_TEST(test_site__refuses_bad_scopes_and_routes),
          SITE_TEST(test_site__mounts_at_the_root),
          SITE_TEST(test_site__expires_means_max_age_too))
