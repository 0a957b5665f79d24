/* ws.h - a WebSocket (RFC 6455): frames into messages and back, the closing
 * handshake, pings, limits.
 *
 *     OPEN --we close--> CLOSING --their close, or too late--> CLOSED
 *       \----they close, a violation, the connection is gone----^
 *
 * It lies over a transport (a connection, or a stream of HTTP/2) and below its
 * reader: a handler in straight lines, or functions that are called for each
 * message. One message at a time is with the reader; what follows it waits at
 * the peer, but for pings, which are answered meanwhile.
 *
 * An idle one owns no buffer: ws->work is there while a message is on its way
 * or with the reader. All functions are for the worker's thread, and none
 * waits. */
#ifndef PL_HTTP_WS_H
#define PL_HTTP_WS_H

#include "base/buf.h"
#include "base/utf8.h"
#include "http/ws_extension.h"
#include "http/ws_frame.h"
#include "net/addr.h"
#include "task/op.h"

#define PL_WS_MAGIC 0x6b637773u /* "swck" */

struct pl_http;
struct pl_request;
struct pl_ws;
struct pl_ws_packer;
struct pl_ws_shared;
struct pl_ws_unpacker;

/* What a route or a handler says of its sockets. Strings are lists with spaces
 * between. BORROWED by each socket until pl_ws_release(). */
struct pl_ws_settings {
    uint64_t max_message;  /* bytes: 1 MiB */
    uint32_t ping_ms;      /* when nothing was heard for so long; 0: never */
    uint32_t timeout_ms;   /* and so long for the answer */
    uint32_t idle_ms;      /* without a message, either way; 0: no limit */
    uint32_t close_ms;     /* for the peer's close frame */
    uint32_t rate;         /* bytes a second of a frame, at least; 0: any */
    struct pl_str origins; /* "*": any; absent: the host's own */
    struct pl_str protocols;
    uint32_t compress_min; /* bytes of a message that is worth packing */
    uint8_t compress;      /* enum pl_ws_compress */
    uint8_t window_bits;   /* of PL_WS_CONTEXT: 9 to 15 */
};

extern const struct pl_ws_settings pl_ws_default_settings;

/* What carries it; net/conn.h says what the calls mean. */
struct pl_ws_transport {
    int (*write)(void *link, const struct iovec *pieces, int n);
    int (*write_ref)(void *link, struct pl_str bytes,
                     void (*release)(void *arg), void *arg);
    bool (*congested)(void *link);
    void (*pause)(void *link);
    void (*resume)(void *link);
    void (*pass)(void *link); /* the others first: input goes on by itself */
    /* pl_ws_tick() is due in ms. */
    void (*deadline)(void *link, uint32_t ms);
    void (*finish)(void *link); /* when the output has gone */
    void (*close)(void *link, int why);
    bool (*peer)(void *link, struct pl_addr *addr);
    void (*renew)(void *link); /* NULL: it refers to nothing of a generation */
};

/* Who reads it; each may be NULL. */
struct pl_ws_reader {
    /* pl_ws_take() has something new: a message, or the end. May be called
     * while the reader is still busy with what it took before. */
    void (*ready)(struct pl_ws *ws);
    /* The last call, by pl_ws_release(): nobody may use it any more. */
    void (*released)(struct pl_ws *ws);
};

/* What a socket that is idle, and whose reader has callbacks, does without. */
struct pl_ws_rare {
    struct pl_ws_wait_op *waiters; /* first come, first served */
    struct pl_ws_packer *packer;   /* of its own; or NULL */
    struct pl_str reason;          /* of the close frame; from the pool */
};

enum pl_ws_state { PL_WS_OPEN, PL_WS_CLOSING, PL_WS_CLOSED };

/* While a message is on its way, or with its reader. */
struct pl_ws_work {
    struct pl_buf message;
    struct pl_utf8 utf8;
    struct pl_ws_frame frame;        /* the one that is being read */
    uint64_t left;                   /* bytes of it that are to come */
    uint64_t seen, judged;           /* bytes of it; when its rate was judged */
    uint64_t announced;              /* of the message, by its frames so far */
    struct pl_ws_unpacker *unpacker; /* NULL: none of it was packed yet */
    uint8_t opcode;                  /* of the message; 0: none */
    bool packed;
    bool whole; /* all of it is there, */
    bool taken; /* ... and with its reader */
};

struct pl_ws {
    uint32_t magic;
    uint8_t holders;
    uint8_t state; /* enum pl_ws_state */
    bool paused : 1, pinged : 1, told : 1;
    bool busy : 1;     /* the reader's: it looks by itself what is new */
    bool packs : 1;    /* permessage-deflate was agreed */
    uint8_t protocol;  /* number in settings->protocols, from 1; 0: none */
    uint16_t code;     /* of the first close frame, either way; 0: none */
    uint16_t controls; /* control frames in the window */
    uint32_t window;   /* ms: when it began */
    uint32_t heard;    /* ms: when a frame was last read, */
    uint32_t active;   /* a message last read or written; in CLOSING: when our
                          close frame was sent */
    const struct pl_ws_transport *transport;
    void *link; /* NULL: gone */
    struct pl_http *http;
    const struct pl_ws_settings *settings;
    const struct pl_ws_reader *reader; /* NULL: waits by pl_ws_wait_op */
    void *user;              /* the reader's; of one in C it is pl_ws_state() */
    struct pl_ws_work *work; /* or NULL */
    struct pl_ws_rare *rare; /* or NULL */
    struct pl_ws_place *places; /* among those that listen to topics */
};

_Static_assert(
    sizeof(struct pl_ws) <= 96,
    "192 bytes with its connection and that one's place in the loop");

/* ---- life ---- */

/* A socket that is open, over link: one hold is that of link, until
 * pl_ws_gone(), one the caller's, until pl_ws_release(). NULL: no memory. */
struct pl_ws *pl_ws_new(struct pl_http *http,
                        const struct pl_ws_transport *transport, void *link,
                        const struct pl_ws_settings *settings);

/* Further holds: of who may look at it after it was released. */
void pl_ws_hold(struct pl_ws *ws);
void pl_ws_drop(struct pl_ws *ws);

/* Its owner lets go of it: closes it with code, if nobody has yet. */
void pl_ws_release(struct pl_ws *ws, unsigned code);

/* Its reader has changed: other settings from now on; and of the generation
 * that serves. */
void pl_ws_set(struct pl_ws *ws, const struct pl_ws_settings *settings);
void pl_ws_renew(struct pl_ws *ws, const struct pl_ws_settings *settings);

/* Who waits for a message looks at what there is, though nothing is new. */
void pl_ws_wake(struct pl_ws *ws);

/* It packs from now on. TAKES packer; NULL: by the worker's own. Returns 0 or
 * PL_ERR_NOMEM. */
int pl_ws_set_packer(struct pl_ws *ws, struct pl_ws_packer *packer);

/* ---- for transports ---- */

/* Bytes of the peer; returns how many were used. The rest is shown again with
 * more, or after resume(). */
size_t pl_ws_input(struct pl_ws *ws, struct pl_str bytes);
void pl_ws_eof(struct pl_ws *ws);
void pl_ws_drained(struct pl_ws *ws);
void pl_ws_tick(struct pl_ws *ws);
void pl_ws_drain(struct pl_ws *ws);         /* the worker stops */
void pl_ws_gone(struct pl_ws *ws, int why); /* the last call of link */

/* ---- reading ---- */

/* Gives the message that is there, until pl_ws_done(), and returns 1; or
 * PL_ERR_AGAIN, or PL_ERR_CLOSED: there will be none any more. */
int pl_ws_take(struct pl_ws *ws, struct pl_ws_message *message);
void pl_ws_done(struct pl_ws *ws);

/* Waits for a message (one at a time) or for the output. */
struct pl_ws_wait_op {
    struct pl_op op;
    struct pl_timer timer;
    struct pl_ws *ws;
    struct pl_ws_wait_op *next;
    bool drains; /* for the output */
};

/* Somebody waits by a pl_ws_wait_op. */
bool pl_ws_is_awaited(const struct pl_ws *ws);

/* Completes with 0 when pl_ws_take() has something. PL_ERR_BUSY for the second
 * that waits; PL_ERR_NOMEM. due: monotonic ns, PL_ERR_TIMEOUT then; 0: never.
 */
void pl_ws_receive_begin(struct pl_ws_wait_op *wait, struct pl_sched *sched,
                         struct pl_ws *ws, uint64_t due);

/* ---- writing: 0, PL_ERR_AGAIN (congested: nothing was sent), PL_ERR_CLOSED,
 * PL_ERR_CANCELED when that was said before, PL_ERR_LIMIT, PL_ERR_NOMEM ---- */

/* COPIES. */
int pl_ws_write(struct pl_ws *ws, enum pl_ws_kind kind, struct pl_str data);

/* A message that is made once for many sockets of a worker; one reference is
 * the caller's. NULL: no memory. */
struct pl_ws_shared *pl_ws_shared_new(struct pl_pool *pool,
                                      enum pl_ws_kind kind, struct pl_str data);
void pl_ws_shared_drop(void *shared);
int pl_ws_write_shared(struct pl_ws *ws, struct pl_ws_shared *shared);

/* Completes with 0 when the output has drained, or the socket is closed. */
void pl_ws_drain_begin(struct pl_ws_wait_op *wait, struct pl_sched *sched,
                       struct pl_ws *ws);

#endif
