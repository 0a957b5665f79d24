/* h2_state.h - what the files of an HTTP/2 connection share.
 *
 *     h2_conn.c    the life of a connection: begin, end, time
 *     h2_input.c   frames that come, and what they change
 *     h2_stream.c  the streams: found, opened, reset, ended
 *     h2_output.c  frames that go: control frames, and bodies as windows allow
 *     h2_shared.c  content that is there once for many streams
 *     h2_wire.c    responses: struct pl_wire
 *     h2_block.c   header blocks that do not go with a response
 *     h2_enter.c   how an HTTP/1 connection becomes one
 *
 * Every write may find the connection dead; the struct pl_h2 and all of its
 * streams are gone then. A function that writes says so: it returns
 * PL_ERR_CLOSED, and its caller touches nothing any more. */
#ifndef PL_HTTP_H2_STATE_H
#define PL_HTTP_H2_STATE_H

#include "http/h2.h"
#include "http/h2_flow.h"
#include "http/h2_frame.h"
#include "http/h2_hpack.h"
#include "http/h2_limit.h"
#include "http/h2_priority.h"
#include "http/request.h"

enum {
    PL_H2_BUCKETS = 32, /* of streams; ids come in turn: none is long */
    PL_H2_FORGIVEN = 16,
    /* What the peer may send on the connection that no handler has asked for
     * yet; beyond it others wait, and beyond a stream's own window it does. */
    PL_H2_CONN_WINDOW = 256 * 1024,
    PL_H2_OUT_HIGH = 32 * 1024, /* bytes of a stream that wait: stop */
    PL_H2_OUT_LOW = 8 * 1024,   /* ... until they are so few */
    PL_H2_PUSH = 256 * 1024,    /* bytes of bodies that go in one turn */
    PL_H2_SHARE = 64,           /* frames that are taken in one turn */
};

struct pl_h2_stream {
    struct pl_h2_stream *next; /* in its bucket */
    /* In h2->ready: has content, and a window. Or in h2->parked. */
    struct pl_list node;
    struct pl_h2 *h2;
    struct pl_request *req;     /* until its answer has been said */
    struct pl_request *source;  /* whose content is being sent: held */
    struct pl_request *tail;    /* whose trailers are to follow: held */
    struct pl_buf out;          /* pieces of a stream that wait */
    uint64_t at;                /* how much of content or out has gone */
    struct pl_h2_piece *pieces; /* behind out: shared with other streams */
    size_t shared;              /* bytes of them */
    int64_t announced;          /* body bytes to come; -1: nobody said */
    uint64_t seen, judged;      /* body bytes that came; ... at the last look */
    uint64_t looked;            /* ms: when that was */
    uint64_t stalled;           /* ms: since when windows hold it up; 0: not */
    uint32_t id;
    uint32_t charged; /* to the connection, for its head */
    uint32_t held;    /* body bytes that nobody has asked for: h2->held */
    uint64_t content; /* bytes of an answer that wait: h2->content */
    struct pl_h2_window send, recv;
    struct pl_h2_priority priority;
    bool body;      /* of the request: more is to come */
    bool claimed;   /* the handler reads it */
    bool expect;    /* 100 Continue has not been sent */
    bool streaming; /* content comes in pieces */
    bool ended;     /* the last piece is in out */
    bool done;      /* END_STREAM has been sent */
    bool late;      /* the body came too slowly: its reader knows */
    bool congested; /* the producer waits */
};

enum pl_h2_stage {
    PL_H2_PREFACED, /* nothing has come; the preface is next */
    PL_H2_GREETED,  /* ... and then SETTINGS */
    PL_H2_OPEN,
    PL_H2_DRAINING, /* GOAWAY has been said, but new streams still come */
    PL_H2_ENDING,   /* no new streams; ends with the last one */
};

struct pl_h2 {
    struct pl_conn *conn;
    struct pl_account *account;
    struct pl_h2_hpack *hpack;
    struct pl_h2_stream *buckets[PL_H2_BUCKETS];
    struct pl_list ready[PL_H2_URGENCIES];
    uint32_t nstreams;
    uint32_t last;                     /* the newest stream of the peer */
    uint64_t opened;                   /* bit i: last - 2 * i has been one */
    uint32_t forgiven[PL_H2_FORGIVEN]; /* reset by us: more may be coming */
    unsigned nforgiven;
    struct pl_h2_early early;
    struct pl_h2_window send, recv;
    uint32_t initial;      /* what the peer lets us send on a new stream */
    uint32_t held;         /* of all streams */
    uint64_t content;      /* of all streams */
    struct pl_list parked; /* requests that wait for less of it */
    uint64_t stalled;      /* ms: the connection's window holds all up since */
    /* A DATA frame of which a part has come. */
    struct pl_h2_frame data;
    uint32_t data_left, pad_left; /* payload; 0, 0: none */
    /* A header block whose frames have not all come. */
    struct pl_buf block;
    struct pl_h2_frame block_frame; /* the first one; stream 0: none */
    unsigned block_frames;
    struct pl_h2_rate resets, controls, idlers;
    uint32_t explained; /* WINDOW_UPDATEs that our DATA accounts for */
    uint8_t stage;      /* enum pl_h2_stage */
    bool pumping;
};

extern const struct pl_wire pl_h2_wire;

PL_INLINE struct pl_http *pl_h2_http(const struct pl_h2 *h2)
{
    return h2->conn->listener->arg;
}

PL_INLINE uint64_t pl_h2_now(const struct pl_h2 *h2)
{
    return pl_now_ms(pl_conn_net(h2->conn)->loop);
}

/* ---- h2_conn.c ---- */

/* Ends the connection because of what the peer did: GOAWAY, one line in the
 * log. Always PL_ERR_CLOSED: all streams are gone. */
int pl_h2_fail(struct pl_h2 *h2, enum pl_h2_code code, const char *why);

/* A stream has gone: is that all? 0 or PL_ERR_CLOSED. */
int pl_h2_settle(struct pl_h2 *h2);

/* Sets the deadline for what is awaited now. */
void pl_h2_watch(struct pl_h2 *h2);

/* An answer to a PING: to the one that asks whether the peer has seen our first
 * GOAWAY? 0 or PL_ERR_CLOSED. */
int pl_h2_pong(struct pl_h2 *h2, struct pl_str payload);

/* ---- h2_input.c ---- */

/* One frame, or a part of DATA. Returns the bytes used, 0 if more must come
 * first. The connection may have ended. */
size_t pl_h2_input(struct pl_h2 *h2, struct pl_str bytes);

/* Takes in a SETTINGS payload. 0, or PL_ERR_CLOSED. */
int pl_h2_settings(struct pl_h2 *h2, struct pl_str payload);

/* The body of req waits for its reader, or does so no more: windows follow. 0
 * or PL_ERR_CLOSED. */
int pl_h2_body_open(struct pl_h2_stream *stream);

/* END_STREAM has come. 0 or PL_ERR_CLOSED. */
int pl_h2_body_end(struct pl_h2_stream *stream);

/* ---- h2_request.c ---- */

/* Takes in a header block that is whole; frame: its HEADERS. 0 or
 * PL_ERR_CLOSED. */
int pl_h2_block_read(struct pl_h2 *h2, const struct pl_h2_frame *frame,
                     struct pl_str block);

/* ---- h2_stream.c ---- */

struct pl_h2_stream *pl_h2_stream_find(const struct pl_h2 *h2, uint32_t id);

/* A new one, of a request whose head needs size bytes. NULL: there is no
 * memory, or the connection may not hold more. */
struct pl_h2_stream *pl_h2_stream_open(struct pl_h2 *h2, uint32_t id,
                                       size_t size);

/* Its handler reads the body: that counts no longer as held for the peer. */
void pl_h2_stream_claim(struct pl_h2_stream *stream);

/* Forgets it; what its request still waits for has been dealt with. */
void pl_h2_stream_free(struct pl_h2_stream *stream);

/* Its request hears that the peer has gone. */
void pl_h2_stream_lose(struct pl_h2_stream *stream, int why);

/* RST_STREAM, and the end of it. 0 or PL_ERR_CLOSED. */
int pl_h2_stream_reset(struct pl_h2_stream *stream, enum pl_h2_code code);

/* The same because of what the peer did: it is counted. */
int pl_h2_stream_refuse(struct pl_h2_stream *stream, enum pl_h2_code code);

/* A stream was reset by the peer, or because of it: too many? 0 or
 * PL_ERR_CLOSED. */
int pl_h2_count_reset(struct pl_h2 *h2);

/* RST_STREAM for a stream that is none (any more), counted. */
int pl_h2_refuse(struct pl_h2 *h2, uint32_t id, enum pl_h2_code code);

/* Have we reset it ourselves, so that frames may still be on their way? */
bool pl_h2_is_forgiven(const struct pl_h2 *h2, uint32_t id);

/* Something of it has ended: all of it? 0 or PL_ERR_CLOSED. */
int pl_h2_stream_settle(struct pl_h2_stream *stream);

/* ---- h2_output.c ---- */

/* A small frame. 0 or PL_ERR_CLOSED. */
int pl_h2_say(struct pl_h2 *h2, const char *from, const char *end);
int pl_h2_say_number(struct pl_h2 *h2, enum pl_h2_type type, uint32_t stream,
                     uint32_t value);

/* Content of stream that has not gone. */
uint64_t pl_h2_waiting(const struct pl_h2_stream *stream);

/* The last piece of a stream has gone: trailers, or END_STREAM alone. 0 or
 * PL_ERR_CLOSED. */
int pl_h2_end_pieces(struct pl_h2_stream *stream);

/* Puts it among those that may send, or takes it out. */
void pl_h2_schedule(struct pl_h2_stream *stream);

/* How many bytes of DATA the next frame of the stream may have. */
size_t pl_h2_room(const struct pl_h2_stream *stream);

/* len bytes of DATA have been sent: the windows know it. */
void pl_h2_spend(struct pl_h2_stream *stream, size_t len);

/* Sends of what waits as much as may go now. 0 or PL_ERR_CLOSED. */
int pl_h2_pump(struct pl_h2 *h2);

/* Is there so much content that waits that no request should add to it? */
bool pl_h2_is_full(const struct pl_h2 *h2);

/* The content of a stream begins to wait (its answer has been made), or does so
 * no more. False: the connection may not hold it beside what it has. */
bool pl_h2_content_hold(struct pl_h2_stream *stream, uint64_t size);
void pl_h2_content_drop(struct pl_h2_stream *stream);

/* ---- h2_shared.c ---- */

/* Of struct pl_wire. */
int pl_h2_write_ref(struct pl_request *req, struct pl_str bytes,
                    void (*release)(void *arg), void *arg);

/* Bytes that go behind the pieces of the stream. 0 or PL_ERR_LIMIT. */
int pl_h2_shared_copy(struct pl_h2_stream *stream, struct pl_str bytes);

/* Bytes of the first piece. */
size_t pl_h2_shared_next(const struct pl_h2_stream *stream);

/* Sends the head of a frame, and behind it the first len bytes of the first
 * piece, which are then gone: shared_gone(). 0 or PL_ERR_*. */
int pl_h2_shared_send(struct pl_h2_stream *stream, const char *head,
                      size_t len);
void pl_h2_shared_gone(struct pl_h2_stream *stream, size_t len);

/* The stream ends. */
void pl_h2_shared_drop(struct pl_h2_stream *stream);

/* ---- h2_block.c ---- */

struct pl_h2_field;

/* A head by way of the arena of req: there is a queue, or it is a large one.
 * 0, PL_ERR_NOMEM (nothing has been said) or PL_ERR_CLOSED. */
int pl_h2_block_send(struct pl_h2_stream *stream, struct pl_request *req,
                     const struct pl_h2_field *fields, unsigned n,
                     unsigned flags);

/* An informational head; see struct pl_wire. */
int pl_h2_inform(struct pl_request *req, int status,
                 const struct pl_header *fields, unsigned n);

/* The trailers of the response, which end the stream; as pl_h2_block_send(). */
int pl_h2_trailers_send(struct pl_h2_stream *stream, struct pl_request *req);

#endif
