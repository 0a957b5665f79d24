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
int pl_err_from_errno(int error_number)
{
    switch (error_number) {
    case EAGAIN:
    case EINTR:
    case EINPROGRESS:
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
    case ESHUTDOWN:
    case ENETRESET:
    case ECONNABORTED:
    case ECONNREFUSED:
        return PL_ERR_CLOSED;
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV: /* openat2(RESOLVE_BENEATH): outside the root */
    case ESTALE:
    case ENXIO:
    case ENODEV:
    case ESRCH:
    case ECHILD:
    case EADDRNOTAVAIL:
        return PL_ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY:
        return PL_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return PL_ERR_DENIED;
    case EINVAL:
    case EBADF:
    case EFAULT:
    case EISDIR:
    case ENOTSOCK:
    case ESPIPE:
    case EDESTADDRREQ:
        return PL_ERR_INVALID;
    case EISCONN:
    case EALREADY:
        return PL_ERR_STATE;
    case EADDRINUSE:
    case EBUSY:
    case ETXTBSY:
        return PL_ERR_BUSY;
    case EMFILE:
    case ENFILE:
        return PL_ERR_NO_FDS;
    case ENAMETOOLONG:
    case E2BIG:
    case EMSGSIZE:
        return PL_ERR_TOO_LONG;
    case ENOSPC:
    case EDQUOT:
        return PL_ERR_NO_SPACE;
    case EFBIG:
    case EOVERFLOW:
        return PL_ERR_LIMIT;
    case EPROTO:
    case EBADMSG:
        return PL_ERR_PROTO;
    case EILSEQ:
        return PL_ERR_SYNTAX;
    case ENOSYS:
    case ENOTTY:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
        return PL_ERR_UNSUPPORTED;
    default:
        return PL_ERR_IO;
    }
}
