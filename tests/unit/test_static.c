/* test_static.c - files below a folder, through router and HTTP/1, on sockets
 * in memory and a folder on the disk. */
#include "world.h"

#include <stdlib.h>

#include "base/faults.h"
#include "handlers/static.h"
#include "http/http.h"
#include "route/chain.h"
#include "route/dispatch.h"

#define SECRET "the content of a file that is outside"
#define NOW 1700000000 /* Tue, 14 Nov 2023 22:13:20 GMT */

static char folder[] = "/tmp/perilune-static-XXXXXX";
static struct pl_net net;
static struct pl_http http;
static struct pl_router *router;
static struct pl_listener *listener;
static int door; /* the listening descriptor */
static char answer[256 * 1024];

/* ---- a folder ---- */

static const char *in_folder(const char *name)
{
    static char path[2][512];
    static unsigned turn_of;
    char *to = path[turn_of++ % 2];

    snprintf(to, sizeof(path[0]), "%s/%s", folder, name);
    return to;
}

static void write_file(const char *name, const char *text, size_t len)
{
    int fd =
        open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    CHECK(fd >= 0, name);
    CHECK_INT(len, write(fd, text, len), name);
    close(fd);
}

static void set_time(const char *name, time_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};

    CHECK_INT(0, utimensat(AT_FDCWD, in_folder(name), times, 0), name);
}

static int make_folder(void **state)
{
    static const char *const folders[] = {"www", "www/sub", "www/bare",
                                          "www/.git", "www/.well-known"};
    static const struct {
        const char *name, *text;
    } files[] = {
        {"secret.txt", SECRET},           {"www/index.html", "<p>home"},
        {"www/a.txt", "0123456789"},      {"www/empty.txt", ""},
        {"www/sub/index.html", "<p>sub"}, {"www/sub/b.txt", "bee"},
        {"www/a b\xc3\xbc&.txt", "odd"},  {"www/.hidden", "hidden"},
        {"www/.git/config", "hidden"},    {"www/.well-known/x.txt", "known"},
        {"www/locked.txt", "locked"},
    };
    static const struct {
        const char *to, *name;
    } links[] = {
        {"a.txt", "www/inside"},
        {"../sub/../a.txt", "www/sub/round"},
        {"../secret.txt", "www/outside"},
        {"..", "www/parent"},
        {"sub", "www/folder"},
        {"loop", "www/loop"},
        {"/proc/self/root", "www/magic"},
    };
    static char big[40000];

    (void)state;
    CHECK(mkdtemp(folder) != NULL, "folder");
    for (size_t i = 0; i < PL_COUNT(folders); i++)
        CHECK_INT(0, mkdir(in_folder(folders[i]), 0755), folders[i]);
    for (size_t i = 0; i < PL_COUNT(files); i++)
        write_file(files[i].name, files[i].text, strlen(files[i].text));
    for (size_t i = 0; i < PL_COUNT(links); i++)
        CHECK_INT(0, symlink(links[i].to, in_folder(links[i].name)), "link");
    CHECK_INT(0, symlink(in_folder("secret.txt"), in_folder("www/absolute")),
              "link");
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)('a' + i % 26);
    write_file("www/big.bin", big, sizeof(big));
    CHECK_INT(0, mkfifo(in_folder("www/fifo"), 0644), "fifo");
    CHECK_INT(0, chmod(in_folder("www/locked.txt"), 0), "locked");
    set_time("www/a.txt", NOW - 100);
    set_time("www/sub/b.txt", NOW + 1000);
    return 0;
}

static int remove_folder(void **state)
{
    char command[600];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* ---- a server ---- */

static uint64_t wall(void *arg)
{
    (void)arg;
    return (uint64_t)NOW * 1000000000;
}

static void on_request(void *arg, struct pl_request *req)
{
    (void)arg;
    pl_dispatch(router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    (void)req;
}

static const struct pl_http_ops ops = {on_request, on_finished, NULL};

/* res:send_file() of a file that the peer names below the folder. */
static int send_named(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    (void)res;
    (void)arg;
    return pl_static_send(req, pl_str_c(in_folder("www")),
                          pl_request_arg(req, PL_STR("name")));
}

/* ... and of one that the site names. */
static int send_chosen(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    int err = pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/x"));

    return err < 0 ? err
                   : pl_static_send(req, pl_str(NULL, 0),
                                    pl_str_c(in_folder("secret.txt")));
}

static void add_route(const char *pattern, bool mount, unsigned methods,
                      struct pl_handler *handler)
{
    struct pl_route route = {
        .pattern = pattern,
        .host = "",
        .where = "",
        .methods = methods,
        .mount = mount,
        .chain = pl_chain_new(NULL, 0, handler),
        .cache_control = PL_STR("max-age=60"),
    };
    struct pl_error error;

    CHECK_INT(0, pl_router_add(router, &route, &error), pattern);
}

static void mount_files(const char *at, struct pl_static_options options)
{
    struct pl_error error;
    struct pl_handler *handler;

    options.root = in_folder("www");
    handler = pl_static_new(&options, &error);
    CHECK(handler != NULL, "static");
    add_route(at, true, PL_METHODS_ANY, handler);
}

static int make_server(void **state)
{
    struct pl_loop_options options = {.backend = &pl_scripted,
                                      .clock = pl_fake_clock,
                                      .wall = wall,
                                      .clock_arg = &clock_ns};

    (void)state;
    clock_ns = 1000 * MS;
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_sched_init(&sched, loop, NULL), "sched");
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    pl_http_init(&http, &net, &sched, &pl_http_default_settings, &ops, NULL);
    router = pl_router_new();
    mount_files("/", (struct pl_static_options){0});
    mount_files("/all", (struct pl_static_options){.index = "",
                                                   .dot_files = true,
                                                   .symlinks = PL_STR("all")});
    add_route("/send", false, PL_METHOD_BIT(PL_METHOD_GET),
              pl_fiber_handler_new(send_named, NULL, NULL));
    add_route("/chosen", false, PL_METHOD_BIT(PL_METHOD_GET),
              pl_fiber_handler_new(send_chosen, NULL, NULL));
    door = pl_script_listen(pl_script_of(loop));
    CHECK_INT(0,
              pl_listener_start(&net, door, false, false, &pl_h1_protocol,
                                &http, &listener),
              "listener");
    return 0;
}

static int end_server(void **state)
{
    pl_listener_stop(listener);
    turn(2);
    pl_net_fini(&net);
    pl_router_free(router);
    return end_world(state);
}

/* One request on a connection of its own; the answer as it came. */
static const char *ask(const char *method, const char *target,
                       const char *fields)
{
    struct pl_script *script = pl_script_of(loop);
    int far = pl_script_connect(script, door);
    char head[2048];
    struct pl_str got;

    snprintf(head, sizeof(head),
             "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method,
             target, fields);
    pl_script_send(script, far, pl_str_c(head));
    for (int i = 0; i < 100 && !pl_script_finished(script, far); i++)
        turn(1);
    CHECK(pl_script_finished(script, far), target);
    got = pl_script_received(script, far);
    CHECK(got.len < sizeof(answer), "answer");
    memcpy(answer, got.data, got.len);
    answer[got.len] = '\0';
    pl_script_close(script, far);
    turn(2);
    return answer;
}

static const char *get(const char *target)
{
    return ask("GET", target, "");
}

static int status_of(const char *text)
{
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
}

static const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return body == NULL ? "" : body + 4;
}

static void check_field(const char *text, const char *line, const char *what)
{
    char want[512];

    snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    if (strcasestr(text, want) == NULL)
        fail_msg("%s: no line \"%s\" in\n%s", what, line, text);
}

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
    cmocka_unit_test_setup_teardown(name, make_server, end_server)

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
        SERVED(test_static__says_when_descriptors_run_out),
        cmocka_unit_test(test_static__needs_a_folder),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
