/* test_listener.c - sockets of the process: groups, UNIX files that were left
 * behind, ports that are taken. On the real kernel. */
#include "check.h"

#include <stdlib.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "net/listener.h"

static struct pl_error error;
static char folder[] = "/tmp/perilune-test-XXXXXX";

static int make(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "folder");
    error = (struct pl_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    CHECK_INT(0, rmdir(folder), "nothing is left in the folder");
    return 0;
}

static int open_at(const char *text, const struct pl_listen_options *options,
                   struct pl_listen_group **out)
{
    struct pl_addr addr;

    CHECK_INT(0, pl_addr_parse(pl_str_c(text), false, &addr, &error), text);
    return pl_listen_open(&addr, options, out, &error);
}

static bool can_connect(const struct pl_addr *addr)
{
    int fd = socket(addr->sa.sa_family, SOCK_STREAM, 0);
    bool can = connect(fd, &addr->sa, addr->len) == 0;

    close(fd);
    return can;
}

static void test_listener__a_group_shares_one_port(void **state)
{
    const struct pl_listen_options options = {.sockets = 3};
    struct pl_listen_group *group;

    (void)state;
    CHECK_INT(0, open_at("127.0.0.1:0", &options, &group), "open");
    CHECK_INT(3, group->count, "sockets");
    CHECK(!group->shared, "one for each worker");
    CHECK(pl_addr_port(&group->addr) != 0, "the kernel has chosen");
    for (unsigned i = 0; i < group->count; i++) {
        struct pl_addr addr = {.len = sizeof(addr.un)};

        CHECK_INT(0, getsockname(group->fds[i], &addr.sa, &addr.len), "name");
        CHECK(pl_addr_eq(&addr, &group->addr), "the same address");
        CHECK(fcntl(group->fds[i], F_GETFD) & FD_CLOEXEC, "close-on-exec");
        CHECK(fcntl(group->fds[i], F_GETFL) & O_NONBLOCK, "non-blocking");
    }
    CHECK(can_connect(&group->addr), "listening");
    pl_listen_close(group);
    pl_listen_close(NULL);
}

static void test_listener__a_group_keeps_its_options(void **state)
{
    struct pl_listen_options options = {.sockets = 1, .backlog = 7};
    struct pl_listen_group *group;

    (void)state;
    CHECK_INT(0, pl_speak_parse("http/1.1", &options.speak, &error), "word");
    CHECK_INT(0, open_at("127.0.0.1:0", &options, &group), "open");
    options = pl_listen_defaults;
    CHECK_INT(7, group->options.backlog, "number");
    CHECK_STR("http/1.1", pl_str_c(pl_speak_name(group->options.speak)),
              "word");
    pl_listen_close(group);
}

static void test_listener__words_for_protocols(void **state)
{
    enum pl_speak speak;

    (void)state;
    CHECK_INT(0, pl_speak_parse(NULL, &speak, &error), "default");
    CHECK_INT(PL_SPEAK_HTTP, speak, "default");
    CHECK_INT(PL_ERR_INVALID, pl_speak_parse("gopher", &speak, &error), "none");
    CHECK(pl_str_starts(pl_str_c(error.text),
                        PL_STR("protocol 'gopher' is none of 'http' ")),
          error.text);
}

static int accept_now(bool eager)
{
    const struct pl_listen_options options = {.sockets = 1, .eager = eager};
    struct pl_listen_group *group;
    int fd, far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_INT(0, open_at("127.0.0.1:0", &options, &group), "open");
    CHECK_INT(0, connect(far, &group->addr.sa, group->addr.len), "connect");
    fd = accept(group->fds[0], NULL, NULL);
    if (fd >= 0)
        close(fd);
    close(far);
    pl_listen_close(group);
    return fd;
}

static void test_listener__silent_connections_are_deferred(void **state)
{
    (void)state;
    CHECK(accept_now(true) >= 0, "eager: at once");
    CHECK(accept_now(false) < 0, "else not before it speaks");
}

/* What the kernel keeps for a peer that does not read. */
static void test_listener__unsent_output_is_bounded(void **state)
{
    const struct pl_listen_options options = {.sockets = 1, .eager = true};
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, most = 0;
    struct pl_listen_group *group;
    socklen_t len = sizeof(most);

    (void)state;
    CHECK_INT(0, open_at("127.0.0.1:0", &options, &group), "open");
    CHECK_INT(0, connect(far, &group->addr.sa, group->addr.len), "connect");
    fd = accept(group->fds[0], NULL, NULL);
    getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, &len);
    CHECK_INT(PL_NET_UNSENT, most, "inherited");
    close(fd);
    close(far);
    pl_listen_close(group);
}

/* SO_REUSEPORT would share it without a word. */
static void test_listener__a_taken_port_is_said(void **state)
{
    const struct pl_listen_options options = {.sockets = 1};
    struct pl_listen_group *group, *other = NULL;
    char text[PL_ADDR_TEXT];

    (void)state;
    CHECK_INT(0, open_at("127.0.0.1:0", &options, &group), "open");
    pl_addr_format(&group->addr, text);
    CHECK_INT(PL_ERR_BUSY, open_at(text, &options, &other), "taken");
    CHECK(other == NULL, "nothing is given");
    CHECK(strstr(error.text, text) != NULL, "which address");
    CHECK_STR(text, pl_str_c(error.where), "where");
    pl_listen_close(group);
}

static void test_listener__unix_files(void **state)
{
    const struct pl_listen_options options = {.mode = 0600};
    struct pl_listen_group *group, *other;
    struct stat st;
    char text[200];
    const char *path = text + 5;

    (void)state;
    snprintf(text, sizeof(text), "unix:%s/s", folder);
    CHECK_INT(0, open_at(text, &options, &group), "open");
    CHECK(group->shared && group->count == 1, "one for all workers");
    CHECK_INT(0, stat(path, &st), "file");
    CHECK_INT(0600, st.st_mode & 0777, "mode");
    CHECK(open_at(text, &options, &other) < 0, "somebody listens");
    CHECK(can_connect(&group->addr), "and still does");
    close(group->fds[0]); /* as by a server that died */
    group->fds[0] = open("/dev/null", O_RDONLY);
    CHECK_INT(0, open_at(text, &options, &other), "a file left behind");
    CHECK(can_connect(&other->addr), "listening");
    pl_listen_close(other);
    CHECK(stat(path, &st) < 0, "taken away");
    pl_listen_close(group);
}

static void test_listener__files_that_are_no_sockets_stay(void **state)
{
    const struct pl_listen_options options = {0};
    struct pl_listen_group *group;
    char text[200];

    (void)state;
    snprintf(text, sizeof(text), "unix:%s/f", folder);
    close(open(text + 5, O_CREAT | O_WRONLY, 0600));
    CHECK(open_at(text, &options, &group) < 0, "refused");
    CHECK_INT(0, unlink(text + 5), "still there");
    snprintf(text, sizeof(text), "unix:%s/no/s", folder);
    CHECK_INT(PL_ERR_NOT_FOUND, open_at(text, &options, &group), "no folder");
}

#define LISTENER_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(LISTENER_TEST(test_listener__a_group_shares_one_port),
          LISTENER_TEST(test_listener__a_group_keeps_its_options),
          LISTENER_TEST(test_listener__words_for_protocols),
          LISTENER_TEST(test_listener__silent_connections_are_deferred),
          LISTENER_TEST(test_listener__unsent_output_is_bounded),
          LISTENER_TEST(test_listener__a_taken_port_is_said),
          LISTENER_TEST(test_listener__unix_files),
          LISTENER_TEST(test_listener__files_that_are_no_sockets_stay))
