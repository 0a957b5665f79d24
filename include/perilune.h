/* perilune.h - the public C interface of perilune, and its only installed
 * header.
 *
 * Four words say who owns memory: a function TAKES what it frees later (also
 * when it fails), BORROWS it until it returns, COPIES it, or GIVES it to the
 * caller to free. What is said to live "as long as the request" comes from the
 * request's arena and is never freed singly.
 *
 * Functions that can fail return 0 or a negative PL_ERR_* code. */
#ifndef PERILUNE_H
#define PERILUNE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PL_API __attribute__((visibility("default")))
#define PL_FORMAT(fmt, args) __attribute__((format(printf, fmt, args)))

/* ---- strings ----------------------------------------------------------- */

/* Bytes with a length; not terminated. data is NULL for "absent", which is
 * different from "" (len is 0 for both). Borrowed unless said otherwise. */
struct pl_str {
    const char *data;
    size_t len;
};

#ifdef __cplusplus
#define PL_STR(literal) (pl_str{(literal), sizeof(literal) - 1})
#else
#define PL_STR(literal) ((struct pl_str){(literal), sizeof(literal) - 1})
#endif
#define PL_STR_ARG(s) (int)(s).len, (s).data /* for "%.*s" */

/* Of a terminated string; NULL gives the absent string. */
static inline struct pl_str pl_str_c(const char *text)
{
    struct pl_str s = {text, text != NULL ? strlen(text) : 0};

    return s;
}

static inline bool pl_str_eq(struct pl_str a, struct pl_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The number that s is: decimal digits only, no sign, no space, not empty.
 * False (and *out left alone) for anything else and beyond 64 bits. */
PL_API bool pl_str_to_u64(struct pl_str s, uint64_t *out);

/* ---- errors ------------------------------------------------------------ */

/* One list makes the enum, the names and the texts. The third column is the
 * HTTP status that an error which reaches the top of a handler turns into. */
#define PL_ERR_MAP(X) /* name, value, HTTP status, text */                     \
    X(AGAIN, -1, 500, "more input is needed")                                  \
    X(PROTO, -2, 400, "malformed message")                                     \
    X(LIMIT, -3, 413, "a configured limit was exceeded")                       \
    X(NOMEM, -4, 503, "out of memory")                                         \
    X(TIMEOUT, -5, 408, "timed out")                                           \
    X(CANCELED, -6, 503, "canceled")                                           \
    X(CLOSED, -7, 400, "closed by the peer")                                   \
    X(IO, -8, 500, "input/output error")                                       \
    X(NOT_FOUND, -9, 404, "not found")                                         \
    X(EXISTS, -10, 409, "exists already")                                      \
    X(DENIED, -11, 403, "permission denied")                                   \
    X(INVALID, -12, 500, "invalid argument")                                   \
    X(STATE, -13, 500, "not possible in this state")                           \
    X(BUSY, -14, 503, "in use")                                                \
    X(UNSUPPORTED, -15, 501, "not supported")                                  \
    X(NO_FDS, -16, 503, "out of file descriptors")                             \
    X(TOO_LONG, -17, 414, "name too long")                                     \
    X(SYNTAX, -18, 500, "syntax error")                                        \
    X(EOF, -19, 400, "unexpected end of input")                                \
    X(NO_SPACE, -20, 507, "no space left on the disk")                         \
    X(ABORTED, -21, 500, "aborted: it took too much")                          \
    X(REFUSED, -22, 502, "connection refused")                                 \
    X(UNREACHABLE, -23, 502, "not reachable")                                  \
    X(STOPPING, -24, 503, "the server is stopping")

enum pl_err {
#define PL_ERR_ENUM(name, value, status, text) PL_ERR_##name = (value),
    PL_ERR_MAP(PL_ERR_ENUM)
#undef PL_ERR_ENUM
};

/* "PL_ERR_LIMIT" and "a configured limit was exceeded"; never NULL. */
PL_API const char *pl_err_name(int err);
PL_API const char *pl_err_text(int err);

/* ---- the application ----------------------------------------------------

    static int hello(struct pl_request *req, struct pl_response *res, void *arg)
    {
        return pl_respond(res, 200, "text/plain", PL_STR("Hello!\n"));
    }

    int main(void)
    {
        struct pl_app *app = pl_app_new();

        pl_app_get(app, "/hello", hello, NULL);
        pl_app_listen(app, "127.0.0.1:8080");
        return pl_app_run(app);
    }

 * First everything is said, by one thread; then pl_app_run() serves it on one
 * worker (a thread with an event loop) per CPU. A program need not look at
 * what the functions before it return: pl_app_run() refuses to start after a
 * failure and says which call it was. */

struct pl_app;
struct pl_request;
struct pl_response;
struct pl_next;

/* Answers a request: returns what became of it, that is 0 (what was built is
 * sent; if nothing was, an empty 200), an HTTP status from 200 to 599 (with a
 * small page from 400 on), or PL_ERR_* (logged, and answered with the status of
 * the third column above).
 *
 * Runs on a fiber of the worker that has the connection: it may wait in
 * straight lines by the functions marked WAITS, and other requests are served
 * meanwhile. It must not block the thread otherwise (see pl_offload()), and has
 * 64 KiB of stack. Several requests run the same handler at the same time, on
 * several threads: what arg points to is shared. */
typedef int pl_handler_fn(struct pl_request *req, struct pl_response *res,
                          void *arg);

/* Code around handlers: does something, calls pl_next(), does something more
 * and returns the result; or answers itself without pl_next(). */
typedef int pl_filter_fn(struct pl_request *req, struct pl_response *res,
                         const struct pl_next *next, void *arg);

/* Runs the filters that follow and the handler; returns their result. At most
 * once in a filter. WAITS. */
PL_API int pl_next(struct pl_request *req, const struct pl_next *next);

/* "0.1.0": of the library that is linked. */
PL_API const char *pl_version(void);

/* NULL when out of memory or descriptors. */
PL_API struct pl_app *pl_app_new(void);

/* Not while it runs. app may be NULL. */
PL_API void pl_app_free(struct pl_app *app);

/* What went wrong first, in words; "" if nothing did. Lives as long as app. */
PL_API const char *pl_app_error(const struct pl_app *app);

/* Routes. A pattern is "/about", "/user/:id" (one element, see
 * pl_request_param()) or "/files/" followed by "*rest" (all that follows).
 * GET answers HEAD too. BORROWS arg as long as app. Returns 0, PL_ERR_INVALID,
 * PL_ERR_EXISTS or PL_ERR_NOMEM; PL_ERR_STATE once the application runs. */
PL_API int pl_app_get(struct pl_app *app, const char *pattern,
                      pl_handler_fn *handler, void *arg);
PL_API int pl_app_post(struct pl_app *app, const char *pattern,
                       pl_handler_fn *handler, void *arg);
PL_API int pl_app_put(struct pl_app *app, const char *pattern,
                      pl_handler_fn *handler, void *arg);
PL_API int pl_app_patch(struct pl_app *app, const char *pattern,
                        pl_handler_fn *handler, void *arg);
PL_API int pl_app_delete(struct pl_app *app, const char *pattern,
                         pl_handler_fn *handler, void *arg);
PL_API int pl_app_head(struct pl_app *app, const char *pattern,
                       pl_handler_fn *handler, void *arg);
PL_API int pl_app_options(struct pl_app *app, const char *pattern,
                          pl_handler_fn *handler, void *arg);
PL_API int pl_app_any(struct pl_app *app, const char *pattern,
                      pl_handler_fn *handler, void *arg);

/* methods: "GET POST", separated by spaces. */
PL_API int pl_app_route(struct pl_app *app, const char *methods,
                        const char *pattern, pl_handler_fn *handler, void *arg);

/* A filter around the routes that are added after it, in the same group. */
PL_API int pl_app_use(struct pl_app *app, pl_filter_fn *filter, void *arg);

/* Routes between begin and end are for one host ("a.example", or "*.a.example"
 * for all below it), or below a prefix, and keep their filters to themselves.
 * They may be nested. */
PL_API int pl_app_host_begin(struct pl_app *app, const char *host);
PL_API int pl_app_host_end(struct pl_app *app);
PL_API int pl_app_group_begin(struct pl_app *app, const char *prefix);
PL_API int pl_app_group_end(struct pl_app *app);

/* Options may grow: size says how much of them the caller knows, and what is
 * not set is 0. */
struct pl_limits {
    size_t size; /* sizeof(struct pl_limits) */
    /* The budget of a request, beyond which it gets 503: milliseconds since it
     * began, waits included, and of CPU. A handler in C is not interrupted: its
     * next wait is PL_ERR_CANCELED. */
    uint64_t wall_ms, cpu_ms;
    /* Bytes of a body that is read as a whole, of any body, and of one that
     * stays in memory. */
    uint64_t max_body, max_upload, body_spool;
    uint32_t max_form_fields, max_parts; /* of a form; beyond them 413 */
    uint32_t body_rate;                  /* bytes a second, at least */
};

/* Limits of the routes that are added after it in the same group, in the place
 * of those before. 0: as the settings say; all bits (UINT64_MAX, UINT32_MAX):
 * no limit. NULL: all as the settings say. COPIES. Returns 0 or
 * PL_ERR_STATE. */
PL_API int pl_app_limits(struct pl_app *app, const struct pl_limits *limits);

/* How the files of a folder are served. */
struct pl_app_static_options {
    size_t size;               /* sizeof(struct pl_app_static_options) */
    const char *index;         /* names with spaces between: the first that is
                                  there; NULL: "index.html"; "": none */
    const char *expires;       /* "1h", "30d": how long it may be kept */
    const char *cache_control; /* the field, if expires does not say it */
    const char *fallback;      /* a file of folder, for paths without a dot in
                                  their last element that are not there and are
                                  asked for as HTML: single-page applications */
    const char *not_found;     /* a file of folder: the content of a 404 */
    const char *symlinks;      /* which links are followed: NULL or "inside":
                                  those that stay in folder; "owner": those that
                                  have the owner of what they lead to; "none";
                                  "all" */
    const char *cache;         /* "5s": a look at the disk is good for so long;
                                  NULL: 1 s; "0": every request looks */
    bool preload;              /* read all files now (64 MiB at most), and never
                                  look at the disk again */
    bool dot_files;            /* serve names that begin with "." */
    bool no_precompressed;     /* do not serve a.js.br, a.js.zst, a.js.gz in the
                                  place of a.js to who accepts the coding */
    const char *listing;       /* list folders that have no index: by a Mustache
                                  template, or "" for the page of perilune's
                                  own; NULL: 404 */
};

/* Serves the files of folder below prefix. options may be NULL. */
PL_API int pl_app_static(struct pl_app *app, const char *prefix,
                         const char *folder,
                         const struct pl_app_static_options *options);

/* ---- other paths, other places -------------------------------------------
 *
 * Rules that make other paths of some paths, or send clients elsewhere. A
 * pattern is one of Lua (`^/old/(%d+)$`; docs/rewrite.md), matched in bounded
 * time; in texts "%1" is what its first "( )" has captured, "%0" the whole
 * match, "%%" a percent sign. */

/* What a rule may ask for. */
enum pl_when {
    PL_WHEN_METHOD = 1,  /* value: "GET POST"; GET includes HEAD */
    PL_WHEN_COOKIE,      /* name, value */
    PL_WHEN_QUERY,       /* the same, decoded: of the query string, */
    PL_WHEN_FORM,        /* ... of a form that was posted (not multipart),
                            whose body is read as a whole */
    PL_WHEN_HEADER,      /* the same */
    PL_WHEN_ENVIRONMENT, /* the same, of the process */
    PL_WHEN_CAPTURE,     /* name: "1", value */
    PL_WHEN_ENCODING,    /* name: the client accepts "gzip", "br", "zstd",
                            "deflate" or "identity" */
    PL_WHEN_PROXIED,     /* it came through a proxy that is believed */
    PL_WHEN_HTTP_1_0,    /* it is a request of HTTP/1.0 */
    PL_WHEN_HTTPS,       /* it came with TLS */
    PL_WHEN_HAS_QUERY,   /* there is a query string, and not "" */
    PL_WHEN_EXISTS,      /* value: a path of the disk, where there is ... */
    PL_WHEN_FILE,        /* ... something, a file, or a folder; one with a */
    PL_WHEN_FOLDER,      /* ... ".." in it never is */
};

struct pl_condition {
    enum pl_when when;
    const char *name;
    const char *value; /* "%1" may stand in it; NULL: any will do */
    bool unless;       /* the other way round */
};

/* Makes *to, as long as the request, of captures ([0] is the whole match, count
 * all of them). A path of this site ("/path?query"), or for a redirect any
 * location; what cannot stand in a URL is percent-encoded. Absent: the rule is
 * not for this request. Returns 0, or a PL_ERR_* or status to answer with. Runs
 * on a fiber: may WAIT. */
typedef int pl_rewrite_fn(struct pl_request *req, const struct pl_str *captures,
                          unsigned count, void *arg, struct pl_str *to);

struct pl_rewrite_options {
    size_t size;    /* sizeof(struct pl_rewrite_options) */
    const char *to; /* "/new/%1". Captures are percent-encoded, so that they do
                       not leave their part of the URL. Without a "?" the query
                       of the request is kept */
    pl_rewrite_fn *fn; /* in the place of to */
    void *arg;
    int redirect; /* 301, 302, 303, 307, 308: the client is sent there; 0: the
                     request is answered as if it had come for that path */
    bool last;    /* rules are not asked again about the new path */
    const struct pl_condition *conditions; /* all of them must hold */
    size_t conditions_count;
};

/* Before a request is routed, rules are tried in the order they were added; the
 * first that matches its path (anywhere, unless "^" and "$" say otherwise) and
 * whose conditions hold decides. In a group or host it is for paths and hosts
 * of that, and its pattern for what follows the prefix. The new path is looked
 * at by the rules again; after the fourth the answer is 500. Filters are those
 * of the route that the last path has. */
PL_API int pl_app_rewrite(struct pl_app *app, const char *pattern,
                          const struct pl_rewrite_options *options);

/* The same as a route of its own: rules are asked about what is below prefix,
 * without a slash in front, inside the filters of the group; 404 if none is for
 * it. patterns[i] belongs to options[i], all of this header's size. */
PL_API int pl_app_rewrite_below(struct pl_app *app, const char *prefix,
                                const char *const *patterns,
                                const struct pl_rewrite_options *options,
                                size_t count);

struct pl_redirect_options {
    size_t size;    /* sizeof(struct pl_redirect_options) */
    const char *to; /* "https://blog.example/" or "/blog" */
    int status;     /* 301, 302, 303, 307, 308; 0: 301 */
    bool rest;      /* what follows the prefix is appended, */
    bool query;     /* ... and the query string */
};

/* Sends clients that ask for prefix, or anything below it, elsewhere. */
PL_API int pl_app_redirect(struct pl_app *app, const char *prefix,
                           const struct pl_redirect_options *options);

struct pl_fixed_options {
    size_t size;        /* sizeof(struct pl_fixed_options) */
    int status;         /* 200 to 599; 0: 200 */
    struct pl_str body; /* absent: none, or for an error its page */
    const char *type;   /* NULL: text/html if the body begins with "<", else
                           text/plain */
    const char *const
        *headers; /* name, value, name, value, ... NULL; or NULL */
};

/* Answers all methods of a path with the same response. */
PL_API int pl_app_respond_with(struct pl_app *app, const char *pattern,
                               const struct pl_fixed_options *options);
/* ---- reverse proxy ---------------------------------------------------------
 *
 * Requests sent on to other servers over HTTP/1.1, in the clear, with TLS or by
 * UNIX sockets, on connections that are kept (docs/upstream.md). Bodies stream
 * both ways, each only as fast as its reader; WebSockets go through. What the
 * other side answers is read as strictly as a request is (502); one that does
 * not answer in time is 504, and where none can be asked, 503. */
struct pl_pair;
struct pl_tls_client;

struct pl_proxy_server {
    const char *url; /* "http://host:port", "https://host/path",
                        "unix:/path" */
    unsigned weight; /* its share, from 1 to 100; 0: 1 */
    bool backup;     /* only when none of the others can be asked */
};

/* How it is found out whether the servers are well: a GET for each, by one
 * worker. */
struct pl_proxy_check {
    size_t size;                     /* sizeof(struct pl_proxy_check) */
    const char *path;                /* NULL: "/" */
    const char *host;                /* its Host field; NULL: the server's */
    uint32_t interval_ms;            /* 0: 10 s */
    uint32_t timeout_ms;             /* of each; 0: 2 s */
    unsigned status_from, status_to; /* that are well; 0: 200, 399 */
    unsigned rises, falls; /* equal results in a row that are believed; 0: 1 */
};

/* Zeroes are the defaults; where a number may be "none", that is UINT32_MAX. */
struct pl_proxy_options {
    size_t size;                           /* sizeof(struct pl_proxy_options) */
    const struct pl_proxy_server *servers; /* 1 to 64 of them */
    size_t nservers;
    const char
        *balance;     /* NULL or "round_robin", "least_connections", "hash" */
    const char *hash; /* balance by it: "address", "path", "header:NAME",
                         "cookie:NAME"; consistent */
    bool strip;       /* the prefix is taken off the path */
    const char *path; /* ... and this put in its place; also the path of a URL.
                         NULL: paths stay as they are */
    const char
        *host; /* the Host field: NULL or "keep", "upstream", or a host */
    const char *forwarded; /* who asks is said by: NULL or "x-forwarded",
                              "forwarded" (RFC 7239), "both"; "": nobody */
    const char *via;       /* our name in Via fields; NULL: there are none */
    const struct pl_pair *request_headers; /* set in requests; an absent value
                                              takes the field out */
    size_t nrequest_headers;
    const struct pl_pair *response_headers; /* the same in responses */
    size_t nresponse_headers;
    bool keep_location;        /* do not rewrite Location */
    bool keep_cookies;         /* ... nor the paths and domains of cookies */
    const char *cookie_domain; /* in the place of theirs; "": none at all */
    bool no_websocket;         /* Upgrade is not sent on */
    uint32_t max_connections;  /* requests at a time, of a server and worker; 0:
                                  no limit */
    uint32_t queue;            /* requests that wait for one; 0: 128 */
    uint32_t queue_ms;         /* ... at most so long; 0: 10 s */
    uint32_t keepalive;     /* idle connections, of a server and worker; 0: 32
                             */
    uint32_t keepalive_ms;  /* 0: 60 s */
    uint32_t connect_ms;    /* with TLS; 0: 5 s */
    uint32_t first_byte_ms; /* from the request to the answer; 0: 60 s */
    uint32_t between_ms;    /* between two pieces of it; 0: 60 s */
    uint32_t total_ms;      /* of all of it; 0: no limit */
    uint32_t tunnel_ms;     /* WebSockets without a byte; 0: 1 h */
    uint32_t retries;       /* other servers that are asked; 0: 2 */
    uint32_t max_failures;  /* in a row, until a server is left alone; 0: 3 */
    uint32_t pause_ms;      /* ... for so long, then twice that, ...; 0: 5 s */
    const struct pl_proxy_check *check; /* NULL: nobody asks */
    const struct pl_tls_client *tls;    /* for https; alpn means nothing */
};

/* Sends all requests below prefix on. COPIES options. */
PL_API int pl_app_proxy(struct pl_app *app, const char *prefix,
                        const struct pl_proxy_options *options);

/* ---- FastCGI programs ------------------------------------------------------
 *
 * Requests sent on to PHP (php-fpm) and other programs that speak FastCGI, on
 * TCP or UNIX sockets (docs/fastcgi-client.md, docs/php.md). What is said of a
 * proxy's servers, time and bodies holds here, too. */
struct pl_fastcgi_options {
    size_t size; /* sizeof(struct pl_fastcgi_options) */
    const struct pl_proxy_server *servers; /* 1 to 64 of them; their url is
                                              "host:port" or "unix:/path" */
    size_t nservers;
    const char *balance, *hash; /* as of a proxy */
    const char *root;           /* the folder of the scripts; NULL: one program
                                   has all paths, and PATH_INFO is what follows
                                   the prefix */
    const char *script_root;    /* what the servers call it; NULL: the same */
    bool remote;                /* it is on their machine only: nobody looks
                                   whether a script is there */
    const char *suffixes;       /* names with spaces between; NULL: ".php" */
    const char *index;          /* names with spaces between; NULL: "index.php",
                                   and with files "index.html" behind it */
    const char *fallback;   /* the script for what is not there; NULL: 404 */
    const char *no_scripts; /* folders with spaces between, in which nothing is
                               a script: what clients have uploaded */
    const char *symlinks;   /* as of pl_app_static() */
    bool files;             /* serve files of root that are no scripts */
    bool buffer;            /* read bodies as a whole before they are sent on */
    const struct pl_pair *params; /* variables for the programs, in the place of
                                     ours; an absent value takes one out */
    size_t nparams;
    const char *sendfile;        /* a folder of which scripts may name files, by
                                    X-Sendfile; NULL: none */
    const char *sendfile_prefix; /* ... or by X-Accel-Redirect: as a path that
                                    begins with this */
    const struct pl_pair *response_headers; /* as of a proxy */
    size_t nresponse_headers;
    /* The same as of a proxy. But keepalive is off at 0: a process of PHP
     * serves nobody else as long as its connection is kept. */
    uint32_t max_connections, queue, queue_ms;
    uint32_t keepalive, keepalive_ms;
    uint32_t connect_ms, first_byte_ms, between_ms, total_ms;
    uint32_t retries, max_failures, pause_ms;
};

/* Sends requests below prefix on: those for scripts, or all of them. COPIES
 * options. */
PL_API int pl_app_fastcgi(struct pl_app *app, const char *prefix,
                          const struct pl_fastcgi_options *options);

/* ---- running a site ------------------------------------------------------ */

struct pl_maintenance_options {
    size_t size;      /* sizeof(struct pl_maintenance_options) */
    const char *file; /* it is on as long as something is there; looked at once
                         a second; NULL: no file */
    bool (*on)(struct pl_request *req, void *arg); /* ... or as this says, which
                         may not wait; any worker; NULL: nobody is asked */
    void *arg;
    const char *retry_after; /* "10m": the field Retry-After; NULL: none */
    const char *allow;       /* clients that pass: "10.0.0.0/8 ::1 unix:" */
    const char *message;     /* shown on the page of the error; may be NULL */
};

/* A filter, as pl_app_use(): answers 503 while a site is being worked on. */
PL_API int pl_app_maintenance(struct pl_app *app,
                              const struct pl_maintenance_options *options);

struct pl_caching_rule {
    const char *pattern;       /* of Lua, for paths: "%.css$" */
    const char *cache_control; /* the field; NULL: max-age, of expires */
    const char *expires;       /* "1h": Expires; NULL: none */
};

/* A filter, as pl_app_use(): how long responses may be kept, by the first rule
 * whose pattern their path matches. What routes and handlers say themselves
 * wins; of errors nothing is said. */
PL_API int pl_app_cache_control(struct pl_app *app,
                                const struct pl_caching_rule *rules,
                                size_t count);

/* How much each client may have (docs/limits.md). A rate, or concurrent, or
 * both. */
struct pl_limit_options {
    size_t size;       /* sizeof(struct pl_limit_options) */
    const char *rate;  /* "10/s", "5/m", "100/15m": requests in a time */
    uint32_t burst;    /* that may come at once; 0: as many as the rate names */
    const char *delay; /* "500ms": who comes too early waits so long at most;
                          NULL: is refused */
    uint32_t concurrent; /* requests at a time; 0: no limit */
    const char *key; /* what clients are told from each other by: "address"*,
                        "user" (pl_request_user()), "header:NAME", which are the
                        address where there is none, or "all": all of them are
                        one */
    /* ... or what this says, of the request's arena or static; absent: this
     * request is not limited. May not wait; any worker. NULL: see key. */
    struct pl_str (*key_of)(struct pl_request *req, void *arg);
    void *arg;
    unsigned ipv4_bits;  /* of an address that count; 0: 32 */
    unsigned ipv6_bits;  /* 0: 64, what one customer has at least */
    const char *allow;   /* clients without limits: "10.0.0.0/8 ::1 unix:" */
    unsigned status;     /* of the answer to who is refused; 0: 429 */
    const char *message; /* shown on the page of the error; may be NULL */
    uint32_t clients;    /* that are remembered; 0: 65536 */
};

/* A filter, as pl_app_use(): lets each client have only so much, of all workers
 * together. Who is refused is told by Retry-After when to come again. */
PL_API int pl_app_limit(struct pl_app *app,
                        const struct pl_limit_options *options);

/* How answers are compressed (docs/compression.md). */
struct pl_compress_options {
    size_t size;           /* sizeof(struct pl_compress_options) */
    const char *types;     /* media types with spaces between: "text/html",
                              "text/" and a star, "*" "+json"; NULL: those
                              that become smaller by it */
    const char *encodings; /* "br zstd gzip", the one that is preferred first;
                              NULL: all three, as far as they are installed */
    uint64_t min;      /* bytes: shorter ones are sent as they are; 0: 1024 */
    unsigned level;    /* 1 (fast) to 9 (small); 0: what suits each coding */
    bool off;          /* not at all, also within a group that does */
    bool raw_requests; /* bodies of requests are not decoded */
};

/* A filter around the routes that are added after it, in the same group: sends
 * what they answer in a content coding that the client takes, and decodes
 * bodies of requests (all limits count decoded bytes). options may be NULL.
 * Returns 0, PL_ERR_INVALID, PL_ERR_NOT_FOUND (the plug-in of a coding that is
 * named), PL_ERR_NOMEM; PL_ERR_STATE once the application runs. */
PL_API int pl_app_compress(struct pl_app *app,
                           const struct pl_compress_options *options);

/* Who of other origins may read what is answered (docs/filters.md). */
struct pl_cors_options {
    size_t size;         /* sizeof(struct pl_cors_options) */
    const char *origins; /* with spaces between: "https://a.example", with a
                            star for all hosts below one; or "*" alone: all of
                            them. Needed */
    const char *methods; /* with spaces between; NULL: GET, HEAD, POST, PUT,
                            PATCH and DELETE */
    const char *headers; /* fields that requests may have, with spaces between,
                            or "*": those that are asked for; NULL: none but
                            those that are always allowed */
    const char *expose;  /* fields of responses that scripts may read */
    bool credentials;    /* cookies and the like may be sent: not with "*" */
    uint64_t max_age_s;  /* how long a browser remembers it; 0: its own time */
};

/* A filter around the routes that are added after it, in the same group: lets
 * pages of other origins read what they answer, and answers preflight requests
 * for them (of OPTIONS, which the routes need not have). Returns as
 * pl_app_use(). */
PL_API int pl_app_cors(struct pl_app *app,
                       const struct pl_cors_options *options);

/* What browsers are told about pages. A text that is NULL is what is usual, and
 * "" leaves the field out. */
struct pl_security_options {
    size_t size;                    /* sizeof(struct pl_security_options) */
    bool sniff;                     /* no X-Content-Type-Options: nosniff */
    const char *frame_ancestors;    /* who may show pages in a frame: "self"*,
                                       "none", or origins */
    const char *referrer_policy;    /* "strict-origin-when-cross-origin"* */
    const char *csp;                /* Content-Security-Policy; each "{nonce}"
                                       in it becomes a new number for each
                                       response: pl_response_nonce() */
    bool csp_report_only;           /* breaches are reported, and allowed */
    const char *permissions_policy; /* ""* */
    const char *opener_policy;      /* "same-origin"* */
    const char *resource_policy;    /* "same-origin"* */
    const char *embedder_policy;    /* ""* */
};

/* A filter that sets these fields where the handler does not. options may be
 * NULL. Returns as pl_app_use(). */
PL_API int pl_app_security_headers(struct pl_app *app,
                                   const struct pl_security_options *options);

/* The number of the response's Content-Security-Policy, for the attribute nonce
 * of scripts and styles; absent if it has none. Lives as long as the policy. */
PL_API struct pl_str pl_response_nonce(const struct pl_response *res);

/* A filter that gives each request an id which is the same on all machines that
 * it goes through: that of a trusted proxy, if it says one, else a new one. The
 * handler finds it as a field of the request, the client as one of the response
 * and, if it is a proxy's, the access log. header: NULL is "X-Request-Id".
 * Returns as pl_app_use(). */
PL_API int pl_app_request_id(struct pl_app *app, const char *header);

/* Where to listen: "127.0.0.1:8080", "[::1]:8080", ":8080", "unix:/run/x.sock",
 * "unix:@name" (abstract), "fd:3" (a socket that listens already), "systemd" or
 * "systemd:name" (those that it has passed).
 * Port 0 takes a free one. May be called several times; without it pl_app_run()
 * takes 127.0.0.1:8080. The address is opened by pl_app_run(). */
PL_API int pl_app_listen(struct pl_app *app, const char *address);

/* TLS of an address (docs/tls.md). Zeroes are the defaults. The files are in
 * PEM form, and are read again when they change. */
struct pl_app_tls_options {
    size_t size;                         /* sizeof(struct pl_app_tls_options) */
    const struct pl_app_tls_cert *certs; /* the first: for names of none */
    size_t ncerts;
    bool dev; /* without certs: one of our own making, for localhost */
    const char *min_version;  /* NULL: "1.2"; "1.3" */
    const char *ciphers;      /* of TLS 1.2, in the words of OpenSSL */
    const char *ciphersuites; /* of TLS 1.3 */
    const char *curves;
    const char *verify; /* of clients: NULL or "none", "optional", "required",
                           "any" */
    const char *ca;     /* who has signed their certificates */
    unsigned verify_depth; /* certificates between; 0: 4 */
    bool no_session_tickets;
    unsigned session_timeout_s;     /* 0: an hour */
    unsigned ticket_key_rotation_s; /* 0: twelve hours */
    uint64_t hsts_s; /* Strict-Transport-Security: max-age; 0: is not said */
    bool redirect;   /* what comes in the clear is sent to https, not refused */
};

struct pl_app_tls_cert {
    const char *cert; /* a chain, the server's own first */
    const char *key;  /* NULL: in the file of cert */
    const char *ocsp; /* an answer to be shown with it (DER); NULL: none */
};

/* How an address is listened on (docs/listeners.md). Zeroes are the defaults.
 */
struct pl_app_listen_options {
    size_t size;          /* sizeof(struct pl_app_listen_options) */
    const char *protocol; /* NULL or "http"; "http/1.1", "h2", "auto", "fastcgi"
                           */
    int backlog;          /* connections that wait for us; 0: the system's */
    unsigned reuseport;   /* number of sockets (TCP); 0: one for each CPU */
    unsigned mode;        /* of a UNIX socket's file; 0: as umask says */
    bool v6only;          /* [::] does not mean IPv4, too */
    bool no_defer_accept; /* TCP: take connections before their first bytes */
    const char *proxy_protocol; /* connections begin with a PROXY header:
                                   "required", "optional"; NULL: they do not */
    const char *trusted; /* who may send one: addresses with spaces between
                            ("10.0.0.0/8 ::1 unix:"); NULL: as the setting
                            `trusted` says */
    const struct pl_app_tls_options *tls; /* NULL: in the clear */
    unsigned redirect_port; /* clients are sent to https:// at this port and
                               are not served here; 0: they are */
    const char *forwarded;  /* fields of trusted proxies that are believed, with
                               spaces between; "": none; NULL: as the setting
                               `forwarded` says, or "x-forwarded-for
                               x-forwarded-proto" */
    const char *owner, *group; /* of a UNIX socket's file: names or numbers */
    const char *sendfile; /* FastCGI: the web server sends files: "x-sendfile",
                             or the beginning of its internal paths of them
                             ("/internal"); NULL: we do */
};

/* pl_app_listen() with options, which may be NULL. COPIES. */
PL_API int pl_app_listen_with(struct pl_app *app, const char *address,
                              const struct pl_app_listen_options *options);

/* How long the turns of the workers' loops were, from the end of a wait for
 * events to the beginning of the next one: while one lasts, all other requests
 * of its worker wait. Sums over the workers, since the start. */
struct pl_turn_stats {
    size_t size; /* of this struct: set by the caller */
    uint64_t turns, total_ns, longest_ns;
    uint64_t held;    /* times that the watchdog saw a worker held */
    uint64_t aborted; /* handlers that it aborted */
    /* [0]: shorter than 2^10 ns; [i]: shorter than 2^(10 + i) ns, but not than
     * half of that; the last: all that are longer. */
    uint64_t buckets[28];
};

/* Fills *stats as far as its size goes. Any thread, between pl_app_on_start and
 * the end of pl_app_run(); else all is 0. */
PL_API void pl_app_turn_stats(const struct pl_app *app,
                              struct pl_turn_stats *stats);

/* A setting, as in the configuration: ("workers", "4"), ("max_body", "2m"),
 * ("access_log", "-"), ... (docs/c-api.md has a list), and two of programs:
 *
 *     signals   off*   TERM and INT are the program's own affair: without a
 *                      handler of its own they end the process at once
 *               on     the process is perilune's. TERM and QUIT finish the
 *                      running requests, a second one or INT ends at once, a
 *                      third by _exit(); USR1 opens the log files anew; PIPE
 *                      is ignored; a crash leaves its last words in the log
 *     announce  off*   say nothing
 *               on     a line "listening on ..." for each address to stdout */
PL_API int pl_app_set(struct pl_app *app, const char *name, const char *value);

/* A field of every response that does not set it itself. */
PL_API int pl_app_set_header(struct pl_app *app, const char *name,
                             const char *value);

/* A pointer for handlers: pl_app_state(pl_request_app(req)). TAKES state:
 * free_state (may be NULL) is called by pl_app_free(), or by the next
 * pl_app_set_state(). */
PL_API void pl_app_set_state(struct pl_app *app, void *state,
                             void (*free_state)(void *state));
PL_API void *pl_app_state(const struct pl_app *app);

/* Called once when the addresses are open and connections may come, by a
 * worker's thread. */
PL_API void pl_app_on_start(struct pl_app *app,
                            void (*fn)(struct pl_app *app, void *arg),
                            void *arg);

/* Serves until pl_app_stop() or a signal. Returns an exit code: 0, 1 (failed at
 * run time), 3 (a call before this one failed), 4 (an address cannot be
 * opened); what is wrong was said on stderr. Once per application, and one
 * application at a time. */
PL_API int pl_app_run(struct pl_app *app);

/* Ends pl_app_run(): running requests finish, as long as "stop_timeout" allows;
 * called again, at once. Any thread, also before it runs. */
PL_API void pl_app_stop(struct pl_app *app);

/* The port of the first address; 0 before pl_app_on_start() and for UNIX
 * sockets. Any thread. */
PL_API unsigned pl_app_port(const struct pl_app *app);

/* ---- the request ---------------------------------------------------------
 *
 * A request, and what these functions give, lives until its response has gone.
 * Nothing here waits. Use it on its worker's thread only. */

/* The application that it came to; NULL in a module of a Lua site. */
PL_API struct pl_app *pl_request_app(const struct pl_request *req);

PL_API struct pl_str pl_request_method(const struct pl_request *req);

/* Decoded, and free of "." and ".."; an encoded slash stays "%2F". */
PL_API struct pl_str pl_request_path(const struct pl_request *req);

/* As it came. */
PL_API struct pl_str pl_request_raw_path(const struct pl_request *req);

/* As it came, without "?"; absent if there is none. */
PL_API struct pl_str pl_request_query(const struct pl_request *req);

/* The host the request is for, as it came, without the port (0 if none is
 * given; port may be NULL); absent if the client does not say. */
PL_API struct pl_str pl_request_host(struct pl_request *req, uint16_t *port);

/* "http" or "https". */
PL_API struct pl_str pl_request_scheme(const struct pl_request *req);

/* 10, 11, 20, 30. */
PL_API int pl_request_version(const struct pl_request *req);

/* The field of that name, in any case; absent if there is none. Several are
 * joined by ", " (cookies by "; "), RFC 9110, 5.3. */
PL_API struct pl_str pl_request_header(struct pl_request *req,
                                       struct pl_str name);

/* All fields in their order, by index from 0; false at the end. */
PL_API bool pl_request_header_at(const struct pl_request *req, unsigned index,
                                 struct pl_str *name, struct pl_str *value);

/* A decoded field of the query; absent if there is none. */
PL_API struct pl_str pl_request_arg(struct pl_request *req, struct pl_str name);

/* What a ":name" or "*name" of the route's pattern stands for, decoded. */
PL_API struct pl_str pl_request_param(const struct pl_request *req,
                                      struct pl_str name);

PL_API struct pl_str pl_request_cookie(struct pl_request *req,
                                       struct pl_str name);

/* The client's address ("" for UNIX sockets) and port; port may be NULL. Where
 * a listener trusts proxies it is what they say; "unknown" if they say it in a
 * way that nobody can read. */
PL_API struct pl_str pl_request_remote(struct pl_request *req, uint16_t *port);

/* What the TLS of a connection is. Text is never NULL, and as long-lived as the
 * request. A later version may have more at the end. */
struct pl_request_tls {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_128_GCM_SHA256" */
    const char *sni;     /* the name that was asked for, in lower case; or "" */
    const char *alpn;    /* "http/1.1", or "" */
    bool resumed;        /* by a ticket, without a full handshake */
    bool has_client;     /* the client has shown a certificate: */
    bool verified;       /* one that `ca` vouches for; else see error */
    const char *error;
    const char *subject, *issuer;  /* RFC 4514: "CN=Ada,O=Example" */
    const char *serial;            /* hexadecimal */
    const char *fingerprint;       /* SHA-256 of it, hexadecimal */
    int64_t not_before, not_after; /* seconds since 1970 */
};

/* NULL: the connection of req to us has none, or has gone. */
PL_API const struct pl_request_tls *pl_request_tls(struct pl_request *req);

/* What the PROXY header said that the connection began with
 * (docs/listeners.md). Texts live as long as the request; absent: not said. */
struct pl_proxy_info {
    size_t size;      /* of this struct: set by the caller */
    int version;      /* of the header: 1, 2 */
    char address[64]; /* where the client has connected to; "": not said */
    uint16_t port;
    struct pl_str alpn, authority, unique_id, netns;
    bool tls; /* the client came by TLS, which the proxy has ended */
    bool tls_certificate; /* ... with a certificate */
    bool tls_verified;    /* ... that the proxy has found good */
    struct pl_str tls_version, tls_cipher, tls_cn, tls_signature, tls_key;
};

/* False, and *info is left alone: the connection began with none, or the proxy
 * asks by itself. */
PL_API bool pl_request_proxy(struct pl_request *req,
                             struct pl_proxy_info *info);

/* The value of an item of the header by its type: those that clouds add (0xea:
 * AWS, 0xee: Azure, 0xe0: GCP). Absent: there is none. */
PL_API struct pl_str pl_request_proxy_item(struct pl_request *req,
                                           uint8_t type);

/* A variable of CGI (RFC 3875, 4.1: "REMOTE_ADDR", "HTTP_ACCEPT",
 * "SCRIPT_FILENAME") as a web server has said it by FastCGI (docs/fastcgi.md);
 * of any other request, what one would have said of it. Absent: there is none.
 * Both live as long as the request. */
PL_API struct pl_str pl_request_env(struct pl_request *req, struct pl_str name);

/* The one at index, in no order; one that was said again (the last one counts)
 * is there twice. False: there are not so many. */
PL_API bool pl_request_env_at(struct pl_request *req, unsigned index,
                              struct pl_str *name, struct pl_str *value);

/* 16 hexadecimal digits, not terminated: the one in the log. */
enum { PL_REQUEST_ID_LEN = 16 };
PL_API void pl_request_id(const struct pl_request *req,
                          char out[PL_REQUEST_ID_LEN]);

/* ---- the request's body ------------------------------------------------- */

/* Reads at most n bytes as they arrive: their number, 0 at the end, or
 * PL_ERR_CLOSED (broken off), PL_ERR_PROTO, PL_ERR_TIMEOUT, PL_ERR_CANCELED.
 * Bodies may be of any length. WAITS. */
PL_API ssize_t pl_request_read(struct pl_request *req, char *to, size_t n);

/* The whole body, as long as the request lives. Returns 0, PL_ERR_LIMIT if it
 * is larger than "max_body", PL_ERR_NO_SPACE if the disk is full that it is
 * kept on beyond "body_spool", or an error as above: return it from the
 * handler, and the peer gets 413, 507, 400 or 408. May be called again. WAITS.
 */
PL_API int pl_request_body(struct pl_request *req, struct pl_str *body);

/* A decoded field of a form (application/x-www-form-urlencoded). Absent if
 * there is none, or no such body: pl_request_body() tells why. WAITS. */
PL_API struct pl_str pl_request_form_arg(struct pl_request *req,
                                         struct pl_str name);

/* Reads what is left of the body and forgets it: the bytes of all of it, or an
 * error as above. WAITS. */
PL_API int64_t pl_request_discard(struct pl_request *req);

/* ---- the request's body: files and forms ---------------------------------
 *
 * A body is used in one way: read, whole, saved, discarded or in parts; another
 * way is PL_ERR_STATE. Files are written by threads made for that, and a client
 * that sends faster than the disk writes has to wait. */

struct pl_save_options {
    size_t size;    /* sizeof(struct pl_save_options) */
    unsigned mode;  /* permissions; 0: 0644 */
    bool exclusive; /* never replace a file: PL_ERR_EXISTS */
    bool sync;      /* return when it is on the disk */
    uint64_t max;   /* bytes; 0: no limit; beyond it PL_ERR_LIMIT */
};

/* Makes what is left of the body the file path: there is a whole one or none,
 * and one that was there is replaced, whatever happens meanwhile. Returns its
 * size, or what is wrong with the body (as above) or with the file:
 * PL_ERR_NO_SPACE, PL_ERR_NOT_FOUND (the folder), PL_ERR_DENIED, ... options
 * may be NULL. WAITS. */
PL_API int64_t pl_request_save(struct pl_request *req, const char *path,
                               const struct pl_save_options *options);

struct pl_parts_options {
    size_t size;        /* sizeof(struct pl_parts_options) */
    unsigned max_parts; /* 0: as the setting says */
    uint64_t max_size;  /* bytes of each part; 0: no limit */
    uint64_t max_total; /* bytes of the body; 0: no limit */
};

/* The body is a form with files, multipart/form-data (RFC 7578), to be read
 * part by part: before the first pl_part_next(), which without this call does
 * it with no options. Returns 0, PL_ERR_UNSUPPORTED if it is something else,
 * PL_ERR_PROTO, PL_ERR_LIMIT, PL_ERR_NOMEM. options may be NULL. */
PL_API int pl_request_parts(struct pl_request *req,
                            const struct pl_parts_options *options);

/* Passes over the rest of the current part, on to the next one. Returns 1 and
 * *part, which holds until the next call; 0 at the end; or PL_ERR_PROTO,
 * PL_ERR_LIMIT, or why the body was broken off. WAITS. */
struct pl_part;
PL_API int pl_part_next(struct pl_request *req, struct pl_part **part);

/* The name of its field. */
PL_API struct pl_str pl_part_name(const struct pl_part *part);

/* The file's name without any path and without control characters, never "."
 * or "..", at most 255 bytes; absent if it is no file or none was chosen. And
 * what the client has said in its place: trust it with nothing. */
PL_API struct pl_str pl_part_filename(const struct pl_part *part);
PL_API struct pl_str pl_part_raw_filename(const struct pl_part *part);

/* Content-Type, and any other field, in any case; absent if there is none. */
PL_API struct pl_str pl_part_type(const struct pl_part *part);
PL_API struct pl_str pl_part_header(const struct pl_part *part,
                                    struct pl_str name);

/* Reads at most n bytes of the part: their number, 0 at its end, or an error as
 * above. WAITS. */
PL_API ssize_t pl_part_read(struct pl_part *part, char *to, size_t n);

/* What is left of it, as long as the request lives; more than limit bytes (0:
 * no limit) are PL_ERR_LIMIT. WAITS. */
PL_API int pl_part_text(struct pl_part *part, size_t limit,
                        struct pl_str *text);

/* As pl_request_save(), of what is left of the part. WAITS. */
PL_API int64_t pl_part_save(struct pl_part *part, const char *path,
                            const struct pl_save_options *options);

/* ---- the response --------------------------------------------------------
 *
 * First status and fields, then a body: as a whole, a file, or a stream. What
 * is said when the head has left is PL_ERR_STATE. Conditional and range
 * requests, HEAD, Content-Length and chunks are seen to by the server. */

/* 200 unless set. 200 to 999. */
PL_API int pl_response_status(struct pl_response *res, int status);

/* Sets (replaces) or adds a field; COPIES. Content-Type, ETag and
 * Last-Modified are what conditions are judged by; Content-Length declares the
 * length of a stream. Connection, Transfer-Encoding, Keep-Alive, Upgrade, TE,
 * Trailer and Date are PL_ERR_DENIED: the server makes them. A bad name or
 * value (CR, LF, NUL) is PL_ERR_INVALID. An absent value removes the field. */
PL_API int pl_response_set(struct pl_response *res, struct pl_str name,
                           struct pl_str value);
PL_API int pl_response_add(struct pl_response *res, struct pl_str name,
                           struct pl_str value);

/* What was set, or absent. */
PL_API struct pl_str pl_response_get(const struct pl_response *res,
                                     struct pl_str name);

enum pl_same_site {
    PL_SAME_SITE_UNSET, /* the attribute is left out: browsers take Lax */
    PL_SAME_SITE_LAX,
    PL_SAME_SITE_STRICT,
    PL_SAME_SITE_NONE
};

struct pl_cookie_options {
    size_t size;        /* sizeof(struct pl_cookie_options) */
    const char *path;   /* NULL: left out */
    const char *domain; /* NULL: this host only */
    int64_t max_age;    /* seconds; 0: as long as the browser runs; below
                           0: delete it */
    enum pl_same_site same_site;
    bool secure, http_only;
};

/* Adds a Set-Cookie. options may be NULL. PL_ERR_INVALID for what browsers
 * would not take: encode values with spaces, quotes, commas, semicolons. */
PL_API int pl_response_cookie(struct pl_response *res, struct pl_str name,
                              struct pl_str value,
                              const struct pl_cookie_options *options);

/* The whole body. BORROWS bytes until the response has gone: give memory of the
 * request (pl_alloc(), a builder), constants, or say by release(arg) when it is
 * free: it is called once, also on failure. release may be NULL. */
PL_API int pl_response_bytes(struct pl_response *res, struct pl_str bytes,
                             void (*release)(void *arg), void *arg);

/* A file as the body, with type and validators. root NULL: the program chose
 * the path. Else it may come from a peer, and nothing outside the folder root
 * is sent. PL_ERR_NOT_FOUND, PL_ERR_DENIED, ...: return it from the handler. */
PL_API int pl_response_send_file(struct pl_response *res, const char *root,
                                 struct pl_str path);

/* Location and a short body; status 301, 302, 303, 307, 308. location is
 * checked, not encoded. */
PL_API int pl_response_redirect(struct pl_response *res, struct pl_str location,
                                int status);

/* Status, type (NULL: as it was set) and body in one; COPIES. */
PL_API int pl_respond(struct pl_response *res, int status, const char *type,
                      struct pl_str body);
PL_API int pl_respondf(struct pl_response *res, int status, const char *type,
                       const char *fmt, ...) PL_FORMAT(4, 5);

/* A small page that says what status means, and detail (may be NULL), as HTML
 * or text. */
PL_API int pl_respond_error(struct pl_response *res, int status,
                            const char *detail);

/* A piece of a stream; the first one sends the head. COPIES what cannot be sent
 * at once. Returns 0, or PL_ERR_CLOSED when the peer has gone, or wanted the
 * head only and this writes on and on; PL_ERR_LIMIT when more is said than was
 * declared, PL_ERR_CANCELED. WAITS when the peer reads more slowly than this
 * writes. */
PL_API int pl_response_write(struct pl_response *res, struct pl_str bytes);

/* Sends what was written now, not at the end of the worker's turn (the next
 * wait); the head too, if nothing was written. */
PL_API int pl_response_flush(struct pl_response *res);

/* ---- before, behind and instead of a body ---------------------------------
 */

struct pl_pair {
    struct pl_str name, value;
};

/* Sends an informational response (102 to 199) at once, before the one that
 * this is about: 103 with Link fields lets a browser fetch what the page is
 * going to need (RFC 8297). Any number of times, until the head has left:
 * PL_ERR_STATE then. Clients whose HTTP knows none (1.0) are told nothing,
 * which is 0, too. PL_ERR_INVALID (status, a name, a value), PL_ERR_DENIED (a
 * field that frames messages), PL_ERR_CLOSED, PL_ERR_NOMEM. */
PL_API int pl_response_informational(struct pl_response *res, int status,
                                     const struct pl_pair *fields, size_t n);

/* A field behind the body of a stream (RFC 9110, 6.5): any time until the
 * handler returns, again to replace it. Before the first write it is announced
 * in the head, with or without (absent) a value. Left out where a response has
 * no place for it: HTTP/1.0, a declared or known length, no body. COPIES.
 * PL_ERR_INVALID; PL_ERR_DENIED for fields that mean nothing there (framing,
 * authentication, caching, Content-*, Set-Cookie, ...), PL_ERR_LIMIT (64),
 * PL_ERR_STATE, PL_ERR_NOMEM. */
PL_API int pl_response_trailer(struct pl_response *res, struct pl_str name,
                               struct pl_str value);

/* The first field of that name behind the request's body, in any case; absent
 * if there is none, or the body was not read to its end. Those that would be
 * PL_ERR_DENIED above are dropped. */
PL_API struct pl_str pl_request_trailer(const struct pl_request *req,
                                        struct pl_str name);

/* All of them in their order, by index from 0; false at the end. */
PL_API bool pl_request_trailer_at(const struct pl_request *req, unsigned index,
                                  struct pl_str *name, struct pl_str *value);

/* ---- server-sent events ----------------------------------------------------

    static int news(struct pl_request *req, struct pl_response *res, void *arg)
    {
        struct pl_event_stream *stream;
        struct pl_event event = {.data = PL_STR("tick")};
        int err = pl_events_begin(res, NULL, &stream);

        while (err == 0 && (err = pl_events_send(stream, &event)) == 0)
            err = pl_sleep(req, 1000);
        return err;
    }

 * The format of EventSource in browsers (HTML, 9.2). When the client leaves,
 * the handler's wait ends at once with PL_ERR_CANCELED; so it does when the
 server
 * stops, and the client comes again to the next one. */

struct pl_event_stream;

struct pl_events_options {
    size_t size;       /* sizeof(struct pl_events_options) */
    uint64_t retry_ms; /* a client that was cut off comes again after that;
                          0: as it likes */
    uint64_t ping_ms;  /* a comment goes out when nothing else did for so long,
                          so that proxies keep the connection and the dead are
                          found; 0: 15 s; UINT64_MAX: never */
};

/* Makes the response one of events and sends its head: status and fields must
 * have been set, no body begun (PL_ERR_STATE). Caching, transformation and
 * gathering by proxies are forbidden. The stream lives as long as the request.
 * options may be NULL. Returns 0, PL_ERR_CLOSED, PL_ERR_NOMEM. */
PL_API int pl_events_begin(struct pl_response *res,
                           const struct pl_events_options *options,
                           struct pl_event_stream **stream);

/* What the client has seen last: its Last-Event-ID; absent at first. */
PL_API struct pl_str pl_events_last_id(const struct pl_event_stream *stream);

/* What is absent is not sent. */
struct pl_event {
    struct pl_str data; /* UTF-8; its lines arrive with LF between them */
    struct pl_str type; /* one line; absent: "message" */
    struct pl_str id;   /* one line without NUL, which the client keeps */
    uint64_t retry_ms;  /* 0: as before */
};

/* Returns 0, PL_ERR_INVALID (a line end in type or id, a NUL in id),
 * PL_ERR_CLOSED, PL_ERR_CANCELED. COPIES. WAITS while the client does not
 * read. */
PL_API int pl_events_send(struct pl_event_stream *stream,
                          const struct pl_event *event);

/* A line that clients pass over. The same. */
PL_API int pl_events_comment(struct pl_event_stream *stream,
                             struct pl_str text);
/* ---- WebSocket ------------------------------------------------------------
 *
 * RFC 6455. A handler of GET makes its request one by pl_ws_accept() and talks
 * in straight lines; the socket is closed when it returns:
 *
 *     static int echo(struct pl_request *req, struct pl_response *res, void
 * *arg)
 *     {
 *         struct pl_ws_message message;
 *         struct pl_ws *ws;
 *         int err = pl_ws_accept(req, NULL, &ws);
 *
 *         while (err == 0 && (err = pl_ws_receive(ws, &message)) == 0)
 *             err = pl_ws_send(ws, message.kind, message.data);
 *         return err;
 *     }
 *
 * Or functions are called for each message, and a socket that is idle needs
 * neither a fiber nor its request: pl_app_websocket(). Pings, the closing
 * handshake, fragments and limits are seen to by the server. */

struct pl_ws;

enum pl_ws_kind { PL_WS_TEXT = 1, PL_WS_BINARY = 2 };

/* Why a socket is closed (RFC 6455, 7.4); 3000 to 4999 are free for use. */
enum pl_ws_code {
    PL_WS_NORMAL = 1000,
    PL_WS_GOING_AWAY = 1001,
    PL_WS_PROTOCOL_ERROR = 1002,
    PL_WS_UNACCEPTABLE = 1003,
    PL_WS_NO_CODE = 1005,  /* the peer has said none; never sent */
    PL_WS_ABNORMAL = 1006, /* it went without a word; never sent */
    PL_WS_NOT_UTF8 = 1007,
    PL_WS_POLICY = 1008,
    PL_WS_TOO_BIG = 1009,
    PL_WS_ERROR = 1011,
    PL_WS_RESTART = 1012, /* the service goes on elsewhere: come again */
    PL_WS_TRY_LATER = 1013,
};

struct pl_ws_message {
    enum pl_ws_kind kind;
    struct pl_str data; /* text is UTF-8 */
};

/* Are messages packed for clients that can (permessage-deflate, RFC 7692)? */
enum pl_ws_compress {
    PL_WS_PLAIN,   /* no */
    PL_WS_PACKED,  /* each by itself: takes no memory for a socket */
    PL_WS_CONTEXT, /* better, with what came before: some 48 KiB for each */
};

/* 0 and NULL are the defaults; UINT64_MAX: never. */
struct pl_ws_options {
    size_t size;          /* sizeof(struct pl_ws_options) */
    uint64_t max_message; /* bytes; 0: 1 MiB; a longer one closes with 1009 */
    uint64_t ping_ms; /* a peer that is silent for so long is pinged: 30 s */
    uint64_t
        timeout_ms;    /* and given up after so long without an answer: 30 s */
    uint64_t idle_ms;  /* closed after so long without a message; 0: never */
    uint64_t close_ms; /* the peer has so long for its close frame: 10 s */
    /* Subprotocols with spaces between, the best first: the first one that the
     * client has is chosen. */
    const char *protocols;
    enum pl_ws_compress compress;
    uint32_t compress_min; /* bytes that are worth it: 512 */
    unsigned window_bits;  /* of PL_WS_CONTEXT, 9 to 15: 12 */
    /* The pages that may connect, with spaces between: "https://a.example",
     * "a.example", "*.example"; "*" for all. NULL: those of the request's own
     * host. Clients that are no browsers say no origin and are let in. */
    const char *origins;
};

/* Makes the request of the calling handler a WebSocket, which lives as long as
 * the request and is closed at the handler's end (1011 if its result is below
 * 0, else 1000). Returns 0; or a status above 0 when the request is none or may
 * not (400, 403, 426), or PL_ERR_*: return it from the handler. */
PL_API int pl_ws_accept(struct pl_request *req,
                        const struct pl_ws_options *options, struct pl_ws **ws);

/* The next message: 0 and *message, which holds until the next call; or
 * PL_ERR_CLOSED when there will be none any more, PL_ERR_CANCELED, PL_ERR_BUSY
 * if somebody receives already. WAITS. */
PL_API int pl_ws_receive(struct pl_ws *ws, struct pl_ws_message *message);

/* Sends a message; text must be UTF-8, or the peer will close. COPIES. Returns
 * 0, PL_ERR_CLOSED when the socket is closed and PL_ERR_CANCELED for who goes
 * on after that, PL_ERR_NOMEM. WAITS while the peer reads more slowly than
 * this sends. */
PL_API int pl_ws_send(struct pl_ws *ws, enum pl_ws_kind kind,
                      struct pl_str data);

/* The same without waiting: PL_ERR_AGAIN, and nothing was sent. */
PL_API int pl_ws_try_send(struct pl_ws *ws, enum pl_ws_kind kind,
                          struct pl_str data);

/* A ping beside those that the server sends by itself. As pl_ws_try_send(). */
PL_API int pl_ws_ping(struct pl_ws *ws);

/* Begins the closing handshake: no message is received or sent any more.
 * reason: UTF-8 of at most 123 bytes, may be absent. Returns 0, PL_ERR_CLOSED
 * if it was closed already, PL_ERR_INVALID for a code that may not be sent. */
PL_API int pl_ws_close(struct pl_ws *ws, unsigned code, struct pl_str reason);

/* Why it was closed: the code of the first close frame, either way, and its
 * reason (may be NULL); 0 while it is open. */
PL_API unsigned pl_ws_closed(const struct pl_ws *ws, struct pl_str *reason);

/* The socket is sent what is published to topic from now on, by whatever worker
 * (pl_publish()), until it leaves or is closed: as text if it is UTF-8, else as
 * binary. A message is made a frame once for all sockets of a worker. Who has
 * 256 KiB to read already misses it (drop), or is closed with 1013. Returns 0,
 * PL_ERR_CLOSED, PL_ERR_INVALID or PL_ERR_TOO_LONG (the topic), PL_ERR_LIMIT
 * (too many topics), PL_ERR_NOMEM. */
PL_API int pl_ws_subscribe(struct pl_ws *ws, struct pl_str topic, bool drop);

/* Returns 0, or PL_ERR_NOT_FOUND. */
PL_API int pl_ws_unsubscribe(struct pl_ws *ws, struct pl_str topic);

/* The subprotocol that was chosen; absent: none. */
PL_API struct pl_str pl_ws_protocol(const struct pl_ws *ws);

/* A pointer for the callbacks; NULL at first. */
PL_API void pl_ws_set_state(struct pl_ws *ws, void *state);
PL_API void *pl_ws_state(const struct pl_ws *ws);

/* Each runs on a fiber and may wait; never two of one socket at the same time.
 * A result below 0 closes with 1011 and is logged. Any may be NULL. */
struct pl_ws_callbacks {
    size_t size; /* sizeof(struct pl_ws_callbacks) */
    /* req is there until this returns. */
    int (*open)(struct pl_ws *ws, struct pl_request *req, void *arg);
    /* message holds until this returns. */
    int (*message)(struct pl_ws *ws, const struct pl_ws_message *message,
                   void *arg);
    /* The last call, if open has succeeded: free the state. */
    void (*close)(struct pl_ws *ws, unsigned code, struct pl_str reason,
                  void *arg);
};

/* A route (GET) for WebSockets. COPIES callbacks and options (may be NULL);
 * BORROWS arg as long as app. Returns as pl_app_get(). */
PL_API int pl_app_websocket(struct pl_app *app, const char *pattern,
                            const struct pl_ws_callbacks *callbacks,
                            const struct pl_ws_options *options, void *arg);

/* ---- waiting -------------------------------------------------------------
 *
 * Functions marked WAITS suspend their caller and let its worker go on. They
 * work in handlers, filters and spawned functions; anywhere else they return
 * PL_ERR_STATE. req says for which request; NULL outside of one. When a request
 * is given up (its peer has gone, the server stops) they return PL_ERR_CANCELED
 * from then on, and the handler should return. */

/* 0 after ms milliseconds. WAITS. */
PL_API int pl_sleep(struct pl_request *req, uint64_t ms);

/* Has the server begun to stop? Requests may finish then, within stop_timeout:
 * a handler whose response has no end of its own ends it now. False on threads
 * that are no workers. */
PL_API bool pl_stopping(void);

/* As pl_sleep(), but wakes up for the stop: 1 when it has begun, 0 after ms
 * milliseconds (below 0: no limit), PL_ERR_CANCELED. WAITS. */
PL_API int pl_wait_stop(struct pl_request *req, int64_t ms);

enum pl_events {
    PL_READABLE = 1,
    PL_WRITABLE = 2,
    PL_PEER_CLOSED = 4, /* the peer will send no more */
    /* Both directions are dead, or an error is queued: try the call and see.
     * Always reported, and sometimes alone (a pipe whose writer is gone). */
    PL_HANGUP = 8,
};

/* Waits for a descriptor (non-blocking socket, pipe, eventfd, ...) of the
 * program's own: the events that hold, PL_ERR_TIMEOUT after ms milliseconds
 * (below 0: no limit), PL_ERR_EXISTS if somebody waits for it on this worker
 * already, PL_ERR_UNSUPPORTED for a file. BORROWS fd. WAITS. */
PL_API int pl_wait_fd(struct pl_request *req, int fd, unsigned events,
                      int64_t ms);

/* The same for n descriptors, each in one item: until one of them is ready, or
 * until each has been ready once. Returns how many have revents, which are the
 * events that held; or, with the revents of those that were ready, an error as
 * above. PL_ERR_INVALID for none (n is 0), PL_ERR_NOMEM. WAIT. */
struct pl_wait_item {
    int fd;
    unsigned events, revents;
};
PL_API int pl_wait_any(struct pl_request *req, struct pl_wait_item *items,
                       size_t n, int64_t ms);
PL_API int pl_wait_all(struct pl_request *req, struct pl_wait_item *items,
                       size_t n, int64_t ms);

/* Starts fn(arg) beside the caller, on the same worker. With req it belongs to
 * the caller's handler: when that ends it is cancelled and waited for. With
 * NULL it goes on by itself until the worker stops. Returns 0, PL_ERR_NOMEM, or
 * PL_ERR_STATE on a thread that is no worker's. */
PL_API int pl_spawn(struct pl_request *req, int (*fn)(void *arg), void *arg);

/* Runs all calls beside each other and waits for all of them. Returns the first
 * result below 0, in their order, or 0. WAITS. */
struct pl_call {
    int (*fn)(void *arg);
    void *arg;
    int result;
};
PL_API int pl_all(struct pl_request *req, struct pl_call *calls, size_t n);

/* Runs fn(arg), which may block, on a thread made for that; returns its result,
 * or PL_ERR_LIMIT when too many wait already, PL_ERR_NOMEM, PL_ERR_STATE. fn
 * must use neither req nor any function of this header that takes it. It cannot
 * be stopped: also a cancelled caller waits for its end, so arg may lie on the
 * stack. WAITS. */
PL_API int pl_offload(struct pl_request *req, int (*fn)(void *arg), void *arg);

/* ---- sockets --------------------------------------------------------------
 *
 * Connections without HTTP, as streams of bytes: opened by the program, come to
 * an address of its own, or taken over from a request. A socket belongs to the
 * function that runs on the caller's fiber (the handler, the spawned function):
 * when that returns, the socket is closed, but what was written still leaves.
 * One fiber may read and another one write at the same time; a third gets
 * PL_ERR_BUSY.
 *
 * Nothing is read before somebody asks, and pl_socket_write() waits for a peer
 * that does not read. */
struct pl_socket;

/* TLS 1.2 or 1.3. The server must have a certificate for its name that the
 * system believes, unless said otherwise. */
struct pl_tls_client {
    size_t size;      /* sizeof(struct pl_tls_client) */
    const char *ca;   /* a file (PEM) of those who are believed instead */
    const char *name; /* to be in the certificate; NULL: the host's */
    const char *cert; /* our own, for servers that ask; NULL: none */
    const char *key;  /* NULL: in the file of cert */
    const char *alpn; /* what we speak, with spaces between; NULL: nothing */
    bool insecure;    /* believes whoever answers */
};

struct pl_connect_options {
    size_t size;                     /* sizeof(struct pl_connect_options) */
    uint32_t connect_ms;             /* for all of it; 0: 10 s */
    uint32_t timeout_ms;             /* of each read and write; 0: 60 s */
    const char *bind;                /* our address: "192.0.2.7:0"; NULL: any */
    const struct pl_tls_client *tls; /* NULL: in the clear */
};

/* Opens a connection to "host:port", "tcp://host:port", "tls://host:port" or
 * "unix:/path". options may be NULL. Returns 0, PL_ERR_REFUSED,
 * PL_ERR_UNREACHABLE, PL_ERR_NOT_FOUND (the name, or the UNIX socket),
 * PL_ERR_TIMEOUT, PL_ERR_PROTO (TLS: no agreement), PL_ERR_INVALID, ... WAITS.
 */
PL_API int pl_connect(struct pl_request *req, const char *address,
                      const struct pl_connect_options *options,
                      struct pl_socket **socket);

/* Takes over the connection of an HTTP/1 request that has no unread body and no
 * answer: what has come behind it is read first, and the handler's result means
 * nothing any more. PL_ERR_UNSUPPORTED for HTTP/2, PL_ERR_STATE. WAITS. */
PL_API int pl_request_hijack(struct pl_request *req, struct pl_socket **socket);

/* fn is called for each connection to address, on a fiber of its own; as
 * pl_app_listen(), which is not needed then. BORROWS arg as long as app. Errors
 * as pl_app_listen(). */
PL_API int pl_app_tcp(struct pl_app *app, const char *address,
                      void (*fn)(struct pl_app *app, struct pl_socket *socket,
                                 void *arg),
                      void *arg);

/* The same with the options of listeners, TLS for example; protocol and
 * redirect_port are PL_ERR_INVALID. With TLS fn is called when the handshake is
 * over. COPIES options, which may be NULL. */
PL_API int pl_app_tcp_with(struct pl_app *app, const char *address,
                           const struct pl_app_listen_options *options,
                           void (*fn)(struct pl_app *app,
                                      struct pl_socket *socket, void *arg),
                           void *arg);

/* Reads what comes, at most n bytes: their number, or 0 at the end.
 * PL_ERR_TIMEOUT (the socket is as it was), PL_ERR_CLOSED (reset),
 * PL_ERR_STOPPING (the server stops, and no more has come from a peer that has
 * come to us), PL_ERR_BUSY, PL_ERR_CANCELED. WAITS. */
PL_API ssize_t pl_socket_read(struct pl_request *req, struct pl_socket *socket,
                              char *to, size_t n);

/* All n bytes: 0, PL_ERR_EOF if the end comes before, or as above. WAITS. */
PL_API int pl_socket_read_exactly(struct pl_request *req,
                                  struct pl_socket *socket, char *to, size_t n);

/* What comes before mark, which is dropped: its length. PL_ERR_EOF: the end
 * came before a mark; PL_ERR_LIMIT: not within size bytes (256 KiB at most).
 * Not terminated. WAITS. */
PL_API ssize_t pl_socket_read_until(struct pl_request *req,
                                    struct pl_socket *socket,
                                    struct pl_str mark, char *to, size_t size);

/* The next line without "\n" or "\r\n"; also the last one without. PL_ERR_EOF
 * at the end. WAITS. */
PL_API ssize_t pl_socket_read_line(struct pl_request *req,
                                   struct pl_socket *socket, char *to,
                                   size_t size);

/* COPIES all of bytes, to be sent. 0, PL_ERR_CLOSED, PL_ERR_TIMEOUT (a part may
 * have been sent), ... WAITS. */
PL_API int pl_socket_write(struct pl_request *req, struct pl_socket *socket,
                           struct pl_str bytes);

/* Sends what was written now, not at the next wait. */
PL_API void pl_socket_flush(struct pl_socket *socket);

/* No more output: FIN follows what was written. */
PL_API void pl_socket_shutdown(struct pl_socket *socket);

/* socket is gone; what was written still leaves. Who waits for it gets
 * PL_ERR_CLOSED. */
PL_API void pl_socket_close(struct pl_socket *socket);

/* It does not end with the caller: until pl_socket_close(), or the worker's
 * end. For this worker only. */
PL_API void pl_socket_keep(struct pl_socket *socket);

/* How long each read or write may wait; 0: no limit. */
PL_API void pl_socket_set_timeout(struct pl_socket *socket, uint32_t ms);

/* Begins TLS on a connection that was in the clear (STARTTLS). name: as in the
 * options. What has come and was not read is PL_ERR_PROTO. After a failure the
 * connection is closed. tls may be NULL if name is given. WAITS. */
PL_API int pl_socket_start_tls(struct pl_request *req, struct pl_socket *socket,
                               const char *name,
                               const struct pl_tls_client *tls);

/* Our side of TLS where the peer begins it. Files are in PEM form. */
struct pl_tls_server {
    size_t size;      /* sizeof(struct pl_tls_server) */
    const char *cert; /* a chain, our own certificate first */
    const char *key;  /* NULL: in the file of cert */
    const char *ca;   /* who signs clients, which must show one; NULL: none */
    const char *alpn; /* what we speak, with spaces between; NULL: nothing */
};

/* The other end of pl_socket_start_tls(): the peer begins TLS on a connection
 * that was in the clear. Errors as there; PL_ERR_INVALID without a cert. The
 * files are read once for the life of the worker. WAITS. */
PL_API int pl_socket_accept_tls(struct pl_request *req,
                                struct pl_socket *socket,
                                const struct pl_tls_server *tls);

/* TCP: small pieces at once; a question after so many idle seconds (0: none).
 * 0 or PL_ERR_*. */
PL_API int pl_socket_nodelay(struct pl_socket *socket, bool on);
PL_API int pl_socket_keepalive(struct pl_socket *socket, unsigned seconds);

/* "127.0.0.1:80", "[::1]:80", "unix:/path", terminated; PL_ERR_CLOSED. */
enum { PL_ADDRESS_TEXT = 128 };
PL_API int pl_socket_remote(const struct pl_socket *socket,
                            char out[PL_ADDRESS_TEXT]);
PL_API int pl_socket_local(const struct pl_socket *socket,
                           char out[PL_ADDRESS_TEXT]);

/* ---- datagrams ------------------------------------------------------------
 *
 * UDP, as sockets above: a pl_udp belongs to the function that opens it. */
struct pl_udp;

struct pl_udp_options {
    size_t size;         /* sizeof(struct pl_udp_options) */
    uint32_t timeout_ms; /* of each call; 0: 60 s */
    const char *bind;    /* our address, "0.0.0.0:5353"; NULL: any */
    bool broadcast;      /* may be sent to */
    bool reuse_port;     /* other sockets may be bound there, too */
};

/* address: the only one it talks to, "host:port"; NULL: anybody. options may be
 * NULL. Errors as pl_connect(). WAITS for a name. */
PL_API int pl_udp_open(struct pl_request *req, const char *address,
                       const struct pl_udp_options *options,
                       struct pl_udp **udp);

/* To the one it was opened for, or to any address ("host:port"; best in
 * digits). 0, PL_ERR_TOO_LONG, PL_ERR_REFUSED (an earlier one found nobody),
 * PL_ERR_TIMEOUT, ... WAIT. */
PL_API int pl_udp_send(struct pl_request *req, struct pl_udp *udp,
                       struct pl_str bytes);
PL_API int pl_udp_send_to(struct pl_request *req, struct pl_udp *udp,
                          const char *address, struct pl_str bytes);

/* The next datagram: its length, of which size bytes at most are in to, and
 * who has sent it (from may be NULL). PL_ERR_TIMEOUT, PL_ERR_REFUSED, ...
 * WAITS. */
PL_API ssize_t pl_udp_receive(struct pl_request *req, struct pl_udp *udp,
                              char *to, size_t size,
                              char from[PL_ADDRESS_TEXT]);

/* Our address, "127.0.0.1:5353". */
PL_API int pl_udp_local(const struct pl_udp *udp, char out[PL_ADDRESS_TEXT]);

PL_API void pl_udp_close(struct pl_udp *udp);

/* ---- files and child processes -------------------------------------------
 *
 * The worker goes on meanwhile: the disk is waited for by threads made for
 * that. A cancelled caller gets PL_ERR_CANCELED at once. What these functions
 * give lives as long as req (NULL: as the spawned function that asks). */

struct stat;

/* All of a regular file: PL_ERR_LIMIT if it is larger than max bytes,
 * PL_ERR_NOT_FOUND, PL_ERR_DENIED, PL_ERR_INVALID (a folder, a FIFO, ...). The
 * path is the program's own: one that a peer may choose is for
 * pl_response_send_file(). WAITS. */
PL_API int pl_fs_read(struct pl_request *req, const char *path, size_t max,
                      struct pl_str *content);

/* Makes content that of the file, by way of a new one beside it: readers see
 * the old content or the new one, and after PL_ERR_NO_SPACE the old one is
 * there. COPIES. WAITS. */
PL_API int pl_fs_write(struct pl_request *req, const char *path,
                       struct pl_str content);

/* stat(2). WAITS. */
PL_API int pl_fs_stat(struct pl_request *req, const char *path,
                      struct stat *st);

struct pl_fs_entry {
    struct pl_str name; /* terminated */
    char type;          /* 'f'ile, 'd'irectory, symbolic 'l'ink, 'p'ipe,
                           's'ocket, 'o'ther */
};

/* What is in a folder, sorted by name, without "." and "..": *count entries.
 * PL_ERR_LIMIT if there are more than max. WAITS. */
PL_API int pl_fs_list(struct pl_request *req, const char *path, size_t max,
                      struct pl_fs_entry **entries, size_t *count);

/* Makes a folder (mode 0777 less the umask), and those above it that are
 * missing. PL_ERR_EXISTS if there is something else. WAITS. */
PL_API int pl_fs_mkdir(struct pl_request *req, const char *path);

/* rename(2). WAITS. */
PL_API int pl_fs_rename(struct pl_request *req, const char *from,
                        const char *to);

/* A file, or an empty folder; recursive: a folder with all that is below it,
 * and no symbolic link is followed. WAITS. */
PL_API int pl_fs_remove(struct pl_request *req, const char *path,
                        bool recursive);

struct pl_process_options {
    size_t size;            /* sizeof(struct pl_process_options) */
    const char *const *env; /* "NAME=value", ..., NULL; NULL: ours */
    const char *folder;     /* where it runs; NULL: here */
    struct pl_str input;    /* what it reads */
    uint64_t timeout_ms;    /* 0: none */
    size_t max_output;      /* of each stream; 0: 16 MiB */
    bool merge;             /* its errors go where its output goes */
};

struct pl_process_result {
    int status; /* as in a shell: 128 + signal */
    int signal; /* that has ended it, or 0 */
    struct pl_str out, err;
};

/* Runs a program (argv ends with NULL, [0] is looked for in PATH, no shell) to
 * its end. Returns 0 whatever its status is; PL_ERR_NOT_FOUND and the like if
 * it cannot be started; PL_ERR_TIMEOUT, PL_ERR_LIMIT (too much output),
 * PL_ERR_CANCELED when its process group was ended for that, by TERM and 2
 * seconds later KILL: *result is what had come then. options may be NULL.
 * WAITS. */
PL_API int pl_process_run(struct pl_request *req, const char *const *argv,
                          const struct pl_process_options *options,
                          struct pl_process_result *result);

/* A program to talk to while it runs. It belongs to the handler or spawned
 * function that starts it, and must not be used beyond that: at its end a child
 * that is still there gets TERM, and 2 seconds later KILL, with its whole
 * process group. */
struct pl_child;

/* Starts a program, as pl_process_run() does; of the options env, folder and
 * merge count, the others must be 0 (PL_ERR_INVALID). options may be NULL.
 * Returns 0, PL_ERR_NOT_FOUND and the like, PL_ERR_NOMEM. WAITS. */
PL_API int pl_child_start(const char *const *argv,
                          const struct pl_process_options *options,
                          struct pl_child **child);

/* Writes all of bytes to what it reads. PL_ERR_CLOSED: it reads no more. One
 * caller at a time for each stream: PL_ERR_BUSY. WAITS while it is slow. */
PL_API int pl_child_write(struct pl_child *child, struct pl_str bytes);

/* What it reads ends here. */
PL_API void pl_child_close(struct pl_child *child);

enum pl_child_stream { PL_CHILD_OUT = 1, PL_CHILD_ERR };

/* Reads at most n bytes of what it writes, as they come: their number, 0 at the
 * end. PL_ERR_BUSY as above. WAITS. */
PL_API ssize_t pl_child_read(struct pl_child *child,
                             enum pl_child_stream stream, char *to, size_t n);

/* A signal for its process group. Returns 0, or PL_ERR_NOT_FOUND when it is
 * over. */
PL_API int pl_child_kill(struct pl_child *child, int signal);

/* Waits for its end; gives what pl_process_result has (either may be NULL). A
 * child whose output nobody reads may never end. WAITS. */
PL_API int pl_child_wait(struct pl_child *child, int *status, int *signal);

/* ---- the toolbox: memory ------------------------------------------------- */

/* Memory that lives as long as the request; NULL when out of memory or over
 * "request_memory". pl_alloc() is aligned for any type and not cleared. Texts
 * are terminated by NUL (not counted); data is NULL when out of memory. */
PL_API void *pl_alloc(struct pl_request *req, size_t size);
PL_API struct pl_str pl_strdup(struct pl_request *req, struct pl_str text);
PL_API struct pl_str pl_printf(struct pl_request *req, const char *fmt, ...)
    PL_FORMAT(2, 3);
PL_API struct pl_str pl_vprintf(struct pl_request *req, const char *fmt,
                                va_list ap);

/* fn(arg) when the handler, filter or spawned function that calls this has
 * ended, however it ended; last first. fn may wait. Returns 0, PL_ERR_NOMEM,
 * PL_ERR_STATE: then fn is not called. */
PL_API int pl_defer(void (*fn)(void *arg), void *arg);

/* fn(arg) when the request is over and its response has gone; last first. fn
 * must not wait, and sees req no more. For what the response borrows. */
PL_API int pl_request_defer(struct pl_request *req, void (*fn)(void *arg),
                            void *arg);

/* ---- the toolbox: a text that grows -------------------------------------- */

/* Lives as long as the request; NULL when out of memory. */
struct pl_builder;
PL_API struct pl_builder *pl_builder_new(struct pl_request *req);

/* Append. Returns 0 or PL_ERR_NOMEM, PL_ERR_LIMIT; the builder stays failed
 * then, so that one look at the last result is enough. COPIES. */
PL_API int pl_builder_add(struct pl_builder *builder, struct pl_str text);
PL_API int pl_builder_addc(struct pl_builder *builder, char c);
PL_API int pl_builder_addf(struct pl_builder *builder, const char *fmt, ...)
    PL_FORMAT(2, 3);

/* What was added; absent after a failure. Valid until more is added. */
PL_API struct pl_str pl_builder_str(const struct pl_builder *builder);

/* ---- the toolbox: a table by name -----------------------------------------
 */

/* From strings to pointers; keys that a peer chooses cannot make it slow. With
 * req it lives as long as the request. With NULL it lives until pl_hash_free();
 * several threads may look things up while nobody changes it. NULL when out of
 * memory. */
struct pl_hash;
PL_API struct pl_hash *pl_hash_new(struct pl_request *req);

/* For those made without a request. hash may be NULL. */
PL_API void pl_hash_free(struct pl_hash *hash);

/* NULL if it is not there. */
PL_API void *pl_hash_get(const struct pl_hash *hash, struct pl_str key);

/* Adds or replaces; COPIES key, BORROWS value (never NULL). Returns 0,
 * PL_ERR_NOMEM, PL_ERR_LIMIT, or PL_ERR_INVALID for NULL. */
PL_API int pl_hash_put(struct pl_hash *hash, struct pl_str key, void *value);

/* The value that was there, or NULL. */
PL_API void *pl_hash_remove(struct pl_hash *hash, struct pl_str key);
PL_API size_t pl_hash_count(const struct pl_hash *hash);

/* Calls fn for each entry, in no order, until it returns false. fn may remove
 * the entry that it is shown, and add nothing. */
PL_API void pl_hash_each(struct pl_hash *hash,
                         bool (*fn)(void *arg, struct pl_str key, void *value),
                         void *arg);

/* ---- the toolbox: structs described by tables -----------------------------

    struct entry { struct pl_str name; uint64_t size; };
    struct page { struct entry *entries; size_t nentries; bool dark; };

    PL_FIELD_TYPE(entry_type, struct entry,
                  PL_FIELD(STR, struct entry, name),
                  PL_FIELD(UINT, struct entry, size));
    PL_FIELD_TYPE(page_type, struct page,
                  PL_FIELD_LIST("entries", struct page, entries, nentries,
                                &entry_type),
                  PL_FIELD(BOOL, struct page, dark));

 * What templates and JSON show of a struct is said by such tables, which never
 * change. Nothing of the struct is copied. In a template's section a value is
 * true unless it says otherwise here. */

enum pl_field_kind {
    PL_FIELD_NONE,
    PL_FIELD_STR,    /* struct pl_str; absent or empty: false; absent: null */
    PL_FIELD_TEXT,   /* const char *; NULL or empty: false; NULL: null */
    PL_FIELD_CHARS,  /* char [N], up to a NUL or its end; empty: false */
    PL_FIELD_BOOL,   /* bool */
    PL_FIELD_INT,    /* a signed integer of any size; true, also 0 */
    PL_FIELD_UINT,   /* an unsigned one: uint8_t, size_t, uint64_t, ... */
    PL_FIELD_REAL,   /* float or double */
    PL_FIELD_STRUCT, /* a struct of `type` at this place */
    PL_FIELD_PTR,    /* a pointer to a `type`; NULL: false, and null */
    PL_FIELD_ARRAY,  /* a pointer to elements of `type`, size_t of them */
    PL_FIELD_INLINE, /* the same, but the elements are in the struct itself */
    PL_FIELD_LAMBDA  /* pl_lambda_fn *, for templates; NULL: false; JSON leaves
                        it out */
};

struct pl_field {
    const char *name;
    enum pl_field_kind kind;
    size_t offset;
    size_t count;                  /* of elements: the offset of the number */
    size_t size;                   /* of what is there */
    const struct pl_field *type;   /* STRUCT, PTR, ARRAY, INLINE */
    const struct pl_field *fields; /* of a type; PL_FIELD_END is the last */
};

/* A member of a struct; one whose name or type needs to be said; elements that
 * a pointer leads to (struct item *items; size_t nitems), and those in the
 * struct (struct item items[8]; size_t nitems). */
#define PL_FIELD(kind, of, member)                                             \
    {                                                                          \
#member, PL_FIELD_##kind, offsetof(of, member), 0,                     \
            sizeof(((of *)0)->member), NULL, NULL                              \
    }
#define PL_FIELD_SUB(kind, name, of, member, type)                             \
    {                                                                          \
        name, PL_FIELD_##kind, offsetof(of, member), 0,                        \
            sizeof(((of *)0)->member), type, NULL                              \
    }
#define PL_FIELD_LIST(name, of, member, number, type)                          \
    {                                                                          \
        name, PL_FIELD_ARRAY, offsetof(of, member), offsetof(of, number),      \
            sizeof(((of *)0)->member), type, NULL                              \
    }
#define PL_FIELD_LIST_INLINE(name, of, member, number, type)                   \
    {                                                                          \
        name, PL_FIELD_INLINE, offsetof(of, member), offsetof(of, number),     \
            sizeof(((of *)0)->member), type, NULL                              \
    }
#define PL_FIELD_END                                                           \
    {                                                                          \
        NULL, PL_FIELD_NONE, 0, 0, 0, NULL, NULL                               \
    }

/* The type of a struct, and that of elements which are no structs. */
#define PL_FIELD_OF(of, fields)                                                \
    {                                                                          \
        NULL, PL_FIELD_STRUCT, 0, 0, sizeof(of), NULL, fields                  \
    }
#define PL_FIELD_ITEM(kind, of)                                                \
    {                                                                          \
        NULL, PL_FIELD_##kind, 0, 0, sizeof(of), NULL, NULL                    \
    }

/* Defines a static name: the type of a struct with these fields. */
#define PL_FIELD_TYPE(name, of, ...)                                           \
    static const struct pl_field name##_fields[] = {__VA_ARGS__,               \
                                                    PL_FIELD_END};             \
    static const struct pl_field name = PL_FIELD_OF(of, name##_fields)

/* ---- the toolbox: templates ----------------------------------------------
 *
 * Mustache, all of its specification: {{name}} is escaped for HTML, {{{name}}}
 * is not; {{#list}}...{{/list}}, {{^none}}...{{/none}}, {{>partial}}. They are
 * read and compiled once; rendering looks at no file. */

/* A template and the partials that it names. */
struct pl_template_set;

/* That of a file: {{>head}} in site/page.mustache is site/head.mustache, and
 * nothing if that is not there; where a name comes from the data ({{>*name}}),
 * all templates of the folder are read. Before pl_app_run(); lives as long as
 * app. NULL on failure, which pl_app_error() tells with file and line. While
 * the application runs, what changes in these files is shown a second later;
 * what cannot be read or has a fault then is logged, and changes nothing. */
PL_API const struct pl_template_set *pl_app_template(struct pl_app *app,
                                                     const char *path);

/* That of a text, without partials; name is for messages. COPIES. */
PL_API const struct pl_template_set *pl_app_template_text(struct pl_app *app,
                                                          const char *name,
                                                          struct pl_str source);

/* Fills it from data, a struct of that type, which is BORROWED until this
 * returns: *text lives as long as the request. Returns 0, PL_ERR_NOMEM, or
 * PL_ERR_LIMIT ("request_memory", or it is nested too deeply), which was logged
 * with the template's line. */
PL_API int pl_render(struct pl_request *req, const struct pl_template_set *set,
                     const struct pl_field *type, const void *data,
                     struct pl_str *text);

/* A function in a struct: what {{name}} shows is computed when it is asked for,
 * and {{#name}}...{{/name}} is what the function makes of the section. self is
 * the struct. May not wait. Returns 0: what it has written is shown (escaped,
 * as other values, where it has no section); PL_LAMBDA_TEMPLATE: that is a
 * template, in the section's delimiters, which is filled in its place (so the
 * specification has it; never with texts of strangers in it); or PL_ERR_*, with
 * which the rendering ends. */
struct pl_lambda;
typedef int pl_lambda_fn(struct pl_lambda *lambda, const void *self);

enum { PL_LAMBDA_TEMPLATE = 1 };

/* What stands in its section, not filled in; absent: it has none. */
PL_API struct pl_str pl_lambda_text(const struct pl_lambda *lambda);

/* Writes. Returns 0, PL_ERR_NOMEM or PL_ERR_LIMIT. */
PL_API int pl_lambda_write(struct pl_lambda *lambda, struct pl_str text);
PL_API int pl_lambda_writef(struct pl_lambda *lambda, const char *fmt, ...)
    PL_FORMAT(2, 3);

/* Fills text, a template, in the place of its section: *shown is good until the
 * next call. Returns 0, PL_ERR_STATE (it has no section), or the failure of the
 * rendering, to be returned. */
PL_API int pl_lambda_render(struct pl_lambda *lambda, struct pl_str text,
                            struct pl_str *shown);

/* pl_render() as a response, text/html unless its type was set. */
PL_API int pl_respond_template(struct pl_response *res, int status,
                               const struct pl_template_set *set,
                               const struct pl_field *type, const void *data);

/* ---- JSON: writing --------------------------------------------------------
 *
 * RFC 8259, in UTF-8. What is no UTF-8 in a string becomes U+FFFD. Doubles have
 * the fewest digits that read back the same, integers all of theirs. */

/* A struct of that type (see above) as the response, application/json unless
 * its type was set. Its strings are escaped, so it is fit for any client.
 * BORROWS data until this returns; copies nothing but the text itself, into
 * memory of the response. Returns 0, PL_ERR_INVALID (a number that is not
 * finite), PL_ERR_LIMIT ("request_memory", or more than PL_JSON_LEVELS levels),
 * PL_ERR_NOMEM, PL_ERR_STATE; why was logged. */
PL_API int pl_respond_json(struct pl_response *res, int status,
                           const struct pl_field *type, const void *data);

/* How deep arrays and objects may be in each other. */
enum { PL_JSON_LEVELS = 128 };

enum pl_json_flags {
    PL_JSON_HTML = 1,    /* also fit for <script> in HTML: < > & and U+2028,
                            U+2029 are escaped */
    PL_JSON_PRETTY = 4,  /* a line for each item, indented by 2 */
    PL_JSON_NAN_NULL = 8 /* numbers that are not finite are null */
};

/* Writes JSON value by value:

    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("id"));
    pl_json_add_u64(json, id);
    pl_json_end(json);

 * A builder that failed stays so, and its functions do nothing and return the
 * same error: one look at the end is enough. */
struct pl_json_builder;

/* With req it lives as long as the request, and takes its memory from there;
 * with NULL until pl_json_builder_free(), for one thread at a time. flags: of
 * enum pl_json_flags. NULL when out of memory; the functions below take that
 * for a builder that failed. */
PL_API struct pl_json_builder *pl_json_builder_new(struct pl_request *req,
                                                   unsigned flags);

/* For those made without a request. json may be NULL. */
PL_API void pl_json_builder_free(struct pl_json_builder *json);

/* Begin an object or an array, which pl_json_end() ends. In an object each
 * value comes behind its key; nobody looks whether a key came before. Return 0,
 * PL_ERR_STATE (a value, a key or an end where none may be), PL_ERR_LIMIT
 * (more than PL_JSON_LEVELS, or "request_memory"), PL_ERR_NOMEM. */
PL_API int pl_json_begin_object(struct pl_json_builder *json);
PL_API int pl_json_begin_array(struct pl_json_builder *json);
PL_API int pl_json_end(struct pl_json_builder *json);
PL_API int pl_json_key(struct pl_json_builder *json, struct pl_str key);

/* Values; COPY. An absent string is null. PL_ERR_INVALID: a double that is not
 * finite. */
PL_API int pl_json_add_str(struct pl_json_builder *json, struct pl_str value);
PL_API int pl_json_add_i64(struct pl_json_builder *json, int64_t value);
PL_API int pl_json_add_u64(struct pl_json_builder *json, uint64_t value);
PL_API int pl_json_add_double(struct pl_json_builder *json, double value);
PL_API int pl_json_add_bool(struct pl_json_builder *json, bool value);
PL_API int pl_json_add_null(struct pl_json_builder *json);

/* A struct of that type (NULL: null), a value that was read (missing: null),
 * and a text which is JSON already: nobody looks whether it is. */
struct pl_json;
PL_API int pl_json_add_struct(struct pl_json_builder *json,
                              const struct pl_field *type, const void *data);
PL_API int pl_json_add_value(struct pl_json_builder *json,
                             const struct pl_json *value);
PL_API int pl_json_add_raw(struct pl_json_builder *json, struct pl_str text);

/* The text, once its value is complete; absent before that, and after a
 * failure. Valid until more is added. */
PL_API struct pl_str pl_json_builder_str(const struct pl_json_builder *json);

/* What the builder failed with, in words; "" if it did not. */
PL_API const char *pl_json_builder_error(const struct pl_json_builder *json);

/* Forgets text and failure, and keeps the memory: for the next text. */
PL_API void pl_json_builder_clear(struct pl_json_builder *json);

/* The text as the response, application/json unless its type was set. BORROWS
 * it: json must be the request's and not be used again. Returns the builder's
 * error, which was logged, PL_ERR_STATE if the value is not complete. */
PL_API int pl_respond_json_built(struct pl_response *res, int status,
                                 struct pl_json_builder *json);

/* Sends what was written so far as a piece of a stream (pl_response_write())
 * and forgets it, whatever is open: so a text of any length takes the memory of
 * a piece. The first one makes the type application/json unless it was set.
 * Returns the builder's error, or as pl_response_write() does. WAITS. */
PL_API int pl_response_write_json(struct pl_response *res,
                                  struct pl_json_builder *json);

/* ---- JSON: reading --------------------------------------------------------

    const struct pl_json *order;
    int64_t count = 1;
    int err = pl_request_json(req, NULL, &order, NULL);

    if (err < 0)
        return err;
    pl_json_to_i64(pl_json_get(order, PL_STR("count")), &count);

 * A text is read at once into values that never change. All of RFC 8259 and
 * nothing beside it: no comments, no trailing commas; but a byte order mark at
 * the beginning is passed over. Of members with the same name the last one
 * counts. */

/* A value. NULL is one that is missing: all functions below take it, as they
 * take a value of another type, so that a chain of them needs one look at its
 * end. */
struct pl_json;

enum pl_json_type {
    PL_JSON_NONE, /* missing */
    PL_JSON_NULL,
    PL_JSON_BOOL,
    PL_JSON_NUMBER,
    PL_JSON_STRING,
    PL_JSON_ARRAY,
    PL_JSON_OBJECT
};

struct pl_json_options {
    size_t size;        /* sizeof(struct pl_json_options) */
    size_t max_size;    /* bytes of the text; 0: 64 MiB; at most 4 GiB - 1 */
    unsigned max_depth; /* arrays and objects in each other; 0: 128 */
    bool replace;       /* what is not UTF-8, and half a surrogate pair, becomes
                           U+FFFD: no error */
};

struct pl_json_error {
    int code;            /* what was returned */
    size_t offset;       /* of the byte in the text, from 0 */
    size_t line, column; /* the same, from 1; columns count bytes */
    const char *text;    /* what is wrong; a constant */
};

/* The value of text. With req it lives as long as the request, of whose memory
 * it takes 16 bytes for each value and name; with NULL until pl_json_free().
 * BORROWS text as long as the value lives: strings without escapes lie in it.
 * options and error may be NULL; *error is filled on failure. Returns 0,
 * PL_ERR_PROTO (not JSON), PL_ERR_LIMIT (an option, or "request_memory"),
 * PL_ERR_NOMEM. */
PL_API int pl_json_parse(struct pl_request *req, struct pl_str text,
                         const struct pl_json_options *options,
                         const struct pl_json **value,
                         struct pl_json_error *error);

/* The request's body, whatever its Content-Type says; or what
 * pl_request_body() returns. WAITS. */
PL_API int pl_request_json(struct pl_request *req,
                           const struct pl_json_options *options,
                           const struct pl_json **value,
                           struct pl_json_error *error);

/* For those read without a request: takes what pl_json_parse() gave, or NULL.
 */
PL_API void pl_json_free(const struct pl_json *value);

PL_API enum pl_json_type pl_json_type(const struct pl_json *value);

/* A string, unescaped and not terminated; absent if it is none. It may have NUL
 * bytes in it. */
PL_API struct pl_str pl_json_str(const struct pl_json *value);

/* False (and *out left alone, so a default may stand there) if it is something
 * else, or a number that does not fit. 1.0 and 1e3 are integers too, up to 2^53
 * on both sides; as a double, an integer beyond that is rounded. */
PL_API bool pl_json_to_i64(const struct pl_json *value, int64_t *out);
PL_API bool pl_json_to_u64(const struct pl_json *value, uint64_t *out);
PL_API bool pl_json_to_double(const struct pl_json *value, double *out);
PL_API bool pl_json_to_bool(const struct pl_json *value, bool *out);

/* The member of that name, and item number index from 0. They look from the
 * beginning on: go through large ones as below. */
PL_API const struct pl_json *pl_json_get(const struct pl_json *object,
                                         struct pl_str name);
PL_API const struct pl_json *pl_json_at(const struct pl_json *array,
                                        size_t index);

/* What a JSON pointer (RFC 6901) leads to: "/users/0/name"; "" is value. */
PL_API const struct pl_json *pl_json_find(const struct pl_json *value,
                                          struct pl_str pointer);

/* How many items or members there are, the first one, the one that follows it,
 * and the name of a member (else absent):

    for (item = pl_json_first(list); item != NULL; item = pl_json_next(item))
 */
PL_API size_t pl_json_count(const struct pl_json *value);
PL_API const struct pl_json *pl_json_first(const struct pl_json *value);
PL_API const struct pl_json *pl_json_next(const struct pl_json *value);
PL_API struct pl_str pl_json_name(const struct pl_json *value);

/* ---- the toolbox: values kept for a while ---------------------------------
 */

/* A cache makes a value when it is first asked for, keeps it, and frees it when
 * it is too old or others need the room, but never while a request uses it.
 * Each worker has values of its own, so that nobody takes a lock. */
struct pl_cache;

struct pl_cache_options {
    size_t size;     /* sizeof(struct pl_cache_options) */
    uint64_t ttl_ms; /* how long a value is good; 0: for ever */
    size_t limit;    /* of the costs of a worker's values together; 0: none */
    /* Makes *value for key, and says what it costs (0 unless set; bytes, or
     * any other unit). Only one request at a time makes the value of a key, the
     * others wait for it. Returns 0 or PL_ERR_*, which pl_cache_get() returns
     * then. req as given to pl_cache_get(). May wait. */
    int (*create)(struct pl_request *req, struct pl_str key, void *arg,
                  void **value, size_t *cost);
    void (*free_value)(void *value, void *arg); /* may be NULL; may not wait */
    void *arg;
};

/* Before pl_app_run(); lives as long as app. NULL when out of memory, or once
 * the application runs. */
PL_API struct pl_cache *pl_cache_new(struct pl_app *app,
                                     const struct pl_cache_options *options);

/* The value for key, made if need be. It stays valid as long as req (NULL: as
 * long as the spawned function that asks). Returns 0 or PL_ERR_*. WAITS. */
PL_API int pl_cache_get(struct pl_request *req, struct pl_cache *cache,
                        struct pl_str key, void **value);

/* This worker will make the value anew when it is asked for next. */
PL_API void pl_cache_forget(struct pl_cache *cache, struct pl_str key);

/* ---- bytes and text -------------------------------------------------------
 *
 * Pure functions, for any thread. */

/* Fills out with random bytes from the kernel, fit for keys and tokens; never
 * fails (a kernel that has none ends the process). */
PL_API void pl_random(void *out, size_t len);

/* Are a and b the same? The time it takes says nothing about where they differ:
 * for secrets and signatures. */
PL_API bool pl_equal(struct pl_str a, struct pl_str b);

/* RFC 4648. PL_BASE64_STANDARD is padded with '='. PL_BASE64_URL uses '-' and
 * '_' instead of '+' and '/'; it is written without padding and read with or
 * without. */
enum pl_base64 { PL_BASE64_STANDARD, PL_BASE64_URL };

/* The size of the buffer that n bytes need as text, or that n characters of
 * text need as bytes. */
static inline size_t pl_base64_room(size_t n)
{
    return n / 3 * 4 + (n % 3 != 0) * 4;
}

static inline size_t pl_base64_decoded_room(size_t n)
{
    return n / 4 * 3 + n % 4 * 3 / 4;
}

/* Returns the length of the text; out is not terminated. */
PL_API size_t pl_base64_encode(char *out, struct pl_str bytes,
                               enum pl_base64 form);

/* Returns how many bytes there are, or PL_ERR_SYNTAX. Strict, so that a value
 * has one spelling: no white space, nothing after the padding, and the bits
 * that no byte uses are 0. out may be text.data. */
PL_API ptrdiff_t pl_base64_decode(char *out, struct pl_str text,
                                  enum pl_base64 form);

/* Writes 2 * bytes.len lower-case digits. */
PL_API void pl_hex_encode(char *out, struct pl_str bytes);

/* The same for digits in either case: n characters are n / 2 bytes. */
PL_API ptrdiff_t pl_hex_decode(char *out, struct pl_str text);

/* A random UUID (RFC 9562, version 4): PL_UUID_LEN characters and a NUL. */
enum { PL_UUID_LEN = 36 };
PL_API void pl_uuid(char *out);

/* The media type for the extension of a name ("a.html", "/x/a.html"), texts
 * with their charset; "application/octet-stream" for an unknown one. Once the
 * application runs. */
PL_API struct pl_str pl_mime_type(struct pl_str name);

/* Text inside of other text, in memory of the request: data is NULL when out of
 * memory, else terminated by NUL.
 *
 * pl_escape() is for HTML: element content and attributes in quotes.
 * pl_url_encode() is for one element of a path, a name or a value of a query:
 * all but the unreserved characters become %XX (RFC 3986, 2.3).
 * pl_url_decode() turns %XX into bytes; what is none stays as it is. Parameters
 * and arguments of requests are decoded already. */
PL_API struct pl_str pl_escape(struct pl_request *req, struct pl_str text);
PL_API struct pl_str pl_url_encode(struct pl_request *req, struct pl_str text);
PL_API struct pl_str pl_url_decode(struct pl_request *req, struct pl_str text);

/* ---- what workers share ---------------------------------------------------
 *
 * Without locks, and nothing waits unless it says so. Any thread may call these
 * functions; a worker's own calls cost least. A site in Lua has the same
 * dictionaries, topics and messages. */

/* A dictionary of the whole process. Each call is one step: others see all of
 * it or nothing. What is said to be COPIED is charged to max. */
struct pl_shared;

struct pl_shared_options {
    size_t size;     /* sizeof(struct pl_shared_options) */
    size_t max;      /* bytes, all told, never passed; 0: 10 MiB; at least
                        64 KiB */
    uint64_t ttl_ms; /* how long values live, unless said otherwise; 0: for
                        ever */
    bool evict;      /* full: drop what was not used for long, do not refuse */
};

/* The dictionary of that name (1 to 128 bytes). Before pl_app_run(); lives as
 * long as app. options may be NULL: as it is there, or the defaults; they must
 * not differ from those of an earlier call. NULL on failure. */
PL_API struct pl_shared *
pl_shared_open(struct pl_app *app, const char *name,
               const struct pl_shared_options *options);

/* How long a value lives, beside milliseconds: 0 is what the options say. */
#define PL_SHARED_FOREVER UINT64_MAX

/* Copies the string that is there to to, at most size bytes of it; returns its
 * whole length, PL_ERR_NOT_FOUND, or PL_ERR_INVALID if it is no string. */
PL_API ssize_t pl_shared_get(struct pl_shared *shared, struct pl_str key,
                             char *to, size_t size);

/* A number; PL_ERR_NOT_FOUND, or PL_ERR_INVALID if it is none (no integer). */
PL_API int pl_shared_get_number(struct pl_shared *shared, struct pl_str key,
                                double *value);
PL_API int pl_shared_get_integer(struct pl_shared *shared, struct pl_str key,
                                 int64_t *value);

/* COPY key and value. Return 0, PL_ERR_LIMIT (it is full, or the value would
 * take more than half of it), PL_ERR_TOO_LONG (a key of more than 4096 bytes)
 * or PL_ERR_NOMEM; then nothing was changed. */
PL_API int pl_shared_set(struct pl_shared *shared, struct pl_str key,
                         struct pl_str value, uint64_t ttl_ms);
PL_API int pl_shared_set_number(struct pl_shared *shared, struct pl_str key,
                                double value, uint64_t ttl_ms);
PL_API int pl_shared_set_integer(struct pl_shared *shared, struct pl_str key,
                                 int64_t value, uint64_t ttl_ms);

/* Only if there is none: else PL_ERR_EXISTS. Only if there is one: else
 * PL_ERR_NOT_FOUND. */
PL_API int pl_shared_add(struct pl_shared *shared, struct pl_str key,
                         struct pl_str value, uint64_t ttl_ms);
PL_API int pl_shared_replace(struct pl_shared *shared, struct pl_str key,
                             struct pl_str value, uint64_t ttl_ms);

/* Adds by to the number that is there, or to init if there is none (ttl_ms is
 * for that case only), and gives the sum; sum may be NULL. PL_ERR_INVALID if it
 * is no number. Allocates nothing when it is there. */
PL_API int pl_shared_incr(struct pl_shared *shared, struct pl_str key,
                          int64_t by, int64_t init, uint64_t ttl_ms,
                          int64_t *sum);

/* Puts value in the place of expected, if that is there: else PL_ERR_STATE. An
 * absent string stands for no value, on either side. How long it lives stays as
 * it is. */
PL_API int pl_shared_cas(struct pl_shared *shared, struct pl_str key,
                         struct pl_str expected, struct pl_str value);

/* 0 or PL_ERR_NOT_FOUND. */
PL_API int pl_shared_delete(struct pl_shared *shared, struct pl_str key);
PL_API int pl_shared_expire(struct pl_shared *shared, struct pl_str key,
                            uint64_t ttl_ms);

/* How long it still lives: *ttl_ms, PL_SHARED_FOREVER if it does not expire.
 * Returns 0 or PL_ERR_NOT_FOUND. */
PL_API int pl_shared_ttl(struct pl_shared *shared, struct pl_str key,
                         uint64_t *ttl_ms);

/* Calls fn for each key, in no order, until it returns false. What is put or
 * goes meanwhile may be shown or not. fn BORROWS key, must not wait, and must
 * not use shared: it notes what it wants. Returns 0 or PL_ERR_NOMEM. */
PL_API int pl_shared_keys(struct pl_shared *shared,
                          bool (*fn)(void *arg, struct pl_str key), void *arg);

/* Deletes all, key by key. */
PL_API int pl_shared_flush(struct pl_shared *shared);

struct pl_shared_stats {
    size_t size;      /* sizeof(struct pl_shared_stats): set it before */
    size_t keys;      /* expired ones too, until somebody comes by */
    size_t used, max; /* bytes */
    uint64_t hits, misses, evicted, expired, refused;
};

PL_API void pl_shared_stats(struct pl_shared *shared,
                            struct pl_shared_stats *stats);

/* Sends message to all subscriptions to topic, in all workers; COPIES. Messages
 * of one thread arrive in their order. Returns the number of subscriptions that
 * it is on its way to (0: nobody, and it is gone, unless topic is a channel
 * that remembers it), PL_ERR_INVALID (topic is a pattern), PL_ERR_LIMIT (larger
 * than the channel may keep), or PL_ERR_NOMEM. */
PL_API int pl_publish(struct pl_app *app, struct pl_str topic,
                      struct pl_str message);

struct pl_feed;

struct pl_subscribe_options {
    size_t size;    /* sizeof(struct pl_subscribe_options) */
    unsigned queue; /* messages that may wait; 0: 256; at most 65536 */
    bool close;     /* full: end, after what waits; else the oldest is lost */
    size_t queue_bytes; /* of the messages that may wait; 0: no limit */
    bool replay;        /* a channel: first what it remembers behind since */
    uint64_t since;     /* a message's number; 0: all that is remembered */
    bool through_stop;  /* goes on while the server stops: for an answer */
};

/* Subscribes the handler or spawned function that calls this, until it ends.
 * topic may be a pattern: in names of tokens with dots between, "*" stands for
 * any one, and ">" at the end for one or more ("chat.*", "news.>"). options may
 * be NULL. Returns 0, PL_ERR_STATE elsewhere, PL_ERR_INVALID (an empty topic, a
 * pattern with replay), PL_ERR_TOO_LONG, PL_ERR_LIMIT or PL_ERR_NOMEM. */
PL_API int pl_subscribe(struct pl_str topic,
                        const struct pl_subscribe_options *options,
                        struct pl_feed **feed);

/* The next message, which stays valid until the next call for feed; what Lua
 * has published that is no string comes as JSON. Returns 0, PL_ERR_TIMEOUT
 * after ms milliseconds (below 0: no limit), PL_ERR_CLOSED when there will be
 * none any more, PL_ERR_CANCELED. One caller at a time: PL_ERR_BUSY. When the
 * server stops, a feed of a handler gives what is there and then
 * PL_ERR_STOPPING (unless through_stop): end the response. WAITS. */
PL_API int pl_feed_receive(struct pl_request *req, struct pl_feed *feed,
                           int64_t ms, struct pl_str *message);

/* Of that message: where it was published, and the number that a channel has
 * given it, or 0. */
PL_API struct pl_str pl_feed_topic(const struct pl_feed *feed);
PL_API uint64_t pl_feed_number(const struct pl_feed *feed);

/* Ends the subscription before its time. */
PL_API void pl_feed_close(struct pl_feed *feed);

/* How many messages were lost, because nobody received them in time. */
PL_API uint64_t pl_feed_dropped(const struct pl_feed *feed);

/* A channel is a topic whose messages are numbered, in one order for all, and
 * remembered for a while. */
struct pl_channel_options {
    size_t size;             /* sizeof(struct pl_channel_options) */
    unsigned history;        /* messages that it remembers; at most 65536 */
    uint64_t history_age_ms; /* for how long; 0: no limit */
    size_t history_bytes;    /* and how much of them; 0: 1 MiB */
    bool presence; /* who joins and leaves is told to the topic of its name with
                      ".presence" behind it */
};

/* Makes the topic a channel, if it is none: before it is used, and once the
 * application runs (PL_ERR_STATE). Any thread. Idle ones without history may go
 * when there are many. Returns 0, PL_ERR_EXISTS (with other options),
 * PL_ERR_INVALID, PL_ERR_TOO_LONG, PL_ERR_LIMIT (16384) or PL_ERR_NOMEM. */
PL_API int pl_app_channel(struct pl_app *app, struct pl_str name,
                          const struct pl_channel_options *options);

/* The handler or spawned function that calls this is in the channel until it
 * ends, as name (at most 256 bytes), with whatever info says (absent: nothing;
 * at most 4096 bytes). Returns 0, PL_ERR_STATE elsewhere, PL_ERR_NOT_FOUND (no
 * such channel), PL_ERR_INVALID (an empty name), PL_ERR_TOO_LONG or
 * PL_ERR_NOMEM. COPIES. */
PL_API int pl_channel_join(struct pl_str channel, struct pl_str name,
                           struct pl_str info);

struct pl_channel_member {
    uint64_t id;              /* of this presence; no other has or had it */
    int worker;               /* its worker's number */
    struct pl_str name, info; /* info absent: nothing was said */
};

/* Calls fn for all who are in it, in no order, until it returns false. fn
 * BORROWS member, must not wait, and call nothing of this part: it notes what
 * it wants. Returns 0, PL_ERR_NOT_FOUND or PL_ERR_NOMEM. Any thread. */
PL_API int pl_channel_members(
    struct pl_app *app, struct pl_str channel,
    bool (*fn)(void *arg, const struct pl_channel_member *member), void *arg);

/* Sends what is published to topic as events, until the client leaves: of a
 * channel with their numbers for ids, and first what the client has missed
 * since pl_events_last_id(). options as for pl_subscribe(), but replay: what is
 * remembered, also to who has seen nothing. Returns below 0: PL_ERR_CLOSED,
 * PL_ERR_CANCELED, or why it could not begin. WAITS. */
PL_API int pl_events_subscribe(struct pl_event_stream *stream,
                               struct pl_str topic,
                               const struct pl_subscribe_options *options);

/* The number of the worker whose thread this is, from 0; else PL_ERR_STATE. */
PL_API int pl_worker_id(void);

/* How many there are; 0 before pl_app_run(). */
PL_API unsigned pl_worker_count(const struct pl_app *app);

enum { PL_WORKER_ALL = -1 };

/* Sends message to worker number to, or to all of them, the caller's included;
 * COPIES. In order, and none is lost if the receiver lives. Returns 0;
 * PL_ERR_LIMIT when 8 MiB are on their way to a receiver already, and then
 * nobody gets it; PL_ERR_NOT_FOUND, PL_ERR_NOMEM. */
PL_API int pl_worker_send(struct pl_app *app, int to, struct pl_str message);

/* fn is called in each worker for what is sent to it, one message after
 * another, on a fiber: it may wait. from: the sender's number; below 0: a
 * thread that is no worker. BORROWS arg. Before pl_app_run(). */
PL_API void pl_app_on_message(struct pl_app *app,
                              void (*fn)(struct pl_app *app, int from,
                                         struct pl_str message, void *arg),
                              void *arg);

/* ---- work beside the requests ---------------------------------------------
 *
 * What a program does on its workers though nobody asks: each function below
 * runs on a fiber, so it may wait, with NULL for the request. Beginning and end
 * are those of the worker: when it has finished its requests in a stop, waits
 * fail with PL_ERR_CANCELED, and fn should return. Say all of it before
 * pl_app_run(); later it is PL_ERR_STATE. BORROW arg as long as app. */

enum pl_where {
    PL_ONE_WORKER, /* once per process; when that worker has ended before the
                      others, another goes on */
    PL_EACH_WORKER
};

/* Calls fn when a worker begins, before it accepts connections: those come
 * when fn waits or returns. Returns 0, PL_ERR_NOMEM, PL_ERR_STATE. */
PL_API int pl_app_spawn(struct pl_app *app, enum pl_where where,
                        void (*fn)(struct pl_app *app, void *arg), void *arg);

/* Calls fn every ms milliseconds (1 to PL_EVERY_MAX, 24 days), for the first
 * time after that many. At fixed moments, never twice at a time: those that
 * pass while fn runs are left out. Returns 0, PL_ERR_INVALID, PL_ERR_NOMEM,
 * PL_ERR_STATE. */
enum { PL_EVERY_MAX = 0x7fffffff };
PL_API int pl_app_every(struct pl_app *app, enum pl_where where, uint64_t ms,
                        void (*fn)(struct pl_app *app, void *arg), void *arg);

/* ---- modules --------------------------------------------------------------
 *
 * A module is a shared object that a site loads (`-m a.so`, pl.module("a.so")):
 * it adds handlers, functions of Lua and methods of requests (docs/modules.md).
 *
 *     #include <perilune.h>
 *
 *     PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);
 *
 *     PL_HANDLER(hello)
 *     {
 *         return pl_respond(res, 200, "text/plain", PL_STR("Hello!\n"));
 *     }
 *
 *     cc -shared -fPIC hello.c -o hello.so
 *     pl.get("/hello", pl.handler "hello")
 *
 * It is linked to nothing of perilune's: the program has this interface and
 * Lua's. What is loaded is a copy, so that the file may be written anew; the
 * next generation of the site takes the new one, and both run side by side
 * until nobody uses the old one. Static variables are one for all workers: what
 * changes belongs into `state`, of which each worker has its own. */

struct lua_State;

/* What a module is told, one for each worker and generation; lives from on_load
 * until on_unload has returned. */
struct pl_module_params {
    size_t size;              /* sizeof(struct pl_module_params) */
    unsigned worker, workers; /* this worker's number, from 0; how many */
    const char *path;         /* the module's, as the site says it */
    /* The module's own. In a reload it begins as what the former generation
     * has, on this worker: to be used by both, or replaced by one that was made
     * of it. See `shared` for its end. */
    void *state;
    /* In on_load after a reload: of the former generation; else NULL. */
    const struct pl_module_params *former;
    /* In on_unload: another generation has the same state. Leave it alone. */
    bool shared;
    /* The site is only read, to see what it says: nothing will be served. */
    bool scratch;
    struct pl_module_load *load; /* the program's */
};

/* A module may define, as PL_MODULE declares them:
 *
 *     int on_load(void *ctx, struct pl_module_params *params, int reload);
 *
 * Called for each worker, on its thread, before the site file runs (-m) or by
 * pl.module(). ctx is its lua_State, for as long as the module is loaded.
 * reload: a former generation is there. May raise errors of Lua, but not wait.
 * Below 0 (PL_ERR_*): the site does not load.
 *
 *     int on_unload(void *ctx, struct pl_module_params *params, int reload);
 *
 * Nothing uses this generation of the module any more, on this worker. reload:
 * another one is there, later or earlier (this one may never have served). Also
 * after an on_load that has failed. The result is not looked at. */

/* An option of pl.module(path, options) as text; NULL if it was not given. */
PL_API const char *pl_module_option(const struct pl_module_params *params,
                                    const char *name);

/* A function of Lua that is called with a request, and may wait: it runs on a
 * fiber while the caller waits. It cannot use a lua_State; arguments and
 * results go through call. What it returns below 0 is `nil, err` in Lua. */
struct pl_lua_call;
typedef int pl_lua_method_fn(struct pl_request *req, struct pl_lua_call *call,
                             void *arg);

/* The same as a lua_CFunction. Cannot wait. */
typedef int pl_lua_function_fn(struct lua_State *L);

/* In on_load: a handler for pl.handler(name), a method req:name(), a function
 * in the table that pl.module() gives. BORROW name and arg as long as the
 * module is loaded. Return 0, PL_ERR_STATE (not in on_load), PL_ERR_NOMEM; two
 * of one name are an error of the site. */
PL_API int pl_module_handler(struct pl_module_params *params, const char *name,
                             pl_handler_fn *handler, void *arg);
PL_API int pl_module_method(struct pl_module_params *params, const char *name,
                            pl_lua_method_fn *method, void *arg);
PL_API int pl_module_function(struct pl_module_params *params, const char *name,
                              pl_lua_function_fn *function);

/* Arguments of a method, from 1: how many there are (0 to PL_LUA_CALL_MAX), and
 * what each is. Tables and functions cannot be passed. */
enum { PL_LUA_CALL_MAX = 8 };
enum pl_lua_type { PL_LUA_NIL, PL_LUA_BOOL, PL_LUA_NUMBER, PL_LUA_STRING };
PL_API unsigned pl_lua_args(const struct pl_lua_call *call);
PL_API enum pl_lua_type pl_lua_arg_type(const struct pl_lua_call *call,
                                        unsigned index);

/* An argument of that type, in *out. Text lives as long as the request. False
 * if it is something else, which is raised where the method was called once it
 * has returned: `if (!pl_lua_arg_str(call, 1, &name)) return PL_ERR_INVALID;`
 */
PL_API bool pl_lua_arg_str(struct pl_lua_call *call, unsigned index,
                           struct pl_str *out);
PL_API bool pl_lua_arg_number(struct pl_lua_call *call, unsigned index,
                              double *out);
PL_API bool pl_lua_arg_bool(struct pl_lua_call *call, unsigned index,
                            bool *out);

/* Adds a result, in their order; an absent string is nil. COPY. Return 0,
 * PL_ERR_LIMIT (there are PL_LUA_CALL_MAX) or PL_ERR_NOMEM. */
PL_API int pl_lua_return_str(struct pl_lua_call *call, struct pl_str value);
PL_API int pl_lua_return_number(struct pl_lua_call *call, double value);
PL_API int pl_lua_return_bool(struct pl_lua_call *call, bool value);

/* ---- modules: said without on_load ----------------------------------------
 *
 * PL_HANDLER(name) { ... } defines a handler (req, res, arg),
 * PL_LUA_METHOD(name) { ... } a method (req, call, arg) and
 * PL_LUA_FUNCTION(name) { ... } a function (L), in any file of the module. arg
 * is its struct pl_module_params. */

enum {
    PL_MODULE_MAGIC = 0x6f6d6c70,
    PL_MODULE_ABI = 1,        /* changes with what modules use of this header */
    PL_MODULE_80S = 0x383073, /* the module includes 80s.h */
};
#define PL_MODULE_SIZE sizeof(struct pl_module_params)

struct pl_module_item {
    const char *name;
    pl_handler_fn *handler; /* one of the three */
    pl_lua_method_fn *method;
    pl_lua_function_fn *function;
};

struct pl_module_info {
    uint32_t magic, abi;
    uint64_t size;
    const struct pl_module_item *const *items, *const *items_end;
};

/* What the linker makes of a section of this name, of this module alone. */
extern const struct pl_module_item *const __start_pl_module_items[]
    __attribute__((weak, visibility("hidden")));
extern const struct pl_module_item *const __stop_pl_module_items[]
    __attribute__((weak, visibility("hidden")));

/* Says which interface the module was compiled for. Once in a module, before
 * on_load: PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE); */
#define PL_MODULE(abi, size)                                                   \
    PL_MODULE_EXPORT int on_load(void *ctx, struct pl_module_params *params,   \
                                 int reload);                                  \
    PL_MODULE_EXPORT int on_unload(void *ctx, struct pl_module_params *params, \
                                   int reload);                                \
    PL_MODULE_EXPORT const struct pl_module_info pl_module;                    \
    const struct pl_module_info pl_module = PL_MODULE_INFO(abi, size)
#define PL_MODULE_INFO(abi, size)                                              \
    {                                                                          \
        PL_MODULE_MAGIC, (abi), (size), __start_pl_module_items,               \
            __stop_pl_module_items                                             \
    }
#define PL_MODULE_VISIBLE __attribute__((visibility("default")))
#ifdef __cplusplus
#define PL_MODULE_EXPORT extern "C" PL_MODULE_VISIBLE
#else
#define PL_MODULE_EXPORT PL_MODULE_VISIBLE
#endif

#define PL_MODULE_ITEM(name, kind, handler, method, function)                  \
    static const struct pl_module_item pl_##kind##_item_##name = {             \
        #name, handler, method, function};                                     \
    static const struct pl_module_item *const pl_##kind##_item_at_##name       \
        __attribute__((used, section("pl_module_items"))) =                    \
            &pl_##kind##_item_##name

#define PL_HANDLER(name)                                                       \
    static int name##_handler(struct pl_request *req, struct pl_response *res, \
                              void *arg);                                      \
    PL_MODULE_ITEM(name, handler, name##_handler, NULL, NULL);                 \
    static int name##_handler(struct pl_request *req, struct pl_response *res, \
                              void *arg)
#define PL_LUA_METHOD(name)                                                    \
    static int name##_method(struct pl_request *req, struct pl_lua_call *call, \
                             void *arg);                                       \
    PL_MODULE_ITEM(name, method, NULL, name##_method, NULL);                   \
    static int name##_method(struct pl_request *req, struct pl_lua_call *call, \
                             void *arg)
#define PL_LUA_FUNCTION(name)                                                  \
    static int name##_function(struct lua_State *L);                           \
    PL_MODULE_ITEM(name, function, NULL, NULL, name##_function);               \
    static int name##_function(struct lua_State *L)

/* ---- who it is, and what comes back ----------------------------------------
 *
 * Needs the plug-in perilune-auth (docs/auth.md). */

struct pl_app_user {
    const char *name;
    const char *hash; /* bcrypt, yescrypt, sha-crypt, argon2, $apr1$, {SHA};
                         what begins with neither "$" nor "{" is the password */
};

struct pl_app_basic_options {
    size_t size;       /* sizeof(struct pl_app_basic_options) */
    const char *realm; /* what people are asked for; NULL: "perilune" */
    const char *file;  /* "name:hash" (htpasswd) or "name = password" in lines;
                          looked at once a second at most */
    const struct pl_app_user *users; /* instead of a file */
    size_t nusers;
    uint64_t cache_ms; /* how long a worker remembers that a password was right;
                          0: 5 minutes */
    bool no_cache;     /* it does not */
};

/* A filter around the routes that are added after it, in the same group: who
 * says no name and password of the list (RFC 7617) gets 401. Passwords are
 * verified on offload threads; an unknown name takes as long as a wrong
 * password. COPIES. Returns 0; PL_ERR_NOT_FOUND, PL_ERR_SYNTAX (the file, with
 * its line), PL_ERR_UNSUPPORTED, PL_ERR_NOMEM; PL_ERR_STATE once it runs. */
PL_API int pl_app_basic(struct pl_app *app,
                        const struct pl_app_basic_options *options);

/* Who has logged in; absent: nobody. Is in the access log. As long as the
 * request. */
PL_API struct pl_str pl_request_user(const struct pl_request *req);

/* For filters of one's own. COPIES. Returns 0 or PL_ERR_NOMEM. */
PL_API int pl_request_set_user(struct pl_request *req, struct pl_str user);

/* The name and password that the client says (Authorization: Basic), as long
 * as the request. False if it says none. */
PL_API bool pl_request_credentials(struct pl_request *req, struct pl_str *user,
                                   struct pl_str *password);

/* Keys for texts that a client gets and brings back, as in cookies. */
struct pl_keys;

/* Made of n secrets (1 to 8, each at least 32 bytes), the newest first: that
 * one seals and signs, all of them open. What was made for one purpose opens
 * for no other. GIVES what lives as long as app; NULL: see pl_app_error(). */
PL_API const struct pl_keys *pl_app_keys(struct pl_app *app,
                                         const char *purpose,
                                         const struct pl_str *secrets,
                                         size_t n);

/* Sealed (XAES-256-GCM): the client can neither read nor change it; signed
 * (HMAC-SHA256): it cannot change it. A token fits cookies and URLs, and opens
 * under the same label only. max_age_s: how long it is good; 0: for ever.
 * *token lives as long as the request. Return 0 or PL_ERR_NOMEM. */
PL_API int pl_seal(struct pl_request *req, const struct pl_keys *keys,
                   struct pl_str label, struct pl_str text, uint64_t max_age_s,
                   struct pl_str *token);
PL_API int pl_sign(struct pl_request *req, const struct pl_keys *keys,
                   struct pl_str label, struct pl_str text, uint64_t max_age_s,
                   struct pl_str *token);

/* The text, as long as the request. Return 0; PL_ERR_NOT_FOUND (token is
 * absent), PL_ERR_DENIED (none of these keys has made it under this label, or
 * it was changed; counted), PL_ERR_TIMEOUT (too old), PL_ERR_NOMEM. */
PL_API int pl_unseal(struct pl_request *req, const struct pl_keys *keys,
                     struct pl_str label, struct pl_str token,
                     struct pl_str *text);
PL_API int pl_verify(struct pl_request *req, const struct pl_keys *keys,
                     struct pl_str label, struct pl_str token,
                     struct pl_str *text);

/* ---- the log --------------------------------------------------------------
 */

enum pl_level {
    PL_LOG_DEBUG,
    PL_LOG_INFO,
    PL_LOG_NOTICE,
    PL_LOG_WARN,
    PL_LOG_ERROR,
    PL_LOG_LEVELS
};

/* A line of the error log, without the line end. Any thread; never waits: lines
 * that come faster than they can be written are dropped and counted. */
PL_API void pl_app_log(enum pl_level level, const char *fmt, ...)
    PL_FORMAT(2, 3);

#ifdef __cplusplus
}
#endif
#endif
