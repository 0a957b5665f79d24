/* test_app_limits.c - limits of the routes of a C program, group by group. */
#include "app_world.h"

static int wait_long(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_sleep(req, 1u << 30);
}

static int take_body(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str body;
    int err = pl_request_body(req, &body);

    return err < 0 ? err : pl_respondf(res, 200, "text/plain", "%zu", body.len);
}

static void test_app_limits__are_those_of_a_group(void **state)
{
    const struct pl_limits few = {.size = sizeof(few), .max_body = 4},
                           soon = {.size = sizeof(soon), .wall_ms = 20};

    (void)state;
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_set(app, "max_body", "8");
    pl_app_post(app, "/eight", take_body, NULL);
    pl_app_group_begin(app, "/a");
    CHECK_INT(0, pl_app_limits(app, &few), "limits");
    pl_app_group_begin(app, "/b");
    pl_app_post(app, "/four", take_body, NULL);
    CHECK_INT(0, pl_app_limits(app, &soon), "others in their place");
    pl_app_post(app, "/eight", take_body, NULL);
    pl_app_get(app, "/soon", wait_long, NULL);
    pl_app_group_end(app);
    pl_app_post(app, "/four", take_body, NULL);
    CHECK_INT(0, pl_app_limits(app, NULL), "none");
    pl_app_post(app, "/eight", take_body, NULL);
    pl_app_group_end(app);
    pl_app_post(app, "/after", take_body, NULL);
    start_app();
    CHECK_INT(PL_ERR_STATE, pl_app_limits(app, &few), "it runs");
    CHECK_INT(200, status_of(ask("POST", "/eight", "", "12345678")), "8");
    CHECK_INT(413, status_of(ask("POST", "/eight", "", "123456789")), "9");
    CHECK_INT(200, status_of(ask("POST", "/a/b/four", "", "1234")), "4");
    CHECK_INT(413, status_of(ask("POST", "/a/b/four", "", "12345")), "5");
    CHECK_INT(200, status_of(ask("POST", "/a/b/eight", "", "12345678")), "8");
    CHECK_INT(503, status_of(ask("GET", "/a/b/soon", "", "")), "too long");
    CHECK_INT(413, status_of(ask("POST", "/a/four", "", "12345")), "5");
    CHECK_INT(200, status_of(ask("POST", "/a/eight", "", "12345678")), "8");
    CHECK_INT(200, status_of(ask("POST", "/after", "", "12345678")), "8");
    stop_app();
}

RUN_TESTS(cmocka_unit_test(test_app_limits__are_those_of_a_group))
