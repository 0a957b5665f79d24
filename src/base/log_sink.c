#include "base/log_sink.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/utf8.h"

static const struct {
    struct pl_str name, colour, priority;
} levels[PL_LOG_LEVELS] = {
    [PL_LOG_DEBUG] = {PL_STR("debug"), PL_STR("\033[2m"), PL_STR("<7>")},
    [PL_LOG_INFO] = {PL_STR("info"), PL_STR("\033[36m"), PL_STR("<6>")},
    [PL_LOG_NOTICE] = {PL_STR("notice"), PL_STR("\033[32m"), PL_STR("<5>")},
    [PL_LOG_WARN] = {PL_STR("warn"), PL_STR("\033[33m"), PL_STR("<4>")},
    [PL_LOG_ERROR] = {PL_STR("error"), PL_STR("\033[1;31m"), PL_STR("<3>")},
};

bool pl_log_level_parse(struct pl_str name, enum pl_level *level)
{
    for (unsigned i = 0; i < PL_LOG_LEVELS; i++) {
        if (pl_str_ieq(name, levels[i].name)) {
            *level = (enum pl_level)i;
            return true;
        }
    }
    return false;
}

const char *pl_log_level_name(enum pl_level level)
{
    return levels[level].name.data;
}

/* ---- the file ---------------------------------------------------------- */

/* systemd names the socket behind stderr, so that a program whose stderr was
 * redirected since is not deceived (systemd.exec(5)). */
static bool is_journal(int fd)
{
    const char *want = getenv("JOURNAL_STREAM");
    char have[48];
    struct stat st;

    if (want == NULL || pl_sys_fstat(fd, &st) < 0)
        return false;
    snprintf(have, sizeof(have), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(want, have) == 0;
}

/* NO_COLOR: see no-color.org. */
static bool wants_colour(int fd)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

    return (none == NULL || none[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0 && isatty(fd);
}

void pl_log_sink_use(struct pl_log_sink *sink, int fd)
{
    sink->fd = fd;
    sink->style = is_journal(fd)     ? PL_LOG_JOURNAL
                  : wants_colour(fd) ? PL_LOG_COLOUR
                                     : PL_LOG_PLAIN;
}

static int open_file(const char *path)
{
    return pl_sys_open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int pl_log_sink_open(struct pl_log_sink *sink, const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = pl_malloc(size);
    int fd;

    if (copy == NULL)
        return PL_ERR_NOMEM;
    fd = open_file(path);
    if (fd < 0) {
        pl_free(copy);
        return pl_err_from_errno(errno);
    }
    sink->path = memcpy(copy, path, size);
    sink->fd = fd;
    sink->style = PL_LOG_PLAIN;
    return 0;
}

int pl_log_sink_reopen(struct pl_log_sink *sink)
{
    int fd, err = 0;

    if (sink->path == NULL)
        return 0;
    fd = open_file(sink->path);
    if (fd < 0)
        return pl_err_from_errno(errno);
    if (dup3(fd, sink->fd, O_CLOEXEC) < 0)
        err = pl_err_from_errno(errno);
    pl_sys_close(fd);
    return err;
}

void pl_log_sink_close(struct pl_log_sink *sink)
{
    if (sink->path != NULL) {
        pl_sys_close(sink->fd);
        pl_free((char *)sink->path);
    }
    sink->path = NULL;
    sink->fd = -1;
    sink->len = 0;
}

/* Returns how much went out; less than len means errno says why. */
static size_t write_all(int fd, const char *at, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pl_sys_write(fd, at + done, len - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) { /* somebody made stderr non-blocking */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

void pl_log_sink_flush(struct pl_log_sink *sink)
{
    size_t done;

    if (sink->len == 0)
        return;
    done = write_all(sink->fd, sink->buffer, sink->len);
    sink->failing = done < sink->len;
    if (sink->failing) {
        sink->lost += sink->len - done;
        sink->lost_errno = errno;
    }
    sink->len = 0;
}

/* ---- lines ------------------------------------------------------------- */

static void put(struct pl_log_sink *sink, struct pl_str bytes)
{
    while (bytes.len > 0) {
        size_t n = PL_MIN(bytes.len, (size_t)PL_LOG_SINK_BUFFER - sink->len);

        memcpy(sink->buffer + sink->len, bytes.data, n);
        sink->len += n;
        bytes = pl_str_skip(bytes, n);
        if (sink->len == (size_t)PL_LOG_SINK_BUFFER)
            pl_log_sink_flush(sink);
    }
}

static void put_digits(char *out, unsigned value, int n)
{
    for (; n > 0; value /= 10)
        out[--n] = (char)('0' + value % 10);
}

/* The day in the proleptic Gregorian calendar, counted from the first of March
 * of the year 0: the leap day is then the last of its year, and the lengths of
 * the months repeat every five (153 days). */
static void put_date(char *out, uint64_t days_since_1970)
{
    unsigned day = (unsigned)days_since_1970 + 719468;
    unsigned era = day / 146097, year, month;

    day %= 146097;
    year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= year * 365 + year / 4 - year / 100;
    month = (day * 5 + 2) / 153; /* 0: March */
    day -= (month * 153 + 2) / 5;
    year += era * 400 + (month >= 10);
    put_digits(out, year, 4);
    put_digits(out + 5, month < 10 ? month + 3 : month - 9, 2);
    put_digits(out + 8, day + 1, 2);
}

void pl_log_stamp(char *out, uint64_t time)
{
    uint64_t seconds = time / 1000000000u;
    unsigned of_day = (unsigned)(seconds % 86400);

    memcpy(out, "0000-00-00T00:00:00.000Z", PL_LOG_STAMP);
    put_date(out, seconds / 86400);
    put_digits(out + 11, of_day / 3600, 2);
    put_digits(out + 14, of_day / 60 % 60, 2);
    put_digits(out + 17, of_day % 60, 2);
    put_digits(out + 20, (unsigned)(time / 1000000u % 1000), 3);
}

/* Most lines share their second with the one before. */
static void put_stamp(struct pl_log_sink *sink, uint64_t time)
{
    uint64_t second = time / 1000000000u;

    if (second != sink->second || sink->stamp[0] == '\0')
        pl_log_stamp(sink->stamp, time);
    else
        put_digits(sink->stamp + 20, (unsigned)(time / 1000000u % 1000), 3);
    sink->second = second;
    put(sink, pl_str(sink->stamp, PL_LOG_STAMP));
}

static void put_start(struct pl_log_sink *sink, uint64_t time, unsigned level)
{
    if (sink->style == PL_LOG_JOURNAL) {
        put(sink, levels[level].priority);
        return;
    }
    put_stamp(sink, time);
    put(sink, PL_STR(" "));
    put(sink, levels[level].name);
    put(sink, PL_STR(" "));
}

/* How many bytes at the front are printable ASCII: eight at a time, which is
 * what nearly all of a log is. */
static size_t printable(struct pl_str s)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t word, below, del;
    size_t n = 0;

    for (; s.len - n >= sizeof(word); n += sizeof(word)) {
        memcpy(&word, s.data + n, sizeof(word));
        del = word ^ 0x7f * ones;
        below = (word - 0x20 * ones) | (del - ones) | word;
        if (below & 0x80 * ones) /* a byte < 0x20, 0x7f, or >= 0x80 */
            break;
    }
    while (n < s.len && s.data[n] >= 0x20 && s.data[n] < 0x7f)
        n++;
    return n;
}

/* How many bytes at the front may stand in the log as they are. */
static size_t harmless(struct pl_str s)
{
    uint32_t point;
    size_t n = 0;
    int step;

    while (n < s.len) {
        n += printable(pl_str_skip(s, n));
        if (n == s.len || (s.data[n] & 0x80) == 0)
            break;
        step = pl_utf8_decode(pl_str_skip(s, n), &point);
        if (step < 0 || point <= 0x9f) /* C1 begins at 0x80 */
            break;
        n += (size_t)step;
    }
    return n;
}

/* level: of a line that may be continued, or PL_LOG_LEVELS. */
static void put_escaped(struct pl_log_sink *sink, struct pl_str text,
                        unsigned level)
{
    static const char hex[] = "0123456789abcdef";

    while (text.len > 0) {
        unsigned char c = (unsigned char)text.data[0];
        size_t n = harmless(text);

        put(sink, pl_str_first(text, n));
        text = pl_str_skip(text, n);
        if (n > 0)
            continue;
        if (level < PL_LOG_LEVELS && c == '\n') {
            put(sink, PL_STR("\n"));
            if (sink->style == PL_LOG_JOURNAL)
                put(sink, levels[level].priority);
            put(sink, PL_STR("    "));
        } else if (level < PL_LOG_LEVELS && c == '\t') {
            put(sink, PL_STR("    "));
        } else {
            put(sink, pl_str((char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4));
        }
        text = pl_str_skip(text, 1);
    }
}

/* ---- for people ---------------------------------------------------------- */

#define DIM PL_STR("\033[2m")
#define BOLD PL_STR("\033[1m")
#define NORMAL PL_STR("\033[0m")

static void put_column(struct pl_log_sink *sink, struct pl_str colour,
                       struct pl_str text, size_t width)
{
    static const char spaces[] = "        ";

    put(sink, colour);
    put_escaped(sink, text, PL_LOG_LEVELS);
    put(sink, NORMAL);
    put(sink, pl_str(spaces, width > text.len ? width - text.len : 0));
    put(sink, PL_STR(" "));
}

/* "07:14:22.123 ", in the time of the place. */
static void put_clock(struct pl_log_sink *sink, uint64_t time)
{
    time_t seconds = (time_t)(time / 1000000000u);
    char text[] = "00:00:00.000";
    struct tm tm;

    localtime_r(&seconds, &tm);
    put_digits(text, (unsigned)tm.tm_hour, 2);
    put_digits(text + 3, (unsigned)tm.tm_min, 2);
    put_digits(text + 6, (unsigned)tm.tm_sec, 2);
    put_digits(text + 9, (unsigned)(time / 1000000u % 1000), 3);
    put_column(sink, DIM, pl_str_c(text), 0);
}

/* Where the facts begin: the words "key=value" at the end of the first line. */
static size_t find_facts(struct pl_str text)
{
    ptrdiff_t end = pl_str_chr(text, '\n');
    struct pl_str line = end < 0 ? text : pl_str_first(text, (size_t)end);
    size_t facts = line.len;

    for (ptrdiff_t at; (at = pl_str_rchr(line, ' ')) > 0;
         line.len = facts = (size_t)at) {
        struct pl_str word = pl_str_skip(line, (size_t)at + 1);

        if (pl_str_chr(word, '=') <= 0 ||
            pl_str_ends(pl_str_first(line, (size_t)at), PL_STR(" ")))
            break;
    }
    return facts;
}

static void put_line(struct pl_log_sink *sink, uint64_t time, unsigned level,
                     struct pl_str text)
{
    ptrdiff_t room = pl_str_find(text, PL_STR(": "));
    size_t facts, end;

    put_clock(sink, time);
    put_column(sink, levels[level].colour, levels[level].name, 6);
    if (room > 0 && pl_str_chr(pl_str_first(text, (size_t)room), ' ') < 0) {
        put_column(sink, BOLD, pl_str_first(text, (size_t)room), 7);
        text = pl_str_skip(text, (size_t)room + 2);
    }
    facts = find_facts(text);
    end =
        pl_str_chr(text, '\n') < 0 ? text.len : (size_t)pl_str_chr(text, '\n');
    put_escaped(sink, pl_str_first(text, facts), level);
    if (facts < end) {
        put(sink, PL_STR(" "));
        put(sink, DIM);
        put_escaped(sink, pl_str(text.data + facts, end - facts), level);
        put(sink, NORMAL);
    }
    put_escaped(sink, pl_str_skip(text, end), level);
}

/* The next word of a line of the access log; quoted ones without quotes, which
 * have none inside. */
static struct pl_str take_word(struct pl_str *rest)
{
    struct pl_str word;
    bool quoted = rest->len > 0 && rest->data[0] == '"';
    ptrdiff_t end;

    *rest = pl_str_skip(*rest, quoted);
    end = pl_str_chr(*rest, quoted ? '"' : ' ');
    word = end < 0 ? *rest : pl_str_first(*rest, (size_t)end);
    *rest = pl_str_skip(*rest, word.len + (quoted ? 2u : 1u));
    return word;
}

static struct pl_str status_colour(struct pl_str status)
{
    switch (status.len > 0 ? status.data[0] : '\0') {
    case '2':
        return levels[PL_LOG_NOTICE].colour;
    case '3':
        return levels[PL_LOG_INFO].colour;
    case '4':
        return levels[PL_LOG_WARN].colour;
    default:
        return levels[PL_LOG_ERROR].colour;
    }
}

/* From the combined format (server/access.h): what was asked, what it got. */
static void put_request(struct pl_log_sink *sink, uint64_t time,
                        struct pl_str text)
{
    ptrdiff_t quote = pl_str_chr(text, '"');
    struct pl_str rest =
        pl_str_skip(text, quote < 0 ? text.len : (size_t)quote);
    struct pl_str request = take_word(&rest), status = take_word(&rest);
    struct pl_str size = take_word(&rest), method = take_word(&request);

    take_word(&rest); /* referer */
    take_word(&rest); /* agent */
    put_clock(sink, time);
    put_column(sink, BOLD, method, 6);
    put_column(sink, status_colour(status), status, 0);
    put_escaped(sink, take_word(&request), PL_LOG_LEVELS);
    put(sink, PL_STR(" "));
    put(sink, DIM);
    put_escaped(sink, size, PL_LOG_LEVELS);
    put(sink, PL_STR(" bytes "));
    put_escaped(sink, take_word(&rest), PL_LOG_LEVELS);
    put(sink, PL_STR(" s"));
    put(sink, NORMAL);
}

void pl_log_sink_add(struct pl_log_sink *sink, uint64_t time, uint32_t kind,
                     struct pl_str text)
{
    bool is_access = kind == PL_LOG_RECORD_ACCESS;

    if (sink->fd < 0)
        return;
    if (sink->len > (size_t)PL_LOG_SINK_BUFFER / 2)
        pl_log_sink_flush(sink);
    if (sink->style == PL_LOG_COLOUR) {
        if (is_access)
            put_request(sink, time, text);
        else
            put_line(sink, time, kind, text);
    } else {
        if (!is_access)
            put_start(sink, time, kind);
        put_escaped(sink, text, is_access ? PL_LOG_LEVELS : kind);
    }
    put(sink, PL_STR("\n"));
}
