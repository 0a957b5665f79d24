/* gateway_priv.h - what the files of the gateway share. */
#ifndef PL_HANDLERS_GATEWAY_PRIV_H
#define PL_HANDLERS_GATEWAY_PRIV_H

#include "client/fetch.h"
#include "client/upstream.h"
#include "handlers/gateway.h"
#include "http/request.h"

struct pl_gateway_fcgi;
struct pl_relay;
struct pl_script;

enum pl_gateway_key {
    PL_KEY_ADDRESS,
    PL_KEY_PATH,
    PL_KEY_HEADER,
    PL_KEY_COOKIE,
};

enum pl_gateway_host { PL_HOST_KEPT, PL_HOST_OF_UPSTREAM, PL_HOST_SAID };

enum { PL_SAY_X_FORWARDED = 1, PL_SAY_FORWARDED = 2 };

struct pl_gateway_fields {
    unsigned n;
    struct pl_header *list; /* value NULL: is taken out */
};

/* How requests are said to upstreams, and what comes of their answers: what
 * HTTP and FastCGI have different. */
struct pl_gateway_wire {
    /* Decides what is asked for, and how the body goes (relay->mode); 0, or the
     * status of a refusal with *why. */
    int (*prepare)(struct pl_relay *relay, const char **why);
    /* These return 0 or PL_ERR_*: the link tells why, or there is no memory. */
    int (*write_head)(struct pl_relay *relay);
    int (*write_piece)(struct pl_relay *relay, struct pl_str piece);
    int (*write_end)(struct pl_relay *relay);
    /* Takes in the head of the fetch: status, fields and length of the
     * response. 0 or PL_ERR_NOMEM. */
    int (*take_head)(struct pl_relay *relay);
    /* What the program says of errors; and at the end of the relay. NULL: has
     * nothing of the kind. */
    void (*errors)(struct pl_relay *relay, struct pl_str bytes);
    void (*over)(struct pl_relay *relay);
};

/* Made once; does not change but for upstream's counter. */
struct pl_gateway {
    struct pl_handler handler;
    const struct pl_gateway_wire *wire;
    struct pl_gateway_fcgi *fcgi; /* NULL: its upstreams speak HTTP */
    atomic_uint refs; /* the handler's, each relay's, and each check's */
    struct pl_pool pool;
    struct pl_arena arena; /* of the texts */
    struct pl_upstream upstream;
    struct pl_fetch_options fetch;
    struct pl_origin_rules health;
    uint32_t first_byte_ms, between_ms, total_ms, tunnel_ms; /* 0: none */
    uint32_t queue, queue_ms;
    uint32_t retries;
    enum pl_gateway_key key;
    struct pl_str key_name;
    enum pl_gateway_host host;
    struct pl_str host_text;
    bool maps;          /* base takes the place of the prefix */
    struct pl_str base; /* without "/" at its end */
    bool base_slash;    /* ... where it had one */
    unsigned say;       /* PL_SAY_... */
    struct pl_str via;  /* the pseudonym; absent: is not said */
    bool tunnels, rewrites_location, rewrites_cookies;
    bool sets_cookie_domain;
    struct pl_str cookie_domain; /* "": is taken out */
    struct pl_gateway_fields request, response;
    size_t request_size; /* of the lines of request */
    struct pl_gateway_check {
        uint32_t interval_ms; /* 0: there are none */
        uint32_t timeout_ms;
        struct pl_str path, host;
        unsigned status_from, status_to, rises, falls;
    } check;
    _Atomic uint64_t checking; /* bits of servers that are being asked */
};

/* One request. In its arena; holds it until no operation is left. */
struct pl_relay {
    struct pl_fetch fetch;
    struct pl_request *req;
    struct pl_gateway *gateway;
    struct pl_then *then;
    struct pl_clients *clients;
    const struct pl_upstream_server *server; /* of this attempt */
    struct pl_str target;                    /* of the request line */
    struct pl_str prefix; /* what base takes the place of, as it came */
    const struct pl_script *script; /* FastCGI: who is to answer, */
    struct pl_buf *pairs;           /* ... what it is told, */
    struct pl_buf *errors;          /* ... and a line of what it says of errors;
                                       or NULL */
    unsigned lines;                 /* ... of those that were logged */
    uint64_t key, tried;
    unsigned attempts, switches; /* to another server */
    struct pl_timer timer;
    uint64_t due;         /* ms; of the step; 0: none */
    uint64_t total_due;   /* ms; 0: none */
    uint64_t connect_due; /* ms; from then on nobody knocks again */
    size_t written;       /* bytes of a whole body, in this attempt */
    struct pl_waiter waiter;
    struct pl_body_op body;
    struct pl_drain_op drain;
    struct pl_op last;
    struct pl_request_gone gone;
    struct pl_buf trailers;
    int result;
    enum pl_relay_body {
        PL_RELAY_NO_BODY,
        PL_RELAY_WHOLE,   /* is there, and can be sent again */
        PL_RELAY_LENGTH,  /* piece by piece */
        PL_RELAY_CHUNKED, /* the same, of unknown length */
        PL_RELAY_RAW,     /* no HTTP any more */
    } mode;
    bool waiting;    /* in the queue */
    bool knocking;   /* at a server whose queue of connections was full */
    bool connecting; /* ready() has not been told */
    bool begun;      /* a piece of the body was taken from the request */
    bool expecting;  /* the client, and so we, wait for a 100 */
    bool reading;    /* body is under way */
    bool draining;   /* drain is */
    bool upgrade;    /* a WebSocket is asked for */
    bool headed;     /* the response's head has come */
    bool ending;     /* last is under way */
    bool over;       /* then->done() was called */
    bool silent;     /* the body of the answer is for nobody */
    bool believed;   /* what the request says of those before us */
    bool wants_trailers;
    char ws_key[24]; /* of an extended CONNECT */
};

/* ---- gateway.c ---- */

/* Sets its functions, of a proxy. */
void pl_gateway_init(struct pl_gateway *gateway);

/* A request begins its way. script: see struct pl_relay; or NULL. */
void pl_relay_start(struct pl_gateway *gateway, struct pl_request *req,
                    struct pl_then *then, const struct pl_script *script);

/* For a handler that is made of a gateway. */
void pl_gateway_free(struct pl_handler *handler);

/* The step has until now + ms (0: without end) from now on. */
void pl_relay_allow(struct pl_relay *relay, uint32_t ms);

/* Ends it, from the run queue: result as of a handler. */
void pl_relay_end(struct pl_relay *relay, int result);

/* The same with a page for the client, or if its head has left by breaking it
 * off; why is logged. */
void pl_relay_fail(struct pl_relay *relay, int status, const char *why);

/* An operation is over: the last one lets go of the request, if the relay is
 * over, too. */
void pl_relay_let_go(struct pl_relay *relay);

/* A piece for the client. */
void pl_relay_push(struct pl_relay *relay, struct pl_str bytes);

/* ---- gateway_body.c ---- */

/* Sends on what there is of the request's body, and waits for more. */
void pl_relay_pump(struct pl_relay *relay);

/* The same in HTTP. */
int pl_relay_write_piece(struct pl_relay *relay, struct pl_str piece);
int pl_relay_write_end(struct pl_relay *relay);

/* ---- gateway_rules.c ---- */

/* COPIES options; fcgi: its upstreams speak FastCGI, and belong to that
 * handler. NULL: with *error. */
struct pl_gateway *pl_gateway_make(const struct pl_proxy_options *options,
                                   struct pl_gateway_fcgi *fcgi,
                                   struct pl_error *error);

void pl_gateway_drop(struct pl_gateway *gateway);

/* ---- gateway_request.c ---- */

/* What every relay decides before the first attempt; 0, or the status of a
 * refusal with *why. */
int pl_relay_prepare(struct pl_relay *relay, const char **why);

extern const struct pl_gateway_wire pl_gateway_http;

/* Does the field say who asks, as proxies do? */
bool pl_gateway_tells_who_asks(const struct pl_header *field);

/* The host that was asked for, with its port; may be empty. */
struct pl_str pl_gateway_host(struct pl_request *req);

/* ---- gateway_response.c ---- */

/* See struct pl_gateway_wire. */
int pl_relay_take_head(struct pl_relay *relay);

/* Passes an informational head on. */
void pl_relay_inform(struct pl_relay *relay);

/* The fields of the fetch's head that are for the client, in the arena; NULL:
 * no memory. */
struct pl_header *pl_relay_fields(struct pl_relay *relay, unsigned *n);

/* Is name among the options of the Connection fields of these? */
bool pl_gateway_is_hop(const struct pl_header *fields, unsigned n,
                       const struct pl_header *field);

/* ---- gateway_tunnel.c ---- */

/* A 101 has come. */
void pl_relay_tunnel(struct pl_relay *relay);

/* ---- gateway_fcgi.c ---- */

void pl_gateway_fcgi_free(struct pl_gateway_fcgi *fcgi);

#endif
