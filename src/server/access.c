#include "server/access.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "http/request.h"

enum { LINE_MAX_LEN = 2048, FIELD_MAX = 512 };

/* What the peer sent, quoted: it must not forge a line or a field. */
static size_t put_quoted(char *out, struct pl_str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    out[n++] = '"';
    s = s.len == 0 ? PL_STR("-") : s;
    for (size_t i = 0; i < s.len && n < FIELD_MAX - 6; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n++] = '"';
    return n;
}

static size_t put_time(char *out, size_t room, int64_t seconds)
{
    static _Thread_local char text[40];
    static _Thread_local int64_t second = -1;
    struct tm tm;
    time_t when = (time_t)seconds;

    if (second != seconds) {
        second = seconds;
        localtime_r(&when, &tm);
        strftime(text, sizeof(text), "[%d/%b/%Y:%H:%M:%S %z]", &tm);
    }
    return (size_t)snprintf(out, room, "%s", text);
}

void pl_access_log(struct pl_request *req)
{
    const struct pl_response *res = &req->response;
    struct pl_loop *loop = req->http->net->loop;
    char line[LINE_MAX_LEN], first[FIELD_MAX + 64], id[PL_REQUEST_ID_LEN];
    uint64_t us = (pl_now(loop) - req->started) / 1000;
    struct pl_str remote = req->remote.len > 0 ? req->remote : PL_STR("-");
    size_t n;

    n = (size_t)snprintf(line, sizeof(line), "%.*s - - ", PL_STR_ARG(remote));
    n += put_time(line + n, sizeof(line) - n, pl_loop_wall(loop));
    line[n++] = ' ';
    snprintf(first, sizeof(first), "%.*s %.*s HTTP/%d.%d",
             PL_STR_ARG(req->method_name),
             (int)PL_MIN(req->target.len, FIELD_MAX - 64), req->target.data,
             req->version / 10, req->version % 10);
    n += put_quoted(line + n, pl_str_c(first));
    n += (size_t)snprintf(line + n, sizeof(line) - n, " %u %llu ", res->status,
                          (unsigned long long)res->sent);
    n += put_quoted(line + n, pl_request_header_id(req, PL_HEADER_REFERER));
    line[n++] = ' ';
    n += put_quoted(line + n, pl_request_header_id(req, PL_HEADER_USER_AGENT));
    pl_request_id(req, id);
    n += (size_t)snprintf(line + n, sizeof(line) - n, " %llu.%06llu %.16s",
                          (unsigned long long)(us / 1000000),
                          (unsigned long long)(us % 1000000), id);
    pl_log_access(pl_str(line, n));
}
