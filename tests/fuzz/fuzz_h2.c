/* fuzz_h2.c - any bytes as what a client of HTTP/2 says behind its preface.
 *
 * See connection.h. Whatever it does: frames come whole and in order, and
 * nothing comes behind a GOAWAY that ends the connection. */
#include "connection.h"

#include "http/h2_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frames(bool cut)
{
    struct pl_str rest = pl_str(all.data, all.len);
    struct pl_h2_frame frame;
    uint32_t block = 0; /* the stream of an open one */

    while (rest.len >= PL_H2_FRAME_HEAD) {
        pl_h2_frame_read(&frame, rest.data);
        PL_ASSERT(pl_h2_frame_check(&frame) == PL_H2_NO_ERROR);
        PL_ASSERT(frame.type <= PL_H2_CONTINUATION &&
                  frame.type != PL_H2_PUSH_PROMISE &&
                  frame.type != PL_H2_PRIORITY);
        PL_ASSERT((frame.type == PL_H2_CONTINUATION) == (block != 0));
        PL_ASSERT(block == 0 || frame.stream == block);
        if (rest.len < PL_H2_FRAME_HEAD + (size_t)frame.length)
            break;
        if (frame.type == PL_H2_HEADERS || frame.type == PL_H2_CONTINUATION)
            block = frame.flags & PL_H2_END_HEADERS ? 0 : frame.stream;
        rest = pl_str_skip(rest, PL_H2_FRAME_HEAD + (size_t)frame.length);
    }
    PL_ASSERT(cut || (rest.len == 0 && block == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                "\0\0\0\4\0\0\0\0\0";

    if (size < 3)
        return 0;
    http2 = true;
    check_frames(run_client(data, size, pl_str(first, sizeof(first) - 1)));
    return 0;
}
