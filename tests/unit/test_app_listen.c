/* test_app_listen.c - what pl_app_listen_with() takes, and what it refuses. */
#include "check.h"

#include "base/features.h"

#define OPTIONS(...)                                                           \
    {                                                                          \
        .size = sizeof(struct pl_app_listen_options), __VA_ARGS__              \
    }

static void test_app_listen__looks_at_options(void **state)
{
    static const struct {
        struct pl_app_listen_options options;
        int want;
    } cases[] = {
        {OPTIONS(.protocol = "x"), PL_ERR_INVALID},
        {OPTIONS(.trusted = "10.0.0.1/8"), PL_ERR_INVALID},
        {OPTIONS(.forwarded = "x"), PL_ERR_INVALID},
        {OPTIONS(.proxy_protocol = "on"), PL_ERR_INVALID},
        {OPTIONS(.protocol = "http/1.1", .backlog = 7), 0},
        {OPTIONS(.proxy_protocol = "optional",
                 .trusted = "::1 unix:", .forwarded = "forwarded"),
         0},
        {OPTIONS(.protocol = "fastcgi", .trusted = "::1"), 0},
        {OPTIONS(.protocol = "fastcgi", .redirect_port = 443), PL_ERR_INVALID},
        {OPTIONS(.protocol = "fastcgi", .sendfile = "x-sendfile"), 0},
        {OPTIONS(.protocol = "fastcgi", .sendfile = "/files"), 0},
        {OPTIONS(.protocol = "fastcgi", .sendfile = "on"), PL_ERR_INVALID},
        {OPTIONS(.sendfile = "x-sendfile"), PL_ERR_INVALID},
    };

    (void)state;
    if (!PL_WITH_PROXY || !PL_WITH_FASTCGI)
        return;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_app *app = pl_app_new();

        CHECK_INT(cases[i].want,
                  pl_app_listen_with(app, "127.0.0.1:0", &cases[i].options),
                  "options");
        pl_app_free(app);
    }
}

RUN_TESTS(cmocka_unit_test(test_app_listen__looks_at_options))
