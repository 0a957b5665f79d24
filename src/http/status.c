#include "http/status.h"

struct pl_str pl_status_reason(int status)
{
    switch (status) {
#define REASON(code, text)                                                     \
    case code:                                                                 \
        return PL_STR(text);
        PL_STATUS_MAP(REASON)
#undef REASON
    default:
        return PL_STR("");
    }
}

bool pl_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}
