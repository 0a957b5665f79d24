#include "handlers/answer.h"

#include "base/error.h"
#include "base/str.h"
#include "http/negotiate.h"
#include "http/uri.h"

/* No version pleases: the plain one is an answer too (RFC 9110, 12.5.3). */
static const struct pl_file_version *choose(struct pl_request *req,
                                            const struct pl_file *file)
{
    const struct pl_file_version *best = &file->versions[PL_FILE_PLAIN];
    struct pl_str field;
    int most = 0;

    if (!file->varies)
        return best;
    field = pl_request_header_id(req, PL_HEADER_ACCEPT_ENCODING);
    for (unsigned i = 0; i < PL_FILE_VERSIONS; i++) {
        const struct pl_file_version *version = &file->versions[i];
        struct pl_str coding = i == PL_FILE_PLAIN
                                   ? PL_STR("identity")
                                   : pl_header_value(&version->headers[1]);
        int quality =
            version->there ? pl_accept_encoding_quality(field, coding) : 0;

        if (quality > most) {
            most = quality;
            best = version;
        }
    }
    return best;
}

static void release(void *file)
{
    pl_file_drop(file);
}

/* The request keeps the file, not the content: the fields are the file's too,
 * and outlive a content that a filter replaces. */
static int keep_for(struct pl_request *req, struct pl_file *file)
{
    return file->fixed ? 0 : pl_request_defer(req, release, file);
}

static int set_content(struct pl_response *res,
                       const struct pl_file_version *version)
{
    if (version->body == NULL)
        return pl_response_file(res, version->fd, 0, version->state.size, NULL,
                                NULL);
    return pl_response_bytes(
        res, pl_str(version->body, (size_t)version->state.size), NULL, NULL);
}

/* One field after the other: others were there before, or it is no 200. */
static int add_fields(struct pl_response *res,
                      const struct pl_file_version *version, unsigned from)
{
    int err = 0;

    for (unsigned i = from; i < version->nheaders && err == 0; i++)
        err = pl_response_add(res, pl_header_name(&version->headers[i]),
                              pl_header_value(&version->headers[i]));
    return err;
}

/* No date in the future: RFC 9110, 8.8.2.1. */
static void set_validators(struct pl_request *req,
                           const struct pl_file_version *version)
{
    int64_t now = pl_loop_wall(req->http->net->loop);

    req->response.etag = version->etag;
    req->response.last_modified = PL_MIN(version->last_modified, now);
}

static bool is_blank(const struct pl_response *res)
{
    return res->nheaders == 0 && res->type.data == NULL;
}

int pl_file_answer(struct pl_request *req, struct pl_file *file, int status)
{
    struct pl_response *res = &req->response;
    const struct pl_file_version *version = choose(req, file);
    bool whole = status == 0 || status == 200;
    bool ready = whole && is_blank(res);
    int err;

    if (res->started) {
        pl_file_drop(file);
        return PL_ERR_STATE;
    }
    /* Accept-Ranges, the first field, is semantics' to add. */
    err = ready ? 0 : add_fields(res, version, 1);
    if (err == 0)
        err = keep_for(req, file);
    if (err < 0) {
        pl_file_drop(file);
        return err;
    }
    err = set_content(res, version);
    if (err < 0)
        return err;
    res->status = (uint16_t)status;
    res->file_of = file;
    if (whole)
        set_validators(req, version);
    if (res->type.data == NULL)
        res->type = file->type;
    if (ready)
        pl_response_lend(res, version->headers, version->nheaders,
                         res->last_modified == version->last_modified
                             ? &version->ready
                             : NULL);
    return 0;
}

/* ---- a folder without its slash ---- */

/* The path with a slash and the query, as a Location. It is encoded anew: what
 * the peer wrote may decode to this path and yet mean another place to a
 * browser ("//evil.example/../.."). "%2F" is an encoded slash already. */
static struct pl_str slashed(struct pl_request *req)
{
    struct pl_str rest = req->path, location;
    struct pl_buf buf;
    ptrdiff_t at;

    pl_buf_init(&buf, req->arena.pool, &req->account, 0);
    while ((at = pl_str_find(rest, PL_STR("%2F"))) >= 0) {
        pl_uri_encode(pl_str_first(rest, (size_t)at), "/", &buf);
        pl_buf_add(&buf, PL_STR("%2F"));
        rest = pl_str_skip(rest, (size_t)at + 3);
    }
    pl_uri_encode(rest, "/", &buf);
    pl_buf_addc(&buf, '/');
    if (req->query.data != NULL) {
        pl_buf_addc(&buf, '?');
        pl_buf_add(&buf, req->query);
    }
    location = buf.err < 0 ? pl_str(NULL, 0)
                           : pl_arena_str(&req->arena, pl_buf_str(&buf));
    pl_buf_fini(&buf);
    return location;
}

PL_COLD int pl_file_redirect(struct pl_request *req)
{
    struct pl_str location = slashed(req);

    if (location.data == NULL)
        return PL_ERR_NOMEM;
    return pl_response_redirect(&req->response, location, 301);
}
