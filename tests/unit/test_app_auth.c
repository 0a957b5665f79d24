/* test_app_auth.c - C programs: who may enter, and what clients bring back. */
#include "app_world.h"

static const struct pl_keys *keys;

static int who(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str user = pl_request_user(req);

    if (user.data == NULL)
        user = PL_STR("nobody");
    return pl_respondf(res, 200, "text/plain", "%.*s", PL_STR_ARG(user));
}

/* Seals, or signs, the argument "text", or opens the argument "token". */
static int seal(struct pl_request *req, struct pl_response *res, void *arg)
{
    bool sealing = arg != NULL;
    struct pl_str text = pl_request_arg(req, PL_STR("text"));
    struct pl_str token = pl_request_arg(req, PL_STR("token"));
    struct pl_str label = PL_STR("a label"), out;
    int err;

    if (text.data != NULL)
        err = (sealing ? pl_seal : pl_sign)(req, keys, label, text, 60, &out);
    else
        err = (sealing ? pl_unseal : pl_verify)(req, keys, label, token, &out);
    return err < 0 ? err : pl_respond(res, 200, "text/plain", out);
}

static int by_hand(struct pl_request *req, struct pl_response *res,
                   const struct pl_next *next, void *arg)
{
    struct pl_str user, password;

    if (!pl_request_credentials(req, &user, &password) ||
        !pl_equal(password, PL_STR("moon")))
        return 403;
    pl_request_set_user(req, user);
    return pl_next(req, next);
}

static bool serve(void)
{
    static const struct pl_app_user users[] = {
        {"sally", "moon"}, {"neil", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}};
    const struct pl_app_basic_options options = {.size = sizeof(options),
                                                 .realm = "the moon",
                                                 .users = users,
                                                 .nusers = 2};
    const struct pl_str secrets[] = {
        PL_STR("0123456789abcdef0123456789abcdef")};

    app = pl_app_new();
    pl_app_set(app, "workers", "2");
    keys = pl_app_keys(app, "test", secrets, 1);
    if (keys == NULL &&
        strstr(pl_app_error(app), "there is no perilune-auth.so") != NULL) {
        pl_app_free(app);
        return false; /* -Dcrypto=disabled */
    }
    pl_app_get(app, "/open", who, NULL);
    pl_app_get(app, "/seal", seal, &keys);
    pl_app_get(app, "/sign", seal, NULL);
    pl_app_group_begin(app, "/hand");
    pl_app_use(app, by_hand, NULL);
    pl_app_get(app, "/", who, NULL);
    pl_app_group_end(app);
    CHECK_INT(0, pl_app_basic(app, &options), pl_app_error(app));
    pl_app_get(app, "/closed", who, NULL);
    start_app();
    CHECK_INT(PL_ERR_STATE, pl_app_basic(app, &options), "it runs");
    CHECK(pl_app_keys(app, "x", secrets, 1) == NULL, "it runs");
    return true;
}

static const struct {
    const char *path, *field, *want;
    int status;
} requests[] = {
    {"/open", "", "nobody", 200},
    {"/closed", "", NULL, 401},
    {"/closed", "Authorization: Basic c2FsbHk6bW9vbg==\r\n", "sally", 200},
    {"/closed", "Authorization: Basic c2FsbHk6bW9vbw==\r\n", NULL, 401},
    {"/closed", "Authorization: Basic bmVpbDpwYXNzd29yZA==\r\n", "neil", 200},
    {"/closed", "Authorization: Basic bmVpbDpwYXNzd29yZA==\r\n", "neil", 200},
    {"/closed", "Authorization: Basic bmVpbDpwYXNzd29yZQ==\r\n", NULL, 401},
    {"/hand/", "Authorization: Basic c2FsbHk6bW9vbg==\r\n", "sally", 200},
    {"/hand/", "Authorization: Basic c2FsbHk6bW9vbw==\r\n", NULL, 403},
};

static void test_app_auth__names_and_passwords(void **state)
{
    (void)state;
    if (!serve())
        skip();
    for (size_t i = 0; i < 4 * PL_COUNT(requests); i++) { /* both workers */
        size_t k = i % PL_COUNT(requests);
        const char *got = ask("GET", requests[k].path, requests[k].field, "");

        CHECK_INT(requests[k].status, status_of(got), requests[k].field);
        if (requests[k].want != NULL)
            CHECK_STR(requests[k].want, body_of(got), requests[k].field);
        if (requests[k].status == 401)
            check_line("WWW-Authenticate: Basic realm=\"the moon\", "
                       "charset=\"UTF-8\"",
                       "challenge");
    }
    stop_app();
}

static void test_app_auth__what_comes_back(void **state)
{
    static const char *const paths[] = {"/seal", "/sign"};
    char target[600];
    struct pl_str token;

    (void)state;
    if (!serve())
        skip();
    for (size_t i = 0; i < PL_COUNT(paths); i++) {
        snprintf(target, sizeof(target), "%s?text=one+small+step", paths[i]);
        token = body_of(ask("GET", target, "", ""));
        snprintf(target, sizeof(target), "%s?token=%.*s", paths[i],
                 PL_STR_ARG(token));
        CHECK_STR("one small step", body_of(ask("GET", target, "", "")),
                  paths[i]);
        target[strlen(target) - 3] ^= 1;
        CHECK_INT(403, status_of(ask("GET", target, "", "")), "forged");
        CHECK_INT(404, status_of(ask("GET", paths[i], "", "")), "absent");
    }
    stop_app();
}

static void test_app_auth__what_is_wrong_is_said(void **state)
{
    const struct pl_app_user user = {"sally", "$9$"};
    struct pl_app_basic_options options = {
        .size = sizeof(options), .users = &user, .nusers = 1};
    const struct pl_str secret = PL_STR("short");

    (void)state;
    app = pl_app_new();
    if (pl_app_basic(app, &options) == PL_ERR_NOT_FOUND) {
        pl_app_free(app);
        skip(); /* -Dcrypto=disabled */
    }
    CHECK(strstr(pl_app_error(app), "user 'sally': no hash") != NULL,
          pl_app_error(app));
    pl_app_free(app);
    app = pl_app_new();
    options.file = "/no/such";
    CHECK_INT(PL_ERR_NOT_FOUND, pl_app_basic(app, &options), "no file");
    CHECK(strstr(pl_app_error(app), "/no/such") != NULL, pl_app_error(app));
    pl_app_free(app);
    app = pl_app_new();
    CHECK(pl_app_keys(app, "x", &secret, 1) == NULL, "short");
    CHECK(strstr(pl_app_error(app), "key 1 has 5 bytes") != NULL,
          pl_app_error(app));
    pl_app_free(app);
}

RUN_TESTS(cmocka_unit_test(test_app_auth__names_and_passwords),
          cmocka_unit_test(test_app_auth__what_comes_back),
          cmocka_unit_test(test_app_auth__what_is_wrong_is_said))
