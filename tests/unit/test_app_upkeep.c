/* test_app_upkeep.c - maintenance, and what may be kept: filters of C programs.
 */
#include "app_world.h"

#include <stdlib.h>

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond(res, 200, "text/plain", PL_STR("hello"));
}

static int own(struct pl_request *req, struct pl_response *res, void *arg)
{
    pl_response_set(res, PL_STR("Cache-Control"), PL_STR("private"));
    return pl_respond(res, 200, "text/plain", PL_STR("own"));
}

static atomic_bool closed;

static bool is_closed(struct pl_request *req, void *arg)
{
    CHECK_STR("context", pl_str_c(arg), "arg");
    return atomic_load(&closed);
}

static void test_app_maintenance__is_switched(void **state)
{
    const struct pl_maintenance_options switched = {.size = sizeof(switched),
                                                    .on = is_closed,
                                                    .arg = "context",
                                                    .retry_after = "90s",
                                                    .message = "new pipes"},
                                        allows = {.size = sizeof(allows),
                                                  .on = is_closed,
                                                  .arg = "context",
                                                  .allow = "127.0.0.0/8"};

    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_get(app, "/before", hello, NULL);
    pl_app_group_begin(app, "/staff");
    CHECK_INT(0, pl_app_maintenance(app, &allows), "allows");
    pl_app_get(app, "/a", hello, NULL);
    pl_app_group_end(app);
    CHECK_INT(0, pl_app_maintenance(app, &switched), "switched");
    pl_app_get(app, "/a", hello, NULL);
    start_app();
    CHECK_INT(PL_ERR_STATE, pl_app_maintenance(app, &switched), "it runs");
    CHECK_INT(200, status_of(ask("GET", "/a", "", "")), "off");
    atomic_store(&closed, true);
    CHECK_INT(503, status_of(ask("GET", "/a", "", "")), "on");
    check_line("Retry-After: 90", "on");
    check_line("Cache-Control: no-store", "on");
    CHECK(strstr(answer, "new pipes") != NULL, answer);
    CHECK_INT(200, status_of(ask("GET", "/before", "", "")), "another route");
    CHECK_INT(200, status_of(ask("GET", "/staff/a", "", "")), "allowed");
    atomic_store(&closed, false);
    CHECK_INT(200, status_of(ask("GET", "/a", "", "")), "off again");
    stop_app();
}

static void test_app_maintenance__goes_by_a_file(void **state)
{
    char path[] = "/tmp/perilune-maintenance-XXXXXX";
    const struct pl_maintenance_options options = {.size = sizeof(options),
                                                   .file = path};
    int fd = mkstemp(path);

    CHECK(fd >= 0, path);
    close(fd);
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    CHECK_INT(0, pl_app_maintenance(app, &options), "file");
    pl_app_get(app, "/a", hello, NULL);
    start_app();
    CHECK_INT(503, status_of(ask("GET", "/a", "", "")), "it is there");
    unlink(path);
    while (status_of(ask("GET", "/a", "", "")) == 503)
        continue; /* until the file is looked at again */
    CHECK_INT(200, status_of(answer), "it has gone");
    stop_app();
}

static void test_app_cache_control__goes_by_the_path(void **state)
{
    const struct pl_caching_rule rules[] = {
        {.pattern = "%.css$", .cache_control = "public, max-age=60"},
        {.pattern = "^/api/", .cache_control = "no-store"},
        {.pattern = "%.png$", .expires = "1h"}};

    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    CHECK_INT(0, pl_app_cache_control(app, rules, 3), "rules");
    pl_app_get(app, "/own.css", own, NULL);
    pl_app_get(app, "/*rest", hello, NULL);
    start_app();
    ask("GET", "/a.css", "", "");
    check_line("Cache-Control: public, max-age=60", "css");
    ask("GET", "/api/b.css", "", "");
    check_line("Cache-Control: public, max-age=60", "the first rule");
    ask("GET", "/api/b", "", "");
    check_line("Cache-Control: no-store", "api");
    ask("GET", "/c.png", "", "");
    check_line("Cache-Control: max-age=3600", "png");
    CHECK(strcasestr(answer, "\r\nExpires: ") != NULL, "png");
    ask("GET", "/own.css", "", "");
    check_line("Cache-Control: private", "the handler's");
    ask("GET", "/none", "", "");
    CHECK(strcasestr(answer, "cache-control") == NULL, "none");
    stop_app();
}

static void refuse(int err, const char *why)
{
    CHECK(err < 0, why);
    if (strstr(pl_app_error(app), why) == NULL)
        fail_msg("no \"%s\" in \"%s\"", why, pl_app_error(app));
    pl_app_free(app);
    app = pl_app_new();
}

static void test_app_upkeep__refuses_what_is_wrong(void **state)
{
    struct pl_maintenance_options options = {.size = sizeof(options)};
    struct pl_caching_rule rule = {.pattern = "["};

    app = pl_app_new();
    refuse(pl_app_maintenance(app, &options), "a file, or something else");
    options.file = "/none";
    options.retry_after = "soon";
    refuse(pl_app_maintenance(app, &options), "retry_after: 'soon'");
    options.retry_after = "1m";
    options.allow = "everybody";
    refuse(pl_app_maintenance(app, &options), "everybody");
    refuse(pl_app_cache_control(app, &rule, 1), "pattern '['");
    rule.pattern = "a";
    refuse(pl_app_cache_control(app, &rule, 1), "cache_control or expires");
    rule.cache_control = "a\nb";
    refuse(pl_app_cache_control(app, &rule, 1), "not a header value");
    rule.cache_control = NULL;
    rule.expires = "later";
    refuse(pl_app_cache_control(app, &rule, 1), "expires: 'later'");
    pl_app_free(app);
}

RUN_TESTS(cmocka_unit_test(test_app_maintenance__is_switched),
          cmocka_unit_test(test_app_maintenance__goes_by_a_file),
          cmocka_unit_test(test_app_cache_control__goes_by_the_path),
          cmocka_unit_test(test_app_upkeep__refuses_what_is_wrong))
