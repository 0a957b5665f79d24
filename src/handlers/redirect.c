#include "handlers/redirect.h"

#include "base/str.h"
#include "base/sys.h"
#include "handlers/expansion.h"
#include "http/request.h"
#include "http/url.h"

struct redirect {
    struct pl_handler handler;
    int status;
    bool rest, query;
    struct pl_str to; /* with rest without a slash at its end */
    char text[];
};

/* to, "/", what follows the prefix, "?" and the query */
static struct pl_str make_location(const struct redirect *self,
                                   struct pl_request *req)
{
    struct pl_str query = self->query ? req->query : pl_str(NULL, 0);
    struct pl_str rest = req->rest;
    size_t room = self->to.len + 3 * rest.len + query.len + 2;
    char *out = pl_arena_bytes(&req->arena, room), *end = out;

    if (out == NULL)
        return pl_str(NULL, 0);
    while (self->to.len == 0 && pl_str_starts(rest, PL_STR("/")))
        rest = pl_str_skip(rest, 1); /* "//a" would be another host */
    end = mempcpy(end, self->to.data, self->to.len);
    if (self->rest) {
        *end++ = '/';
        end += pl_expansion_encode_path(end, rest);
    }
    if (query.len > 0) {
        *end++ = '?';
        end = mempcpy(end, query.data, query.len);
    }
    return pl_str(out, (size_t)(end - out));
}

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    const struct redirect *self =
        PL_CONTAINER_OF(handler, struct redirect, handler);
    struct pl_str location = make_location(self, req);
    int err =
        location.data == NULL ? PL_ERR_NOMEM
        : location.len > PL_EXPANSION_MAX
            ? PL_ERR_TOO_LONG
            : pl_response_redirect(&req->response, location, self->status);

    then->done(then, req, err);
}

static void free_self(struct pl_handler *handler)
{
    pl_free(PL_CONTAINER_OF(handler, struct redirect, handler));
}

bool pl_redirect_status(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

/* What is wrong, or NULL. */
static const char *fault(const struct pl_redirect_options *options)
{
    struct pl_str to = pl_str_c(options->to);
    struct pl_url url;

    if (options->status != 0 && !pl_redirect_status(options->status))
        return "a status of redirects is 301, 302, 303, 307 or 308";
    if (to.len == 0 || pl_url_parse(to, &url) < 0 ||
        (url.scheme.data == NULL && to.data[0] != '/'))
        return "to must be a URL: \"/path\" or \"https://host/path\"";
    if (options->rest && (url.query.data != NULL || url.fragment.data != NULL))
        return "to can have no \"?\" and \"#\" where the rest is appended";
    if (options->query && (url.query.data != NULL || url.fragment.data != NULL))
        return "to can have no \"?\" and \"#\" where the query is appended";
    return NULL;
}

struct pl_handler *pl_redirect_new(const struct pl_redirect_options *options,
                                   struct pl_error *error)
{
    struct pl_str to = pl_str_c(options->to);
    const char *wrong = fault(options);
    struct redirect *self;

    if (wrong != NULL) {
        pl_error_set(error, PL_ERR_INVALID, "", "%s", wrong);
        return NULL;
    }
    self = pl_malloc(sizeof(*self) + to.len);
    if (self == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    memcpy(self->text, to.data, to.len);
    if (options->rest && pl_str_ends(to, PL_STR("/")))
        to.len--;
    *self = (struct redirect){
        .handler = {.kind = "redirect", .start = start, .free = free_self},
        .status = options->status == 0 ? 301 : options->status,
        .rest = options->rest,
        .query = options->query,
        .to = pl_str(self->text, to.len)};
    return &self->handler;
}
