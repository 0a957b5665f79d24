/* h1_feed.h - feeds the HTTP/1 parsers whole and in pieces, and puts what they
 * say into words that can be compared. For unit tests and fuzz targets.
 *
 * Each call of a parser sees a fresh copy of exactly the bytes it may see: a
 * stale pointer or a read beyond the end dies under ASan. */
#ifndef PL_TESTS_H1_FEED_H
#define PL_TESTS_H1_FEED_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "http/h1_parse.h"

/* Text that grows as needed; the caller frees data. */
struct words {
    char *data;
    size_t len, size;
};

PL_UNUSED static void words_bytes(struct words *words, const char *data,
                                  size_t len)
{
    if (words->len + len + 1 > words->size) {
        words->size = (words->len + len + 1) * 2;
        words->data = realloc(words->data, words->size);
    }
    if (len > 0)
        memcpy(words->data + words->len, data, len);
    words->len += len;
    words->data[words->len] = '\0';
}

PL_PRINTF(2, 3)
PL_UNUSED static void words_add(struct words *words, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    words_bytes(words, text, strlen(text));
}

/* A copy that the caller frees; a block of its own even for no bytes. */
PL_UNUSED static char *feed_copy(struct pl_str bytes)
{
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);

    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    return copy;
}

/* Gives the parser the first `first` bytes of input, then `step` more with
 * each call, until it has decided or input has ended. Returns what it said. */
PL_UNUSED static int feed_head(struct pl_h1_parser *parser,
                               const struct pl_h1_limits *limits,
                               struct pl_str input, size_t first, size_t step)
{
    size_t len = PL_MIN(first, input.len);

    pl_h1_parser_init(parser, limits);
    for (;;) {
        char *copy = feed_copy(pl_str_first(input, len));
        int result = pl_h1_parse_head(parser, pl_str(copy, len));

        free(copy);
        if (result != PL_ERR_AGAIN || len == input.len)
            return result;
        len = PL_MIN(len + step, input.len);
    }
}

/* "GET /path 1.1 keep-alive chunked length=5 continue upgrade", "again" or
 * "400 reason". */
PL_UNUSED static void describe_head(const struct pl_h1_parser *parser,
                                    struct pl_str input, int result,
                                    struct words *out)
{
    if (result == PL_ERR_AGAIN) {
        words_add(out, "again");
        return;
    }
    if (result < 0) {
        words_add(out, "%d %s", parser->refusal.status, parser->refusal.text);
        return;
    }
    words_bytes(out, input.data + parser->method_at, parser->method_len);
    words_add(out, " ");
    words_bytes(out, input.data + parser->target_at, parser->target_len);
    words_add(out, " 1.%d %s", parser->minor,
              parser->keep_alive ? "keep-alive" : "close");
    if (parser->chunked)
        words_add(out, " chunked");
    if (parser->has_length)
        words_add(out, " length=%llu",
                  (unsigned long long)parser->content_length);
    if (parser->expect_continue)
        words_add(out, " continue");
    if (parser->upgrade)
        words_add(out, " upgrade");
}

/* The fields as "[id name=value]", and where the parser has come to. */
PL_UNUSED static void describe_fields(const struct pl_h1_parser *parser,
                                      struct pl_str input, struct words *out)
{
    for (unsigned i = 0; i < parser->nfields; i++) {
        const struct pl_h1_field *field = &parser->fields[i];

        words_add(out, "[%d ", field->id);
        words_bytes(out, input.data + field->name, field->name_len);
        words_add(out, "=");
        words_bytes(out, input.data + field->value, field->value_len);
        words_add(out, "]");
    }
    words_add(out, " method %d at %u", parser->method, parser->pos);
}

/* The body as the parser gave it, then " end", " again" or " 400 reason", and
 * how many bytes of input were used. */
PL_UNUSED static void feed_chunks(struct pl_str input, size_t first,
                                  size_t step, struct words *out)
{
    struct pl_h1_chunk chunk;
    size_t at = 0, end = PL_MIN(first, input.len);
    int result = 0;

    pl_h1_chunk_init(&chunk);
    while (result == 0) {
        struct pl_str piece = pl_str_skip(pl_str_first(input, end), at), data;
        char *copy = feed_copy(piece);
        size_t used;

        result =
            pl_h1_chunk_parse(&chunk, pl_str(copy, piece.len), &used, &data);
        words_bytes(out, data.data, data.len);
        free(copy);
        at += used;
        if (result == 0 && at == end) {
            if (end == input.len)
                break;
            end = PL_MIN(end + step, input.len);
        }
    }
    if (result < 0)
        words_add(out, "|%d %s", chunk.refusal.status, chunk.refusal.text);
    else
        words_add(out, result == 1 ? "|end" : "|again");
    words_add(out, " %zu", at);
}

#endif
