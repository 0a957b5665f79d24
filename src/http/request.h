/* request.h - one request, whatever wire it came by, and its life.
 *
 * A request lies in the first block of its own arena. Its holders are the
 * stream (wire), the handler's task, and whoever else calls pl_request_hold();
 * arena, generation reference and log line go with the last. */
#ifndef PL_HTTP_REQUEST_H
#define PL_HTTP_REQUEST_H

#include "base/arena.h"
#include "http/body.h"
#include "http/http.h"
#include "http/response.h"
#include "http/wire.h"
#include "task/meter.h"

#define PL_REQUEST_MAGIC 0x70657271u /* "perq" */

/* What pl_request_defer() was asked for; in the request's arena. */
struct pl_request_defer {
    struct pl_request_defer *next; /* the one registered before */
    void (*fn)(void *arg);
    void *arg;
};

/* Who is to be told at once that the peer has gone: a handler without a task.
 * On any stack that writes to the peer. */
struct pl_request_gone {
    void (*fn)(struct pl_request *req);
};

struct pl_param {
    struct pl_str name, value; /* value: decoded */
};

struct pl_request {
    uint32_t magic;
    uint32_t holders;
    struct pl_arena arena;
    struct pl_account account;
    struct pl_http *http;
    const struct pl_http_settings *settings;
    struct pl_list node; /* in http->requests */

    const struct pl_wire *wire; /* NULL: the peer has gone, or all is said */
    void *stream;               /* the wire's */

    uint8_t method;  /* enum pl_method */
    uint8_t version; /* 10, 11, 20, 30 */
    bool head;       /* HEAD: answer like GET, without the body */
    bool secure;
    bool upgrade; /* the client asks to leave HTTP */
    bool last; /* framing is in doubt: no further request on its connection */
    bool finished;       /* pl_request_finish() was called */
    bool hijacked;       /* its connection has left HTTP (hijack.h) */
    uint16_t https_port; /* where to come again with TLS; 0: is served here */
    uint16_t nheaders, nparams, nenv;
    uint8_t rewrites; /* how often its path was rewritten (retarget.h) */
    bool moves;       /* what answers it needs nothing of its generation any
                         more: a reload renews it */
    uint64_t hsts_s;  /* RFC 6797: max-age; 0: is not said */
    struct pl_str method_name;
    struct pl_str target; /* as it came, whatever was rewritten since */
    /* Of an extended CONNECT (RFC 8441: "websocket"), whose method is GET here;
     * absent: it is none. */
    struct pl_str connect_protocol;
    struct pl_str path;      /* decoded once, normalised, starts with '/' */
    struct pl_str raw_path;  /* as it came */
    struct pl_str query;     /* raw, without '?'; absent: no '?' */
    struct pl_str authority; /* of an absolute target; absent: see Host */
    struct pl_str host_name; /* see pl_request_host() */
    uint16_t host_port;
    struct pl_header *headers;
    struct pl_param *params;
    struct pl_str rest; /* of a mounted handler: behind its prefix, no slash */
    struct pl_param *env; /* the variables of CGI: of FastCGI, or once they have
                             been asked for (env.c); NULL: none yet */

    struct pl_body body;
    const struct pl_body_limits *limits; /* the site's, or the route's */
    struct pl_sink *sinks;               /* files it goes to, newest first */
    struct pl_part *part;                /* form.h; NULL: not begun */
    struct pl_trailers *trailers;        /* behind the body; NULL: none (yet) */
    struct pl_response response;

    void *generation; /* the route room's; released by drop_generation */
    void (*drop_generation)(void *generation);
    const struct pl_route *route; /* which one matched; opaque here */
    const struct pl_chain *chain; /* its filters and handler; opaque here */
    struct pl_request_defer *defers;
    struct pl_task *task;         /* the handler's; NULL: it needs none */
    struct pl_request_gone *gone; /* NULL: nobody */
    struct pl_str remote;         /* absent: not asked for yet */
    uint16_t remote_port;
    struct pl_str user; /* who has shown that he is it; absent: nobody */
    const struct pl_request_tls *tls; /* NULL: not asked for yet, or none */
    struct pl_ws *websocket; /* what it has become, until its handler's end */
    struct pl_ws_stream *ws_stream; /* its stream carries one */
    struct pl_again *again; /* its handler is called anew (again.h); or NULL */
    void *lua;              /* the Lua object that stands for this request */
    struct pl_meter *meter; /* in the arena; NULL: not measured */
    uint64_t started;       /* monotonic ns */
    uint64_t id;
};

/* ---- for wires ---- */

/* A request with one holder (the stream), not routed yet; NULL: no memory. */
struct pl_request *pl_request_new(struct pl_http *http);

/* The same in an arena that has something of it already: TAKES that. */
struct pl_request *pl_request_new_in(struct pl_http *http,
                                     struct pl_arena *arena);

/* Target and headers have been set: fills path and query and hands it to
 * http->ops, or answers 400/501 itself. */
void pl_request_begin(struct pl_request *req);

/* Answers without a handler; why is shown. */
void pl_request_refuse(struct pl_request *req, int status, const char *why);

/* ---- front.c ---- */

/* For pl_request_arrived(): from a listener that has something to say. */
void pl_request_arrived_at(struct pl_request *req, const struct pl_conn *conn);

/* For a wire that has made req from what conn has brought: whether it is
 * secure, and what the listener wants done about that. */
PL_INLINE void pl_request_arrived(struct pl_request *req,
                                  const struct pl_conn *conn)
{
    if (conn->listener->more || conn->listener->options->https_port != 0)
        pl_request_arrived_at(req, conn);
}

/* Answers req by sending the client to https_port. */
void pl_request_send_away(struct pl_request *req);

/* Unless the handler has said something else. */
void pl_request_add_hsts(struct pl_request *req);

/* It has lasted too long for its server: its handler is cancelled, what was
 * answered already is cut off; streams of events and WebSockets end as they do
 * at a stop (their clients come again). */
void pl_request_cut(struct pl_request *req);

/* What is answering it has gone over to the generation that serves now: so does
 * the request, with its settings. */
void pl_request_renew(struct pl_request *req);

/* Whom a task works for, or the one that began it: a request; or NULL. */
struct pl_request *pl_request_of_task(const struct pl_task *task);

/* Tells the peer what was logged of a request, where it has a log for that
 * (FastCGI). req may be NULL. */
void pl_request_complain(struct pl_request *req, struct pl_str text);

/* The peer has gone: cancels the handler, frees the wire's hold. */
void pl_request_lost(struct pl_request *req, int why);

/* ---- life ---- */

void pl_request_hold(struct pl_request *req);
void pl_request_drop(struct pl_request *req);

/* A task that has not run yet works for the request: holds it until it is over,
 * and is measured with it. */
void pl_request_add_task(struct pl_request *req, struct pl_task *task);

/* Builds the answer that a handler's result (as below) means where the handler
 * has built none itself, and logs an error, once. The head has not left. */
void pl_request_answer(struct pl_request *req, int result);

/* The handler is done. result: 0, an HTTP status to answer with (if nothing
 * was built), or PL_ERR_*. Sends what has not been sent; logs an error once.
 * Any stack. */
void pl_request_finish(struct pl_request *req, int result);

/* Measures the handler's tasks from now on, against budget. Returns 0 or
 * PL_ERR_NOMEM. */
int pl_request_measure(struct pl_request *req, const struct pl_budget *budget);

/* ---- looking: see also perilune.h ---- */

struct pl_str pl_request_header_id(struct pl_request *req,
                                   enum pl_header_id id);

/* A text in the request's pool and on its account, which goes with it; NULL
 * when out of memory. */
struct pl_buf *pl_request_buf(struct pl_request *req);

#endif
