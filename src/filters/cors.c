#include "filters/cors.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/around.h"
#include "filters/vary.h"

#define USUAL_METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"

/* Never changes: workers may share it. */
struct cors {
    struct pl_filter filter;
    bool any, credentials, any_header;
    struct pl_str origins; /* with spaces between */
    struct pl_str methods, headers, expose, max_age;
    char age_text[24];
    char text[];
};

static struct cors *cors_of(struct pl_filter *filter)
{
    return PL_CONTAINER_OF(filter, struct cors, filter);
}

/* ---- origins ---- */

static bool is_label(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '/' || s.data[i] == ':' || s.data[i] == '@')
            return false;
    return s.len > 0;
}

/* "https://a.example", or "https://" "*" ".a.example" for all below it. */
static bool origin_is(struct pl_str pattern, struct pl_str origin)
{
    ptrdiff_t star = pl_str_chr(pattern, '*');
    struct pl_str before, behind;

    if (star < 0)
        return pl_str_ieq(pattern, origin);
    before = pl_str_first(pattern, (size_t)star);
    behind = pl_str_skip(pattern, (size_t)star + 1);
    return origin.len > before.len + behind.len &&
           pl_str_istarts(origin, before) &&
           pl_str_ieq(pl_str_skip(origin, origin.len - behind.len), behind) &&
           is_label(pl_str(origin.data + before.len,
                           origin.len - before.len - behind.len));
}

static bool is_allowed(const struct cors *cors, struct pl_str origin)
{
    struct pl_str rest = cors->origins, pattern;

    if (origin.len == 0)
        return false;
    if (cors->any)
        return true;
    while (pl_str_split(&rest, ' ', &pattern))
        if (pattern.len > 0 && origin_is(pattern, origin))
            return true;
    return false;
}

/* ---- responses ---- */

#define SET(res, name, value) pl_around_set(res, PL_STR(name), value)

/* Who may see it. Caches have to know that this depends on who asks, also where
 * nobody may. */
static void say_origin(const struct cors *cors, struct pl_request *req,
                       struct pl_str origin)
{
    struct pl_response *res = &req->response;

    if (!cors->any)
        (void)pl_vary_add(res, PL_STR("Origin"));
    if (!is_allowed(cors, origin))
        return;
    SET(res, "Access-Control-Allow-Origin", cors->any ? PL_STR("*") : origin);
    if (cors->credentials)
        SET(res, "Access-Control-Allow-Credentials", PL_STR("true"));
}

static void set(struct pl_filter *filter, struct pl_request *req)
{
    const struct cors *cors = cors_of(filter);
    struct pl_str origin = pl_request_header_id(req, PL_HEADER_ORIGIN);

    say_origin(cors, req, origin);
    if (is_allowed(cors, origin))
        SET(&req->response, "Access-Control-Expose-Headers", cors->expose);
}

/* ---- preflight requests (Fetch, 4.8) ---- */

static struct pl_str wanted_method(struct pl_request *req)
{
    return pl_request_header(req, PL_STR("Access-Control-Request-Method"));
}

static struct pl_str headers_for(const struct cors *cors,
                                 struct pl_request *req)
{
    return cors->any_header ? pl_request_header(
                                  req, PL_STR("Access-Control-Request-Headers"))
                            : cors->headers;
}

/* Answers without a word on who may do what if the origin may not. */
static void answer(const struct cors *cors, struct pl_request *req,
                   struct pl_str origin)
{
    struct pl_response *res = &req->response;

    (void)pl_response_status(res, 204);
    say_origin(cors, req, origin);
    (void)pl_vary_add(res, PL_STR("Access-Control-Request-Method"));
    (void)pl_vary_add(res, PL_STR("Access-Control-Request-Headers"));
    if (!is_allowed(cors, origin))
        return;
    SET(res, "Access-Control-Allow-Methods", cors->methods);
    SET(res, "Access-Control-Allow-Headers", headers_for(cors, req));
    SET(res, "Access-Control-Max-Age", cors->max_age);
}

static bool preflight(struct pl_filter *filter, struct pl_request *req)
{
    struct pl_str origin = pl_request_header_id(req, PL_HEADER_ORIGIN);

    if (req->method != PL_METHOD_OPTIONS || origin.len == 0 ||
        wanted_method(req).len == 0)
        return false;
    answer(cors_of(filter), req, origin);
    return true;
}

/* ---- the filter ---- */

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    if (PL_UNLIKELY(req->method == PL_METHOD_OPTIONS) && preflight(filter, req))
        then->done(then, req, 0);
    else
        pl_around_start(filter, req, next, then, set);
}

static void free_filter(struct pl_filter *filter)
{
    pl_free(cors_of(filter));
}

/* ---- options ---- */

static bool refuse(struct pl_error *error, const char *text)
{
    pl_error_set(error, PL_ERR_INVALID, "", "%s", text);
    return false;
}

/* Words with spaces between, as a list of a field. */
static struct pl_str keep_list(char **at, const char *words)
{
    struct pl_str rest = pl_str_c(words), word, out = {*at, 0};

    if (words == NULL)
        return pl_str(NULL, 0);
    while (pl_str_split(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (out.len > 0)
            *at = stpcpy(*at, ", ");
        *at = mempcpy(*at, word.data, word.len);
        out.len = (size_t)(*at - out.data);
    }
    return out;
}

static bool are_origins(struct pl_str list)
{
    struct pl_str origin;
    unsigned n = 0;

    while (pl_str_split(&list, ' ', &origin)) {
        ptrdiff_t at = pl_str_find(origin, PL_STR("://"));

        if (origin.len == 0)
            continue;
        n++;
        if (pl_str_eq(origin, PL_STR("null")))
            continue;
        if (at < 1 || pl_str_chr(pl_str_skip(origin, (size_t)at + 3), '/') >= 0)
            return false;
    }
    return n > 0;
}

static bool configure(struct cors *cors, const struct pl_cors_options *options,
                      struct pl_error *error)
{
    char *at = cors->text;
    size_t len = strlen(options->origins);

    cors->any = strcmp(options->origins, "*") == 0;
    cors->credentials = options->credentials;
    cors->any_header =
        options->headers != NULL && strcmp(options->headers, "*") == 0;
    if (cors->any && cors->credentials)
        return refuse(error, "credentials: not with origins = \"*\", name "
                             "those that may send them");
    if (!cors->any && !are_origins(pl_str_c(options->origins)))
        return refuse(error, "origins: each must be like "
                             "\"https://a.example\", without a path");
    cors->origins = pl_str(at, len);
    at = mempcpy(at, options->origins, len);
    cors->methods = options->methods == NULL ? PL_STR(USUAL_METHODS)
                                             : keep_list(&at, options->methods);
    cors->headers = keep_list(&at, options->headers);
    cors->expose = keep_list(&at, options->expose);
    if (!pl_header_value_valid(cors->methods) ||
        !pl_header_value_valid(cors->headers) ||
        !pl_header_value_valid(cors->expose))
        return refuse(error, "not a possible header field");
    if (options->max_age_s > 0)
        cors->max_age = pl_str(
            cors->age_text,
            (size_t)snprintf(cors->age_text, sizeof(cors->age_text), "%llu",
                             (unsigned long long)options->max_age_s));
    return true;
}

/* In the worst case a space becomes ", ". */
static size_t room_for(const char *words)
{
    return words == NULL ? 0 : 2 * strlen(words) + 1;
}

struct pl_filter *pl_cors_new(const struct pl_cors_options *given,
                              struct pl_error *error)
{
    struct pl_cors_options options;
    struct cors *cors;

    PL_OPTIONS_READ(&options, given);
    if (options.origins == NULL) {
        refuse(error, "origins: say who may read the answers, \"*\" for all");
        return NULL;
    }
    cors =
        pl_calloc(1, sizeof(*cors) + room_for(options.origins) +
                         room_for(options.methods) + room_for(options.headers) +
                         room_for(options.expose));
    if (cors == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    cors->filter = (struct pl_filter){.kind = "cors",
                                      .refs = 1,
                                      .start = start,
                                      .preflight = preflight,
                                      .free = free_filter};
    if (configure(cors, &options, error))
        return &cors->filter;
    pl_free(cors);
    return NULL;
}
