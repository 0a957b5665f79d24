/* fuzz_h1_connection.c - any bytes as what a client says on one connection.
 *
 * See connection.h. Whatever it does: every answer is well-formed, and there
 * are no more answers than requests. */
#include "connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answers(bool cut)
{
    struct pl_str rest = pl_str(all.data, all.len);
    uint64_t requests = world.http.stats.requests;
    struct answer answer = {0};
    unsigned n = 0;

    while (rest.len > 0) {
        bool head = n < requests && n < REQUESTS && world.heads[n];
        int got = take_answer(&rest, head, false, &answer);

        if (got == ANSWER_PART && (answer.to_eof || cut))
            break;
        PL_ASSERT(got == ANSWER_WHOLE);
        n += answer.status >= 200;
    }
    free(answer.body);
    PL_ASSERT(n <= requests + 1); /* a head that was refused is no request */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    http2 = false;
    check_answers(run_client(data, size, PL_STR("")));
    return 0;
}
