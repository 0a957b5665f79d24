#include "filters/security.h"

#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "filters/around.h"

#define NONCE "{nonce}"

enum {
    MOST = 4096, /* of a policy: a response's head must fit the output */
    FIELDS = 7,
    NONCE_BYTES = 16,
};

/* Never changes: workers may share it. */
struct security {
    struct pl_filter filter;
    unsigned nfields;
    struct {
        struct pl_str name, value;
    } fields[FIELDS];
    struct pl_str policy_name; /* absent: no policy */
    struct pl_str policy;      /* with NONCE in it, perhaps several times */
    char text[];
};

static struct security *security_of(struct pl_filter *filter)
{
    return PL_CONTAINER_OF(filter, struct security, filter);
}

/* ---- responses ---- */

/* The policy, with a number for this response in the place of NONCE. */
static struct pl_str make_policy(const struct security *security,
                                 struct pl_request *req)
{
    char number[(NONCE_BYTES + 2) / 3 * 4 + 1];
    unsigned char bytes[NONCE_BYTES];
    struct pl_str rest = security->policy, nonce, out = PL_STR("");
    ptrdiff_t at = pl_str_find(rest, PL_STR(NONCE));

    if (at < 0)
        return rest;
    pl_random(bytes, sizeof(bytes));
    nonce = pl_str(
        number, pl_base64_encode(number, pl_str((char *)bytes, sizeof(bytes)),
                                 PL_BASE64_STANDARD));
    for (; at >= 0 && out.data != NULL; at = pl_str_find(rest, PL_STR(NONCE))) {
        out = pl_arena_printf(&req->arena, "%.*s%.*s%.*s", PL_STR_ARG(out),
                              (int)at, rest.data, PL_STR_ARG(nonce));
        rest = pl_str_skip(rest, (size_t)at + strlen(NONCE));
    }
    return out.data == NULL
               ? out
               : pl_arena_printf(&req->arena, "%.*s%.*s", PL_STR_ARG(out),
                                 PL_STR_ARG(rest));
}

static void set(struct pl_filter *filter, struct pl_request *req)
{
    const struct security *security = security_of(filter);
    struct pl_response *res = &req->response;

    for (unsigned i = 0; i < security->nfields; i++)
        pl_around_set(res, security->fields[i].name, security->fields[i].value);
    if (security->policy_name.data != NULL &&
        !pl_response_says_name(res, security->policy_name))
        pl_around_set(res, security->policy_name, make_policy(security, req));
}

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    pl_around_start(filter, req, next, then, set);
}

static void free_filter(struct pl_filter *filter)
{
    pl_free(security_of(filter));
}

/* ---- options ---- */

/* NULL is what is usual, "" nothing. */
static const char *or_usual(const char *given, const char *usual)
{
    return given == NULL ? usual : given;
}

static void add(struct security *security, char **at, struct pl_str name,
                const char *value)
{
    struct pl_str kept = pl_str_c(value);

    if (kept.len == 0)
        return;
    memcpy(*at, value, kept.len);
    kept.data = *at;
    *at += kept.len;
    security->fields[security->nfields].name = name;
    security->fields[security->nfields++].value = kept;
}

/* "self", "none" or origins, as the policy and as the older field have them. */
struct frames {
    const char *ancestors, *options;
};

static struct frames read_frames(const char *given)
{
    if (given == NULL || strcmp(given, "self") == 0)
        return (struct frames){"'self'", "SAMEORIGIN"};
    if (strcmp(given, "none") == 0)
        return (struct frames){"'none'", "DENY"};
    return (struct frames){given, NULL}; /* the older one cannot say it */
}

/* The site's policy, and who may show its pages in a frame. */
static void make_policy_text(struct security *security, char *at,
                             const struct pl_security_options *options,
                             const char *ancestors)
{
    const char *csp = or_usual(options->csp, "");

    if (csp[0] == '\0' && ancestors[0] == '\0')
        return;
    security->policy_name = options->csp_report_only
                                ? PL_STR("Content-Security-Policy-Report-Only")
                                : PL_STR("Content-Security-Policy");
    security->policy = pl_str(at, 0);
    if (ancestors[0] == '\0' || strstr(csp, "frame-ancestors") != NULL)
        at = stpcpy(at, csp);
    else
        at += sprintf(at, "%s%sframe-ancestors %s", csp,
                      csp[0] == '\0' ? "" : "; ", ancestors);
    security->policy.len = (size_t)(at - security->policy.data);
}

static bool are_valid(const struct security *security)
{
    bool valid = pl_header_value_valid(security->policy);

    for (unsigned i = 0; i < security->nfields; i++)
        valid = valid && pl_header_value_valid(security->fields[i].value);
    return valid;
}

static bool configure(struct security *security,
                      const struct pl_security_options *options)
{
    struct frames frames = read_frames(options->frame_ancestors);
    char *at = security->text;

    if (!options->sniff)
        add(security, &at, PL_STR("X-Content-Type-Options"), "nosniff");
    add(security, &at, PL_STR("X-Frame-Options"), frames.options);
    add(security, &at, PL_STR("Referrer-Policy"),
        or_usual(options->referrer_policy, "strict-origin-when-cross-origin"));
    add(security, &at, PL_STR("Permissions-Policy"),
        options->permissions_policy);
    add(security, &at, PL_STR("Cross-Origin-Opener-Policy"),
        or_usual(options->opener_policy, "same-origin"));
    add(security, &at, PL_STR("Cross-Origin-Resource-Policy"),
        or_usual(options->resource_policy, "same-origin"));
    add(security, &at, PL_STR("Cross-Origin-Embedder-Policy"),
        options->embedder_policy);
    make_policy_text(security, at, options, frames.ancestors);
    return are_valid(security);
}

static size_t len_of(const char *text)
{
    return text == NULL ? 32 : strlen(text);
}

static size_t room_for(const struct pl_security_options *options)
{
    return 128 + len_of(options->frame_ancestors) +
           len_of(options->referrer_policy) + len_of(options->csp) +
           len_of(options->permissions_policy) +
           len_of(options->opener_policy) + len_of(options->resource_policy) +
           len_of(options->embedder_policy);
}

struct pl_filter *
pl_security_headers_new(const struct pl_security_options *given,
                        struct pl_error *error)
{
    struct pl_security_options options;
    struct security *security;

    PL_OPTIONS_READ(&options, given);
    if (room_for(&options) > MOST) {
        pl_error_set(error, PL_ERR_LIMIT, "",
                     "all fields together have more than %d bytes", MOST);
        return NULL;
    }
    security = pl_calloc(1, sizeof(*security) + room_for(&options));
    if (security == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    security->filter = (struct pl_filter){.kind = "security_headers",
                                          .refs = 1,
                                          .start = start,
                                          .free = free_filter};
    if (configure(security, &options))
        return &security->filter;
    pl_error_set(error, PL_ERR_INVALID, "", "not a possible header field");
    pl_free(security);
    return NULL;
}

/* ---- the number of a policy ---- */

struct pl_str pl_response_nonce(const struct pl_response *res)
{
    static const struct pl_str before = PL_STR("'nonce-");
    struct pl_str policy =
        pl_response_get(res, PL_STR("Content-Security-Policy"));
    ptrdiff_t at = pl_str_find(policy, before), end;

    if (at < 0)
        return pl_str(NULL, 0);
    policy = pl_str_skip(policy, (size_t)at + before.len);
    end = pl_str_chr(policy, '\'');
    return end < 0 ? pl_str(NULL, 0) : pl_str_first(policy, (size_t)end);
}
