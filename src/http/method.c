#include "http/method.h"

#include "base/str.h"

#define ROW(name) PL_STR(#name),
static const struct pl_str names[] = {PL_METHOD_MAP(ROW)};
#undef ROW

/* The caller's switch has compared the lengths: a few words are compared. */
static inline enum pl_method same(struct pl_str name, enum pl_method method)
{
    return memcmp(name.data, names[method].data, names[method].len) == 0
               ? method
               : PL_METHOD_UNKNOWN;
}

enum pl_method pl_method_parse(struct pl_str name)
{
    switch (name.len) {
    case 3:
        return name.data[0] == 'G' ? same(name, PL_METHOD_GET)
                                   : same(name, PL_METHOD_PUT);
    case 4:
        return name.data[0] == 'H' ? same(name, PL_METHOD_HEAD)
                                   : same(name, PL_METHOD_POST);
    case 5:
        return name.data[0] == 'P' ? same(name, PL_METHOD_PATCH)
                                   : same(name, PL_METHOD_TRACE);
    case 6:
        return same(name, PL_METHOD_DELETE);
    case 7:
        return name.data[0] == 'O' ? same(name, PL_METHOD_OPTIONS)
                                   : same(name, PL_METHOD_CONNECT);
    default:
        return PL_METHOD_UNKNOWN;
    }
}

struct pl_str pl_method_name(enum pl_method method)
{
    return method < PL_METHOD_COUNT ? names[method] : (struct pl_str){NULL, 0};
}
