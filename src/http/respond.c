/* respond.c - answers in one call, for C programs (perilune.h). */
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "http/cookie.h"
#include "http/request.h"

static struct pl_request *request_of(struct pl_response *res)
{
    return PL_CONTAINER_OF(res, struct pl_request, response);
}

/* text is of the request's arena; absent if that was out of memory. */
static int respond(struct pl_response *res, int status, const char *type,
                   struct pl_str text)
{
    int err = text.data == NULL ? PL_ERR_NOMEM : 0;

    if (err == 0)
        err = pl_response_status(res, status);
    if (err == 0 && type != NULL)
        err = pl_response_type(res, pl_str_c(type));
    return err < 0 ? err : pl_response_bytes(res, text, NULL, NULL);
}

int pl_respond(struct pl_response *res, int status, const char *type,
               struct pl_str body)
{
    if (body.data == NULL)
        body = PL_STR("");
    return respond(res, status, type,
                   pl_arena_str(&request_of(res)->arena, body));
}

int pl_respondf(struct pl_response *res, int status, const char *type,
                const char *fmt, ...)
{
    struct pl_str text;
    va_list ap;

    va_start(ap, fmt);
    text = pl_arena_vprintf(&request_of(res)->arena, fmt, ap);
    va_end(ap);
    return respond(res, status, type, text);
}

int pl_respond_error(struct pl_response *res, int status, const char *detail)
{
    return pl_response_error(res, status, pl_str_c(detail));
}

int pl_response_cookie(struct pl_response *res, struct pl_str name,
                       struct pl_str value,
                       const struct pl_cookie_options *options)
{
    struct pl_request *req = request_of(res);
    struct pl_cookie_options given;
    struct pl_cookie cookie = {.name = name, .value = value};
    struct pl_buf text;
    int err;

    PL_OPTIONS_READ(&given, options);
    cookie.path = pl_str_c(given.path);
    cookie.domain = pl_str_c(given.domain);
    cookie.has_max_age = given.max_age != 0;
    cookie.max_age = PL_MAX(given.max_age, 0);
    cookie.same_site = given.same_site;
    cookie.secure = given.secure;
    cookie.http_only = given.http_only;
    pl_buf_init(&text, req->arena.pool, &req->account, 0);
    err = pl_cookie_format(&cookie, &text);
    if (err == 0)
        err = pl_response_add(res, PL_STR("Set-Cookie"), pl_buf_str(&text));
    pl_buf_fini(&text);
    return err;
}
