/* state.h - what the files of a FastCGI connection share.
 *
 *     conn.c    the life of a connection: begin, end, time
 *     input.c   records that come
 *     stream.c  requests on it: begun, answered, aborted
 *     output.c  records that go: heads, content in turns, ends
 *     wire.c    responses: struct pl_wire
 *
 * Every write may find the connection dead; its requests are lost then, and the
 * struct pl_fcgi is gone (unless its input is being read: fcgi->reading). A
 * function that writes says so: it returns PL_ERR_CLOSED, and its caller
 * touches nothing any more. */
#ifndef PL_FCGI_STATE_H
#define PL_FCGI_STATE_H

#include "fcgi/params.h"
#include "fcgi/record.h"
#include "http/request.h"

enum {
    PL_FCGI_STREAMS = 128, /* requests of a connection, at once */
    /* Bodies of all of them that wait for who reads them: beyond that the
     * connection waits, too. */
    PL_FCGI_HELD = 256 * 1024,
    PL_FCGI_PUSH = 256 * 1024, /* bytes of content that go in one turn */
    PL_FCGI_SHARE = 256,       /* records that are taken in one turn */
    PL_FCGI_END_MAX = 2 * PL_FCGI_HEAD + PL_FCGI_SMALL, /* of a stream */
};

/* What is still to come of a request. */
enum pl_fcgi_stage { PL_FCGI_IN_PARAMS, PL_FCGI_IN_BODY, PL_FCGI_READ };

struct pl_fcgi_stream {
    struct pl_list node;  /* in fcgi->streams */
    struct pl_list ready; /* in fcgi->ready: has content that waits */
    struct pl_fcgi *fcgi;
    struct pl_request *req;    /* from its params until its answer is said */
    struct pl_request *source; /* whose content is being sent: held */
    struct pl_buf params;      /* that have come in pieces */
    uint64_t sent;             /* how much of source's content has gone */
    uint64_t begun;            /* ms */
    uint64_t seen, judged;     /* body bytes that came; ... at the last look */
    uint64_t looked;           /* ms: when that was */
    uint16_t id;
    uint8_t role;   /* enum pl_fcgi_role */
    uint8_t stage;  /* enum pl_fcgi_stage */
    bool keep;      /* the connection, behind its end */
    bool large;     /* there are more params than may be */
    bool complains; /* has said something on stderr, which has to end */
    bool answered;  /* ... and on stdout */
};

struct pl_fcgi {
    struct pl_conn *conn;
    struct pl_account *account;
    struct pl_list streams, ready;
    struct pl_fcgi_stream *recent;   /* that was found last */
    struct pl_fcgi_stream *starting; /* its handler begins with the next record
                                        that is not of its body */
    unsigned nstreams;
    /* A record of which a part has come. */
    struct pl_fcgi_record record;
    uint32_t left, pad_left;
    uint8_t awaited; /* enum pl_deadline_class */
    bool last;       /* ends with the requests that there are */
    bool served;     /* a request of it has been answered */
    bool unread;     /* something of an answered request may be on its way */
    bool reading;    /* its input: this stays until that is done */
    bool pumping;
};

extern const struct pl_wire pl_fcgi_wire;

PL_INLINE struct pl_http *pl_fcgi_http(const struct pl_fcgi *fcgi)
{
    return fcgi->conn->listener->arg;
}

PL_INLINE uint64_t pl_fcgi_now(const struct pl_fcgi *fcgi)
{
    return pl_now_ms(pl_conn_net(fcgi->conn)->loop);
}

/* ---- conn.c ---- */

/* Ends the connection because of what the peer sent; said once in the log. All
 * its requests are lost. */
void pl_fcgi_fail(struct pl_fcgi *fcgi, const char *why);

/* A request has gone, or a record has come to its end: is that all? */
void pl_fcgi_settle(struct pl_fcgi *fcgi);

/* Sets the deadline for what is awaited now. */
void pl_fcgi_watch(struct pl_fcgi *fcgi);

/* Reads on, if it had to wait and need no more. */
void pl_fcgi_resume(struct pl_fcgi *fcgi);

/* Do bodies wait that nobody reads, so many that the connection has to wait? */
bool pl_fcgi_is_full(const struct pl_fcgi *fcgi);

/* ---- input.c ---- */

/* One record, or a part of it. Returns the bytes used, 0 if more must come
 * first. The connection may have ended. */
size_t pl_fcgi_input(struct pl_fcgi *fcgi, struct pl_str bytes);

/* The handler of what has come may begin. */
void pl_fcgi_start(struct pl_fcgi *fcgi);

/* ---- stream.c ---- */

struct pl_fcgi_stream *pl_fcgi_stream_find(struct pl_fcgi *fcgi, uint16_t id);

/* NULL: there is no memory, or the connection may not hold more. */
struct pl_fcgi_stream *pl_fcgi_stream_open(struct pl_fcgi *fcgi, uint16_t id,
                                           const struct pl_fcgi_begin *begin);

/* Its params have all come, and are those of buffer params. The connection may
 * have ended. */
void pl_fcgi_stream_begin(struct pl_fcgi_stream *stream, struct pl_str params);

/* Answers it without a handler: its params never ended. */
void pl_fcgi_stream_refuse(struct pl_fcgi_stream *stream, int status,
                           const char *why);

/* The web server does not want it any more: it ends without more of an answer.
 */
void pl_fcgi_stream_abort(struct pl_fcgi_stream *stream);

/* Its answer is broken off, and the web server must notice: where it has the
 * connection for itself, by the end of that. The stream is gone then. */
void pl_fcgi_stream_cut(struct pl_fcgi_stream *stream);

/* Forgets it; its request hears that the peer has gone. */
void pl_fcgi_stream_lose(struct pl_fcgi_stream *stream, int why);

/* The request leaves its stream, which goes on for as long as it has content.
 */
void pl_fcgi_stream_detach(struct pl_fcgi_stream *stream);

/* All of the answer has been handed over: is there content that waits? Else
 * says the end of it. The stream is gone then, and maybe the connection. */
void pl_fcgi_stream_settle(struct pl_fcgi_stream *stream, uint32_t app_status);

/* ---- output.c ---- */

/* Bytes of a stream, in as many records as it takes. 0, PL_ERR_LIMIT (nothing
 * has gone) or PL_ERR_CLOSED. */
int pl_fcgi_say(struct pl_fcgi_stream *stream, enum pl_fcgi_type type,
                struct pl_str bytes);

/* Records that are whole. 0 or PL_ERR_CLOSED. */
int pl_fcgi_say_records(struct pl_fcgi *fcgi, const char *from,
                        const char *end);

/* Puts it among those whose content goes in turns. */
void pl_fcgi_schedule(struct pl_fcgi_stream *stream);

/* Sends of what waits as much as may go now. */
void pl_fcgi_pump(struct pl_fcgi *fcgi);

#endif
