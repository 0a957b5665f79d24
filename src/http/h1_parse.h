/* h1_parse.h - HTTP/1 request heads: bytes to fields, incrementally.
 *
 * The parser keeps offsets, not pointers, so that the bytes may move between
 * calls while a head arrives in pieces; it never scans a byte twice. What two
 * parsers could read differently is refused (RFC 9112, 11; RFC 9110, 5.5):
 * bare CR or LF, NUL, control characters, white space before the colon,
 * obs-fold, both Content-Length and Transfer-Encoding, repeated or odd
 * lengths, unknown or repeated codings, no, several or odd Host fields.
 *
 * What it leaves to the layers above: the form of the target (the URI code;
 * only its bytes are checked here), a method that is not in method.h (501), the
 * size of the body (413). "PRI * HTTP/2.0", the preface of HTTP/2 with prior
 * knowledge, is recognised before this parser sees a byte: here it is a 505.
 *
 * Scanning is done by AVX2, SSE2, NEON or plain C, chosen at start-up
 * (h1_scan.h). */
#ifndef PL_HTTP_H1_PARSE_H
#define PL_HTTP_H1_PARSE_H

#include "base/arena.h"
#include "http/header.h"
#include "http/method.h"

enum {
    PL_H1_MAX_FIELDS = 256, /* the highest settable max_headers */
    PL_H1_MAX_METHOD = 32,  /* a longer one is 501 at once (RFC 9112, 3) */
    PL_H1_MAX_LIMIT = 1 << 30,
};

/* A limit is noticed as soon as it is passed, before the head is complete. */
struct pl_h1_limits {
    uint32_t line;    /* bytes of the request line, without CRLF: 8 KiB */
    uint32_t head;    /* bytes of all field lines with their CRLF: 32 KiB */
    uint32_t headers; /* number of fields: 100 */
};

extern const struct pl_h1_limits pl_h1_default_limits;

/* A field as offsets into the bytes given to the parser. */
struct pl_h1_field {
    uint32_t name, value, value_len;
    uint16_t name_len;
    uint8_t id;
};

/* Why input was refused: the status to answer with and the reason to log. */
struct pl_h1_refusal {
    int status;       /* 400, 414, 417, 431, 501, 505 */
    const char *text; /* constant */
};

struct pl_h1_parser {
    /* The result, valid once parse_head has returned 0. After a refusal
     * method_len and target_len are 0 unless these had been read. */
    uint8_t method;       /* enum pl_method; UNKNOWN: see method_len */
    uint8_t minor;        /* 0 or 1; HTTP/1.2 and above count as 1.1 */
    bool keep_alive;      /* what the head asks for */
    bool chunked;         /* the body is chunked */
    bool has_length;      /* ... or has content_length bytes */
    bool expect_continue; /* the peer waits for a 100 before it sends a body */
    bool upgrade;         /* Connection: upgrade and an Upgrade field */
    uint16_t nfields;
    uint32_t method_at, method_len; /* offset and length of the method */
    uint32_t target_at, target_len;
    uint16_t status;         /* of a response */
    uint64_t content_length; /* at most INT64_MAX */
    uint32_t head_len;       /* bytes of the whole head with its empty line */
    struct pl_h1_refusal refusal; /* valid after an error */
    uint32_t pos;                 /* how far it has read; where it refused */
    /* private */
    uint8_t state;
    uint8_t seen; /* of the fields that frame the message */
    uint32_t line_at, fields_at;
    struct pl_h1_limits limits; /* those of its beginning: settings may go */
    struct pl_h1_field fields[PL_H1_MAX_FIELDS];
};

/* COPIES limits. Does not clear fields[]. */
void pl_h1_parser_init(struct pl_h1_parser *parser,
                       const struct pl_h1_limits *limits);

/* bytes begins with the first byte of the head at every call and has grown
 * since the last one. Leading empty lines (at most 4) are passed over and
 * belong to the head. Returns 0 (head_len says where the body begins),
 * PL_ERR_AGAIN, or PL_ERR_PROTO with parser->refusal filled. */
int pl_h1_parse_head(struct pl_h1_parser *parser, struct pl_str bytes);

/* The same for the head of a response (RFC 9112, 4), with nothing before it:
 * status is its code, from 100 to 999, and method and target are not set. As
 * strict about framing: no repeated lengths, not both of length and coding, no
 * other coding than chunked. upgrade: it says so, as a 101 must. refusal.status
 * means nothing. */
int pl_h1_parse_answer(struct pl_h1_parser *parser, struct pl_str bytes);

/* Copies the fields as pl_header's into the arena; head is a copy of the head
 * that lives there too. NULL if out of memory. */
struct pl_header *pl_h1_headers(const struct pl_h1_parser *parser,
                                const char *head, struct pl_arena *arena);

/* ---- chunked bodies (RFC 9112, 7.1) ---- */

struct pl_h1_chunk {
    uint8_t state;
    uint8_t digits;               /* of the current size */
    uint32_t extra;               /* bytes spent on extensions and trailers */
    uint64_t left;                /* bytes of the current chunk still to come */
    struct pl_str trailer;        /* what the last call has read of them */
    struct pl_h1_refusal refusal; /* valid after an error */
};

/* Most bytes of extensions and trailers; each byte of data earns one back, so
 * that signed chunks of a long upload pass. */
enum { PL_H1_CHUNK_EXTRA = 8192 };

void pl_h1_chunk_init(struct pl_h1_chunk *chunk);

/* Looks at bytes; *used of them are done with, and *data (inside them, may be
 * empty) is the next piece of the body. Returns 0 (call again with the rest if
 * there is one), 1 at the end of the body, or PL_ERR_PROTO with chunk->refusal
 * filled. chunk->trailer is a slice of bytes: lines of trailers, checked as
 * strictly as a head's fields, with the empty line behind them. */
int pl_h1_chunk_parse(struct pl_h1_chunk *chunk, struct pl_str bytes,
                      size_t *used, struct pl_str *data);

#endif
