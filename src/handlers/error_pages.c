#include "handlers/error_pages.h"

#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/request.h"
#include "http/status.h"
#include "template/fields.h"
#include "template/set.h"

struct page {
    uint64_t status;
    struct pl_str reason, detail, id, method, path, host;
    struct pl_str short_message, long_message; /* in templates of Lwan's */
    bool client_error, server_error, yes;
};

/* One more field has the status itself as its name: {{#404}}. */
static const struct pl_field fields[] = {
    PL_FIELD(UINT, struct page, status),
    PL_FIELD(STR, struct page, reason),
    PL_FIELD(STR, struct page, detail),
    PL_FIELD(STR, struct page, id),
    PL_FIELD(STR, struct page, method),
    PL_FIELD(STR, struct page, path),
    PL_FIELD(STR, struct page, host),
    PL_FIELD(BOOL, struct page, client_error),
    PL_FIELD(BOOL, struct page, server_error),
    PL_FIELD(STR, struct page, short_message),
    PL_FIELD(STR, struct page, long_message),
};

static int render(const struct pl_template_set *set, const struct page *page,
                  struct pl_buf *out, struct pl_error *error)
{
    struct pl_field all[PL_COUNT(fields) + 2] = {{0}};
    struct pl_field type = PL_FIELD_OF(struct page, all);
    struct pl_data data = pl_fields_data(&type, page);
    char number[24];

    memcpy(all, fields, sizeof(fields));
    snprintf(number, sizeof(number), "%u", (unsigned)page->status);
    all[PL_COUNT(fields)] = (struct pl_field)PL_FIELD(BOOL, struct page, yes);
    all[PL_COUNT(fields)].name = number;
    return pl_template_set_render(set, &data, out, error);
}

static int make(void *arg, struct pl_request *req, int status,
                struct pl_str detail, struct pl_buf *out)
{
    char id[PL_REQUEST_ID_LEN];
    struct page page = {
        .status = (uint64_t)status,
        .reason = pl_status_reason(status),
        .detail = detail,
        .short_message = pl_status_reason(status),
        .long_message = detail.len > 0 ? detail : pl_status_reason(status),
        .id = pl_str(id, sizeof(id)),
        .method = req->method_name,
        .path = req->path,
        .host = pl_request_host(req, NULL),
        .client_error = status < 500,
        .server_error = status >= 500,
        .yes = true,
    };
    struct pl_error error = {.code = 0};
    int err;

    pl_request_id(req, id);
    err = render(arg, &page, out, &error);
    if (err < 0)
        pl_log(PL_LOG_ERROR, "http", "no page for status %d: %s: %s", status,
               error.where, error.text);
    return err;
}

static void drop(void *arg)
{
    pl_template_set_free(arg);
}

int pl_error_pages_open(struct pl_site *site, struct pl_error *error)
{
    struct pl_template_set *set;

    if (site->error_pages == NULL)
        return 0;
    if (!PL_WITH_PAGES)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "error_pages: " PL_WITHOUT PL_FEATURE_PAGES);
    set = pl_template_set_load(site->error_pages, error);
    if (set == NULL)
        return error == NULL ? PL_ERR_SYNTAX : error->code;
    if (pl_site_own(site, drop, set) < 0)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    site->http.error_page = make;
    site->http.error_page_arg = set;
    return 0;
}
