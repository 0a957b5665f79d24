#include "http/content.h"

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"
#include "http/semantics.h"

static struct pl_content_piece range_piece(const struct pl_response *res,
                                           uint64_t at, uint64_t len)
{
    if (res->content == PL_CONTENT_FILE)
        return (struct pl_content_piece){NULL, res->file_off + at, len};
    return (struct pl_content_piece){res->bytes.data + at, 0, len};
}

PL_COLD struct pl_content_piece
pl_content_part_at(const struct pl_response *res, uint64_t at)
{
    const struct pl_parts *parts = res->parts;

    for (unsigned i = 0; i < parts->count; i++) {
        struct pl_str head = parts->heads[i];
        const struct pl_range *range = &parts->ranges[i];

        if (at < head.len)
            return (struct pl_content_piece){head.data + at, 0, head.len - at};
        at -= head.len;
        if (at < range->len)
            return range_piece(res, range->first + at, range->len - at);
        at -= range->len;
    }
    return (struct pl_content_piece){parts->end.data + at, 0,
                                     parts->end.len - at};
}

int pl_content_read(const struct pl_request *req, uint64_t off, char *to,
                    size_t len)
{
    int flags = req->http->net->offload != NULL ? RWF_NOWAIT : 0;
    size_t done = 0;

    while (done < len) {
        struct iovec iov = {to + done, len - done};
        ssize_t n = pl_sys_preadv2(req->response.file, &iov, 1,
                                   (off_t)(off + done), flags);

        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && flags != 0 && errno != EINTR)
            return PL_ERR_AGAIN; /* also where it cannot be asked for */
        else if (n == 0 || errno != EINTR)
            return PL_ERR_IO;
    }
    return 0;
}
