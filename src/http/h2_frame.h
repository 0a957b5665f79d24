/* h2_frame.h - HTTP/2 frames as bytes (RFC 9113, 4 and 6): read, judged by what
 * each type prescribes, written. Pure: no state, no connection. */
#ifndef PL_HTTP_H2_FRAME_H
#define PL_HTTP_H2_FRAME_H

#include <perilune.h>

#include "base/compiler.h"

enum pl_h2_type {
    PL_H2_DATA = 0,
    PL_H2_HEADERS = 1,
    PL_H2_PRIORITY = 2,
    PL_H2_RST_STREAM = 3,
    PL_H2_SETTINGS = 4,
    PL_H2_PUSH_PROMISE = 5,
    PL_H2_PING = 6,
    PL_H2_GOAWAY = 7,
    PL_H2_WINDOW_UPDATE = 8,
    PL_H2_CONTINUATION = 9,
    PL_H2_PRIORITY_UPDATE = 16, /* RFC 9218, 7.1 */
};

enum pl_h2_flag {
    PL_H2_ACK = 1,
    PL_H2_END_STREAM = 1,
    PL_H2_END_HEADERS = 4,
    PL_H2_PADDED = 8,
    PL_H2_PRIORITIZED = 32, /* HEADERS that carry what PRIORITY does */
};

enum pl_h2_code {
    PL_H2_NO_ERROR = 0,
    PL_H2_PROTOCOL_ERROR = 1,
    PL_H2_INTERNAL_ERROR = 2,
    PL_H2_FLOW_CONTROL_ERROR = 3,
    PL_H2_SETTINGS_TIMEOUT = 4,
    PL_H2_STREAM_CLOSED = 5,
    PL_H2_FRAME_SIZE_ERROR = 6,
    PL_H2_REFUSED_STREAM = 7,
    PL_H2_CANCEL = 8,
    PL_H2_COMPRESSION_ERROR = 9,
    PL_H2_CONNECT_ERROR = 10,
    PL_H2_ENHANCE_YOUR_CALM = 11,
};

enum pl_h2_setting {
    PL_H2_HEADER_TABLE_SIZE = 1,
    PL_H2_ENABLE_PUSH = 2,
    PL_H2_MAX_CONCURRENT_STREAMS = 3,
    PL_H2_INITIAL_WINDOW_SIZE = 4,
    PL_H2_MAX_FRAME_SIZE = 5,
    PL_H2_MAX_HEADER_LIST_SIZE = 6,
    PL_H2_ENABLE_CONNECT_PROTOCOL = 8, /* RFC 8441, 3 */
    PL_H2_NO_RFC7540_PRIORITIES = 9,   /* RFC 9218, 2.1 */
};

enum {
    PL_H2_FRAME_HEAD = 9,
    /* The payload that every peer must take; we ask for no more, and send no
     * more to those who would take it. */
    PL_H2_FRAME_MAX = 16384,
    PL_H2_FRAME_LIMIT = (1 << 24) - 1, /* the largest a peer may ask for */
    PL_H2_SETTING = 6,                 /* bytes of one */
    PL_H2_PING_LEN = 8,
    PL_H2_PREFACE_LEN = 24,
};

/* What a client says first (3.4). */
#define PL_H2_PREFACE PL_STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

struct pl_h2_frame {
    uint32_t length; /* of the payload */
    uint32_t stream; /* without the reserved bit */
    uint8_t type;    /* enum pl_h2_type, or one that we do not know */
    uint8_t flags;
};

/* bytes has PL_H2_FRAME_HEAD of them. */
void pl_h2_frame_read(struct pl_h2_frame *frame, const char *bytes);

/* What the head alone says that is wrong: its length for its type, or a stream
 * where none may be named, or none where one must be. All of these end the
 * connection. */
enum pl_h2_code pl_h2_frame_check(const struct pl_h2_frame *frame);

/* Takes padding, and what HEADERS say about priority, off the payload of DATA,
 * HEADERS and PUSH_PROMISE. False if there is more of it than payload. */
bool pl_h2_frame_strip(const struct pl_h2_frame *frame, struct pl_str *payload);

/* Big-endian numbers, as frames have them; the first without its highest bit,
 * which is reserved wherever it is not used. */
uint32_t pl_h2_u31(const char *bytes);
uint32_t pl_h2_u32(const char *bytes);
uint16_t pl_h2_u16(const char *bytes);

/* ---- writing: all return the end of what they wrote ---- */

char *pl_h2_put_u32(char *out, uint32_t value);
char *pl_h2_put_setting(char *out, enum pl_h2_setting id, uint32_t value);
char *pl_h2_put_head(char *out, size_t length, enum pl_h2_type type,
                     unsigned flags, uint32_t stream);
/* RST_STREAM and WINDOW_UPDATE: a head and one number. */
enum { PL_H2_NUMBER_FRAME = PL_H2_FRAME_HEAD + 4 };
char *pl_h2_put_number(char *out, enum pl_h2_type type, uint32_t stream,
                       uint32_t value);

/* The name of an error, for logs: "PROTOCOL_ERROR". */
const char *pl_h2_code_name(uint32_t code);

#endif
