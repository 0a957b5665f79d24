#include "server/dev.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json_text.h"
#include "base/log.h"
#include "base/str.h"
#include "http/negotiate.h"
#include "http/query.h"
#include "http/status.h"
#include "http/uri.h"
#include "server/server.h"
#include "server/trace.h"
#include "template/fields.h"

extern const char pl_dev_template[];

enum { PAGE_MAX = 4 << 20, PAIRS_MAX = 200 };

/* What live.h adds to a page. */
#define LIVE "; script-src 'self'; connect-src 'self'"

/* ---- what the template sees ---- */

struct pair {
    struct pl_str name, value;
    bool masked;
};

struct table {
    const char *title;
    struct pair *pairs;
    size_t count;
};

struct page {
    struct pl_trace trace;
    uint64_t status;
    struct pl_str reason, method, path, id;
    struct table tables[4], *table;
    size_t ntables;
};

PL_FIELD_TYPE(line_type, struct pl_trace_line,
              PL_FIELD(UINT, struct pl_trace_line, number),
              PL_FIELD(STR, struct pl_trace_line, text),
              PL_FIELD(BOOL, struct pl_trace_line, here));

PL_FIELD_TYPE(frame_type, struct pl_trace_frame,
              PL_FIELD(STR, struct pl_trace_frame, place),
              PL_FIELD(STR, struct pl_trace_frame, what),
              PL_FIELD(BOOL, struct pl_trace_frame, source),
              PL_FIELD(BOOL, struct pl_trace_frame, first),
              PL_FIELD_LIST("lines", struct pl_trace_frame, lines, nlines,
                            &line_type));

PL_FIELD_TYPE(trace_type, struct pl_trace, PL_FIELD(STR, struct pl_trace, text),
              PL_FIELD(STR, struct pl_trace, message),
              PL_FIELD(STR, struct pl_trace, place),
              PL_FIELD_LIST("frames", struct pl_trace, frames, nframes,
                            &frame_type));

PL_FIELD_TYPE(pair_type, struct pair, PL_FIELD(STR, struct pair, name),
              PL_FIELD(STR, struct pair, value),
              PL_FIELD(BOOL, struct pair, masked));

PL_FIELD_TYPE(table_type, struct table, PL_FIELD(TEXT, struct table, title),
              PL_FIELD_LIST("pairs", struct table, pairs, count, &pair_type));

PL_FIELD_TYPE(page_type, struct page,
              PL_FIELD_SUB(STRUCT, "trace", struct page, trace, &trace_type),
              PL_FIELD(UINT, struct page, status),
              PL_FIELD(STR, struct page, reason),
              PL_FIELD(STR, struct page, method),
              PL_FIELD(STR, struct page, path), PL_FIELD(STR, struct page, id),
              PL_FIELD_LIST("tables", struct page, table, ntables,
                            &table_type));

/* ---- who may see it ---- */

static bool is_loopback_name(struct pl_str host)
{
    return pl_str_eq(host, PL_STR("[::1]")) ||
           pl_str_ieq(host, PL_STR("localhost")) ||
           pl_str_starts(host, PL_STR("127.")) ||
           (host.len > 10 &&
            pl_str_ieq(pl_str_skip(host, host.len - 10), PL_STR(".localhost")));
}

static bool may_show(struct pl_request *req)
{
    static const struct pl_str proxies[] = {{"forwarded", 9},
                                            {"x-forwarded-for", 15},
                                            {"via", 3},
                                            {"x-real-ip", 9}};
    struct pl_str remote = pl_request_remote(req, NULL);
    struct pl_proxy_info proxy = {.size = sizeof(proxy)};

    if (pl_request_proxy(req, &proxy))
        return false;
    for (size_t i = 0; i < PL_COUNT(proxies); i++)
        if (pl_request_header(req, proxies[i]).data != NULL)
            return false;
    /* "" is a UNIX socket. */
    return (remote.len == 0 || pl_str_eq(remote, PL_STR("::1")) ||
            pl_str_starts(remote, PL_STR("127.")) ||
            pl_str_starts(remote, PL_STR("::ffff:127."))) &&
           is_loopback_name(pl_request_host(req, NULL));
}

bool pl_dev_is_on(const struct pl_generation *gen)
{
    return gen->worker->server->options.dev != PL_DEV_SITE || gen->site->dev;
}

bool pl_dev_is_for(const struct pl_generation *gen, struct pl_request *req)
{
    return gen->worker->server->options.dev == PL_DEV_ANY ||
           (pl_dev_is_on(gen) && may_show(req));
}

/* ---- the request, without its secrets ---- */

static bool contains(struct pl_str name, struct pl_str word)
{
    for (size_t i = 0; i + word.len <= name.len; i++)
        if (pl_str_ieq(pl_str_first(pl_str_skip(name, i), word.len), word))
            return true;
    return false;
}

static bool is_secret(struct pl_str name)
{
    static const char *const words[] = {
        "auth",  "cookie", "credential", "csrf",      "key",
        "passw", "secret", "session",    "signature", "token"};

    for (size_t i = 0; i < PL_COUNT(words); i++)
        if (contains(name, pl_str_c(words[i])))
            return true;
    return false;
}

static struct pair pair(struct pl_request *req, struct pl_str name,
                        struct pl_str value)
{
    struct pair pair = {name, value, is_secret(name)};

    if (pair.masked)
        pair.value =
            pl_arena_printf(&req->arena, "%zu bytes, not shown", value.len);
    return pair;
}

static struct pair *new_pairs(struct pl_request *req, struct page *page,
                              const char *title, size_t most)
{
    struct table *table = &page->tables[page->ntables];

    table->title = title;
    table->count = 0;
    table->pairs = pl_arena_alloc(&req->arena, most * sizeof(*table->pairs));
    if (table->pairs != NULL)
        page->ntables++;
    return table->pairs;
}

static void add_params(struct pl_request *req, struct page *page)
{
    struct pair *pairs = req->nparams == 0
                             ? NULL
                             : new_pairs(req, page, "Parameters", req->nparams);

    for (unsigned i = 0; pairs != NULL && i < req->nparams; i++)
        pairs[page->tables[page->ntables - 1].count++] =
            pair(req, req->params[i].name, req->params[i].value);
}

static void add_query(struct pl_request *req, struct page *page)
{
    struct pl_str rest = req->query, name, value;
    struct pair *pairs =
        rest.len == 0 ? NULL : new_pairs(req, page, "Query", PAIRS_MAX);
    size_t n = 0;

    while (pairs != NULL && n < PAIRS_MAX &&
           pl_query_next(&rest, &name, &value))
        pairs[n++] = pair(req, pl_uri_decode(name, &req->arena, true),
                          pl_uri_decode(value, &req->arena, true));
    if (pairs != NULL)
        page->tables[page->ntables - 1].count = n;
}

static void add_headers(struct pl_request *req, struct page *page)
{
    struct pair *pairs = req->nheaders == 0
                             ? NULL
                             : new_pairs(req, page, "Headers", req->nheaders);

    for (unsigned i = 0; pairs != NULL && i < req->nheaders; i++)
        pairs[page->tables[page->ntables - 1].count++] =
            pair(req, pl_header_name(&req->headers[i]),
                 pl_header_value(&req->headers[i]));
}

static void add_facts(struct pl_request *req, struct page *page)
{
    struct pair *pairs = new_pairs(req, page, "Server and client", 4);
    struct pl_arena *arena = &req->arena;
    uint16_t port;
    struct pl_str remote = pl_request_remote(req, &port);

    if (pairs == NULL)
        return;
    pairs[0] = (struct pair){PL_STR("id"), page->id, false};
    pairs[1] = (struct pair){
        PL_STR("client"),
        remote.len == 0
            ? PL_STR("a UNIX socket")
            : pl_arena_printf(arena, "%.*s, port %u", PL_STR_ARG(remote), port),
        false};
    pairs[2] =
        (struct pair){PL_STR("version"),
                      pl_arena_printf(arena, "HTTP/%u.%u", req->version / 10u,
                                      req->version % 10u),
                      false};
    pairs[3] =
        (struct pair){PL_STR("server"), PL_STR("perilune " PL_VERSION), false};
    page->tables[page->ntables - 1].count = 4;
}

static int fill_page(struct page *page, struct pl_request *req,
                     struct pl_str text, const char *folder)
{
    char id[PL_REQUEST_ID_LEN];
    int err = pl_trace_read(&page->trace, text, folder, &req->arena);

    page->status = req->response.status;
    page->reason = pl_status_reason(req->response.status);
    page->method = req->method_name;
    page->path = req->path;
    pl_request_id(req, id);
    page->id = pl_arena_str(&req->arena, pl_str(id, sizeof(id)));
    page->table = page->tables;
    page->ntables = 0;
    add_params(req, page);
    add_query(req, page);
    add_headers(req, page);
    add_facts(req, page);
    return err;
}

/* ---- three forms ---- */

static int write_html(const struct page *page, struct pl_buf *out)
{
    struct pl_data data = pl_fields_data(&page_type, page);
    struct pl_error error = {.code = 0};
    struct pl_template *template = pl_template_new(
        PL_STR("dev.mustache"), pl_str_c(pl_dev_template), &error);
    int err = template == NULL
                  ? error.code
                  : pl_template_render(template, &data, NULL, out, &error);

    if (err < 0)
        pl_log(PL_LOG_ERROR, "server", "no page for an error: %s: %s",
               error.where, error.text);
    pl_template_free(template);
    return err;
}

static void add_member(struct pl_buf *out, const char *before,
                       struct pl_str value)
{
    pl_buf_add(out, pl_str_c(before));
    pl_json_quote(out, value.data == NULL ? PL_STR("") : value,
                  PL_JSON_REPLACE | PL_JSON_HTML);
}

static int write_json(const struct page *page, struct pl_buf *out)
{
    pl_buf_printf(out, "{\"status\":%" PRIu64, page->status);
    add_member(out, ",\"error\":", page->trace.message);
    add_member(out, ",\"place\":", page->trace.place);
    add_member(out, ",\"method\":", page->method);
    add_member(out, ",\"path\":", page->path);
    add_member(out, ",\"id\":", page->id);
    pl_buf_add(out, PL_STR(",\"frames\":["));
    for (size_t i = 0; i < page->trace.nframes; i++) {
        const struct pl_trace_frame *frame = &page->trace.frames[i];

        add_member(out, i == 0 ? "{\"place\":" : ",{\"place\":", frame->place);
        add_member(out, ",\"what\":", frame->what);
        pl_buf_addc(out, '}');
    }
    return pl_buf_add(out, PL_STR("]}\n"));
}

static int write_text(const struct page *page, struct pl_buf *out)
{
    pl_buf_printf(out, "%" PRIu64 " %.*s\n\n%.*s\n", page->status,
                  PL_STR_ARG(page->reason), PL_STR_ARG(page->trace.text));
    for (size_t i = 0; i < page->trace.nframes; i++) {
        const struct pl_trace_frame *frame = &page->trace.frames[i];

        if (frame->nlines == 0)
            continue;
        pl_buf_printf(out, "\n%.*s %.*s\n", PL_STR_ARG(frame->place),
                      PL_STR_ARG(frame->what));
        pl_trace_print(frame, out);
    }
    return out->err;
}

static const struct form {
    struct pl_str accept, type;
    int (*write)(const struct page *page, struct pl_buf *out);
} forms[] = {
    {PL_STR("text/plain"), PL_STR("text/plain; charset=utf-8"), write_text},
    {PL_STR("text/html"), PL_STR("text/html; charset=utf-8"), write_html},
    {PL_STR("application/json"), PL_STR("application/json"), write_json},
};

/* Browsers name HTML; curl says that it takes everything. */
static const struct form *choose(struct pl_request *req)
{
    struct pl_str offers[PL_COUNT(forms)];
    int best;

    for (size_t i = 0; i < PL_COUNT(forms); i++)
        offers[i] = forms[i].accept;
    best = pl_negotiate(PL_NEGOTIATE_TYPE,
                        pl_request_header_id(req, PL_HEADER_ACCEPT), offers,
                        PL_COUNT(forms));
    return &forms[PL_MAX(best, 0)];
}

void pl_dev_answer(struct pl_request *req, struct pl_str text,
                   const char *folder)
{
    struct pl_response *res = &req->response;
    const struct form *form = choose(req);
    struct pl_str body = {NULL, 0};
    struct page page;
    struct pl_buf out;

    pl_buf_init(&out, req->arena.pool, &req->account, PAGE_MAX);
    if (fill_page(&page, req, text, folder) == 0 &&
        form->write(&page, &out) == 0)
        body = pl_arena_str(&req->arena, pl_buf_str(&out));
    pl_buf_fini(&out);
    if (body.data == NULL || pl_response_bytes(res, body, NULL, NULL) < 0)
        return;
    pl_response_set(res, PL_STR("Content-Type"), form->type);
    pl_response_set(res, PL_STR("Cache-Control"), PL_STR("no-store"));
    pl_response_set(
        res, PL_STR("Content-Security-Policy"),
        PL_STR("default-src 'none'; style-src 'unsafe-inline'" LIVE));
}

/* ---- errors of loading ---- */

/* Nothing if there is no source to be had. */
static int write_source(struct pl_buf *out, const struct pl_error *error,
                        const char *folder)
{
    struct pl_trace trace;
    struct pl_arena arena;
    struct pl_pool pool;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_arena_init(&arena, &pool, NULL);
    err = pl_trace_read(
        &trace, pl_arena_printf(&arena, "%s: %s", error->where, error->text),
        folder, &arena);
    if (err == 0 && trace.nframes > 0 && trace.frames[0].source) {
        pl_buf_addc(out, '\n');
        err = pl_trace_print(&trace.frames[0], out);
    }
    pl_arena_fini(&arena);
    pl_pool_fini(&pool);
    return err;
}

int pl_dev_write_fault(struct pl_buf *out, const struct pl_error *error,
                       const char *folder)
{
    if (error->where[0] == '\0')
        return pl_buf_printf(out, "%s\n", error->text);
    pl_buf_printf(out, "%s: %s\n", error->where, error->text);
    return folder == NULL ? out->err : write_source(out, error, folder);
}

void pl_dev_say_source(const struct pl_error *error, const char *folder)
{
    struct pl_pool pool;
    struct pl_buf out;

    if (error->where[0] == '\0')
        return;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    if (write_source(&out, error, folder) == 0)
        fprintf(stderr, "%.*s", PL_STR_ARG(pl_buf_str(&out)));
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
}
