/* answers.h - takes HTTP/1 responses apart, strictly: what a careful client
 * makes of the bytes. For unit tests and fuzz targets. */
#ifndef PL_TESTS_ANSWERS_H
#define PL_TESTS_ANSWERS_H

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

struct answer {
    int status;
    struct pl_str head; /* with the status line and the empty line */
    char *body;         /* the content, decoded; freed with the next answer */
    size_t len;
    bool chunked, close, to_eof;
};

enum { ANSWER_BAD = -1, ANSWER_PART, ANSWER_WHOLE };

static inline bool answer_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* The value of a field of a head whose form was checked; absent if it has
 * none. */
static inline struct pl_str answer_field(struct pl_str head, const char *name)
{
    struct pl_str line, key = pl_str_c(name);

    while (pl_str_split(&head, '\n', &line))
        if (pl_str_istarts(line, key) && line.len > key.len &&
            line.data[key.len] == ':')
            return pl_str_trim(
                pl_str(line.data + key.len + 1, line.len - key.len - 2));
    return pl_str(NULL, 0);
}

/* "name: value CR LF", without controls. */
static inline bool answer_line_ok(struct pl_str line)
{
    ptrdiff_t colon = pl_str_chr(line, ':');

    if (colon < 1 || line.data[line.len - 1] != '\r')
        return false;
    for (ptrdiff_t i = 0; i < colon; i++)
        if (!answer_token(line.data[i]))
            return false;
    for (size_t i = (size_t)colon; i + 1 < line.len; i++)
        if ((unsigned char)line.data[i] < ' ' || line.data[i] == 127)
            return false;
    return true;
}

static inline bool answer_head_ok(struct pl_str head)
{
    struct pl_str rest = pl_str_first(head, head.len - 2), line;
    unsigned lengths = 0, codings = 0, dates = 0;

    pl_str_split(&rest, '\n', &line);
    if (line.len < 13 || !pl_str_starts(line, PL_STR("HTTP/1.1 ")) ||
        line.data[12] != ' ' || line.data[line.len - 1] != '\r')
        return false;
    while (pl_str_split(&rest, '\n', &line)) {
        if (line.len == 0 && rest.data == NULL)
            break; /* behind the last line */
        if (!answer_line_ok(line))
            return false;
        lengths += pl_str_istarts(line, PL_STR("content-length:"));
        codings += pl_str_istarts(line, PL_STR("transfer-encoding:"));
        dates += pl_str_istarts(line, PL_STR("date:"));
    }
    return lengths + codings <= 1 && dates <= 1;
}

/* Decodes chunks; *used is how many bytes they took. */
static inline int answer_chunks(struct answer *out, struct pl_str bytes,
                                size_t *used)
{
    struct pl_str rest = bytes, line;
    uint64_t size;

    out->body = malloc(bytes.len + 1);
    for (;;) {
        ptrdiff_t end = pl_str_find(rest, PL_STR("\r\n"));

        if (end < 0)
            return rest.len > 16 ? ANSWER_BAD : ANSWER_PART;
        line = pl_str_first(rest, (size_t)end);
        if (!pl_str_to_u64_hex(line, &size))
            return ANSWER_BAD;
        rest = pl_str_skip(rest, (size_t)end + 2);
        if (rest.len < size + 2)
            return ANSWER_PART;
        if (memcmp(rest.data + size, "\r\n", 2) != 0)
            return ANSWER_BAD;
        memcpy(out->body + out->len, rest.data, size);
        out->len += size;
        rest = pl_str_skip(rest, size + 2);
        if (size == 0) {
            *used = bytes.len - rest.len;
            return ANSWER_WHOLE;
        }
    }
}

/* The body, behind a head that is known. */
static inline int answer_body(struct pl_str *bytes, bool eof,
                              struct answer *out)
{
    struct pl_str length = answer_field(out->head, "content-length");
    uint64_t size = bytes->len;
    size_t used;
    int got;

    if (out->chunked) {
        got = answer_chunks(out, *bytes, &used);
        if (got == ANSWER_WHOLE)
            *bytes = pl_str_skip(*bytes, used);
        return got;
    }
    if (length.data == NULL) { /* the end of the connection ends it */
        out->to_eof = true;
        if (!eof)
            return ANSWER_PART;
    } else if (!pl_str_to_u64(length, &size)) {
        return ANSWER_BAD;
    }
    if (bytes->len < size)
        return ANSWER_PART;
    out->body = malloc(size + 1);
    memcpy(out->body, bytes->data, size);
    out->len = size;
    *bytes = pl_str_skip(*bytes, size);
    return ANSWER_WHOLE;
}

static inline int answer_parts(struct pl_str *bytes, bool to_head, bool eof,
                               struct answer *out)
{
    ptrdiff_t end = pl_str_find(*bytes, PL_STR("\r\n\r\n"));
    struct pl_str rest;
    int got = ANSWER_WHOLE;

    if (end < 0)
        return ANSWER_PART;
    out->head = pl_str_first(*bytes, (size_t)end + 4);
    rest = pl_str_skip(*bytes, (size_t)end + 4);
    if (!answer_head_ok(out->head))
        return ANSWER_BAD;
    out->status = atoi(out->head.data + 9);
    out->close =
        pl_str_ieq(answer_field(out->head, "connection"), PL_STR("close"));
    out->chunked = answer_field(out->head, "transfer-encoding").data != NULL;
    if (!to_head && out->status >= 200 && out->status != 204 &&
        out->status != 304)
        got = answer_body(&rest, eof, out);
    if (got == ANSWER_WHOLE)
        *bytes = rest;
    return got;
}

/* Takes the first response off *bytes. to_head: it answers a HEAD; eof: no
 * more bytes will come, so that nothing may be cut. */
static inline int take_answer(struct pl_str *bytes, bool to_head, bool eof,
                              struct answer *out)
{
    int got;

    free(out->body);
    *out = (struct answer){0};
    got = answer_parts(bytes, to_head, eof, out);
    return got == ANSWER_PART && eof && bytes->len > 0 ? ANSWER_BAD : got;
}

#endif
