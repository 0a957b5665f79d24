/* h1_parse.c - the state machine over the bytes of a request head.
 * What known fields mean is in h1_framing.c, scanning in h1_scan.c.
 *
 *     EMPTY -> METHOD -> TARGET -> VERSION -> FIELD --CR--> END_LF -> DONE
 *                                             |   ^
 *                                             v   |        any --> REFUSED
 *                          NAME -> SPACE -> VALUE -> VALUE_LF
 *
 * Each read_*() takes one piece. If the bytes end in it, it stores its state
 * and how far it came, and goes on from there in the next call.
 *
 * Limits cost nothing: the bytes are cut where a limit ends. Whoever runs out
 * of bytes there is over the limit, elsewhere he waits (run_out()). The line
 * limit and the field limit leave room for the CR LF that follows.
 *
 * Invariants: bytes before pos are never scanned again. Whether input is
 * refused, why and at which byte does not depend on how it was cut. */
#include "http/h1_parse.h"

#include "base/check.h"
#include "base/str.h"
#include "http/h1_priv.h"
#include "http/h1_scan.h"

enum state {
    EMPTY,
    METHOD,
    TARGET,
    VERSION,
    FIELD,
    NAME,
    SPACE,
    VALUE,
    VALUE_LF,
    END_LF,
    DONE,
    REFUSED
};

enum { MAX_EMPTY_LINES = 4 };

const struct pl_h1_limits pl_h1_default_limits = {8192, 32768, 100};

/* The bytes of this call up to the limit, and how far they are read. Never
 * passed to a function that is not inlined: it lives in registers. */
struct input {
    const char *bytes;
    size_t len, pos;
};

void pl_h1_parser_init(struct pl_h1_parser *parser,
                       const struct pl_h1_limits *limits)
{
    PL_ASSERT(limits->headers <= PL_H1_MAX_FIELDS);
    PL_ASSERT(limits->line <= PL_H1_MAX_LIMIT);
    PL_ASSERT(limits->head <= PL_H1_MAX_LIMIT);
    memset(parser, 0, offsetof(struct pl_h1_parser, fields));
    parser->limits = *limits;
}

int pl_h1_refuse(struct pl_h1_parser *parser, int status, const char *text)
{
    parser->refusal = (struct pl_h1_refusal){status, text};
    parser->state = REFUSED;
    return PL_ERR_PROTO;
}

PL_COLD static int refuse_at(struct pl_h1_parser *parser, size_t pos,
                             int status, const char *text)
{
    parser->pos = (uint32_t)pos;
    return pl_h1_refuse(parser, status, text);
}

/* Where the request line with its CR LF, or the fields with the empty line,
 * have to end. */
static size_t end_by_limit(const struct pl_h1_parser *parser, enum state state)
{
    return state < FIELD ? parser->line_at + (size_t)parser->limits.line + 2
                         : parser->fields_at + (size_t)parser->limits.head + 2;
}

/* There are no bytes at pos: they have not come yet, or are too many. */
PL_NOINLINE static int run_out(struct pl_h1_parser *parser, size_t pos,
                               enum state state)
{
    if (pos >= end_by_limit(parser, state))
        return state < FIELD
                   ? refuse_at(parser, pos, 414, "request line too long")
                   : refuse_at(parser, pos, 431, "header fields too large");
    parser->state = (uint8_t)state;
    parser->pos = (uint32_t)pos;
    return PL_ERR_AGAIN;
}

/* ---- the request line (RFC 9112, 3) ---- */

/* Before the request line the position itself is the state: an odd one is
 * behind a CR. */
static int skip_empty_lines(struct pl_h1_parser *parser, struct pl_str bytes)
{
    size_t pos;

    for (pos = parser->pos; pos < bytes.len; pos++) {
        char c = bytes.data[pos];

        if (pos % 2 == 0 && c != '\r')
            break;
        if (pos % 2 == 1 && c != '\n')
            return refuse_at(parser, pos, 400, "CR without LF");
        if (pos == MAX_EMPTY_LINES * 2)
            return refuse_at(parser, pos, 400, "too many empty lines");
    }
    parser->pos = parser->line_at = (uint32_t)pos;
    return pos < bytes.len ? 0 : PL_ERR_AGAIN;
}

PL_INLINE int read_method(struct pl_h1_parser *parser, struct input *in)
{
    size_t at = parser->line_at;

    in->pos = pl_h1_scan->token(in->bytes, in->pos, in->len);
    if (PL_UNLIKELY(in->pos - at > PL_H1_MAX_METHOD))
        return refuse_at(parser, at + PL_H1_MAX_METHOD, 501, "method too long");
    if (in->pos == in->len)
        return run_out(parser, in->pos, METHOD);
    if (PL_UNLIKELY(in->pos == at || in->bytes[in->pos] != ' '))
        return refuse_at(parser, in->pos, 400, "malformed method");
    parser->method_at = (uint32_t)at;
    parser->method_len = (uint32_t)(in->pos - at);
    parser->method =
        (uint8_t)pl_method_parse(pl_str(in->bytes + at, in->pos - at));
    parser->target_at = (uint32_t)++in->pos;
    return 0;
}

PL_INLINE int read_target(struct pl_h1_parser *parser, struct input *in)
{
    in->pos = pl_h1_scan->target(in->bytes, in->pos, in->len);
    if (in->pos == in->len)
        return run_out(parser, in->pos, TARGET);
    if (PL_UNLIKELY(in->pos == parser->target_at || in->bytes[in->pos] != ' '))
        return refuse_at(parser, in->pos, 400, "malformed request target");
    parser->target_len = (uint32_t)in->pos - parser->target_at;
    in->pos++;
    return 0;
}

enum { VERSION_LEN = 10 }; /* "HTTP/1.1" CR LF */

/* The version byte by byte; its digits say what the peer speaks.
 * Returns the position behind the line, or an error. */
static ptrdiff_t read_odd_version(struct pl_h1_parser *parser, size_t start,
                                  struct input in)
{
    static const char form[] = "HTTP/0.0\r\n"; /* 0: any digit */

    for (; in.pos < start + VERSION_LEN; in.pos++) {
        char c, want = form[in.pos - start];

        if (in.pos == in.len)
            return run_out(parser, in.pos, VERSION);
        c = in.bytes[in.pos];
        if (want == '0' ? c < '0' || c > '9' : c != want)
            return refuse_at(parser, in.pos, 400, "malformed HTTP version");
        if (in.pos - start == 7) {
            if (in.bytes[in.pos - 2] != '1')
                return refuse_at(parser, in.pos, 505,
                                 "unsupported HTTP version");
            parser->minor = c != '0';
        }
    }
    return (ptrdiff_t)in.pos;
}

/* The version and the end of the line: nearly always the same ten bytes. */
PL_INLINE int read_version(struct pl_h1_parser *parser, struct input *in)
{
    size_t start = parser->target_at + (size_t)parser->target_len + 1;
    ptrdiff_t end;

    if (PL_LIKELY(in->pos == start && in->len - start >= VERSION_LEN &&
                  memcmp(in->bytes + start, "HTTP/1.1\r\n", VERSION_LEN) ==
                      0)) {
        parser->minor = 1;
        in->pos += VERSION_LEN;
    } else {
        end = read_odd_version(parser, start, *in);
        if (end < 0)
            return (int)end;
        in->pos = (size_t)end;
    }
    parser->fields_at = (uint32_t)in->pos;
    return 0;
}

/* ---- fields (RFC 9112, 5) ---- */

/* Returns 1 if it is the empty line that ends the head. */
PL_INLINE int begin_field(struct pl_h1_parser *parser, struct input *in)
{
    if (in->pos == in->len)
        return run_out(parser, in->pos, FIELD);
    if (in->bytes[in->pos] == '\r') {
        in->pos++;
        return 1;
    }
    if (PL_UNLIKELY(parser->nfields == parser->limits.headers))
        return refuse_at(parser, in->pos, 431, "too many header fields");
    parser->fields[parser->nfields].name = (uint32_t)in->pos;
    return 0;
}

PL_INLINE bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* c stands at pos, where a name or the colon behind it should. */
PL_COLD static int refuse_name(struct pl_h1_parser *parser, size_t pos, char c)
{
    bool space = is_space(c);
    const char *text = "malformed field name";

    if (pos > parser->fields[parser->nfields].name)
        text = space ? "white space before the colon" : text;
    else if (space)
        text = parser->nfields == 0 ? "white space before the first field"
                                    : "obsolete line folding";
    else if (c == ':')
        text = "empty field name";
    return refuse_at(parser, pos, 400, text);
}

PL_INLINE int read_name(struct pl_h1_parser *parser, struct input *in)
{
    struct pl_h1_field *field = &parser->fields[parser->nfields];
    size_t len;

    in->pos = pl_h1_scan->token(in->bytes, in->pos, in->len);
    len = in->pos - field->name;
    if (PL_UNLIKELY(len > UINT16_MAX))
        return refuse_at(parser, field->name + (size_t)UINT16_MAX, 431,
                         "field name too long");
    if (in->pos == in->len)
        return run_out(parser, in->pos, NAME);
    if (PL_UNLIKELY(in->bytes[in->pos] != ':' || len == 0))
        return refuse_name(parser, in->pos, in->bytes[in->pos]);
    field->name_len = (uint16_t)len;
    in->pos++;
    return 0;
}

PL_INLINE int skip_space(struct pl_h1_parser *parser, struct input *in)
{
    while (in->pos < in->len && is_space(in->bytes[in->pos]))
        in->pos++;
    if (in->pos == in->len)
        return run_out(parser, in->pos, SPACE);
    parser->fields[parser->nfields].value = (uint32_t)in->pos;
    return 0;
}

PL_COLD static int refuse_value(struct pl_h1_parser *parser, size_t pos, char c)
{
    return refuse_at(parser, pos, 400,
                     c == '\n'   ? "LF without CR"
                     : c == '\0' ? "NUL in a field value"
                                 : "control character in a field value");
}

PL_INLINE int read_value(struct pl_h1_parser *parser, struct input *in)
{
    in->pos = pl_h1_scan->value(in->bytes, in->pos, in->len);
    if (in->pos == in->len)
        return run_out(parser, in->pos, VALUE);
    if (PL_UNLIKELY(in->bytes[in->pos] != '\r'))
        return refuse_value(parser, in->pos, in->bytes[in->pos]);
    in->pos++;
    return 0;
}

/* After the CR of a field line: the field is complete. */
PL_INLINE int end_field(struct pl_h1_parser *parser, struct input *in,
                        bool answer)
{
    struct pl_h1_field *field = &parser->fields[parser->nfields];
    size_t end = in->pos - 1;

    if (in->pos == in->len)
        return run_out(parser, in->pos, VALUE_LF);
    if (PL_UNLIKELY(in->bytes[in->pos] != '\n'))
        return refuse_at(parser, in->pos, 400, "CR without LF");
    in->pos++;
    /* Of the bytes of a value only SP and tab are as low as SP. */
    while (end > field->value && (unsigned char)in->bytes[end - 1] <= ' ')
        end--;
    field->value_len = (uint32_t)end - field->value;
    field->id = (uint8_t)pl_header_lookup(
        pl_str(in->bytes + field->name, field->name_len));
    parser->nfields++;
    if (!pl_h1_frames(field->id))
        return 0;
    parser->pos = field->value; /* where it would be refused */
    return answer ? pl_h1_frame_answer_field(parser, field, in->bytes)
                  : pl_h1_frame_field(parser, field, in->bytes);
}

/* Reads one field line, from wherever the last call stopped. Returns 1 at the
 * empty line, of which the CR has been read. */
PL_INLINE int read_field(struct pl_h1_parser *parser, struct input *in,
                         enum state state, bool answer)
{
    int err;

    switch (state) {
    default:
        if ((err = begin_field(parser, in)) != 0)
            return err;
        /* fall through */
    case NAME:
        if ((err = read_name(parser, in)) < 0)
            return err;
        /* fall through */
    case SPACE:
        if ((err = skip_space(parser, in)) < 0)
            return err;
        /* fall through */
    case VALUE:
        if ((err = read_value(parser, in)) < 0)
            return err;
        /* fall through */
    case VALUE_LF:
        return end_field(parser, in, answer);
    }
}

/* The LF of the empty line. */
PL_INLINE int end_head(struct pl_h1_parser *parser, struct input *in,
                       bool answer)
{
    if (in->pos == in->len)
        return run_out(parser, in->pos, END_LF);
    if (PL_UNLIKELY(in->bytes[in->pos] != '\n'))
        return refuse_at(parser, in->pos, 400, "CR without LF");
    parser->pos = parser->head_len = (uint32_t)in->pos + 1;
    parser->state = DONE;
    return answer ? pl_h1_frame_answer_end(parser) : pl_h1_frame_end(parser);
}

static struct input input_of(const struct pl_h1_parser *parser,
                             struct pl_str bytes, enum state state)
{
    size_t limit = end_by_limit(parser, state);

    return (struct input){bytes.data, PL_MIN(bytes.len, limit), parser->pos};
}

/* answer: it is a response's head, known where this is inlined. */
PL_INLINE int read_fields(struct pl_h1_parser *parser, struct pl_str bytes,
                          enum state state, bool answer)
{
    struct input in = input_of(parser, bytes, FIELD);
    int err = 0;

    if (state != END_LF) {
        for (err = read_field(parser, &in, state, answer); err == 0;)
            err = read_field(parser, &in, FIELD, answer);
    }
    return err < 0 ? err : end_head(parser, &in, answer);
}

static int read_line(struct pl_h1_parser *parser, struct pl_str bytes,
                     enum state state)
{
    struct input in = input_of(parser, bytes, METHOD);
    int err;

    switch (state) {
    default:
        if ((err = read_method(parser, &in)) < 0)
            return err;
        /* fall through */
    case TARGET:
        if ((err = read_target(parser, &in)) < 0)
            return err;
        /* fall through */
    case VERSION:
        if ((err = read_version(parser, &in)) < 0)
            return err;
    }
    parser->pos = parser->fields_at;
    return 0;
}

int pl_h1_parse_head(struct pl_h1_parser *parser, struct pl_str bytes)
{
    enum state state = parser->state;
    int err;

    switch (state) {
    case EMPTY:
        if ((err = skip_empty_lines(parser, bytes)) < 0)
            return err;
        /* fall through */
    case METHOD:
    case TARGET:
    case VERSION:
        if ((err = read_line(parser, bytes, state)) < 0)
            return err;
        /* fall through */
    default:
        return read_fields(parser, bytes, state, false);
    case DONE:
        return 0;
    case REFUSED:
        return PL_ERR_PROTO;
    }
}

/* ---- heads of responses (RFC 9112, 4) ---- */

enum { STATUS_LEN = 12 }; /* "HTTP/1.1 200" */

/* The status line up to its reason, byte by byte. Returns the first byte that
 * does not fit, or STATUS_LEN. */
static size_t check_status(struct pl_str line)
{
    static const char form[] = "HTTP/1.0 000"; /* 0: any digit */
    size_t i, len = PL_MIN(line.len, (size_t)STATUS_LEN);

    for (i = 0; i < len; i++) {
        bool digit = line.data[i] >= '0' && line.data[i] <= '9';

        if (form[i] == '0' ? !digit : line.data[i] != form[i])
            break;
    }
    return i;
}

static int read_status_line(struct pl_h1_parser *parser, struct pl_str bytes)
{
    struct input in = input_of(parser, bytes, METHOD);
    size_t good = check_status(pl_str(in.bytes, in.len));
    const char *at = in.bytes;

    if (good < PL_MIN(in.len, (size_t)STATUS_LEN))
        return refuse_at(parser, good, 502, "malformed status line");
    in.pos = PL_MAX(parser->pos, (size_t)STATUS_LEN);
    if (in.len > STATUS_LEN) {
        if (at[STATUS_LEN] != ' ' && at[STATUS_LEN] != '\r')
            return refuse_at(parser, STATUS_LEN, 502, "malformed status");
        in.pos = pl_h1_scan->value(in.bytes, in.pos, in.len);
    }
    if (in.pos >= in.len)
        return run_out(parser, in.len, METHOD);
    if (at[in.pos] != '\r')
        return refuse_value(parser, in.pos, at[in.pos]);
    if (in.pos + 1 == in.len)
        return run_out(parser, in.pos, METHOD);
    if (at[in.pos + 1] != '\n')
        return refuse_at(parser, in.pos + 1, 502, "CR without LF");
    parser->minor = at[7] != '0';
    parser->status =
        (uint16_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    if (parser->status < 100)
        return refuse_at(parser, 9, 502, "malformed status");
    parser->pos = parser->fields_at = (uint32_t)in.pos + 2;
    return 0;
}

int pl_h1_parse_answer(struct pl_h1_parser *parser, struct pl_str bytes)
{
    enum state state = parser->state;
    int err;

    switch (state) {
    case EMPTY:
    case METHOD:
        if ((err = read_status_line(parser, bytes)) < 0)
            return err;
        /* fall through */
    default:
        return read_fields(parser, bytes, state, true);
    case DONE:
        return 0;
    case REFUSED:
        return PL_ERR_PROTO;
    }
}

struct pl_header *pl_h1_headers(const struct pl_h1_parser *parser,
                                const char *head, struct pl_arena *arena)
{
    struct pl_header *headers =
        pl_arena_alloc(arena, parser->nfields * sizeof(*headers));

    if (headers == NULL)
        return NULL;
    for (unsigned i = 0; i < parser->nfields; i++) {
        const struct pl_h1_field *field = &parser->fields[i];

        headers[i] = (struct pl_header){
            .name = head + field->name,
            .value = head + field->value,
            .value_len = field->value_len,
            .name_len = field->name_len,
            .id = field->id,
        };
    }
    return headers;
}
