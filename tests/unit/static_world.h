/* static_world.h - files below a folder on the disk, through router and HTTP/1,
 * on sockets in memory. */
#ifndef PL_TESTS_STATIC_WORLD_H
#define PL_TESTS_STATIC_WORLD_H

#include "world.h"

#include <stdlib.h>

#include "base/faults.h"
#include "handlers/files.h"
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

PL_UNUSED static void write_file(const char *name, const char *text, size_t len)
{
    int fd =
        open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    CHECK(fd >= 0, name);
    CHECK_INT(len, write(fd, text, len), name);
    close(fd);
}

PL_UNUSED static void set_time(const char *name, time_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};

    CHECK_INT(0, utimensat(AT_FDCWD, in_folder(name), times, 0), name);
}

PL_UNUSED static int make_folder(void **state)
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

PL_UNUSED static int remove_folder(void **state)
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

static const struct pl_http_ops ops = {.request = on_request,
                                       .finished = on_finished};

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

PL_UNUSED static void mount_files(const char *at,
                                  struct pl_static_options options)
{
    struct pl_error error;
    struct pl_handler *handler;

    options.root = in_folder("www");
    handler = pl_static_new(&options, &error);
    CHECK(handler != NULL, "static");
    add_route(at, true, PL_METHODS_ANY, handler);
}

PL_UNUSED static int make_server(void **state)
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

PL_UNUSED static int end_server(void **state)
{
    pl_files_free(http.files);
    pl_listener_stop(listener);
    turn(2);
    pl_net_fini(&net);
    pl_router_free(router);
    return end_world(state);
}

/* As make_server(), and what is served is kept. */
PL_UNUSED static int make_keeping_server(void **state)
{
    make_server(state);
    http.files = pl_files_new(&sched, 16 << 20, 64);
    CHECK(http.files != NULL, "files");
    return 0;
}

/* One request on a connection of its own; the answer as it came. */
PL_UNUSED static const char *ask(const char *method, const char *target,
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

PL_UNUSED static const char *get(const char *target)
{
    return ask("GET", target, "");
}

PL_UNUSED static int status_of(const char *text)
{
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
}

PL_UNUSED static const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return body == NULL ? "" : body + 4;
}

PL_UNUSED static void check_field(const char *text, const char *line,
                                  const char *what)
{
    char want[512];

    snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    if (strcasestr(text, want) == NULL)
        fail_msg("%s: no line \"%s\" in\n%s", what, line, text);
}

#endif
