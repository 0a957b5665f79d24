#include "http/h2_limit.h"

bool pl_h2_rate_over(struct pl_h2_rate *rate, uint64_t now_ms, uint32_t limit,
                     uint32_t window_ms)
{
    if (rate->count == 0 || (uint32_t)now_ms - rate->since >= window_ms) {
        rate->since = (uint32_t)now_ms;
        rate->count = 0;
    }
    return ++rate->count > limit;
}
