#include "http/retarget.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "http/uri.h"

static int take(struct pl_request *req, struct pl_str target)
{
    struct pl_str path;
    struct pl_uri uri;
    int err = pl_uri_parse_target(target, PL_METHOD_GET, &uri);

    if (err == 0)
        err = pl_uri_decode_path(uri.path, &req->arena, &path);
    if (err < 0)
        return err;
    req->raw_path = uri.path;
    req->query = uri.query;
    req->path = path;
    return 0;
}

int pl_request_retarget(struct pl_request *req, struct pl_str target)
{
    if (target.len == 0 || target.data[0] != '/')
        return PL_ERR_PROTO;
    return take(req, target);
}

/* It has been taken apart before; without memory the request stays rewritten.
 */
void pl_request_restore(struct pl_request *req)
{
    if (take(req, req->target) == 0)
        req->rewrites = 0;
}
