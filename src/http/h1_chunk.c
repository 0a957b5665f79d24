/* h1_chunk.c - the chunked coding (RFC 9112, 7.1), a byte at a time but for
 * the data, which is not looked at.
 *
 *     SIZE --> SIZE_LF --> DATA -> DATA_CR -> DATA_LF --> SIZE
 *      | ^       |
 *      v |CR     v last chunk        +------- TRAILER_LF <------+
 *     GAP -> EXT (QUOTED, ESCAPED)   v                          |
 *                              TRAILER -> TRAILER_NAME -> TRAILER_VALUE
 *                                 | CR
 *                                 v
 *                               END_LF -> DONE
 *
 * Extensions are passed over, but their quotes are followed: some parser lets
 * a line end stand in a quoted string, and would see other chunks than we. */
#include "http/h1_parse.h"

#include "base/str.h"
#include "http/chars.h"

enum state {
    SIZE,
    GAP,
    EXT,
    QUOTED,
    ESCAPED,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    DONE,
    REFUSED
};

enum { MAX_DIGITS = 16 };

void pl_h1_chunk_init(struct pl_h1_chunk *chunk)
{
    *chunk = (struct pl_h1_chunk){.state = SIZE};
}

PL_COLD static int refuse(struct pl_h1_chunk *chunk, int status,
                          const char *text)
{
    chunk->refusal = (struct pl_h1_refusal){status, text};
    chunk->state = REFUSED;
    return PL_ERR_PROTO;
}

/* If c is what has to come, go on in state next. */
static int need(struct pl_h1_chunk *chunk, char c, char want, enum state next)
{
    if (c != want)
        return refuse(chunk, 400, "malformed line end in a chunked body");
    chunk->state = (uint8_t)next;
    return 0;
}

/* The value of a hexadecimal digit, or 16. */
static unsigned hex_digit(char c)
{
    switch (c) {
    case '0' ... '9':
        return (unsigned)(c - '0');
    case 'a' ... 'f':
        return (unsigned)(c - 'a') + 10;
    case 'A' ... 'F':
        return (unsigned)(c - 'A') + 10;
    default:
        return 16;
    }
}

/* Behind the digits of the size. */
static int end_size(struct pl_h1_chunk *chunk, char c)
{
    /* As for Content-Length: others keep it in a signed number. */
    if (chunk->digits == 0 || chunk->left > INT64_MAX)
        return refuse(chunk, 400, "malformed chunk size");
    switch (c) {
    case '\r':
        chunk->state = SIZE_LF;
        return 0;
    case ' ':
    case '\t':
        chunk->state = GAP;
        return 0;
    case ';':
        chunk->state = EXT;
        return 0;
    default:
        return refuse(chunk, 400, "malformed chunk size");
    }
}

static int on_size(struct pl_h1_chunk *chunk, char c)
{
    unsigned digit = hex_digit(c);

    if (digit == 16)
        return end_size(chunk, c);
    if (chunk->digits == MAX_DIGITS)
        return refuse(chunk, 400, "chunk size too large");
    chunk->left = chunk->left << 4 | digit;
    chunk->digits++;
    return 0;
}

/* White space may stand before the semicolon only. */
static int on_gap(struct pl_h1_chunk *chunk, char c)
{
    if (c == ';')
        chunk->state = EXT;
    else if (c != ' ' && c != '\t')
        return refuse(chunk, 400, "malformed chunk size");
    return 0;
}

static int on_extension(struct pl_h1_chunk *chunk, char c)
{
    if (chunk->state == EXT && c == '\r') {
        chunk->state = SIZE_LF;
        return 0;
    }
    if (!pl_char_is(c, PL_CHAR_VALUE))
        return refuse(chunk, 400, "malformed chunk extension");
    if (chunk->state == ESCAPED)
        chunk->state = QUOTED;
    else if (chunk->state == QUOTED && c == '\\')
        chunk->state = ESCAPED;
    else if (c == '"')
        chunk->state = chunk->state == QUOTED ? EXT : QUOTED;
    return 0;
}

static int on_size_lf(struct pl_h1_chunk *chunk, char c)
{
    uint32_t earned = (uint32_t)PL_MIN(chunk->left, chunk->extra);

    chunk->extra -= earned;
    chunk->digits = 0;
    return need(chunk, c, '\n', chunk->left > 0 ? DATA : TRAILER);
}

static int on_trailer(struct pl_h1_chunk *chunk, char c)
{
    if (c == '\r')
        chunk->state = END_LF;
    else if (pl_char_is(c, PL_CHAR_TOKEN))
        chunk->state = TRAILER_NAME;
    else
        return refuse(chunk, 400, "malformed trailer");
    return 0;
}

static int on_trailer_name(struct pl_h1_chunk *chunk, char c)
{
    if (c == ':')
        chunk->state = TRAILER_VALUE;
    else if (!pl_char_is(c, PL_CHAR_TOKEN))
        return refuse(chunk, 400, "malformed trailer");
    return 0;
}

static int on_trailer_value(struct pl_h1_chunk *chunk, char c)
{
    if (c == '\r')
        chunk->state = TRAILER_LF;
    else if (!pl_char_is(c, PL_CHAR_VALUE))
        return refuse(chunk, 400, "malformed trailer");
    return 0;
}

/* Takes one byte of anything but data. Returns 1 after the last. */
static int take(struct pl_h1_chunk *chunk, char c)
{
    switch (chunk->state) {
    case SIZE:
        return on_size(chunk, c);
    case GAP:
        return on_gap(chunk, c);
    case EXT:
    case QUOTED:
    case ESCAPED:
        return on_extension(chunk, c);
    case SIZE_LF:
        return on_size_lf(chunk, c);
    case DATA_CR:
        return need(chunk, c, '\r', DATA_LF);
    case DATA_LF:
        return need(chunk, c, '\n', SIZE);
    case TRAILER:
        return on_trailer(chunk, c);
    case TRAILER_NAME:
        return on_trailer_name(chunk, c);
    case TRAILER_VALUE:
        return on_trailer_value(chunk, c);
    case TRAILER_LF:
        return need(chunk, c, '\n', TRAILER);
    default: /* END_LF */
        return need(chunk, c, '\n', DONE) < 0 ? PL_ERR_PROTO : 1;
    }
}

/* Is this byte one of an extension or a trailer, and one too many? */
static bool spent(struct pl_h1_chunk *chunk)
{
    switch (chunk->state) {
    case GAP ... ESCAPED:
    case TRAILER_NAME ... TRAILER_LF:
        return ++chunk->extra > PL_H1_CHUNK_EXTRA;
    default:
        return false;
    }
}

/* Gives what bytes holds of the current chunk. */
static size_t take_data(struct pl_h1_chunk *chunk, struct pl_str bytes,
                        struct pl_str *data)
{
    data->data = bytes.data;
    data->len = (size_t)PL_MIN(chunk->left, (uint64_t)bytes.len);
    chunk->left -= data->len;
    if (chunk->left == 0)
        chunk->state = DATA_CR;
    return data->len;
}

/* The byte that is next, which belongs to the trailers if they have begun. */
static char take_trailer(struct pl_h1_chunk *chunk, struct pl_str bytes,
                         size_t at)
{
    if (chunk->state >= TRAILER) {
        if (chunk->trailer.data == NULL)
            chunk->trailer.data = bytes.data + at;
        chunk->trailer.len++;
    }
    return bytes.data[at];
}

int pl_h1_chunk_parse(struct pl_h1_chunk *chunk, struct pl_str bytes,
                      size_t *used, struct pl_str *data)
{
    size_t at = 0;
    int result = chunk->state == DONE      ? 1
                 : chunk->state == REFUSED ? PL_ERR_PROTO
                                           : 0;

    *data = (struct pl_str){bytes.data, 0};
    chunk->trailer = pl_str(NULL, 0);
    while (result == 0 && at < bytes.len) {
        if (chunk->state == DATA) {
            at +=
                take_data(chunk, pl_str(bytes.data + at, bytes.len - at), data);
            break;
        }
        if (spent(chunk))
            result = chunk->state < DATA
                         ? refuse(chunk, 400, "chunk extensions too large")
                         : refuse(chunk, 431, "trailers too large");
        else
            result = take(chunk, take_trailer(chunk, bytes, at++));
    }
    *used = at;
    return result;
}
