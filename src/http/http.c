#include "http/http.h"

#include <string.h>

#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"

const struct pl_http_settings pl_http_default_settings = {
    .h1 = {.line = 8 << 10, .head = 32 << 10, .headers = 100},
    .h2 = {.on = true, .streams = 128, .resets = 200, .controls = 100},
    .body = {.max_body = 1 << 20,
             .spool = 64 << 10,
             .max_fields = 1000,
             .max_parts = 1000,
             .rate = 500},
    .file_cache = 16 << 20,
    .header_ms = 10000,
    .idle_ms = 60000,
    .body_grace_ms = 10000,
    .server = {"perilune", 8},
};

void pl_http_init(struct pl_http *http, struct pl_net *net,
                  struct pl_sched *sched,
                  const struct pl_http_settings *settings,
                  const struct pl_http_ops *ops, void *arg)
{
    *http = (struct pl_http){.net = net,
                             .sched = sched,
                             .settings = settings,
                             .ops = ops,
                             .arg = arg,
                             .date_second = INT64_MIN,
                             .front = PL_HTTP_FRONT};
    pl_list_init(&http->requests);
    pl_random(&http->id_seed, sizeof(http->id_seed));
}

const char *pl_http_date(struct pl_http *http)
{
    int64_t now = pl_loop_wall(http->net->loop);
    char *date = http->front + PL_HTTP_DATE_AT;

    if (http->date_second != now) {
        http->date_second = now;
        pl_http_date_format(date, now);
    }
    return date;
}
