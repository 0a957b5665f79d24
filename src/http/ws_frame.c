#include "http/ws_frame.h"

#include "base/error.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV = 0x30, MASKED = 0x80, LENGTH = 0x7f };
enum { LENGTH_16 = 126, LENGTH_64 = 127 };

static uint64_t load_big(const unsigned char *at, unsigned n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | *at++;
    return value;
}

/* What the first two bytes say by themselves. Returns what is wrong, or NULL.
 */
static const char *check_start(unsigned first, unsigned second, bool packed)
{
    unsigned opcode = first & 15;

    if (first & RSV)
        return "a reserved bit is set";
    if (first & RSV1 &&
        (!packed || pl_ws_is_control(opcode) || opcode == PL_WS_OP_CONTINUE))
        return "a reserved bit is set";
    if ((opcode > PL_WS_OP_BINARY && opcode < PL_WS_OP_CLOSE) ||
        opcode > PL_WS_OP_PONG)
        return "an unknown opcode";
    if (!(second & MASKED))
        return "a frame without a mask";
    if (!pl_ws_is_control(opcode))
        return NULL;
    if (!(first & FIN))
        return "a control frame in fragments";
    return (second & LENGTH) > PL_WS_CONTROL_MAX ? "a control frame is too long"
                                                 : NULL;
}

/* The length behind the two bytes, which must take no more than it needs. */
static const char *check_length(uint64_t len, unsigned more)
{
    if (len >> 63)
        return "a length of 2^63 or more";
    if (more > 0 && len < (more == 2 ? LENGTH_16 : 1u << 16))
        return "a length that is longer than it must be";
    return NULL;
}

int pl_ws_frame_parse(struct pl_ws_frame *frame, struct pl_str bytes,
                      bool packed, const char **why)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    unsigned more;

    if (bytes.len < 2)
        return PL_ERR_AGAIN;
    *why = check_start(at[0], at[1], packed);
    if (*why != NULL)
        return PL_ERR_PROTO;
    frame->opcode = at[0] & 15;
    frame->fin = (at[0] & FIN) != 0;
    frame->packed = (at[0] & RSV1) != 0;
    frame->len = at[1] & LENGTH;
    more = frame->len == LENGTH_64 ? 8 : frame->len == LENGTH_16 ? 2 : 0;
    frame->size = (uint8_t)(2 + more + sizeof(frame->key));
    if (bytes.len < 2 + more)
        return PL_ERR_AGAIN;
    if (more > 0)
        frame->len = load_big(at + 2, more);
    *why = check_length(frame->len, more);
    if (*why != NULL)
        return PL_ERR_PROTO;
    if (bytes.len < frame->size)
        return PL_ERR_AGAIN;
    memcpy(frame->key, at + 2 + more, sizeof(frame->key));
    return 0;
}

size_t pl_ws_frame_write(char out[PL_WS_HEAD_OUT], enum pl_ws_opcode opcode,
                         bool packed, uint64_t len)
{
    unsigned more = len < LENGTH_16 ? 0 : len < 1u << 16 ? 2 : 8;

    out[0] = (char)(FIN | (packed ? RSV1 : 0) | opcode);
    out[1] = (char)(more == 0 ? len : more == 2 ? LENGTH_16 : LENGTH_64);
    for (unsigned i = 0; i < more; i++)
        out[2 + i] = (char)(len >> 8 * (more - 1 - i));
    return 2 + more;
}

/* ---- masking ---- */

/* The compiler makes SSE2 or NEON of it. */
typedef uint8_t vector __attribute__((vector_size(16)));

PL_INLINE void mask_vector(char *to, const char *from, const vector *mask)
{
    vector bytes;

    memcpy(&bytes, from, sizeof(bytes));
    bytes ^= *mask;
    memcpy(to, &bytes, sizeof(bytes));
}

/* Returns how many bytes were masked: all but the last few. */
static size_t mask_vectors(char *to, const char *from, size_t len,
                           uint32_t word)
{
    const size_t step = sizeof(vector);
    uint32_t words[4] = {word, word, word, word};
    vector mask;
    size_t i = 0;

    memcpy(&mask, words, sizeof(mask));
    for (; len - i >= 4 * step; i += 4 * step)
        for (size_t k = 0; k < 4; k++)
            mask_vector(to + i + k * step, from + i + k * step, &mask);
    for (; len - i >= step; i += step)
        mask_vector(to + i, from + i, &mask);
    return i;
}

void pl_ws_mask(char *to, const char *from, size_t len, const uint8_t key[4],
                uint64_t at)
{
    uint8_t turned[4];
    uint32_t word;
    size_t i;

    for (int k = 0; k < 4; k++)
        turned[k] = key[(at + (unsigned)k) & 3];
    memcpy(&word, turned, sizeof(word));
    i = mask_vectors(to, from, len, word);
    for (uint32_t bytes; len - i >= sizeof(bytes); i += sizeof(bytes)) {
        memcpy(&bytes, from + i, sizeof(bytes));
        bytes ^= word;
        memcpy(to + i, &bytes, sizeof(bytes));
    }
    for (; i < len; i++)
        to[i] = (char)((uint8_t)from[i] ^ turned[i & 3]);
}

/* ---- close codes ---- */

/* 1004 is reserved; 1005, 1006 and 1015 stand for what was never sent. */
bool pl_ws_code_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}
