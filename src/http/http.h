/* http.h - what HTTP needs once per worker, and once per generation. */
#ifndef PL_HTTP_HTTP_H
#define PL_HTTP_HTTP_H

#include "base/table.h"
#include "http/body.h"
#include "http/date.h"
#include "http/h1_parse.h"
#include "http/h2_limit.h"
#include "http/header.h"
#include "net/conn.h"
#include "task/task.h"
#include "task/meter.h"

struct pl_coders;
struct pl_files;
struct pl_request;
struct pl_ws;
struct pl_ws_packer;

/* What a site sets (pl.set); fixed for the life of a generation. */
struct pl_http_settings {
    struct pl_budget budget; /* of requests whose route has none */
    bool usage;              /* the access log has CPU and memory of Lua */
    struct pl_h1_limits h1;  /* of heads, whatever the wire */
    struct pl_h2_limits h2;
    struct pl_body_limits body;
    uint64_t request_memory; /* bytes one request may allocate; 0 = unlimited */
    uint64_t file_cache;     /* bytes of files a worker keeps: 16 MiB */
    uint32_t header_ms;      /* from the first byte of a head: 10 s */
    uint32_t idle_ms;        /* keep-alive: 60 s */
    uint32_t body_grace_ms;  /* body.rate is judged over this long: 10 s */
    const char *temp_folder; /* for bodies; NULL: see os/temp.h */
    struct pl_str server;    /* the Server field; empty: none */
    /* For every response that does not say them itself. */
    const struct pl_header *headers;
    unsigned nheaders;
    size_t headers_size; /* of all lines, ": " and CRLF included */
    /* Appends the page that clients who like HTML are shown for an error
     * (status 400 and above); detail may be absent, and is not escaped. 0 or
     * PL_ERR_*: a plain one is shown then. NULL: always a plain one. */
    int (*error_page)(void *arg, struct pl_request *req, int status,
                      struct pl_str detail, struct pl_buf *out);
    void *error_page_arg;
};

extern const struct pl_http_settings pl_http_default_settings;

/* Implemented above and passed down: http/ never includes route/. */
struct pl_http_ops {
    /* A head has been read. Must lead to pl_request_finish(), now or later. */
    void (*request)(void *arg, struct pl_request *req);
    /* The response has gone (or been given up): for logs and metrics. */
    void (*finished)(void *arg, struct pl_request *req);
    /* What came was answered with status before it was a request: for logs.
     * May be NULL. */
    void (*refused)(void *arg, const struct pl_conn *conn, int status);
    /* The request is to hold the generation that serves now, whatever it holds
     * so far. NULL where no request holds any. */
    void (*renew)(void *arg, struct pl_request *req);
};

struct pl_http_stats {
    uint64_t requests, refused, by_class[6]; /* 1xx..5xx in 1..5 */
    uint32_t open;                           /* requests in progress */
    uint64_t denied;                         /* credentials that were wrong */
    uint64_t
        forged; /* cookies and tokens that are not of ours: taken as none */
    uint64_t limited, delayed; /* by limits of clients */
};

/* What most answers of HTTP/1 begin with: a status line, the Date and the name
 * of the next field. */
#define PL_HTTP_FRONT                                                          \
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: "
enum {
    PL_HTTP_FRONT_LEN = sizeof(PL_HTTP_FRONT) - 1,
    PL_HTTP_DATE_AT = 23,
    PL_HTTP_DATE_LINE = PL_HTTP_DATE_LEN + 8, /* with the name and CRLF */
};

struct pl_http {
    struct pl_net *net;
    struct pl_sched *sched;
    const struct pl_http_settings *settings; /* of new requests */
    const struct pl_http_ops *ops;
    void *arg;
    struct pl_http_stats stats;
    struct pl_list requests; /* in progress */
    bool trusting;           /* a listener knows proxies whose word it takes */
    bool draining;           /* close connections after their response */
    uint32_t ws_tick; /* ms between two looks of a WebSocket at the clock */
    struct pl_ws_packer *ws_packer; /* of all WebSockets that need no own, */
    unsigned ws_packing;            /* ... and how many these are */
    struct pl_table ws_topics; /* that sockets listen to: ws_topics.c; and */
    void (*ws_left)(struct pl_ws *ws); /* ... one of them is closed */
    uint64_t id_seed, id_count;
    int64_t date_second;
    char front[sizeof(PL_HTTP_FRONT)]; /* of date_second */
    struct pl_h1_parser parser;        /* for heads that arrive in one piece */
    struct pl_files *files;   /* what handlers keep of files; or NULL */
    struct pl_coders *coders; /* what codings keep (filters/coders.h); or NULL:
                                 nothing yet */
};

/* Borrows all. Connections reach it through their listener's arg. */
void pl_http_init(struct pl_http *http, struct pl_net *net,
                  struct pl_sched *sched,
                  const struct pl_http_settings *settings,
                  const struct pl_http_ops *ops, void *arg);

/* The protocol for listeners (listener->arg is the struct pl_http). */
extern const struct pl_protocol pl_h1_protocol;

/* No new requests on open connections: idle ones close now, the others after
 * their response; WebSockets say goodbye. */
void pl_http_drain(struct pl_http *http);

/* The Date field's value for now, PL_HTTP_DATE_LEN bytes; http->front is of
 * now, too, then. */
const char *pl_http_date(struct pl_http *http);

#endif
