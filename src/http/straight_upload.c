/* straight_upload.c - bodies into files and part by part in straight lines, for
 * C programs (perilune.h). */
#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "http/form.h"
#include "http/request.h"

/* ---- files ---- */

enum { MODE = 0644 };

static int open_file(struct pl_request *req, const char *path,
                     const struct pl_save_options *options,
                     struct pl_sink **out)
{
    struct pl_temp_spec spec = {.target = path,
                                .mode =
                                    options->mode != 0 ? options->mode : MODE,
                                .exclusive = options->exclusive,
                                .sync = options->sync};

    if (path == NULL || path[0] == '\0' || spec.mode > 07777)
        return PL_ERR_INVALID;
    if (req->http->sched->offload == NULL)
        return PL_ERR_STATE;
    *out = pl_sink_new(req, &spec);
    return *out == NULL ? PL_ERR_NOMEM : 0;
}

/* Its size, or err. */
static int64_t close_file(struct pl_sink *sink, int err)
{
    uint64_t size = err < 0 ? 0 : pl_sink_size(sink);

    pl_sink_close(sink);
    return err < 0 ? err : (int64_t)size;
}

typedef int step_fn(struct pl_request *req, struct pl_sink *sink);

static int run(struct pl_request *req, struct pl_sink *sink, step_fn *step)
{
    int err, waited;

    while ((err = step(req, sink)) == PL_ERR_AGAIN)
        if ((waited = pl_body_wait(req)) < 0)
            return waited;
    return err;
}

int64_t pl_request_save(struct pl_request *req, const char *path,
                        const struct pl_save_options *options)
{
    struct pl_save_options given;
    struct pl_sink *sink;
    int err;

    PL_OPTIONS_READ(&given, options);
    err = open_file(req, path, &given, &sink);
    if (err < 0)
        return err;
    err = pl_body_limit(req, given.max);
    if (err == 0)
        err = run(req, sink, pl_body_save);
    return close_file(sink, err);
}

int64_t pl_request_discard(struct pl_request *req)
{
    int err, waited;

    while ((err = pl_body_discard(req)) == PL_ERR_AGAIN)
        if ((waited = pl_body_wait(req)) < 0)
            return waited;
    return err < 0 ? err : (int64_t)req->body.received;
}

/* ---- parts ---- */

int pl_request_parts(struct pl_request *req,
                     const struct pl_parts_options *options)
{
    struct pl_parts_options given;
    struct pl_form_limits limits;

    PL_OPTIONS_READ(&given, options);
    limits = (struct pl_form_limits){.max_total = given.max_total,
                                     .max_size = given.max_size,
                                     .max_parts = given.max_parts != 0
                                                      ? given.max_parts
                                                      : req->limits->max_parts};
    return pl_form_begin(req, &limits);
}

int pl_part_next(struct pl_request *req, struct pl_part **part)
{
    int got = req->part == NULL ? pl_request_parts(req, NULL) : 0;
    int waited;

    if (got < 0)
        return got;
    while ((got = pl_form_next(req)) == PL_ERR_AGAIN)
        if ((waited = pl_body_wait(req)) < 0)
            return waited;
    *part = got == 1 ? req->part : NULL;
    return got;
}

struct pl_str pl_part_name(const struct pl_part *part)
{
    return part->form.names.name;
}

struct pl_str pl_part_filename(const struct pl_part *part)
{
    return part->form.names.filename;
}

struct pl_str pl_part_raw_filename(const struct pl_part *part)
{
    return part->form.names.raw_filename;
}

struct pl_str pl_part_type(const struct pl_part *part)
{
    return part->form.type;
}

struct pl_str pl_part_header(const struct pl_part *part, struct pl_str name)
{
    struct pl_str found, value;

    for (unsigned i = 0; pl_form_data_field(&part->form, i, &found, &value);
         i++)
        if (pl_str_ieq(found, name))
            return value;
    return pl_str(NULL, 0);
}

/* Waits until there is something of the part, or its end. */
static int peek(struct pl_part *part, size_t n, struct pl_str *bytes)
{
    int err, waited;

    while ((err = pl_form_peek(part->req, n, bytes)) == PL_ERR_AGAIN)
        if ((waited = pl_body_wait(part->req)) < 0)
            return waited;
    return err;
}

ssize_t pl_part_read(struct pl_part *part, char *to, size_t n)
{
    struct pl_str bytes;
    int err = peek(part, n, &bytes);

    if (err < 0)
        return err;
    memcpy(to, bytes.data, bytes.len);
    pl_form_skip(part->req, bytes.len);
    return (ssize_t)bytes.len;
}

int pl_part_text(struct pl_part *part, size_t limit, struct pl_str *text)
{
    struct pl_builder *all = pl_builder_new(part->req);
    struct pl_str bytes;
    int err = all == NULL ? PL_ERR_NOMEM : 0;

    while (err == 0 && (err = peek(part, SIZE_MAX, &bytes)) == 0 &&
           bytes.len > 0) {
        if (limit != 0 && pl_builder_str(all).len + bytes.len > limit)
            return PL_ERR_LIMIT;
        err = pl_builder_add(all, bytes);
        pl_form_skip(part->req, bytes.len);
    }
    if (err == 0)
        *text = pl_builder_str(all);
    return err;
}

static int keep(struct pl_request *req, struct pl_sink *sink)
{
    int err = pl_sink_status(sink);

    return err < 0 ? err : pl_sink_keep(sink);
}

int64_t pl_part_save(struct pl_part *part, const char *path,
                     const struct pl_save_options *options)
{
    struct pl_save_options given;
    struct pl_sink *sink;
    int err;

    PL_OPTIONS_READ(&given, options);
    err = open_file(part->req, path, &given, &sink);
    if (err < 0)
        return err;
    pl_form_limit(part->req, given.max);
    err = run(part->req, sink, pl_form_store);
    if (err == 0)
        err = run(part->req, sink, keep);
    return close_file(sink, err);
}
