#include "fcgi/sendfile.h"

#include <limits.h>
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"
#include "http/uri.h"

/* What is smaller goes with its head, which is less work for both. */
enum { LEAST = 16 * 1024 };

static bool is_whole(const struct pl_response *res, int fd)
{
    struct stat st;

    return res->status == 200 && res->parts == NULL && !res->bodyless &&
           res->length > LEAST && res->file_off == 0 &&
           pl_sys_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_nlink > 0 && st.st_size == (off_t)res->length;
}

/* The path by which the kernel knows it. 0: it has none that others could use.
 */
static size_t path_of(int fd, char path[PATH_MAX])
{
    char name[40];
    ssize_t len;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    len = pl_sys_readlink(name, path, PATH_MAX);
    return len > 0 && len < PATH_MAX && path[0] == '/' ? (size_t)len : 0;
}

/* X-Accel-Redirect takes a path of URLs. */
static int set_internal(struct pl_request *req, struct pl_str prefix,
                        struct pl_str path)
{
    char *out = pl_arena_bytes(&req->arena, prefix.len + 3 * path.len);
    size_t len = prefix.len;

    if (out == NULL)
        return PL_ERR_NOMEM;
    if (prefix.data[len - 1] == '/')
        len--;
    memcpy(out, prefix.data, len);
    len += pl_uri_encode_to(out + len, path, "/");
    return pl_response_append(&req->response, PL_STR("X-Accel-Redirect"),
                              pl_str(out, len));
}

void pl_fcgi_hand_over(struct pl_request *req, const char *how)
{
    struct pl_response *res = &req->response;
    char path[PATH_MAX];
    size_t len = is_whole(res, res->file) ? path_of(res->file, path) : 0;
    struct pl_str name = pl_str(path, len);
    int err;

    if (len == 0 || !pl_header_value_valid(name))
        return;
    err = how[0] == '/' ? set_internal(req, pl_str_c(how), name)
                        : pl_response_append(res, PL_STR("X-Sendfile"), name);
    if (err < 0)
        return;
    pl_response_release(res);
    res->content = PL_CONTENT_NONE;
    res->ready = NULL; /* it says the length, which the web server finds out */
    res->length = -1;
}
