/* fuzz_h1_answer.c - any bytes as the head of a response: whole and in pieces
 * they must mean the same, and what is taken in may have one meaning only. The
 * first byte says how to cut and which limits hold. */
#include "base/check.h"
#include "base/str.h"
#include "http/h1_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a reader knows of a head. */
struct outcome {
    int result;
    struct pl_h1_parser parser;
};

static void parse(struct outcome *out, struct pl_str input, size_t step,
                  const struct pl_h1_limits *limits)
{
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    pl_h1_parser_init(&out->parser, limits);
    do {
        at = PL_MIN(at + step, input.len);
        out->result = pl_h1_parse_answer(&out->parser, pl_str_first(input, at));
    } while (out->result == PL_ERR_AGAIN && at < input.len);
}

static void check(const struct outcome *out, struct pl_str input)
{
    const struct pl_h1_parser *parser = &out->parser;
    unsigned lengths = 0, codings = 0;

    if (out->result != 0)
        return;
    PL_ASSERT(parser->head_len <= input.len);
    PL_ASSERT(parser->status >= 100 && parser->status <= 999);
    for (unsigned i = 0; i < parser->nfields; i++) {
        const struct pl_h1_field *field = &parser->fields[i];

        PL_ASSERT(pl_header_name_valid(
            pl_str(input.data + field->name, field->name_len)));
        PL_ASSERT(pl_header_value_valid(
            pl_str(input.data + field->value, field->value_len)));
        lengths += field->id == PL_HEADER_CONTENT_LENGTH;
        codings += field->id == PL_HEADER_TRANSFER_ENCODING;
    }
    PL_ASSERT(lengths + codings <= 1);
    PL_ASSERT(parser->has_length == (lengths == 1));
    PL_ASSERT(parser->chunked == (codings == 1));
}

static void compare(const struct outcome *a, const struct outcome *b)
{
    PL_ASSERT(a->result == b->result);
    if (a->result == PL_ERR_PROTO)
        PL_ASSERT(strcmp(a->parser.refusal.text, b->parser.refusal.text) == 0);
    if (a->result != 0)
        return;
    PL_ASSERT(a->parser.status == b->parser.status);
    PL_ASSERT(a->parser.head_len == b->parser.head_len);
    PL_ASSERT(a->parser.nfields == b->parser.nfields);
    PL_ASSERT(a->parser.keep_alive == b->parser.keep_alive);
    PL_ASSERT(memcmp(a->parser.fields, b->parser.fields,
                     a->parser.nfields * sizeof(a->parser.fields[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pl_h1_limits tight = {32, 64, 4};
    static struct outcome whole, pieces;
    const struct pl_h1_limits *limits = &pl_h1_default_limits;
    struct pl_str input;

    if (size == 0)
        return 0;
    input = pl_str((const char *)data + 1, size - 1);
    if (data[0] & 1)
        limits = &tight;
    parse(&whole, input, PL_MAX(input.len, 1u), limits);
    check(&whole, input);
    parse(&pieces, input, data[0] / 2 + 1u, limits);
    compare(&whole, &pieces);
    parse(&pieces, input, 1, limits);
    compare(&whole, &pieces);
    return 0;
}
