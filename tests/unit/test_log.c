/* test_log.c - lines from any thread reach the right file: whole, in order, and
 * never forged. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/log.h"
#include "base/log_ring.h"
#include "base/log_sink.h"
#include "base/sys.h"

static char folder[] = "/tmp/pl-test-log-XXXXXX";
static char error_path[64], access_path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(error_path, sizeof(error_path), "%s/error", folder);
    snprintf(access_path, sizeof(access_path), "%s/access", folder);
    return 0;
}

static void clear(void)
{
    unlink(error_path);
    unlink(access_path);
}

static int tear_down(void **state)
{
    (void)state;
    clear();
    return rmdir(folder);
}

/* The whole file, terminated; the next call re-uses the memory. */
static char *contents(const char *path)
{
    static char text[1 << 20];
    int fd = open(path, O_RDONLY);
    ssize_t len;

    CHECK(fd >= 0, path);
    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    CHECK(len >= 0, path);
    text[len] = '\0';
    return text;
}

/* Line n of the error log without its time; "" if there are less. */
static const char *line_of(const char *path, int n)
{
    static char line[8192];
    struct pl_str rest = pl_str_c(contents(path)), part = {NULL, 0};

    for (int i = 0; i <= n; i++)
        if (!pl_str_split(&rest, '\n', &part))
            return "";
    if (part.len > 25 && part.data[23] == 'Z')
        part = pl_str_skip(part, 25);
    snprintf(line, sizeof(line), "%.*s", PL_STR_ARG(part));
    return line;
}

static int lines_in(const char *path)
{
    int n = 0;

    for (const char *at = contents(path); *at != '\0'; at++)
        n += *at == '\n';
    return n;
}

static void start(void)
{
    struct pl_error error = {0};

    clear();
    CHECK_INT(0, pl_log_start(error_path, access_path, &error), error.text);
}

/* Past the limit of the call site. */
#define LOG(...) pl_log_write(NULL, PL_LOG_WARN, __VA_ARGS__)

static void test_log__levels_and_errno(void **state)
{
    enum pl_level level = PL_LOG_ERROR;

    (void)state;
    start();
    pl_log(PL_LOG_DEBUG, "net", "not wanted");
    errno = ENOENT;
    pl_log(PL_LOG_ERROR, "net", "no file: %m path=%s", "/x");
    CHECK_INT(ENOENT, errno, "kept");
    pl_log_stop();
    CHECK_STR("error net: no file: No such file or directory path=/x",
              pl_str_c(line_of(error_path, 0)), "text");
    CHECK_INT(1, lines_in(error_path), "one line");
    CHECK(pl_log_level_parse(PL_STR("Debug"), &level), "name");
    CHECK_INT(PL_LOG_DEBUG, level, "parsed");
    CHECK(!pl_log_level_parse(PL_STR("loud"), &level), "no such level");
}

/* ---- on a terminal ---- */

#define CLOCK "\033[2m12:34:56.789\033[0m "

static const struct {
    const char *what, *text, *want;
    uint32_t kind;
} people[] = {
    {"facts", "net: accept failed fd=7 why=no",
     CLOCK "\033[33mwarn\033[0m   \033[1mnet\033[0m     accept failed "
           "\033[2m fd=7 why=no\033[0m\n",
     PL_LOG_WARN},
    {"no facts, no room", "it is = what it is",
     CLOCK "\033[36minfo\033[0m   it is = what it is\n", PL_LOG_INFO},
    {"a traceback", "lua: boom a=1\n\tmain.lua:1: f",
     CLOCK "\033[1;31merror\033[0m  \033[1mlua\033[0m     boom \033[2m a=1"
           "\033[0m\n        main.lua:1: f\n",
     PL_LOG_ERROR},
    {"no forgery", "x: \033[2J",
     CLOCK "\033[1;31merror\033[0m  \033[1mx\033[0m       \\x1b[2J\n",
     PL_LOG_ERROR},
    {"a request",
     "127.0.0.1 - - [22/Nov/2026:07:14:22 +0000] \"GET /x HTTP/1.1\" 200 13 "
     "\"-\" \"curl/7 (x)\" 0.000123 4be1c7d09a31f5c2",
     CLOCK "\033[1mGET\033[0m    \033[32m200\033[0m /x \033[2m13 bytes "
           "0.000123 s\033[0m\n",
     PL_LOG_RECORD_ACCESS},
    {"one that was refused", "- - - [x] \"-\" 400 0 \"-\" \"-\" 0.000000 -",
     CLOCK "\033[1m-\033[0m      \033[33m400\033[0m  \033[2m0 bytes 0.000000 s"
           "\033[0m\n",
     PL_LOG_RECORD_ACCESS},
    {"what is no such line", "x",
     CLOCK "\033[1m\033[0m       \033[1;31m\033[0m  \033[2m bytes  s\033[0m\n",
     PL_LOG_RECORD_ACCESS},
};

static void test_log__is_for_people_on_a_terminal(void **state)
{
    static char buffer[PL_LOG_SINK_BUFFER];
    struct pl_log_sink sink = {.style = PL_LOG_COLOUR, .buffer = buffer};

    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < PL_COUNT(people); i++) {
        sink.len = 0;
        pl_log_sink_add(&sink, 45296789000000, people[i].kind,
                        pl_str_c(people[i].text));
        CHECK_STR(people[i].want, pl_str(buffer, sink.len), people[i].what);
    }
}

static const struct {
    const char *what, *text, *want;
} forgeries[] = {
    {"newline", "a\n2026-11-22T07:14:22.123Z error x: y",
     "warn t: a\n    2026-11-22T07:14:22.123Z error x: y\n"},
    {"carriage return", "a\rb", "warn t: a\\x0db\n"},
    {"escape", "\033[2Jx", "warn t: \\x1b[2Jx\n"},
    {"C1 in UTF-8",
     "\xc2\x9b"
     "2Jx",
     "warn t: \\xc2\\x9b2Jx\n"},
    {"C1 alone", "\x9b", "warn t: \\x9b\n"},
    {"delete", "\x7f", "warn t: \\x7f\n"},
    {"UTF-8", "h\xc3\xa9 \xf0\x9f\x8c\x99",
     "warn t: h\xc3\xa9 \xf0\x9f\x8c\x99\n"},
    {"cut UTF-8", "h\xc3", "warn t: h\\xc3\n"},
    {"line ends go", "a\n\n", "warn t: a\n"},
    {"traceback", "boom\n\tmain.lua:1: f",
     "warn t: boom\n        main.lua:1: f\n"},
};

static void test_log__lines_cannot_be_forged(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(forgeries); i++) {
        start();
        LOG("t", "%s", forgeries[i].text);
        pl_log_access(pl_str_c(forgeries[i].text));
        pl_log_stop();
        CHECK_STR(forgeries[i].want, pl_str_c(contents(error_path) + 25),
                  forgeries[i].what);
        CHECK_INT(1, lines_in(access_path), forgeries[i].what);
    }
}

static void test_log__long_lines_are_cut(void **state)
{
    static char text[PL_LOG_ACCESS_MAX + 100];
    const char *line;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    start();
    LOG("t", "%s", text);
    pl_log_access(pl_str_c(text));
    pl_log_stop();
    line = line_of(error_path, 0);
    CHECK_INT(strlen("warn t: ") + PL_LOG_LINE_MAX - 1, strlen(line), "cut");
    CHECK_STR("a...", pl_str_c(line + strlen(line) - 4), "marked");
    line = contents(access_path);
    CHECK_INT(PL_LOG_ACCESS_MAX + 1, strlen(line), "access cut");
    CHECK_STR("a...\n", pl_str_c(line + strlen(line) - 5), "access marked");
}

static void test_log__a_call_site_is_limited(void **state)
{
    struct pl_log_site site = {0};
    char want[64];

    (void)state;
    start();
    /* 25 lines in one second, or in two if the clock ticks just now. */
    for (int i = 0; i < 25; i++)
        pl_log_write(&site, PL_LOG_WARN, "t", "n=%d", i);
    CHECK(site.swallowed > 0, "swallowed");
    snprintf(want, sizeof(want), "warn t: last (%u more suppressed)",
             site.swallowed);
    site.window = 0;
    pl_log_write(&site, PL_LOG_WARN, "t", "last");
    CHECK_INT(0, site.swallowed, "reported");
    pl_log_stop();
    CHECK_STR(want, pl_str_c(line_of(error_path, lines_in(error_path) - 1)),
              "count");
}

enum { THREADS = 4, LINES = 3000 };

static void *log_many(void *arg)
{
    int id = *(int *)arg;

    for (int i = 0; i < LINES; i++) {
        LOG("t", "%d %d", id, i);
        if (i % 4 == 0)
            pl_log_access(PL_STR("GET /"));
        if (i % 100 == 0) /* a producer that never waits loses lines */
            sched_yield();
    }
    return NULL;
}

/* Each thread's lines are in order; those that are missing were counted. */
static void test_log__many_threads(void **state)
{
    pthread_t threads[THREADS];
    int ids[THREADS], next[THREADS] = {0}, seen = 0;
    size_t dropped = pl_log_dropped();
    struct pl_str rest, line;

    (void)state;
    start();
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK_INT(0, pthread_create(&threads[i], NULL, log_many, &ids[i]), "");
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pl_log_stop();
    dropped = pl_log_dropped() - dropped;
    rest = pl_str_c(contents(error_path));
    while (pl_str_split(&rest, '\n', &line) && line.len > 0) {
        int id, i;

        if (sscanf(line.data + 25, "warn t: %d %d", &id, &i) != 2)
            continue; /* "lines were dropped" */
        CHECK(id >= 0 && id < THREADS && i >= next[id], "in order");
        next[id] = i + 1;
        seen++;
    }
    seen += lines_in(access_path);
    CHECK_INT(THREADS * (LINES + LINES / 4), seen + (int)dropped, "all");
}

static void *log_one(void *arg)
{
    LOG("t", "%s", (const char *)arg);
    return NULL;
}

static void test_log__lines_of_ended_threads_arrive(void **state)
{
    pthread_t thread;

    (void)state;
    start();
    pl_faults_reset();
    for (int i = 0; i < 20; i++) {
        CHECK_INT(0, pthread_create(&thread, NULL, log_one, "bye"), "");
        pthread_join(thread, NULL);
    }
    CHECK(pl_faults_count(PL_SYS_mmap) <= 1, "one ring for all of them");
    pl_log_stop();
    CHECK_INT(20, lines_in(error_path), "all");
}

/* Nobody flushes: the writer lingers and sleeps, and is woken. */
static void test_log__lines_arrive_by_themselves(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        start();
        pl_log_flush(); /* nothing to do: it goes to sleep */
        for (int i = 1; i <= 3; i++) {
            LOG("t", "%d", i);
            while (lines_in(error_path) < i)
                sched_yield();
        }
        pl_log_stop();
    }
}

static void test_log__reopens_after_rotation(void **state)
{
    char old[80];

    (void)state;
    snprintf(old, sizeof(old), "%s.1", error_path);
    start();
    LOG("t", "before");
    pl_log_flush();
    CHECK_INT(0, rename(error_path, old), "rotated");
    LOG("t", "between");
    pl_log_reopen();
    pl_log_flush();
    LOG("t", "after");
    pl_log_stop();
    CHECK_INT(2, lines_in(old), "old file");
    CHECK_STR("warn t: after", pl_str_c(line_of(error_path, 0)), "new file");
    unlink(old);
}

static void test_log__flush_writes_what_was_queued(void **state)
{
    (void)state;
    start();
    CHECK(pl_log_access_enabled(), "kept");
    for (int i = 1; i <= 50; i++) {
        pl_log_access(PL_STR("GET / 200"));
        pl_log_flush();
        CHECK_INT(i, lines_in(access_path), "written");
    }
    pl_log_stop();
    CHECK(!pl_log_access_enabled(), "ended");
}

/* Before it has a writer: who logs writes, to the files. */
static void test_log__is_open_before_it_runs(void **state)
{
    struct pl_error error = {0};

    (void)state;
    clear();
    CHECK_INT(0, pl_log_open(error_path, access_path, &error), error.text);
    LOG("net", "before");
    CHECK_STR("warn net: before", pl_str_c(line_of(error_path, 0)), "at once");
    CHECK_INT(0, pl_log_run(&error), error.text);
    LOG("net", "behind");
    pl_log_flush();
    CHECK_STR("warn net: behind", pl_str_c(line_of(error_path, 1)), "flushed");
    pl_log_stop();
    CHECK_INT(0, pl_log_open(error_path, access_path, &error), error.text);
    pl_log_stop(); /* what never ran is closed, too */
    CHECK(!pl_log_access_enabled(), "closed");
    CHECK_INT(STDERR_FILENO, pl_log_fd(), "stderr again");
}

static void test_log__says_which_file_cannot_be_opened(void **state)
{
    struct pl_error error = {0};

    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, pl_log_start("-", "/no/such", &error), "err");
    CHECK_STR("/no/such", pl_str_c(error.where), "where");
    CHECK_STR("cannot open: not found", pl_str_c(error.text), "text");
}

/* Whatever is missing: an error, no half-started log, and lines still work. */
static void test_log__start_survives_failing_calls(void **state)
{
    static const enum pl_sys_call calls[] = {PL_SYS_malloc, PL_SYS_open,
                                             PL_SYS_thread};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        FOR_EACH_FAULT (calls[i], ENOMEM) {
            struct pl_error error = {0};
            int err = pl_log_start(error_path, access_path, &error);

            CHECK_INT(pl_faults_hit() ? PL_ERR_NOMEM : 0, err, error.text);
            CHECK_INT(err, error.code, "said");
            CHECK_INT(err == 0, pl_log_access_enabled(), "open or not");
            pl_log_stop();
        }
    }
}

/* Runs fn in a child whose stderr is a pipe; returns what it wrote there. */
static const char *stderr_of(void (*fn)(int fd), int *status)
{
    static char text[4096];
    size_t len = 0;
    int ends[2];
    pid_t pid;

    CHECK_INT(0, pipe(ends), "pipe");
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        fn(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n = 1; n > 0; len += (size_t)n)
        n = read(ends[0], text + len, sizeof(text) - 1 - len);
    text[len] = '\0';
    close(ends[0]);
    CHECK_INT(pid, waitpid(pid, status, 0), "child");
    return text;
}

static void plain_lines(int fd)
{
    (void)fd;
    LOG("t", "x=%d", 1);
}

static void journal_lines(int fd)
{
    char stream[48];
    struct stat st;

    fstat(fd, &st);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    if (pl_log_start(NULL, NULL, NULL) < 0)
        return;
    LOG("t", "a\nb");
    pl_log_stop();
}

static void failed_assertion(int fd)
{
    (void)fd;
    if (pl_log_start("-", NULL, NULL) == 0) {
        LOG("t", "the last words");
        PL_ASSERT(fd < 0);
    }
}

static void test_log__goes_to_stderr_before_start(void **state)
{
    const char *text;
    int status;

    (void)state;
    text = stderr_of(plain_lines, &status);
    CHECK_INT(0, status, "ends well");
    CHECK_STR("warn t: x=1\n", pl_str_c(text + 25), "plain");
}

static void test_log__journal_gets_priorities(void **state)
{
    int status;

    (void)state;
    CHECK_STR("<4>t: a\n<4>    b\n",
              pl_str_c(stderr_of(journal_lines, &status)), "lines");
    CHECK_INT(0, status, "ends well");
}

static void test_log__a_failed_assertion_comes_last(void **state)
{
    const char *text;
    int status;

    (void)state;
    text = stderr_of(failed_assertion, &status);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "aborted");
    CHECK(strstr(text, "warn t: the last words\n") != NULL, text);
    CHECK(strstr(text, "fatal bug: ") > strstr(text, "last words"), text);
    CHECK(strstr(text, "test_log.c:") != NULL, text); /* and the line */
}

/* The child of a running server has no writer thread. */
static void child_lines(int fd)
{
    (void)fd;
    LOG("t", "from the child");
}

static void test_log__goes_on_in_a_forked_child(void **state)
{
    int status;

    (void)state;
    start();
    LOG("t", "one of the parent");
    stderr_of(child_lines, &status);
    CHECK_INT(0, status, "ends well");
    LOG("t", "another of the parent");
    pl_log_stop();
    CHECK_INT(3, lines_in(error_path), "each once");
}

static struct pl_log_sink *new_sink(void)
{
    struct pl_log_sink *sink = test_calloc(1, sizeof(*sink));

    sink->buffer = test_malloc(PL_LOG_SINK_BUFFER);
    return sink;
}

static void free_sink(struct pl_log_sink *sink)
{
    test_free(sink->buffer);
    test_free(sink);
}

static void test_log__a_full_disk_is_reported_when_it_is_over(void **state)
{
    struct pl_log_sink *sink = new_sink();

    (void)state;
    pl_log_sink_use(sink, open("/dev/full", O_WRONLY));
    pl_log_sink_add(sink, 0, PL_LOG_RECORD_ACCESS, PL_STR("abcd"));
    pl_log_sink_flush(sink);
    CHECK(sink->failing, "failing");
    CHECK_INT(5, sink->lost, "counted");
    CHECK_INT(ENOSPC, sink->lost_errno, "why");
    close(sink->fd);
    free_sink(sink);
}

/* The eight-at-a-time path against the rule, for each byte at each place. */
static void test_log__each_byte_at_each_place(void **state)
{
    struct pl_log_sink *sink = new_sink();

    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 20; at++) {
            char text[] = "aaaaaaaaaaaaaaaaaaaa", want[32];

            text[at] = (char)c;
            snprintf(want, sizeof(want),
                     c >= 0x20 && c < 0x7f ? "%.*s%c%s\n" : "%.*s\\x%02x%s\n",
                     (int)at, text, c, text + at + 1);
            sink->len = 0;
            pl_log_sink_add(sink, 0, PL_LOG_RECORD_ACCESS, pl_str(text, 20));
            CHECK_STR(want, pl_str(sink->buffer, sink->len), "line");
        }
    }
    free_sink(sink);
}

static const struct {
    uint64_t time;
    const char *want;
} stamps[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {951782400, "2000-02-29T00:00:00.000Z"},
    {951868799, "2000-02-29T23:59:59.000Z"},
    {951868800, "2000-03-01T00:00:00.000Z"},
    {1735689599, "2024-12-31T23:59:59.000Z"},
    {1795331662, "2026-11-22T07:14:22.000Z"},
    {4107542400, "2100-03-01T00:00:00.000Z"},
};

static void test_log__stamps(void **state)
{
    char stamp[PL_LOG_STAMP + 1] = "";

    (void)state;
    for (size_t i = 0; i < PL_COUNT(stamps); i++) {
        pl_log_stamp(stamp, stamps[i].time * 1000000000u);
        CHECK_STR(stamps[i].want, pl_str_c(stamp), "second");
    }
    pl_log_stamp(stamp, 1795331662123999999u);
    CHECK_STR("2026-11-22T07:14:22.123Z", pl_str_c(stamp), "milliseconds");
    for (time_t t = 1; t < 5000000000; t += 86400 * 5 + 4321) {
        char want[32];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(want, sizeof(want), "%FT%T.000Z", &tm);
        pl_log_stamp(stamp, (uint64_t)t * 1000000000u);
        CHECK_STR(want, pl_str_c(stamp), "as libc");
    }
}

/* Every length at every place of the ring, with the consumer one behind. */
static void test_log_ring__keeps_records_whole_over_the_border(void **state)
{
    struct pl_log_ring *ring = pl_log_ring_new(1024);
    const struct pl_log_record *record;
    size_t sent = 0, got = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len = (size_t)(i * 7) % 300;
        char *text = pl_log_ring_reserve(ring, len);

        if (text != NULL) {
            CHECK(text + len <= ring->bytes + ring->size, "inside");
            memset(text, (int)sent % 251, len);
            pl_log_ring_commit(ring, sent++, PL_LOG_WARN, len);
            if (i % 3 != 0)
                continue;
        }
        for (pl_log_ring_mark(ring); (record = pl_log_ring_peek(ring));
             pl_log_ring_pop(ring)) {
            CHECK_INT(got, record->time, "order");
            for (size_t j = 0; j < record->len; j++)
                CHECK_INT(got % 251, (unsigned char)record->text[j], "text");
            got++;
        }
    }
    CHECK(got > 10000, "most of them went through");
    CHECK_INT(20000, sent + ring->dropped, "the others are counted");
    pl_log_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_ring__keeps_records_whole_over_the_border),
        cmocka_unit_test(test_log__stamps),
        cmocka_unit_test(test_log__goes_to_stderr_before_start),
        cmocka_unit_test(test_log__levels_and_errno),
        cmocka_unit_test(test_log__lines_cannot_be_forged),
        cmocka_unit_test(test_log__is_for_people_on_a_terminal),
        cmocka_unit_test(test_log__each_byte_at_each_place),
        cmocka_unit_test(test_log__long_lines_are_cut),
        cmocka_unit_test(test_log__a_call_site_is_limited),
        cmocka_unit_test(test_log__many_threads),
        cmocka_unit_test(test_log__lines_of_ended_threads_arrive),
        cmocka_unit_test(test_log__lines_arrive_by_themselves),
        cmocka_unit_test(test_log__reopens_after_rotation),
        cmocka_unit_test(test_log__flush_writes_what_was_queued),
        cmocka_unit_test(test_log__is_open_before_it_runs),
        cmocka_unit_test(test_log__says_which_file_cannot_be_opened),
        cmocka_unit_test(test_log__start_survives_failing_calls),
        cmocka_unit_test(test_log__journal_gets_priorities),
        cmocka_unit_test(test_log__a_failed_assertion_comes_last),
        cmocka_unit_test(test_log__goes_on_in_a_forked_child),
        cmocka_unit_test(test_log__a_full_disk_is_reported_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
