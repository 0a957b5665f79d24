/* test_static_options.c - what the options of a folder of files mean: index,
 * fallback, not_found, precompressed versions, links, preload, folders. */
#include "static_world.h"

#define GZIP "Accept-Encoding: gzip\r\n"
#define HTML "Accept: text/html\r\n"

/* ---- who lists folders, for the hook ---- */

static char listed[64];
static int list_result;

static void list(struct pl_static_folder *self, struct pl_request *req,
                 const struct pl_file_root *root, struct pl_str path,
                 struct pl_then *then)
{
    (void)self;
    CHECK(root->fd >= 0, "root");
    snprintf(listed, sizeof(listed), "%.*s", PL_STR_ARG(path));
    if (list_result == 0)
        pl_respond(&req->response, 200, "text/plain", PL_STR("a list"));
    then->done(then, req, list_result);
}

static void note_free(struct pl_static_folder *self)
{
    (void)self;
    note('f');
}

static struct pl_static_folder lister = {list, note_free};

/* ---- the world ---- */

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static int make_options_server(void **state)
{
    make_keeping_server(state);
    write_text("www/bare/b.html", "<p>b");
    write_text("www/404.html", "<p>nothing here");
    write_text("www/app.html", "<p>application");
    write_text("www/a.js", "plain, and long enough");
    write_text("www/a.js.gz", "gzipped");
    write_text("www/a.js.br", "brotli");
    mount_files("/list", (struct pl_static_options){
                             .index = "a.html b.html index.html"});
    mount_files("/app", (struct pl_static_options){.fallback = "app.html",
                                                   .not_found = "404.html"});
    mount_files("/raw", (struct pl_static_options){.no_precompressed = true});
    mount_files("/none",
                (struct pl_static_options){.symlinks = PL_STR("none")});
    mount_files("/owner",
                (struct pl_static_options){.symlinks = PL_STR("owner")});
    mount_files("/folders", (struct pl_static_options){
                                .folder = &lister, .not_found = "404.html"});
    listed[0] = '\0';
    list_result = 0;
    return 0;
}

static void check_answer(const char *target, const char *fields, int status,
                         const char *body)
{
    const char *text = ask("GET", target, fields);

    CHECK_INT(status, status_of(text), target);
    if (body != NULL)
        CHECK_STR(body, pl_str_c(body_of(text)), target);
}

/* ---- index, fallback, not_found ---- */

static void test_static__takes_the_first_index_that_is_there(void **state)
{
    (void)state;
    check_answer("/list/bare/", "", 200, "<p>b");
    check_answer("/list/", "", 200, "<p>home");
    write_text("www/bare/a.html", "<p>a");
    check_answer("/list/bare/", "", 200, "<p>b");
    pass(1000);
    check_answer("/list/bare/", "", 200, "<p>a");
    unlink(in_folder("www/bare/a.html"));
    pass(1000);
    check_answer("/list/bare/", "", 200, "<p>b");
    check_answer("/list/.git/", "", 404, NULL);
}

static void test_static__falls_back_where_a_page_is_missing(void **state)
{
    (void)state;
    check_answer("/app/user/7", HTML, 200, "<p>application");
    check_answer("/app/user.name/7", HTML, 200, "<p>application");
    check_answer("/app/deep/folder/", HTML, 200, "<p>application");
    check_answer("/app/user/7", "", 200, "<p>application");
    check_answer("/app/a.txt", HTML, 200, "0123456789");
    check_answer("/app/missing.png", HTML, 404, "<p>nothing here");
    check_answer("/app/user", "Accept: application/json\r\n", 404,
                 "<p>nothing here");
    check_answer("/app/.hidden", HTML, 404, "<p>nothing here");
    check_answer("/app/sub", HTML, 301, NULL);
}

static void test_static__shows_a_page_for_404(void **state)
{
    (void)state;
    check_answer("/app/no.png", "", 404, "<p>nothing here");
    check_field(answer, "Content-Type: text/html; charset=utf-8", "type");
    CHECK(strcasestr(answer, "\r\nETag:") == NULL, "no validators");
    CHECK(strcasestr(answer, "\r\nCache-Control:") == NULL, "not kept");
    check_answer("/app/no.png", "Range: bytes=0-1\r\n", 404, "<p>nothing here");
    CHECK_INT(404, status_of(ask("HEAD", "/app/no.png", "")), "HEAD");
    CHECK_STR("", pl_str_c(body_of(answer)), "HEAD");
    unlink(in_folder("www/404.html"));
    pass(1000);
    check_answer("/app/no.png", "", 404, "404 Not Found\n");
}

static void test_static__options_are_checked(void **state)
{
    static const struct {
        struct pl_static_options options;
        const char *text;
    } cases[] = {
        {{.fallback = "../x"}, "fallback: '../x' is not the path of a file"},
        {{.not_found = "sub/"}, "not_found: 'sub/' is not the path"},
        {{.cache = PL_STR("soon")}, "cache: 'soon' is no time"},
        {{.symlinks = PL_STR("some")}, "symlinks: 'some' is none of inside"},
        {{.preload = 10}, "more than the limit of preload"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_static_options options = cases[i].options;
        struct pl_error error = {.text = ""};

        options.root = in_folder("www");
        CHECK(pl_static_new(&options, &error) == NULL, cases[i].text);
        CHECK(strstr(error.text, cases[i].text) != NULL, error.text);
    }
}

/* ---- versions ---- */

static void test_static__sends_the_version_that_is_liked(void **state)
{
    static const struct {
        const char *fields, *body, *coding;
    } cases[] = {
        {"", "plain, and long enough", NULL},
        {GZIP, "gzipped", "gzip"},
        {"Accept-Encoding: gzip, br\r\n", "brotli", "br"},
        {"Accept-Encoding: gzip, br;q=0.5\r\n", "gzipped", "gzip"},
        {"Accept-Encoding: zstd, gzip;q=0.1\r\n", "gzipped", "gzip"},
        {"Accept-Encoding: zstd\r\n", "plain, and long enough", NULL},
        {"Accept-Encoding: gzip;q=0\r\n", "plain, and long enough", NULL},
        {"Accept-Encoding: *\r\n", "brotli", "br"},
        {"Accept-Encoding: identity, gzip;q=0.9\r\n", "plain, and long enough",
         NULL},
        {"Accept-Encoding: identity;q=0, deflate\r\n", "plain, and long enough",
         NULL},
    };
    char line[64];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        check_answer("/a.js", cases[i].fields, 200, cases[i].body);
        check_field(answer, "Vary: Accept-Encoding", cases[i].fields);
        check_field(answer, "Content-Type: text/javascript; charset=utf-8",
                    cases[i].fields);
        if (cases[i].coding == NULL) {
            CHECK(strcasestr(answer, "\r\nContent-Encoding") == NULL, "plain");
            continue;
        }
        snprintf(line, sizeof(line), "Content-Encoding: %s", cases[i].coding);
        check_field(answer, line, cases[i].fields);
    }
    check_answer("/raw/a.js", GZIP, 200, "plain, and long enough");
    CHECK(strcasestr(answer, "\r\nVary") == NULL, "only one version");
    CHECK(strcasestr(get("/a.txt"), "\r\nVary") == NULL, "no siblings");
}

static void copy_etag(char *to, size_t room)
{
    const char *at = strcasestr(answer, "\r\nETag: ");

    CHECK(at != NULL, answer);
    at += 8;
    snprintf(to, room, "%.*s", (int)strcspn(at, "\r"), at);
}

static void test_static__versions_are_representations(void **state)
{
    char plain[64], gzip[64], fields[256];

    (void)state;
    check_answer("/a.js", "", 200, NULL);
    copy_etag(plain, sizeof(plain));
    check_answer("/a.js", GZIP, 200, NULL);
    copy_etag(gzip, sizeof(gzip));
    CHECK(strcmp(plain, gzip) != 0, "tags of their own");
    snprintf(fields, sizeof(fields), GZIP "If-None-Match: %s\r\n", gzip);
    check_answer("/a.js", fields, 304, "");
    check_field(answer, "Vary: Accept-Encoding", "304");
    CHECK(strcasestr(answer, "\r\nContent-Length") == NULL, "304");
    snprintf(fields, sizeof(fields), GZIP "If-None-Match: %s\r\n", plain);
    check_answer("/a.js", fields, 200, "gzipped");
    check_answer("/a.js", GZIP "Range: bytes=1-3\r\n", 206, "zip");
    check_field(answer, "Content-Range: bytes 1-3/7", "range");
    check_field(answer, "Content-Encoding: gzip", "range");
    check_answer("/a.js.gz", GZIP, 200, "gzipped");
    CHECK(strcasestr(answer, "\r\nContent-Encoding") == NULL, "itself");
}

static void test_static__old_versions_are_not_sent(void **state)
{
    (void)state;
    check_answer("/a.js", GZIP, 200, "gzipped");
    set_time("www/a.js.gz", NOW - 1000);
    pass(1000);
    check_answer("/a.js", GZIP, 200, "plain, and long enough");
    write_text("www/a.js.gz", "anew");
    pass(1000);
    check_answer("/a.js", GZIP, 200, "anew");
    unlink(in_folder("www/a.js.gz"));
    unlink(in_folder("www/a.js.br"));
    pass(1000);
    check_answer("/a.js", GZIP, 200, "plain, and long enough");
    CHECK(strcasestr(answer, "\r\nVary") == NULL, "nothing varies any more");
}

/* ---- links ---- */

static void test_static__follows_no_links(void **state)
{
    (void)state;
    check_answer("/none/a.txt", "", 200, "0123456789");
    check_answer("/none/inside", "", 404, NULL);
    check_answer("/none/folder/b.txt", "", 404, NULL);
}

static void test_static__follows_links_of_the_owner(void **state)
{
    (void)state;
    check_answer("/owner/inside", "", 200, "0123456789");
    check_answer("/owner/outside", "", 200, SECRET);
    check_answer("/owner/folder/b.txt", "", 200, "bee");
    check_answer("/owner/loop", "", 404, NULL);
    if (geteuid() != 0)
        return; /* nobody else's links can be made */
    CHECK_INT(0, lchown(in_folder("www/outside"), 1, 1), "give away");
    CHECK_INT(0, lchown(in_folder("www/folder"), 1, 1), "give away");
    pass(1000);
    check_answer("/owner/outside", "", 404, NULL);
    check_answer("/owner/folder/b.txt", "", 404, NULL);
    CHECK_INT(0, lchown(in_folder("www/outside"), 0, 0), "give back");
    CHECK_INT(0, lchown(in_folder("www/folder"), 0, 0), "give back");
}

/* ---- preload ---- */

static void mount_preloaded(void)
{
    mount_files("/pre", (struct pl_static_options){
                            .preload = PL_STATIC_PRELOAD,
                            .index = "b.html index.html",
                            .not_found = "404.html",
                        });
}

static void test_static__preloaded_files_are_those_of_the_start(void **state)
{
    (void)state;
    mount_preloaded();
    check_answer("/pre/", "", 200, "<p>home");
    check_answer("/pre/bare/", "", 200, "<p>b");
    check_answer("/pre/sub", "", 301, NULL);
    check_field(answer, "Location: /pre/sub/", "redirect");
    check_answer("/pre/sub/b.txt", "", 200, "bee");
    check_answer("/pre/inside", "", 200, "0123456789");
    check_answer("/pre/folder/b.txt", "", 200, "bee");
    check_answer("/pre/a.js", GZIP, 200, "gzipped");
    check_answer("/pre/a.txt", "Range: bytes=2-4\r\n", 206, "234");
    check_answer("/pre/empty.txt", "", 200, "");
    CHECK_INT(40000, strlen(body_of(get("/pre/big.bin"))), "large");
    check_answer("/pre/outside", "", 404, "<p>nothing here");
    check_answer("/pre/.hidden", "", 404, "<p>nothing here");
    check_answer("/pre/fifo", "", 404, "<p>nothing here");
    check_answer("/pre/a.txt/", "", 404, "<p>nothing here");
    write_text("www/a.js", "changed");
    rename(in_folder("www/bare/b.html"), in_folder("www/bare/c.html"));
    pass(60000);
    check_answer("/pre/a.js", "", 200, "plain, and long enough");
    check_answer("/pre/bare/", "", 200, "<p>b");
    rename(in_folder("www/bare/c.html"), in_folder("www/bare/b.html"));
}

static void test_static__preload_asks_no_disk_later(void **state)
{
    static const enum pl_sys_call calls[] = {
        PL_SYS_openat2, PL_SYS_openat,  PL_SYS_fstat,   PL_SYS_fstatat,
        PL_SYS_pread,   PL_SYS_preadv2, PL_SYS_sendfile};
    static const char *const targets[] = {"/pre/", "/pre/a.js", "/pre/sub",
                                          "/pre/none", "/pre/big.bin"};

    (void)state;
    mount_preloaded();
    pl_faults_reset();
    for (size_t i = 0; i < PL_COUNT(targets); i++)
        get(targets[i]);
    for (size_t i = 0; i < PL_COUNT(calls); i++)
        CHECK_INT(0, pl_faults_count(calls[i]), "calls for files");
}

static void test_static__preload_fails_cleanly(void **state)
{
    static const struct {
        enum pl_sys_call call;
        int error;
    } faults[] = {
        {PL_SYS_malloc, ENOMEM}, {PL_SYS_openat2, EMFILE},
        {PL_SYS_preadv2, EIO},   {PL_SYS_getdents64, EIO},
        {PL_SYS_fstat, EIO},     {PL_SYS_openat, EMFILE},
    };
    struct pl_static_options options = {.root = in_folder("www"),
                                        .not_found = "404.html",
                                        .preload = PL_STATIC_PRELOAD};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        FOR_EACH_FAULT (faults[i].call, faults[i].error) {
            struct pl_error error = {.code = 0};
            struct pl_handler *handler = pl_static_new(&options, &error);

            CHECK(handler != NULL || (pl_faults_hit() && error.code < 0),
                  error.text);
            if (handler != NULL)
                handler->free(handler);
        }
    }
}

/* ---- folders ---- */

static void test_static__hands_folders_without_index_on(void **state)
{
    (void)state;
    check_answer("/folders/bare/", "", 200, "a list");
    CHECK_STR("bare/", pl_str_c(listed), "path");
    listed[0] = '\0';
    check_answer("/folders/", "", 200, "<p>home");
    check_answer("/folders/a.txt", "", 200, "0123456789");
    check_answer("/folders/none", "", 404, "<p>nothing here");
    check_answer("/folders/.git/", "", 404, "<p>nothing here");
    CHECK_STR("", pl_str_c(listed), "not asked for these");
    list_result = PL_ERR_NOT_FOUND;
    check_answer("/folders/no/", "", 404, "<p>nothing here");
    CHECK_STR("no/", pl_str_c(listed), "asked");
}

static void test_static__frees_who_lists_on_failure(void **state)
{
    struct pl_static_options options = {.root = "/no/where", .folder = &lister};
    struct pl_error error;

    (void)state;
    trace[0] = '\0';
    CHECK(pl_static_new(&options, &error) == NULL, "no folder");
    check_trace("f", "taken");
}

#define SERVED(name)                                                           \
    cmocka_unit_test_setup_teardown(name, make_options_server, end_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(test_static__takes_the_first_index_that_is_there),
        SERVED(test_static__falls_back_where_a_page_is_missing),
        SERVED(test_static__shows_a_page_for_404),
        SERVED(test_static__options_are_checked),
        SERVED(test_static__sends_the_version_that_is_liked),
        SERVED(test_static__versions_are_representations),
        SERVED(test_static__old_versions_are_not_sent),
        SERVED(test_static__follows_no_links),
        SERVED(test_static__follows_links_of_the_owner),
        SERVED(test_static__preloaded_files_are_those_of_the_start),
        SERVED(test_static__preload_asks_no_disk_later),
        SERVED(test_static__preload_fails_cleanly),
        SERVED(test_static__hands_folders_without_index_on),
        SERVED(test_static__frees_who_lists_on_failure),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
