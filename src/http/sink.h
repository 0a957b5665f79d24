/* sink.h - a file that bytes of a request go to: what a body is spooled into,
 * or saved as.
 *
 * Lies in the request's arena and ends with it, at the latest. While it works
 * (pl_temp) it holds the request, is the body's `busy`, and its buffer is
 * out of reach of whoever goes away meanwhile.
 *
 * What begins work returns PL_ERR_AGAIN: wait for the body and ask for the
 * status. PL_ERR_STATE: another sink of this request works. */
#ifndef PL_HTTP_SINK_H
#define PL_HTTP_SINK_H

#include "base/buf.h"
#include "os/temp.h"

struct pl_request;

struct pl_sink {
    struct pl_sink *next; /* in req->sinks */
    struct pl_request *req;
    struct pl_temp *temp; /* NULL: closed */
    struct pl_temp_op op;
    struct pl_buf out; /* what is being written */
    unsigned number;   /* from 1, for those who must not have pointers */
    int err;           /* the first failure of the file; it stays failed */
    bool spool;        /* of ours: nobody asked for a file */
    bool busy;
    bool kept;
};

/* NULL when out of memory. */
struct pl_sink *pl_sink_new(struct pl_request *req,
                            const struct pl_temp_spec *spec);

/* The sink of that number, or NULL. */
struct pl_sink *pl_sink_find(struct pl_request *req, uint64_t number);

/* 0: idle and well; PL_ERR_AGAIN: busy; PL_ERR_STATE: closed; or its error. */
int pl_sink_status(const struct pl_sink *sink);

/* Bytes written; not while it is busy. */
uint64_t pl_sink_size(const struct pl_sink *sink);

/* Appends the first n bytes that wait in the body, which are taken from it. */
int pl_sink_take(struct pl_sink *sink, size_t n);

/* Appends; COPIES. */
int pl_sink_write(struct pl_sink *sink, struct pl_str bytes);

/* Appends what another one, which is idle, has. */
int pl_sink_copy(struct pl_sink *sink, struct pl_sink *from);

/* n bytes from at on, to memory that lives as long as the request. */
int pl_sink_read(struct pl_sink *sink, uint64_t at, char *to, size_t n);

/* Reads them to sink->out. */
int pl_sink_fetch(struct pl_sink *sink, uint64_t at, size_t n);

/* Gives the file its name. 0 if it has it already. */
int pl_sink_keep(struct pl_sink *sink);

/* It is needed no more. One that is busy goes with the request. */
void pl_sink_close(struct pl_sink *sink);

/* The request is over: all of them. */
void pl_sinks_end(struct pl_request *req);

#endif
