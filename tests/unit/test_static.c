/* test_static.c - what a path leads to, and how it is answered; all of it
 * twice, without and with files that are kept. */
#include "static_world.h"

/* ---- tests ---- */

static void test_static__finds_files_and_nothing_else(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *body; /* NULL: any */
    } cases[] = {
        {"/a.txt", 200, "0123456789"},
        {"/", 200, "<p>home"},
        {"/sub/", 200, "<p>sub"},
        {"/sub/b.txt", 200, "bee"},
        {"/%61.txt", 200, "0123456789"},
        {"/sub/../a.txt", 200, "0123456789"},
        {"/./a.txt?x=1", 200, "0123456789"},
        {"/a%20b%C3%BC&.txt", 200, "odd"},
        {"/empty.txt", 200, ""},
        {"/.well-known/x.txt", 200, "known"},
        {"/sub", 301, NULL},
        {"/bare/", 404, NULL},
        {"/none", 404, NULL},
        {"/a.txt/", 404, NULL},
        {"/a.txt/b", 404, NULL},
        {"//a.txt", 404, NULL},
        {"/sub//b.txt", 404, NULL},
        {"/sub%2Fb.txt", 404, NULL},
        {"/..%2fsecret.txt", 404, NULL},
        {"/sub/..%5c..%5csecret.txt", 404, NULL},
        {"/../secret.txt", 400, NULL},
        {"/%2e%2e/secret.txt", 400, NULL},
        {"/a.txt%00", 400, NULL},
        {"/.hidden", 404, NULL},
        {"/.git/config", 404, NULL},
        {"/%2egit/config", 404, NULL},
        {"/fifo", 404, NULL},
        {"/loop", 404, NULL},
        {"/outside", 404, NULL},
        {"/absolute", 404, NULL},
        {"/parent/secret.txt", 404, NULL},
        {"/magic/etc/passwd", 404, NULL},
        {"/all/.hidden", 200, "hidden"},
        {"/all/.git/config", 200, "hidden"},
        {"/all/outside", 200, SECRET},
        {"/all/sub/", 404, NULL},
        {"/all/../../secret.txt", 400, NULL},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *text = get(cases[i].target);

        CHECK_INT(cases[i].status, status_of(text), cases[i].target);
        if (cases[i].body != NULL)
            CHECK_STR(cases[i].body, pl_str_c(body_of(text)), cases[i].target);
    }
    /* root may read everything */
    if (geteuid() != 0)
        CHECK_INT(403, status_of(get("/locked.txt")), "unreadable");
}

static void test_static__follows_links_inside(void **state)
{
    (void)state;
    CHECK_STR("0123456789", pl_str_c(body_of(get("/inside"))), "file");
    CHECK_STR("0123456789", pl_str_c(body_of(get("/sub/round"))), "with ..");
    CHECK_STR("<p>sub", pl_str_c(body_of(get("/folder/"))), "folder");
}

static void test_static__long_names_are_not_found(void **state)
{
    char target[1200];

    (void)state;
    memset(target, 'x', sizeof(target));
    target[0] = '/';
    target[sizeof(target) - 1] = '\0';
    CHECK_INT(404, status_of(get(target)), "a name over 255 bytes");
}

static void test_static__redirects_folders_to_their_slash(void **state)
{
    static const struct {
        const char *target, *line;
    } cases[] = {
        {"/sub", "Location: /sub/"},
        {"/sub?a=b&c=%20", "Location: /sub/?a=b&c=%20"},
        {"/sub?", "Location: /sub/?"},
        {"/%73ub", "Location: /sub/"},
        {"/all", "Location: /all/"},
        {"//evil.example/../../all", "Location: /all/"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        const char *text = get(cases[i].target);

        CHECK_INT(301, status_of(text), cases[i].target);
        check_field(text, cases[i].line, cases[i].target);
    }
}

static void test_static__describes_what_it_sends(void **state)
{
    const char *text = get("/a.txt");

    (void)state;
    check_field(text, "Content-Length: 10", "length");
    check_field(text, "Content-Type: text/plain; charset=utf-8", "type");
    check_field(text, "Last-Modified: Tue, 14 Nov 2023 22:11:40 GMT", "time");
    check_field(text, "Accept-Ranges: bytes", "ranges");
    check_field(text, "Cache-Control: max-age=60", "of the route");
    CHECK(strcasestr(text, "\r\netag: \"") != NULL, "etag");
    check_field(get("/sub/b.txt"),
                "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT", "future");
    CHECK(strcasestr(get("/none"), "cache-control") == NULL, "not of errors");
    check_field(ask("HEAD", "/a.txt", ""), "Content-Length: 10", "HEAD");
    CHECK_STR("", pl_str_c(body_of(answer)), "HEAD");
}

static void test_static__only_reads(void **state)
{
    (void)state;
    CHECK_INT(405, status_of(ask("DELETE", "/a.txt", "")), "DELETE");
    check_field(answer, "Allow: GET, HEAD", "DELETE");
    CHECK_INT(405, status_of(ask("POST", "/a.txt", "Content-Length: 0\r\n")),
              "POST");
}

static void test_static__answers_conditions(void **state)
{
    char fields[256], etag[64];
    const char *at;

    (void)state;
    at = strcasestr(get("/a.txt"), "\r\netag: ") + 8;
    snprintf(etag, sizeof(etag), "%.*s", (int)strcspn(at, "\r"), at);
    snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", etag);
    CHECK_INT(304, status_of(ask("GET", "/a.txt", fields)), "same tag");
    CHECK_STR("", pl_str_c(body_of(answer)), "no body");
    CHECK_INT(200, status_of(ask("GET", "/a.txt", "If-None-Match: \"x\"\r\n")),
              "other tag");
    CHECK_INT(304,
              status_of(ask("GET", "/a.txt",
                            "If-Modified-Since: "
                            "Tue, 14 Nov 2023 22:11:40 GMT\r\n")),
              "not modified since");
    write_file("www/changing.txt", "one", 3);
    at = strcasestr(get("/changing.txt"), "\r\netag: ") + 8;
    snprintf(fields, sizeof(fields), "If-None-Match: %.*s\r\n",
             (int)strcspn(at, "\r"), at);
    write_file("www/changing.txt", "three", 5);
    pass(1000);
    CHECK_INT(200, status_of(ask("GET", "/changing.txt", fields)), "changed");
    CHECK_STR("three", pl_str_c(body_of(answer)), "changed");
}

static void test_static__answers_ranges(void **state)
{
    (void)state;
    CHECK_INT(206, status_of(ask("GET", "/a.txt", "Range: bytes=2-4\r\n")),
              "range");
    CHECK_STR("234", pl_str_c(body_of(answer)), "range");
    check_field(answer, "Content-Range: bytes 2-4/10", "range");
    CHECK_INT(416, status_of(ask("GET", "/empty.txt", "Range: bytes=0-\r\n")),
              "of nothing");
    CHECK_INT(206, status_of(ask("GET", "/a.txt", "Range: bytes=0-0,-1\r\n")),
              "two");
    CHECK(strstr(answer, "bytes 9-9/10\r\n\r\n9\r\n") != NULL, "two");
}

static void test_static__sends_large_files(void **state)
{
    const char *body = body_of(get("/big.bin"));

    (void)state;
    CHECK_INT(40000, strlen(body), "length");
    for (size_t i = 0; i < 40000; i++)
        CHECK_INT('a' + i % 26, body[i], "byte");
    check_field(ask("GET", "/big.bin", "Range: bytes=20000-39999\r\n"),
                "Content-Length: 20000", "half");
    CHECK_STR("hij", pl_str(body_of(answer) + 1, 3), "from 20001");
}

static void test_static__handlers_send_files(void **state)
{
    (void)state;
    CHECK_STR("bee", pl_str_c(body_of(get("/send?name=sub/b.txt"))), "below");
    check_field(answer, "Content-Type: text/plain; charset=utf-8", "type");
    CHECK_INT(206,
              status_of(ask("GET", "/send?name=a.txt", "Range: bytes=1-1\r\n")),
              "ranges too");
    CHECK_INT(404, status_of(get("/send?name=../secret.txt")), "..");
    CHECK_INT(404, status_of(get("/send?name=/etc/passwd")), "absolute");
    CHECK_INT(404, status_of(get("/send?name=outside")), "link");
    CHECK_INT(404, status_of(get("/send?name=a.txt%00")), "NUL");
    CHECK_INT(404, status_of(get("/send?name=sub")), "folder");
    CHECK_INT(404, status_of(get("/send?name=")), "empty");
    CHECK_INT(404, status_of(get("/send")), "absent");
    CHECK_STR(SECRET, pl_str_c(body_of(get("/chosen"))), "the site's choice");
    check_field(answer, "Content-Type: text/x", "the site's type");
}

/* xorshift: the same paths every time. */
static unsigned chance(unsigned n)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x % n;
}

/* Whatever pieces a path is made of: it never leads outside. */
static void random_paths(unsigned count)
{
    static const char *const pieces[] = {
        "..",    "%2e%2e", ".%2E",   "/",          "/",      "/",
        "//",    "%2f",    "%5c",    "sub",        "parent", "folder",
        "magic", "proc",   "..;",    "secret.txt", "a.txt",  "outside",
        ".",     "%252e",  "%c0%ae", "absolute",   "inside", "...",
        "all",   "round",  "root",   "tmp",        "%2e",    ".git",
    };

    for (unsigned i = 0; i < count; i++) {
        char target[512] = "/";
        const char *text;

        for (unsigned n = 1 + chance(8); n > 0; n--)
            strcat(target, pieces[chance(PL_COUNT(pieces))]);
        /* links of this mount may lead outside, its paths may not */
        if (strncmp(target, "/all", 4) == 0 || strstr(target, "/all/") != NULL)
            continue;
        text = get(target);
        CHECK(strstr(text, SECRET) == NULL, target);
        CHECK(strstr(text, "root:x:") == NULL, target);
        CHECK(status_of(text) < 500, target);
    }
}

static void test_static__random_paths_stay_inside(void **state)
{
    (void)state;
    random_paths(3000);
}

/* Old kernels, and sandboxes that know no openat2: no links, else the same. */
static void test_static__works_without_openat2(void **state)
{
    static const int errors[] = {ENOSYS, EPERM};

    (void)state;
#ifndef PL_FAULTS
    skip();
#endif
    for (size_t i = 0; i < PL_COUNT(errors); i++) {
        pl_faults_fail_every(PL_SYS_openat2, 1, errors[i]);
        CHECK_INT(200, status_of(get("/a.txt")), "file");
        CHECK_STR("bee", pl_str_c(body_of(get("/sub/b.txt"))), "below");
        CHECK_STR("<p>sub", pl_str_c(body_of(get("/sub/"))), "index");
        CHECK_INT(301, status_of(get("/sub")), "folder");
        CHECK_INT(404, status_of(get("/inside")), "link");
        CHECK_INT(404, status_of(get("/folder/b.txt")), "link on the way");
        CHECK_INT(404, status_of(get("/outside")), "link outside");
        CHECK_INT(404, status_of(get("/sub/none/b.txt")), "no folder");
        random_paths(500);
        pl_faults_reset();
    }
}

static void test_static__says_when_descriptors_run_out(void **state)
{
    int status;

    (void)state;
    FOR_EACH_FAULT (PL_SYS_openat2, EMFILE) {
        status = status_of(get("/a.txt"));
        CHECK_INT(pl_faults_hit() ? 503 : 200, status, "open");
    }
    FOR_EACH_FAULT (PL_SYS_fstat, EIO) {
        status = status_of(get("/a.txt"));
        CHECK_INT(pl_faults_hit() ? 500 : 200, status, "stat");
    }
}

static void test_static__needs_a_folder(void **state)
{
    struct pl_static_options options = {.root = in_folder("secret.txt")};
    struct pl_error error;

    (void)state;
    CHECK(pl_static_new(&options, &error) == NULL, "a file");
    CHECK(strstr(error.text, "secret.txt") != NULL, error.text);
    options.root = in_folder("nowhere");
    CHECK(pl_static_new(&options, &error) == NULL, "nothing");
    CHECK_INT(PL_ERR_NOT_FOUND, error.code, "code");
}

#define SERVED(name)                                                           \
    cmocka_unit_test_setup_teardown(name, make_server, end_server),            \
        cmocka_unit_test_setup_teardown(name, make_keeping_server, end_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(test_static__finds_files_and_nothing_else),
        SERVED(test_static__follows_links_inside),
        SERVED(test_static__long_names_are_not_found),
        SERVED(test_static__redirects_folders_to_their_slash),
        SERVED(test_static__describes_what_it_sends),
        SERVED(test_static__only_reads),
        SERVED(test_static__answers_conditions),
        SERVED(test_static__answers_ranges),
        SERVED(test_static__sends_large_files),
        SERVED(test_static__handlers_send_files),
        SERVED(test_static__random_paths_stay_inside),
        SERVED(test_static__works_without_openat2),
        cmocka_unit_test_setup_teardown(
            test_static__says_when_descriptors_run_out, make_server,
            end_server),
        cmocka_unit_test(test_static__needs_a_folder),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
