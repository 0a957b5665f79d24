#include "server/access.h"

#include <time.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"

/* The line is cut where the log would cut it; each field of the peer before
 * that, so that a long one cannot push the others out of the line. */
enum {
    LINE_MAX_LEN = PL_LOG_ACCESS_MAX,
    TARGET_MAX = 8 * 1024,
    FIELD_MAX = 2 * 1024,
    USER_MAX = 256,
};

struct line {
    char *at;
    char bytes[LINE_MAX_LEN];
};

static void put(struct line *line, struct pl_str s)
{
    memcpy(line->at, s.data, s.len);
    line->at += s.len;
}

static void put_u64(struct line *line, uint64_t value)
{
    line->at += pl_u64_format(line->at, value);
}

/* What the peer sent must forge neither a line nor a field. At most room bytes,
 * and then "..." */
static void put_escaped(struct line *line, struct pl_str s, size_t room)
{
    static const char hex[] = "0123456789abcdef";
    const char *end = line->at + room - 4;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];

        if (line->at > end) {
            put(line, PL_STR("..."));
            return;
        }
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            *line->at++ = (char)c;
        } else {
            *line->at++ = '\\';
            *line->at++ = 'x';
            *line->at++ = hex[c >> 4];
            *line->at++ = hex[c & 15];
        }
    }
}

static void put_quoted(struct line *line, struct pl_str s)
{
    put(line, PL_STR(" \""));
    put_escaped(line, s.len == 0 ? PL_STR("-") : s, FIELD_MAX);
    put(line, PL_STR("\""));
}

/* A name is one word. */
static void put_user(struct line *line, struct pl_str user)
{
    struct pl_str rest = pl_str_first(user, USER_MAX), word;

    if (!PL_WITH_AUTH || rest.len == 0) {
        put(line, PL_STR("-"));
        return;
    }
    while (pl_str_split(&rest, ' ', &word)) {
        put_escaped(line, word, 4 * USER_MAX);
        if (rest.data != NULL)
            put(line, PL_STR("\\x20"));
    }
}

/* "127.0.0.1 - sally [22/Nov/2026:07:14:22 +0000]": the text of a time is kept
 * for its second. */
static void put_begin(struct line *line, struct pl_str remote,
                      struct pl_str user, int64_t now)
{
    static _Thread_local char text[40];
    static _Thread_local int64_t second = -1;

    if (second != now) {
        struct tm tm;

        second = now;
        localtime_r(&(time_t){now}, &tm);
        strftime(text, sizeof(text), "[%d/%b/%Y:%H:%M:%S %z]", &tm);
    }
    line->at = line->bytes;
    put(line, remote.len > 0 ? remote : PL_STR("-"));
    put(line, PL_STR(" - "));
    put_user(line, user);
    put(line, PL_STR(" "));
    put(line, pl_str_c(text));
}

static void put_request(struct line *line, const struct pl_request *req)
{
    put(line, PL_STR(" \""));
    put_escaped(line, req->method_name, FIELD_MAX);
    put(line, PL_STR(" "));
    put_escaped(line, req->target, TARGET_MAX);
    put(line, PL_STR(" HTTP/"));
    put_u64(line, req->version / 10u);
    if (req->version < 20) {
        put(line, PL_STR("."));
        put_u64(line, req->version % 10u);
    }
    put(line, PL_STR("\" "));
}

/* "0.000123" */
static void put_seconds(struct line *line, uint64_t us)
{
    put_u64(line, us / 1000000);
    *line->at++ = '.';
    us %= 1000000;
    for (unsigned unit = 100000; unit > 0; unit /= 10)
        *line->at++ = (char)('0' + us / unit % 10);
}

/* " cpu=0.000123 lua=4096": in handlers, by which Lua's heap grew at most */
static void put_usage(struct line *line, const struct pl_meter *meter)
{
    put(line, PL_STR(" cpu="));
    put_seconds(line, pl_meter_cpu(meter) / 1000);
    put(line, PL_STR(" lua="));
    put_u64(line, (uint64_t)meter->peak);
}

/* One that a proxy has given (filters/request_id.h), behind our own. */
static void put_given_id(struct line *line, const struct pl_request *req,
                         struct pl_str own)
{
    struct pl_str given =
        pl_response_get(&req->response, PL_STR("X-Request-Id"));

    if (given.len == 0 || pl_str_eq(given, own))
        return;
    put(line, PL_STR(" request_id="));
    put_escaped(line, given, FIELD_MAX);
}

void pl_access_log(struct pl_request *req)
{
    struct pl_loop *loop = req->http->net->loop;
    char id[PL_REQUEST_ID_LEN];
    struct line line;

    put_begin(&line, req->remote, req->user, pl_loop_wall(loop));
    put_request(&line, req);
    put_u64(&line, req->response.status);
    put(&line, PL_STR(" "));
    put_u64(&line, req->response.sent);
    put_quoted(&line, pl_request_header_id(req, PL_HEADER_REFERER));
    put_quoted(&line, pl_request_header_id(req, PL_HEADER_USER_AGENT));
    put(&line, PL_STR(" "));
    put_seconds(&line, (pl_clock_monotonic() - req->started) / 1000);
    put(&line, PL_STR(" "));
    pl_request_id(req, id);
    put(&line, pl_str(id, sizeof(id)));
    if (req->meter != NULL)
        put_usage(&line, req->meter);
    if (PL_WITH_FILTERS)
        put_given_id(&line, req, pl_str(id, sizeof(id)));
    if (req->hijacked)
        put(&line, PL_STR(" hijacked"));
    pl_log_access(pl_str(line.bytes, (size_t)(line.at - line.bytes)));
}

void pl_access_log_refused(const struct pl_conn *conn, int status)
{
    char host[PL_ADDR_TEXT];
    struct pl_addr addr;
    struct pl_str remote = {NULL, 0};
    struct line line;

    if (pl_conn_peer(conn, &addr))
        remote = pl_str(host, pl_addr_format_host(&addr, host));
    put_begin(&line, remote, pl_str(NULL, 0),
              pl_loop_wall(pl_conn_net(conn)->loop));
    put(&line, PL_STR(" \"-\" "));
    put_u64(&line, (uint64_t)status);
    put(&line, PL_STR(" 0 \"-\" \"-\" 0.000000 -"));
    pl_log_access(pl_str(line.bytes, (size_t)(line.at - line.bytes)));
}
