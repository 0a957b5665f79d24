/* h2_block.c - header blocks that go by way of memory: those that do not fit
 * into the worker's outbox, informational heads, trailers. */
#include "base/error.h"
#include "base/str.h"
#include "http/h2_state.h"
#include "http/h2_write.h"
#include "http/trailer.h"

/* As frames, the first of which is HEADERS (RFC 9113, 6.2 and 6.10). */
static int send_frames(struct pl_h2 *h2, uint32_t id, struct pl_str block,
                       unsigned flags)
{
    enum pl_h2_type type = PL_H2_HEADERS;
    int err;

    do {
        struct pl_str part = pl_str_first(block, PL_H2_FRAME_MAX);
        char head[PL_H2_FRAME_HEAD];
        struct iovec pieces[2] = {{head, sizeof(head)},
                                  {(char *)part.data, part.len}};

        block = pl_str_skip(block, part.len);
        flags |= block.len == 0 ? PL_H2_END_HEADERS : 0;
        pl_h2_put_head(head, part.len, type, flags, id);
        err = pl_conn_writev(h2->conn, pieces, 2);
        type = PL_H2_CONTINUATION;
        flags = 0;
    } while (err == 0 && block.len > 0);
    return err;
}

int pl_h2_block_send(struct pl_h2_stream *stream, struct pl_request *req,
                     const struct pl_h2_field *fields, unsigned n,
                     unsigned flags)
{
    struct pl_conn *conn = stream->h2->conn;
    size_t bound = pl_h2_hpack_bound(fields, n);
    char *block = pl_arena_bytes(&req->arena, bound);
    ssize_t len;
    int err;

    if (block == NULL)
        return PL_ERR_NOMEM;
    len = pl_h2_hpack_write(stream->h2->hpack, fields, n, block, bound);
    err = (int)PL_MIN(len, 0);
    if (err == 0)
        err = send_frames(stream->h2, stream->id, pl_str(block, (size_t)len),
                          flags);
    if (err < 0) /* what follows could not be understood */
        pl_conn_close(conn, err);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : 0;
}

/* The fields as they are said, room for one more in front of them. Returns how
 * many have a value, or PL_ERR_NOMEM. */
static int collect(struct pl_request *req, const struct pl_header *from,
                   unsigned n, struct pl_h2_field **out)
{
    struct pl_h2_field *fields =
        pl_arena_alloc(&req->arena, (n + 1) * sizeof(*fields));
    unsigned count = 0;

    if (fields == NULL)
        return PL_ERR_NOMEM;
    for (unsigned i = 0; i < n; i++) {
        struct pl_h2_field *field = &fields[1 + count];

        if (from[i].value == NULL)
            continue;
        *field = (struct pl_h2_field){pl_h2_field_name(req, &from[i]),
                                      pl_header_value(&from[i])};
        if (field->name.data == NULL)
            return PL_ERR_NOMEM;
        count++;
    }
    *out = fields;
    return (int)count;
}

int pl_h2_inform(struct pl_request *req, int status,
                 const struct pl_header *fields, unsigned n)
{
    struct pl_h2_stream *stream = req->stream;
    struct pl_h2_field *list;
    char text[3];
    int count = collect(req, fields, n, &list);

    if (count < 0)
        return count;
    list[0] = (struct pl_h2_field){PL_STR(":status"),
                                   pl_h2_status(text, (unsigned)status)};
    count = pl_h2_block_send(stream, req, list, (unsigned)count + 1, 0);
    if (count == 0)
        pl_conn_flush(stream->h2->conn);
    return req->wire == NULL ? PL_ERR_CLOSED : count;
}

int pl_h2_trailers_send(struct pl_h2_stream *stream, struct pl_request *req)
{
    const struct pl_trailers *trailers = req->response.trailers;
    struct pl_h2_field *list;
    int n = collect(req, trailers->fields, trailers->n, &list);

    if (n < 0)
        return n;
    return pl_h2_block_send(stream, req, list + 1, (unsigned)n,
                            PL_H2_END_STREAM);
}
