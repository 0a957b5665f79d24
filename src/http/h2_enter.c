/* h2_enter.c - how a connection that began as HTTP/1 becomes one of HTTP/2. */
#include "base/error.h"
#include "base/str.h"
#include "http/h2_state.h"

bool pl_h2_is_preface(struct pl_str bytes, bool *part)
{
    struct pl_str preface = PL_H2_PREFACE;
    size_t len = PL_MIN(bytes.len, preface.len);

    *part = len < preface.len;
    return memcmp(bytes.data, preface.data, len) == 0;
}

/* ---- Upgrade: h2c ---- */

/* The one HTTP2-Settings field, decoded into out. False if it is not a SETTINGS
 * payload (RFC 7540, 3.2.1). */
static bool read_settings(struct pl_request *req, char *out, size_t room,
                          struct pl_str *payload)
{
    struct pl_str field = pl_request_header_id(req, PL_HEADER_HTTP2_SETTINGS);
    ptrdiff_t len;

    if (field.data == NULL || pl_base64_decoded_room(field.len) > room)
        return false;
    len = pl_base64_decode(out, field, PL_BASE64_URL);
    if (len < 0 || len % PL_H2_SETTING != 0)
        return false;
    *payload = pl_str(out, (size_t)len);
    return true;
}

enum { MOST_SETTINGS = 64 * PL_H2_SETTING };

bool pl_h2_is_asked_for(struct pl_request *req)
{
    char room[MOST_SETTINGS];
    struct pl_str payload;

    return req->upgrade && !req->secure &&
           pl_header_list_has(pl_request_header_id(req, PL_HEADER_UPGRADE),
                              PL_STR("h2c")) &&
           pl_header_list_has(pl_request_header_id(req, PL_HEADER_CONNECTION),
                              PL_STR("http2-settings")) &&
           read_settings(req, room, sizeof(room), &payload);
}

static int switch_over(struct pl_conn *conn, struct pl_request *req)
{
    char room[MOST_SETTINGS];
    struct pl_str payload = PL_STR("");
    int err = pl_conn_write(conn, PL_STR("HTTP/1.1 101 Switching Protocols\r\n"
                                         "Connection: Upgrade\r\n"
                                         "Upgrade: h2c\r\n\r\n"));

    if (err < 0) {
        pl_conn_close(conn, err);
        return PL_ERR_CLOSED;
    }
    if (pl_h2_begin(conn) < 0)
        return PL_ERR_CLOSED;
    read_settings(req, room, sizeof(room), &payload);
    return pl_h2_settings(conn->state, payload);
}

void pl_h2_upgrade(struct pl_conn *conn, struct pl_request *req)
{
    struct pl_h2_stream *stream;
    struct pl_h2 *h2;

    if (switch_over(conn, req) < 0) {
        pl_request_drop(req);
        return;
    }
    h2 = conn->state;
    h2->last = h2->opened = 1;
    stream = pl_h2_stream_open(h2, 1, pl_arena_size(&req->arena));
    if (stream == NULL) {
        pl_conn_close(conn, PL_ERR_LIMIT);
        pl_request_drop(req);
        return;
    }
    stream->announced = -1;
    stream->priority = PL_H2_PRIORITY_DEFAULT;
    stream->req = req;
    req->wire = &pl_h2_wire;
    req->stream = stream;
    req->version = 20;
    /* It begins behind the client's preface: some clients have little room for
     * what comes before they have sent that. */
    pl_list_push(&h2->parked, &stream->node);
    pl_conn_resume(conn); /* what follows the head is for us */
}
