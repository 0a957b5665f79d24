/* method.h - request methods (RFC 9110, 9; RFC 5789). */
#ifndef PL_HTTP_METHOD_H
#define PL_HTTP_METHOD_H

#include <perilune.h>

#define PL_METHOD_MAP(X)                                                       \
    X(GET)                                                                     \
    X(HEAD) X(POST) X(PUT) X(DELETE) X(OPTIONS) X(PATCH) X(CONNECT) X(TRACE)

enum pl_method {
#define PL_METHOD_ENUM(name) PL_METHOD_##name,
    PL_METHOD_MAP(PL_METHOD_ENUM)
#undef PL_METHOD_ENUM
        PL_METHOD_UNKNOWN,
    PL_METHOD_COUNT = PL_METHOD_UNKNOWN
};

enum pl_method pl_method_parse(struct pl_str name); /* case-sensitive */
struct pl_str pl_method_name(enum pl_method method);

#endif
