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
#define ROW(name, value, status, text) +1
_Static_assert(PL_COUNT(errors) == 0 PL_ERR_MAP(ROW), "one row per error");
#undef ROW

static int index_of(int err)
{
    int index = -err - 1;

    return index >= 0 && index < (int)PL_COUNT(errors) ? index : -1;
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

int pl_err_from_errno(int error_number)
{
    switch (error_number) {
    case EAGAIN:
    case EINTR:
        return PL_ERR_AGAIN;
    case ENOMEM:
    case ENOBUFS:
        return PL_ERR_NOMEM;
    case ETIMEDOUT:
        return PL_ERR_TIMEOUT;
    case ECANCELED:
        return PL_ERR_CANCELED;
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
    case ECONNABORTED:
    case ECONNREFUSED:
        return PL_ERR_CLOSED;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV: /* openat2(RESOLVE_BENEATH): outside the root */
        return PL_ERR_NOT_FOUND;
    case EEXIST:
        return PL_ERR_EXISTS;
    case EACCES:
    case EPERM:
        return PL_ERR_DENIED;
    case EINVAL:
    case EBADF:
        return PL_ERR_INVALID;
    case EADDRINUSE:
    case EBUSY:
        return PL_ERR_BUSY;
    case EMFILE:
    case ENFILE:
        return PL_ERR_NO_FDS;
    case ENAMETOOLONG:
        return PL_ERR_TOO_LONG;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
        return PL_ERR_UNSUPPORTED;
    default:
        return PL_ERR_IO;
    }
}
