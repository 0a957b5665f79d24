#include "base/error.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    int value, status;
    const char *name, *text;
} errors[] = {
#define ROW(name, value, status, text) {value, status, "PL_ERR_" #name, text},
    PL_ERR_MAP(ROW)
#undef ROW
};

/* The list is dense from -1 downwards, so that a code is its own index. */
enum {
#define ROW(name, value, status, text) INDEX_##name,
    PL_ERR_MAP(ROW)
#undef ROW
};
#define ROW(name, value, status, text)                                         \
    _Static_assert(-(value)-1 == INDEX_##name, #name " is out of its row");
PL_ERR_MAP(ROW)
#undef ROW

static int index_of(int err)
{
    return err < 0 && err >= -(int)PL_COUNT(errors) ? -(err + 1) : -1;
}

const char *pl_err_name(int err)
{
    int index = index_of(err);

    return index < 0 ? "PL_ERR_?" : errors[index].name;
}

const char *pl_err_text(int err)
{
    int index = index_of(err);

    return index < 0 ? "unknown error" : errors[index].text;
}

int pl_err_status(int err)
{
    int index = index_of(err);

    return index < 0 ? 500 : errors[index].status;
}

int pl_error_set(struct pl_error *error, int code, const char *where,
                 const char *fmt, ...)
{
    va_list ap;

    if (error == NULL)
        return code;
    error->code = code;
    snprintf(error->where, sizeof(error->where), "%s", where ? where : "");
    va_start(ap, fmt);
    vsnprintf(error->text, sizeof(error->text), fmt, ap);
    va_end(ap);
    return code;
}

/* What callers tell apart; all other errors are PL_ERR_IO. */
static const signed char codes[] = {
    [EAGAIN] = PL_ERR_AGAIN,
    [EINTR] = PL_ERR_AGAIN,
    [EINPROGRESS] = PL_ERR_AGAIN,
    [ENOMEM] = PL_ERR_NOMEM,
    [ENOBUFS] = PL_ERR_NOMEM,
    [ETIMEDOUT] = PL_ERR_TIMEOUT,
    [ECANCELED] = PL_ERR_CANCELED,
    [ECONNRESET] = PL_ERR_CLOSED,
    [EPIPE] = PL_ERR_CLOSED,
    [ENOTCONN] = PL_ERR_CLOSED,
    [ESHUTDOWN] = PL_ERR_CLOSED,
    [ENETRESET] = PL_ERR_CLOSED,
    [ECONNABORTED] = PL_ERR_CLOSED,
    [ECONNREFUSED] = PL_ERR_REFUSED,
    [ENETUNREACH] = PL_ERR_UNREACHABLE,
    [EHOSTUNREACH] = PL_ERR_UNREACHABLE,
    [ENETDOWN] = PL_ERR_UNREACHABLE,
    [EHOSTDOWN] = PL_ERR_UNREACHABLE,
    [ENOENT] = PL_ERR_NOT_FOUND,
    [ENOTDIR] = PL_ERR_NOT_FOUND,
    [ELOOP] = PL_ERR_NOT_FOUND,
    [EXDEV] = PL_ERR_NOT_FOUND, /* openat2(RESOLVE_BENEATH): outside the root */
    [ESTALE] = PL_ERR_NOT_FOUND,
    [ENXIO] = PL_ERR_NOT_FOUND,
    [ENODEV] = PL_ERR_NOT_FOUND,
    [ESRCH] = PL_ERR_NOT_FOUND,
    [ECHILD] = PL_ERR_NOT_FOUND,
    [EADDRNOTAVAIL] = PL_ERR_NOT_FOUND,
    [EEXIST] = PL_ERR_EXISTS,
    [ENOTEMPTY] = PL_ERR_EXISTS,
    [EACCES] = PL_ERR_DENIED,
    [EPERM] = PL_ERR_DENIED,
    [EROFS] = PL_ERR_DENIED,
    [EINVAL] = PL_ERR_INVALID,
    [EBADF] = PL_ERR_INVALID,
    [EFAULT] = PL_ERR_INVALID,
    [EISDIR] = PL_ERR_INVALID,
    [ENOTSOCK] = PL_ERR_INVALID,
    [ESPIPE] = PL_ERR_INVALID,
    [EDESTADDRREQ] = PL_ERR_INVALID,
    [EISCONN] = PL_ERR_STATE,
    [EALREADY] = PL_ERR_STATE,
    [EADDRINUSE] = PL_ERR_BUSY,
    [EBUSY] = PL_ERR_BUSY,
    [ETXTBSY] = PL_ERR_BUSY,
    [EMFILE] = PL_ERR_NO_FDS,
    [ENFILE] = PL_ERR_NO_FDS,
    [ENAMETOOLONG] = PL_ERR_TOO_LONG,
    [E2BIG] = PL_ERR_TOO_LONG,
    [EMSGSIZE] = PL_ERR_TOO_LONG,
    [ENOSPC] = PL_ERR_NO_SPACE,
    [EDQUOT] = PL_ERR_NO_SPACE,
    [EFBIG] = PL_ERR_LIMIT,
    [EOVERFLOW] = PL_ERR_LIMIT,
    [EPROTO] = PL_ERR_PROTO,
    [EBADMSG] = PL_ERR_PROTO,
    [EILSEQ] = PL_ERR_SYNTAX,
    [ENOSYS] = PL_ERR_UNSUPPORTED,
    [ENOTTY] = PL_ERR_UNSUPPORTED,
    [EOPNOTSUPP] = PL_ERR_UNSUPPORTED,
    [ENOPROTOOPT] = PL_ERR_UNSUPPORTED,
    [EAFNOSUPPORT] = PL_ERR_UNSUPPORTED,
    [EPROTONOSUPPORT] = PL_ERR_UNSUPPORTED,
    [ESOCKTNOSUPPORT] = PL_ERR_UNSUPPORTED,
};

int pl_err_from_errno(int error_number)
{
    bool known = error_number > 0 && error_number < (int)PL_COUNT(codes) &&
                 codes[error_number] != 0;

    return known ? codes[error_number] : PL_ERR_IO;
}
