/* auth.c - who a request is from, and texts that clients bring back, for C
 * programs (perilune.h): the filters and keys of filters/. */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "filters/basic.h"
#include "filters/keys.h"

static int without(struct pl_app *app, const char *call)
{
    return pl_app_note(app, PL_ERR_UNSUPPORTED, call, "",
                       PL_WITHOUT PL_FEATURE_AUTH);
}

/* ---- pl_app_basic ---- */

static int add_users(const struct pl_app_basic_options *given,
                     struct pl_users *users, struct pl_error *error)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < given->nusers; i++)
        err = pl_users_add(users, pl_str_c(given->users[i].name),
                           pl_str_c(given->users[i].hash), "", error);
    return err;
}

/* The list of the program itself, if it names no file. */
static int take_users(const struct pl_app_basic_options *given,
                      struct pl_basic_want *want, struct pl_error *error)
{
    const struct pl_auth_offer *auth = pl_auth_load(error);
    int err;

    if (auth == NULL)
        return error->code;
    want->users = pl_users_new(auth);
    if (want->users == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    err = add_users(given, want->users, error);
    if (err < 0)
        pl_users_free(want->users);
    return err;
}

int pl_app_basic(struct pl_app *app, const struct pl_app_basic_options *options)
{
    static const char call[] = "pl_app_basic";
    struct pl_app_basic_options given;
    struct pl_basic_want want = {.users = NULL};
    struct pl_error error = {.code = 0};
    struct pl_filter *filter;
    int err = 0;

    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_AUTH)
        return without(app, call);
    PL_OPTIONS_READ(&given, options);
    want.realm = pl_str_c(given.realm);
    want.file = given.file;
    want.cache_ms = given.no_cache        ? 0
                    : given.cache_ms == 0 ? PL_BASIC_CACHE_MS
                                          : given.cache_ms;
    if (given.file == NULL)
        err = take_users(&given, &want, &error);
    else
        err = pl_site_name_path(app->site, pl_str_c(given.file), PL_PATH_READ);
    if (err < 0)
        return pl_app_note(app, err, call, "", error.text);
    filter = pl_basic_new(&want, &error);
    err = filter == NULL ? error.code : pl_site_use(app->site, filter, &error);
    return pl_app_note(app, err, call, error.where, error.text);
}

/* ---- who it is ---- */

struct pl_str pl_request_user(const struct pl_request *req)
{
    return req->user;
}

int pl_request_set_user(struct pl_request *req, struct pl_str user)
{
    return pl_auth_admit(req, user);
}

bool pl_request_credentials(struct pl_request *req, struct pl_str *user,
                            struct pl_str *password)
{
    return pl_credentials(req, user, password);
}

/* ---- keys ---- */

static void drop(void *keys)
{
    pl_keys_free(keys);
}

const struct pl_keys *pl_app_keys(struct pl_app *app, const char *purpose,
                                  const struct pl_str *secrets, size_t n)
{
    static const char call[] = "pl_app_keys";
    struct pl_error error = {.code = 0};
    const struct pl_auth_offer *auth;
    struct pl_keys *keys = NULL;

    if (app->running)
        return NULL;
    if (!PL_WITH_AUTH) {
        without(app, call);
        return NULL;
    }
    auth = pl_auth_load(&error);
    if (auth != NULL)
        keys = pl_keys_new(auth, secrets, (unsigned)PL_MIN(n, UINT32_MAX),
                           pl_str_c(purpose), &error);
    if (keys != NULL && pl_site_own(app->site, drop, keys) < 0) {
        pl_error_set(&error, PL_ERR_NOMEM, "", "out of memory");
        keys = NULL;
    }
    if (keys == NULL)
        pl_app_note(app, error.code, call, purpose, error.text);
    return keys;
}

static uint64_t now_of(const struct pl_request *req)
{
    return (uint64_t)pl_loop_wall(req->http->net->loop);
}

typedef int make_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str text, uint64_t expires, struct pl_buf *out);
typedef int open_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str token, uint64_t now, struct pl_buf *out);

static int make(struct pl_request *req, const struct pl_keys *keys,
                struct pl_str label, struct pl_str text, uint64_t max_age_s,
                struct pl_str *token, make_fn *fn)
{
    struct pl_buf *out = pl_request_buf(req);
    int err;

    if (out == NULL)
        return PL_ERR_NOMEM;
    err = fn(keys, label, text, max_age_s == 0 ? 0 : now_of(req) + max_age_s,
             out);
    if (err == 0)
        *token = pl_buf_str(out);
    return err;
}

static int open_token(struct pl_request *req, const struct pl_keys *keys,
                      struct pl_str label, struct pl_str token,
                      struct pl_str *text, open_fn *fn)
{
    struct pl_buf *out;
    int err;

    if (token.data == NULL)
        return PL_ERR_NOT_FOUND;
    out = pl_request_buf(req);
    if (out == NULL)
        return PL_ERR_NOMEM;
    err = fn(keys, label, token, now_of(req), out);
    if (err == 0)
        *text = pl_buf_str(out);
    else if (err == PL_ERR_DENIED)
        req->http->stats.forged++;
    return err;
}

int pl_seal(struct pl_request *req, const struct pl_keys *keys,
            struct pl_str label, struct pl_str text, uint64_t max_age_s,
            struct pl_str *token)
{
    return make(req, keys, label, text, max_age_s, token, pl_keys_seal);
}

int pl_unseal(struct pl_request *req, const struct pl_keys *keys,
              struct pl_str label, struct pl_str token, struct pl_str *text)
{
    return open_token(req, keys, label, token, text, pl_keys_unseal);
}

int pl_sign(struct pl_request *req, const struct pl_keys *keys,
            struct pl_str label, struct pl_str text, uint64_t max_age_s,
            struct pl_str *token)
{
    return make(req, keys, label, text, max_age_s, token, pl_keys_sign);
}

int pl_verify(struct pl_request *req, const struct pl_keys *keys,
              struct pl_str label, struct pl_str token, struct pl_str *text)
{
    return open_token(req, keys, label, token, text, pl_keys_verify);
}
