#include "filters/caching.h"

#include "base/luapat.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"

/* Of all patterns, for one request; beyond it nothing is said. */
enum { STEPS = 50000 };

struct rule {
    struct pl_luapat *pattern;
    struct pl_str cache_control; /* absent: none */
    int64_t expires;             /* seconds; -1: none */
};

struct caching {
    struct pl_filter filter;
    unsigned count;
    struct pl_arena arena; /* of the texts */
    struct pl_pool pool;
    struct rule rules[];
};

static const struct rule *find(const struct caching *self, struct pl_str path)
{
    struct pl_luapat_match match;
    uint64_t steps = STEPS;

    for (unsigned i = 0; i < self->count; i++) {
        int got =
            pl_luapat_find(self->rules[i].pattern, path, 0, &steps, &match);

        if (got != 0)
            return got > 0 ? &self->rules[i] : NULL;
    }
    return NULL;
}

/* What the route says itself stays; a handler that says something wins. */
static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    const struct caching *self =
        PL_CONTAINER_OF(filter, struct caching, filter);
    struct pl_response *res = &req->response;
    const struct rule *rule = NULL;

    if (res->cache_control.data == NULL && res->expires < 0)
        rule = find(self, req->path);
    if (rule != NULL) {
        res->cache_control = rule->cache_control;
        res->expires = rule->expires;
    }
    pl_next_start(next, req, then);
}

static void free_self(struct pl_filter *filter)
{
    struct caching *self = PL_CONTAINER_OF(filter, struct caching, filter);

    for (unsigned i = 0; i < self->count; i++)
        pl_luapat_free(self->rules[i].pattern);
    pl_arena_fini(&self->arena);
    pl_pool_fini(&self->pool);
    pl_free(self);
}

/* ---- making one ---- */

/* "max-age=3600" */
static struct pl_str max_age(struct pl_arena *arena, uint64_t seconds)
{
    return pl_arena_printf(arena, "max-age=%llu", (unsigned long long)seconds);
}

static int read_rule(struct caching *self, struct rule *rule,
                     const struct pl_caching_rule *from, struct pl_error *error)
{
    const uint64_t second = 1000;
    struct pl_str said = pl_str_c(from->cache_control);
    uint64_t ms = 0;

    rule->pattern = pl_luapat_new(pl_str_c(from->pattern), error);
    if (rule->pattern == NULL)
        return error->code;
    self->count++;
    rule->expires = -1;
    if (said.data == NULL && from->expires == NULL)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "pattern '%.64s': cache_control or expires is "
                            "needed",
                            from->pattern);
    if (said.data != NULL && !pl_header_value_valid(said))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "cache_control is not a header value");
    if (from->expires != NULL && (!pl_str_to_ms(pl_str_c(from->expires), &ms) ||
                                  ms / second > INT32_MAX))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "expires: '%.64s' is not a duration (\"1h\")",
                            from->expires);
    if (from->expires != NULL)
        rule->expires = (int64_t)(ms / second);
    rule->cache_control = said.data != NULL
                              ? pl_arena_str(&self->arena, said)
                              : max_age(&self->arena, ms / second);
    return rule->cache_control.data != NULL
               ? 0
               : pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
}

struct pl_filter *pl_caching_new(const struct pl_caching_rule *rules,
                                 size_t count, struct pl_error *error)
{
    struct caching *self =
        pl_calloc(1, sizeof(*self) + count * sizeof(struct rule));
    int err = 0;

    if (self == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    self->filter = (struct pl_filter){
        .kind = "caching", .refs = 1, .start = start, .free = free_self};
    pl_pool_init(&self->pool, NULL, 0);
    pl_arena_init(&self->arena, &self->pool, NULL);
    for (size_t i = 0; i < count && err == 0; i++)
        err = read_rule(self, &self->rules[i], &rules[i], error);
    if (err < 0) {
        free_self(&self->filter);
        return NULL;
    }
    return &self->filter;
}
