#include "http/events.h"

#include "base/error.h"
#include "base/options.h"
#include "base/str.h"
#include "http/again.h"

/* ---- the text ---- */

static bool is_line_end(char c)
{
    return c == '\r' || c == '\n';
}

static bool is_one_line(struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_line_end(text.data[i]))
            return false;
    return true;
}

/* Takes the next line off text: CRLF, CR and LF end one, as clients read it.
 * False when there is none left; an empty text is one empty line. */
static bool next_line(struct pl_str *text, struct pl_str *line)
{
    size_t len = 0, end;

    if (text->data == NULL)
        return false;
    while (len < text->len && !is_line_end(text->data[len]))
        len++;
    *line = pl_str_first(*text, len);
    if (len == text->len) {
        *text = pl_str(NULL, 0);
        return true;
    }
    end = text->data[len] == '\r' && len + 1 < text->len &&
          text->data[len + 1] == '\n';
    *text = pl_str_skip(*text, len + 1 + end);
    return true;
}

static void add_lines(struct pl_buf *out, struct pl_str name,
                      struct pl_str text)
{
    struct pl_str line;

    while (next_line(&text, &line)) {
        pl_buf_add(out, name);
        pl_buf_add(out, line);
        pl_buf_addc(out, '\n');
    }
}

int pl_event_format(struct pl_buf *out, const struct pl_event *event)
{
    if (!is_one_line(event->type) || !is_one_line(event->id) ||
        pl_str_chr(event->id, '\0') >= 0) /* clients pass over such an id */
        return PL_ERR_INVALID;
    if (event->retry_ms > 0)
        pl_buf_printf(out, "retry: %llu\n",
                      (unsigned long long)event->retry_ms);
    if (event->id.data != NULL)
        add_lines(out, PL_STR("id: "), event->id);
    if (event->type.len > 0)
        add_lines(out, PL_STR("event: "), event->type);
    add_lines(out, PL_STR("data: "), event->data);
    return pl_buf_addc(out, '\n');
}

int pl_event_format_comment(struct pl_buf *out, struct pl_str text)
{
    add_lines(out, PL_STR(": "), text);
    return pl_buf_addc(out, '\n');
}

/* ---- steps ---- */

static uint64_t now_of(const struct pl_event_stream *stream)
{
    return pl_now(stream->req->http->net->loop);
}

static int push(struct pl_event_stream *stream, struct pl_buf *text, int err)
{
    stream->said = now_of(stream);
    if (err == 0)
        err = pl_response_push(&stream->req->response, pl_buf_str(text));
    pl_buf_fini(text);
    return err;
}

static void begin_text(struct pl_event_stream *stream, struct pl_buf *text)
{
    pl_buf_init(text, stream->req->arena.pool, &stream->req->account, 0);
}

int pl_event_push(struct pl_event_stream *stream, const struct pl_event *event)
{
    struct pl_buf text;

    begin_text(stream, &text);
    return push(stream, &text, pl_event_format(&text, event));
}

int pl_event_push_comment(struct pl_event_stream *stream, struct pl_str comment)
{
    struct pl_buf text;

    begin_text(stream, &text);
    return push(stream, &text, pl_event_format_comment(&text, comment));
}

/* ---- keeping it open ---- */

static void start_timer(struct pl_event_stream *stream)
{
    pl_timer_start(pl_loop_wheel(stream->req->http->net->loop), &stream->timer,
                   stream->said + stream->ping);
}

static void stop_timer(void *arg)
{
    struct pl_event_stream *stream = arg;

    pl_timer_stop(pl_loop_wheel(stream->req->http->net->loop), &stream->timer);
}

/* Proxies close what is silent; and whether a client that went without a word
 * is there is found out by writing. One that does not read needs no ping. */
static void on_ping(struct pl_timer *timer)
{
    struct pl_event_stream *stream =
        PL_CONTAINER_OF(timer, struct pl_event_stream, timer);
    struct pl_request *req = stream->req;
    uint64_t now = now_of(stream);

    if (req->wire == NULL || req->response.ended)
        return;
    if (now >= stream->said + stream->ping) {
        stream->said = now;
        if (!req->wire->congested(req))
            (void)pl_response_push(&req->response, PL_STR(":\n\n"));
    }
    if (req->wire != NULL)
        start_timer(stream);
}

/* ---- the beginning ---- */

/* No cache may keep it, no proxy change or gather it (nginx asks for a field of
 * its own). */
static int set_fields(struct pl_response *res)
{
    int err = pl_response_type(res, PL_STR("text/event-stream"));

    if (err == 0 && pl_response_get(res, PL_STR("Cache-Control")).data == NULL)
        err = pl_response_set(res, PL_STR("Cache-Control"),
                              PL_STR("no-store, no-transform"));
    if (err == 0)
        err = pl_response_set(res, PL_STR("X-Accel-Buffering"), PL_STR("no"));
    res->etag = pl_str(NULL, 0);
    res->last_modified = -1;
    return err;
}

static struct pl_event_stream *make(struct pl_request *req,
                                    const struct pl_events_options *options)
{
    struct pl_event_stream *stream =
        pl_arena_alloc(&req->arena, sizeof(*stream));
    uint64_t ping =
        options->ping_ms == 0 ? PL_EVENTS_PING_MS : options->ping_ms;

    if (stream == NULL)
        return NULL;
    *stream = (struct pl_event_stream){
        .req = req,
        .ping = ping > UINT32_MAX ? 0 : ping * 1000000,
        .last_id = pl_request_header(req, PL_STR("Last-Event-ID")),
    };
    stream->said = now_of(stream);
    pl_timer_init(&stream->timer, on_ping);
    return pl_request_defer(req, stop_timer, stream) == 0 ? stream : NULL;
}

/* The head, with a first line: what gathers answers lets it through. */
static int say_hello(struct pl_event_stream *stream, uint64_t retry_ms)
{
    struct pl_response *res = &stream->req->response;
    struct pl_event hello = {.retry_ms = retry_ms};
    int err;

    err = retry_ms > 0 ? pl_event_push(stream, &hello)
                       : pl_response_push(res, PL_STR(":\n\n"));
    if (err < 0 && err != PL_ERR_AGAIN)
        return err;
    if (stream->req->wire != NULL)
        stream->req->wire->flush(stream->req);
    if (res->bodyless) /* a HEAD: say so to the first who goes on */
        res->unheard = UINT32_MAX;
    return 0;
}

static void end_if_draining(struct pl_request *req)
{
    if (req->http->draining && req->task != NULL)
        pl_task_cancel(req->task);
}

int pl_events_begin(struct pl_response *res,
                    const struct pl_events_options *given,
                    struct pl_event_stream **out)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    struct pl_events_options options;
    struct pl_event_stream *stream;
    int err;

    PL_OPTIONS_READ(&options, given);
    if (pl_request_is_resumed(req) && res->events != NULL) {
        pl_request_goes_on(req);
        *out = res->events;
        end_if_draining(req);
        return 0;
    }
    if (res->started || res->content != PL_CONTENT_NONE)
        return PL_ERR_STATE;
    err = set_fields(res);
    if (err < 0)
        return err;
    stream = make(req, &options);
    if (stream == NULL)
        return PL_ERR_NOMEM;
    res->events = stream;
    err = say_hello(stream, options.retry_ms);
    if (err < 0)
        return err;
    if (stream->ping > 0 && !res->bodyless)
        start_timer(stream);
    end_if_draining(req);
    *out = stream;
    return 0;
}

struct pl_str pl_events_last_id(const struct pl_event_stream *stream)
{
    return stream->last_id;
}

/* ---- in straight lines ---- */

static int wait(struct pl_event_stream *stream, int pushed)
{
    return pl_response_pace(&stream->req->response, pushed);
}

int pl_events_send(struct pl_event_stream *stream, const struct pl_event *event)
{
    return wait(stream, pl_event_push(stream, event));
}

int pl_events_comment(struct pl_event_stream *stream, struct pl_str text)
{
    return wait(stream, pl_event_push_comment(stream, text));
}
