/* perilune.h - the public C interface of perilune, and its only installed
 * header.
 *
 * Four words say who owns memory: a function TAKES what it frees later (also
 * when it fails), BORROWS it until it returns, COPIES it, or GIVES it to the
 * caller to free. What is said to live "as long as the request" comes from the
 * request's arena and is never freed singly.
 *
 * Functions that can fail return 0 or a negative PL_ERR_* code. */
#ifndef PERILUNE_H
#define PERILUNE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PL_API __attribute__((visibility("default")))

/* ---- strings ----------------------------------------------------------- */

/* Bytes with a length; not terminated. data is NULL for "absent", which is
 * different from "" (len is 0 for both). Borrowed unless said otherwise. */
struct pl_str {
    const char *data;
    size_t len;
};

#ifdef __cplusplus
#define PL_STR(literal) (pl_str{(literal), sizeof(literal) - 1})
#else
#define PL_STR(literal) ((struct pl_str){(literal), sizeof(literal) - 1})
#endif
#define PL_STR_ARG(s) (int)(s).len, (s).data /* for "%.*s" */

/* ---- errors ------------------------------------------------------------ */

/* One list makes the enum, the names and the texts. The third column is the
 * HTTP status that an error which reaches the top of a handler turns into. */
#define PL_ERR_MAP(X) /* name, value, HTTP status, text */                     \
    X(AGAIN, -1, 500, "more input is needed")                                  \
    X(PROTO, -2, 400, "malformed message")                                     \
    X(LIMIT, -3, 413, "a configured limit was exceeded")                       \
    X(NOMEM, -4, 503, "out of memory")                                         \
    X(TIMEOUT, -5, 408, "timed out")                                           \
    X(CANCELED, -6, 503, "canceled")                                           \
    X(CLOSED, -7, 400, "closed by the peer")                                   \
    X(IO, -8, 500, "input/output error")                                       \
    X(NOT_FOUND, -9, 404, "not found")                                         \
    X(EXISTS, -10, 409, "exists already")                                      \
    X(DENIED, -11, 403, "permission denied")                                   \
    X(INVALID, -12, 500, "invalid argument")                                   \
    X(STATE, -13, 500, "not possible in this state")                           \
    X(BUSY, -14, 503, "in use")                                                \
    X(UNSUPPORTED, -15, 501, "not supported")                                  \
    X(NO_FDS, -16, 503, "out of file descriptors")                             \
    X(TOO_LONG, -17, 414, "name too long")                                     \
    X(SYNTAX, -18, 500, "syntax error")                                        \
    X(EOF, -19, 400, "unexpected end of input")                                \
    X(NO_SPACE, -20, 507, "no space left on the disk")

enum pl_err {
#define PL_ERR_ENUM(name, value, status, text) PL_ERR_##name = (value),
    PL_ERR_MAP(PL_ERR_ENUM)
#undef PL_ERR_ENUM
};

/* "PL_ERR_LIMIT" and "a configured limit was exceeded"; never NULL. */
PL_API const char *pl_err_name(int err);
PL_API const char *pl_err_text(int err);

#ifdef __cplusplus
}
#endif
#endif
