/* test_mime.c - media types by file name. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/faults.h"
#include "base/str.h"
#include "http/mime.h"
#include "http/mime_types.h"

#define UTF8 "; charset=utf-8"

static struct pl_str of(const char *path)
{
    return pl_mime_of(pl_str_c(path));
}

static void finds(const char *list, const char *type)
{
    struct pl_str exts = pl_str_c(list), ext;
    char path[64];

    while (pl_str_split(&exts, ' ', &ext)) {
        snprintf(path, sizeof(path), "a.%.*s", PL_STR_ARG(ext));
        CHECK_STR(type, of(path), path);
    }
}

/* Each of them, and none twice. */
static void test_mime__finds_all_that_is_built_in(void **state)
{
    (void)state;
#define FINDS(exts, type) finds(exts, type);
    PL_MIME_MAP(FINDS)
}

static void test_mime__knows_the_types_of_the_web(void **state)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {"index.html", "text/html" UTF8},
        {"/a/b.c/style.css", "text/css" UTF8},
        {"app.js", "text/javascript" UTF8},
        {"app.mjs", "text/javascript" UTF8},
        {"data.json", "application/json"},
        {"a.svg", "image/svg+xml"},
        {"a.PNG", "image/png"},
        {"a.JpEg", "image/jpeg"},
        {"a.woff2", "font/woff2"},
        {"a.wasm", "application/wasm"},
        {"a.webmanifest", "application/manifest+json"},
        {"a.tar.gz", "application/gzip"},
        {"favicon.ico", "image/vnd.microsoft.icon"},
        {"", "application/octet-stream"},
        {"html", "application/octet-stream"},
        {"/a.html/b", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {".", "application/octet-stream"},
        {"a.unknown", "application/octet-stream"},
        {"a.html ", "application/octet-stream"},
        {"a.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "application/octet-stream"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++)
        CHECK_STR(cases[i].want, of(cases[i].path), cases[i].path);
    CHECK_STR("application/octet-stream", pl_mime_of(pl_str(NULL, 0)),
              "absent");
}

static void write_table(char *path, const void *text, size_t len)
{
    int fd;

    strcpy(path, "/tmp/test_mime.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static void test_mime__reads_a_table(void **state)
{
    static const char text[] = "# comment\thtml\n"
                               "\n"
                               "application/x-first\tone TWO  three\r\n"
                               "text/x-mine\tmine\n"
                               "application/x-second\ttwo four\n"
                               "application/x-none\n"
                               "  image/x-indented five\n"
                               "image/x-png-of-mine png\n"
                               "a/\0b six\n"
                               "application/x-last last";
    char path[32];

    (void)state;
    write_table(path, text, sizeof(text) - 1);
    CHECK_INT(0, pl_mime_load(path), "load");
    CHECK_STR("application/x-first", of("a.one"), "first");
    CHECK_STR("application/x-first", of("a.two"), "the first line has it");
    CHECK_STR("application/x-first", of("a.Three"), "any case");
    CHECK_STR("text/x-mine" UTF8, of("a.mine"), "text");
    CHECK_STR("application/x-second", of("a.four"), "tab");
    CHECK_STR("image/x-indented", of("a.five"), "indented");
    CHECK_STR("application/x-last", of("a.last"), "no line end");
    CHECK_STR("image/x-png-of-mine", of("a.png"), "before the built-in one");
    CHECK_STR("text/html" UTF8, of("a.html"), "built in");
    CHECK_STR("application/octet-stream", of("a.none"), "unknown");
    CHECK_STR("application/octet-stream", of("a.six"), "no header value");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_mime_load("/nonexistent/mime.types"),
              "gone");
    CHECK_STR("image/png", of("a.png"), "built in again");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_mime_load(""), "no name");
    unlink(path);
    write_table(path, "", 0);
    CHECK_INT(0, pl_mime_load(path), "empty");
    CHECK_STR("image/png", of("a.png"), "built in");
    unlink(path);
    pl_mime_unload();
    CHECK(pl_mime_load("/tmp") < 0, "a folder");
}

/* More extensions than numbers for them: the first ones are kept. */
static void test_mime__bounds_what_it_reads(void **state)
{
    enum { MANY = 70000 };
    char *text = malloc(MANY * 8 + 16), path[32], name[16];
    size_t len = (size_t)sprintf(text, "a/b ");

    (void)state;
    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(text + len, "%x ", i);
    write_table(path, text, len);
    CHECK_INT(0, pl_mime_load(path), "load");
    for (int i = 0; i < 60000; i++) {
        sprintf(name, ".%x", i);
        CHECK_STR("a/b", of(name), name);
    }
    CHECK_STR("application/octet-stream", of(".1116f"), "beyond");
    unlink(path);
    free(text);
    text = calloc(1, 1 << 20);
    write_table(path, text, 1 << 20);
    CHECK_INT(PL_ERR_LIMIT, pl_mime_load(path), "too large");
    unlink(path);
    free(text);
    pl_mime_unload();
}

/* Whatever fails while loading, or at the first lookup: nothing is lost or half
 * there. */
static void test_mime__survives_every_fault(void **state)
{
    static const char text[] =
        "application/x-first one two\ntext/x-mine mine\n";
    static const enum pl_sys_call calls[] = {PL_SYS_malloc, PL_SYS_open,
                                             PL_SYS_read, PL_SYS_close};
    char path[32];

    (void)state;
    write_table(path, text, sizeof(text) - 1);
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        FOR_EACH_FAULT (calls[i], calls[i] == PL_SYS_malloc ? ENOMEM : EIO) {
            int err = pl_mime_load(path);

            CHECK(err == 0 || pl_faults_hit(), "only when something failed");
            if (!pl_str_eq(of("a.two"), PL_MIME_DEFAULT))
                CHECK_INT(0, err, "all or nothing");
            CHECK_STR(err == 0 ? "application/x-first"
                               : "application/octet-stream",
                      of("a.two"), "there is memory again");
            CHECK_STR("text/html" UTF8, of("a.html"), "built in");
        }
    }
    pl_faults_reset();
    pl_faults_shorten(PL_SYS_read, 1);
    pl_faults_eintr(PL_SYS_read, 3);
    CHECK_INT(0, pl_mime_load(path), "byte by byte");
    pl_faults_reset();
    CHECK_STR("text/x-mine" UTF8, of("a.mine"), "all of it");
    unlink(path);
    pl_mime_unload();
}

/* The system's table, where there is one, agrees on what browsers insist on. */
static void test_mime__the_systems_table(void **state)
{
    (void)state;
    if (pl_mime_load(PL_MIME_SYSTEM_PATH) < 0)
        skip();
    CHECK_STR("text/html" UTF8, of("a.html"), "html");
    CHECK_STR("text/css" UTF8, of("a.css"), "css");
    CHECK_STR("text/javascript" UTF8, of("a.js"), "js");
    CHECK_STR("image/png", of("a.png"), "png");
    CHECK_STR("image/svg+xml", of("a.svg"), "svg");
    CHECK_STR("application/wasm", of("a.wasm"), "wasm");
    pl_mime_unload();
}

RUN_TESTS(cmocka_unit_test(test_mime__finds_all_that_is_built_in),
          cmocka_unit_test(test_mime__knows_the_types_of_the_web),
          cmocka_unit_test(test_mime__reads_a_table),
          cmocka_unit_test(test_mime__bounds_what_it_reads),
          cmocka_unit_test(test_mime__survives_every_fault),
          cmocka_unit_test(test_mime__the_systems_table))
