/* condition.c - a row of the table for each kind of condition. Those that have
 * a value give what the request has of it, and are compared here. */
#include "handlers/condition.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/sys.h"
#include "http/media.h"
#include "http/negotiate.h"
#include "http/origin.h"
#include "http/query.h"

#ifndef RESOLVE_CACHED /* Linux 5.12 */
#define RESOLVE_CACHED 0x20
#endif

/* One question to a request. */
struct asked {
    const struct pl_test *test;
    struct pl_request *req;
    const struct pl_luapat_match *match;
    struct pl_str value; /* the test's, filled */
    bool wait;
    struct pl_str found; /* what the request has; absent: nothing */
};

/* ---- what has a name and a value: found, and 0 or PL_ERR_AGAIN ---- */

static int find_cookie(struct asked *asked)
{
    asked->found = pl_request_cookie(asked->req, asked->test->name);
    return 0;
}

static int find_query(struct asked *asked)
{
    asked->found = pl_request_arg(asked->req, asked->test->name);
    return 0;
}

static int find_header(struct asked *asked)
{
    asked->found = pl_request_header(asked->req, asked->test->name);
    return 0;
}

static int find_environment(struct asked *asked)
{
    asked->found = pl_str_c(getenv(asked->test->name.data));
    return 0;
}

static int find_capture(struct asked *asked)
{
    asked->found = asked->match->parts[asked->test->n];
    return 0;
}

/* What is wrong with a body is for who reads it as its own: here there is no
 * such field. */
static int find_form(struct asked *asked)
{
    struct pl_request *req = asked->req;
    struct pl_str type = pl_request_header_id(req, PL_HEADER_CONTENT_TYPE);
    int err;

    if (!pl_media_is(type, PL_STR("application/x-www-form-urlencoded")))
        return 0;
    if (asked->wait) {
        asked->found = pl_request_form_arg(req, asked->test->name);
        return 0;
    }
    err = pl_body_whole(req);
    if (err == 0)
        asked->found =
            pl_query_get(pl_body_text(req), asked->test->name, &req->arena);
    return err == PL_ERR_AGAIN ? err : 0;
}

/* ---- what is so or not: 1, 0 or PL_ERR_* ---- */

static int is_method(struct asked *asked)
{
    return asked->test->n >> asked->req->method & 1;
}

static int is_accepted(struct asked *asked)
{
    struct pl_str field =
        pl_request_header(asked->req, PL_STR("accept-encoding"));

    return pl_accept_encoding_quality(field, asked->test->name) > 0;
}

static int is_proxied(struct asked *asked)
{
    return pl_request_is_proxied(asked->req);
}

static int is_http_1_0(struct asked *asked)
{
    return asked->req->version == 10;
}

static int is_https(struct asked *asked)
{
    return asked->req->secure;
}

static int has_query(struct asked *asked)
{
    return asked->req->query.len > 0;
}

/* ---- files ---- */

/* Asks the kernel's memory only: 0, PL_ERR_AGAIN, or another error. */
static int look(const char *path, struct stat *st)
{
    int fd = pl_sys_openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, RESOLVE_CACHED);
    int err;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? PL_ERR_NOT_FOUND
                                                   : PL_ERR_AGAIN;
    err = pl_sys_fstat(fd, st) < 0 ? PL_ERR_AGAIN : 0;
    pl_sys_close(fd);
    return err;
}

/* What captures have made must not climb. */
static bool climbs(struct pl_str path)
{
    struct pl_str part;

    while (pl_str_split(&path, '/', &part))
        if (pl_str_eq(part, PL_STR("..")))
            return true;
    return false;
}

static int is_there(struct asked *asked)
{
    struct stat st;
    int err;

    if (climbs(asked->value))
        return 0;
    err = asked->wait ? pl_fs_stat(asked->req, asked->value.data, &st)
                      : look(asked->value.data, &st);
    if (err == PL_ERR_AGAIN || err == PL_ERR_CANCELED || err == PL_ERR_NOMEM)
        return err;
    if (err < 0)
        return 0;
    if (asked->test->when == PL_WHEN_FILE)
        return S_ISREG(st.st_mode);
    return asked->test->when != PL_WHEN_FOLDER || S_ISDIR(st.st_mode);
}

/* ---- the table ---- */

enum needs { NEEDS_NONE, NEEDS_NAME, NEEDS_VALUE };

static const struct kind {
    const char *name; /* for errors */
    int (*find)(struct asked *asked);
    int (*holds)(struct asked *asked); /* in its place */
    enum needs needs;
} kinds[] = {
    [PL_WHEN_METHOD] = {"method", NULL, is_method, NEEDS_VALUE},
    [PL_WHEN_COOKIE] = {"cookie", find_cookie, NULL, NEEDS_NAME},
    [PL_WHEN_QUERY] = {"query", find_query, NULL, NEEDS_NAME},
    [PL_WHEN_FORM] = {"post", find_form, NULL, NEEDS_NAME},
    [PL_WHEN_HEADER] = {"header", find_header, NULL, NEEDS_NAME},
    [PL_WHEN_ENVIRONMENT] = {"environment", find_environment, NULL, NEEDS_NAME},
    [PL_WHEN_CAPTURE] = {"backref", find_capture, NULL, NEEDS_NAME},
    [PL_WHEN_ENCODING] = {"encoding", NULL, is_accepted, NEEDS_NAME},
    [PL_WHEN_PROXIED] = {"proxied", NULL, is_proxied, NEEDS_NONE},
    [PL_WHEN_HTTP_1_0] = {"http_1.0", NULL, is_http_1_0, NEEDS_NONE},
    [PL_WHEN_HTTPS] = {"https", NULL, is_https, NEEDS_NONE},
    [PL_WHEN_HAS_QUERY] = {"has_query_string", NULL, has_query, NEEDS_NONE},
    [PL_WHEN_EXISTS] = {"stat", NULL, is_there, NEEDS_VALUE},
    [PL_WHEN_FILE] = {"stat", NULL, is_there, NEEDS_VALUE},
    [PL_WHEN_FOLDER] = {"stat", NULL, is_there, NEEDS_VALUE},
};

/* ---- reading ---- */

static int bad(struct pl_error *error, const char *kind, const char *why,
               const char *what)
{
    return pl_error_set(error, PL_ERR_INVALID, "", "condition '%s': %s%s%s%s",
                        kind, why, what == NULL ? "" : " '",
                        what == NULL ? "" : what, what == NULL ? "" : "'");
}

/* "GET POST" */
static int read_methods(struct pl_test *out, struct pl_str names,
                        struct pl_error *error)
{
    struct pl_str all = names, name;

    while (pl_str_split(&names, ' ', &name)) {
        enum pl_method method = pl_method_parse(name);

        if (name.len > 0 && method == PL_METHOD_UNKNOWN)
            return bad(error, "method", "no list of methods:", all.data);
        if (name.len > 0)
            out->n |= 1u << method;
    }
    if (out->n == 0)
        return bad(error, "method", "a method is needed", NULL);
    if (out->n >> PL_METHOD_GET & 1) /* as for routes */
        out->n |= 1u << PL_METHOD_HEAD;
    return 0;
}

static int read_number(struct pl_test *out, const struct pl_luapat *pattern,
                       struct pl_error *error)
{
    uint64_t n;

    if (!pl_str_to_u64(out->name, &n) || n > pl_luapat_captures(pattern))
        return bad(error, "backref", "the pattern has no capture",
                   out->name.data);
    out->n = (unsigned)n;
    return 0;
}

/* Lwan's names, too. */
static int read_coding(struct pl_test *out, struct pl_error *error)
{
    static const struct pl_str known[] = {
        {"gzip", 4}, {"br", 2}, {"zstd", 4}, {"deflate", 7}, {"identity", 8}};

    if (pl_str_eq(out->name, PL_STR("brotli")))
        out->name = PL_STR("br");
    if (pl_str_eq(out->name, PL_STR("none")))
        out->name = PL_STR("identity");
    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (pl_str_eq(out->name, known[i]))
            return 0;
    return bad(error, "encoding", "no coding of content:", out->name.data);
}

int pl_test_read(struct pl_test *out, struct pl_arena *arena,
                 const struct pl_condition *condition,
                 const struct pl_luapat *pattern, struct pl_error *error)
{
    const struct kind *kind;

    if ((unsigned)condition->when >= PL_COUNT(kinds))
        return bad(error, "?", "there is no such condition", NULL);
    kind = &kinds[condition->when];
    *out =
        (struct pl_test){.when = condition->when, .unless = condition->unless};
    if (kind->needs == NEEDS_NAME &&
        (condition->name == NULL || condition->name[0] == '\0'))
        return bad(error, kind->name, "a name is needed", NULL);
    if (kind->needs == NEEDS_VALUE && condition->value == NULL)
        return bad(error, kind->name, "a value is needed", NULL);
    if (kind->needs == NEEDS_NAME) {
        out->name = pl_arena_str(arena, pl_str_c(condition->name));
        if (out->name.data == NULL)
            return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    }
    if (condition->when == PL_WHEN_METHOD)
        return read_methods(out, pl_str_c(condition->value), error);
    if (condition->when == PL_WHEN_ENCODING)
        return read_coding(out, error);
    if (condition->when == PL_WHEN_CAPTURE &&
        read_number(out, pattern, error) < 0)
        return PL_ERR_INVALID;
    if (condition->value == NULL || kind->needs == NEEDS_NONE)
        return 0;
    return pl_expansion_read(&out->value, arena, pl_str_c(condition->value),
                             false, pattern, error);
}

/* ---- asking ---- */

static int ask(struct asked *asked)
{
    const struct kind *kind = &kinds[asked->test->when];
    int err = 0;

    if (asked->test->value.pieces != NULL)
        err = pl_expansion_make(&asked->test->value, asked->match,
                                &asked->req->arena, &asked->value);
    if (err < 0)
        return err;
    if (kind->holds != NULL)
        return kind->holds(asked);
    err = kind->find(asked);
    if (err < 0)
        return err;
    return asked->found.data != NULL &&
           (asked->value.data == NULL || pl_str_eq(asked->found, asked->value));
}

int pl_test_holds(const struct pl_test *test, struct pl_request *req,
                  const struct pl_luapat_match *match, bool wait)
{
    struct asked asked = {
        .test = test, .req = req, .match = match, .wait = wait};
    int got = ask(&asked);

    return got < 0 ? got : got != test->unless;
}
