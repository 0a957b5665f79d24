/* test_link.c - what a supervisor and its server process say arrives whole, or
 * is refused; and what one supervisor hands to the next. */
#include "check.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "process/link.h"
#include "process/upgrade_state.h"

static int pair[2];

static int setup(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int teardown(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static int receive(struct pl_link_message *message, unsigned *count)
{
    int fds[PL_LINK_FDS], n;

    n = pl_link_receive(pair[1], false, message, fds, count);
    for (unsigned i = 0; i < *count; i++)
        CHECK_INT(0, close(fds[i]), "a descriptor");
    return n;
}

static void test_link__messages_and_descriptors_arrive(void **state)
{
    struct pl_link_message sent = {.kind = PL_LINK_SOCKETS, .number = 3}, got;
    int fds[PL_LINK_FDS];
    unsigned count;

    (void)state;
    CHECK_INT(0, receive(&got, &count), "nothing yet");
    for (int i = 0; i < PL_LINK_FDS; i++)
        fds[i] = pair[i % 2];
    CHECK_INT(0, pl_link_send(pair[0], &sent, fds, PL_LINK_FDS), "sent");
    CHECK_INT(1, receive(&got, &count), "one");
    CHECK_INT(PL_LINK_SOCKETS, got.kind, "kind");
    CHECK_INT(3, got.number, "number");
    CHECK_INT(PL_LINK_FDS, count, "descriptors");
}

static void test_link__texts_end_whatever_the_other_sends(void **state)
{
    struct pl_link_message sent = {.kind = PL_LINK_PID_FILE}, got;
    unsigned count;

    (void)state;
    memset(sent.text, 'x', sizeof(sent.text));
    CHECK_INT(0, pl_link_send(pair[0], &sent, NULL, 0), "sent");
    CHECK_INT(1, receive(&got, &count), "one");
    CHECK_INT(PL_LINK_TEXT - 1, strlen(got.text), "ends");
}

static void test_link__short_messages_are_refused(void **state)
{
    const struct pl_link_message message = {.kind = PL_LINK_LISTEN};
    struct pl_link_message got;
    unsigned count;

    (void)state;
    for (size_t len = 1; len < 8 + sizeof(struct pl_link_listen); len++) {
        CHECK_INT(len, send(pair[0], &message, len, 0), "sent");
        CHECK_INT(PL_ERR_PROTO, receive(&got, &count), "refused");
    }
}

static void test_link__the_end_of_the_other_is_seen(void **state)
{
    struct pl_server_link link = {.fd = pair[1]};
    struct pl_error error;

    (void)state;
    close(pair[0]);
    CHECK_INT(0, pl_link_turn(&link), "no signal");
    CHECK(link.gone, "link");
    CHECK_INT(PL_ERR_CLOSED, pl_link_ready(&link, &error), "a question");
    pair[0] = dup(pair[1]);
}

static void test_link__signals_come_in_their_order(void **state)
{
    struct pl_link_message message = {.kind = PL_LINK_SIGNAL};
    const struct pl_link_message ping = {.kind = PL_LINK_PING};
    struct pl_server_link link = {.fd = pair[1]};
    struct pl_link_message got;
    int fds[PL_LINK_FDS];
    unsigned count;

    (void)state;
    for (message.number = 1; message.number <= 3; message.number++)
        pl_link_send(pair[0], &message, NULL, 0);
    pl_link_send(pair[0], &ping, NULL, 0);
    for (int want = 1; want <= 3; want++)
        CHECK_INT(want, pl_link_turn(&link), "signal");
    CHECK_INT(0, pl_link_turn(&link), "no more");
    CHECK_INT(1, pl_link_receive(pair[0], false, &got, fds, &count), "pong");
    CHECK_INT(PL_LINK_PONG, got.kind, "pong");
}

static void test_link__without_a_supervisor_nothing_is_said(void **state)
{
    struct pl_error error;

    (void)state;
    pl_link_say(NULL, PL_LINK_READY);
    pl_link_log(NULL);
    CHECK_INT(0, pl_link_turn(NULL), "no signal");
    CHECK_INT(0, pl_link_ready(NULL, &error), "ready");
    CHECK_INT(0, pl_link_pid_file(NULL, "x", &error), "pid file");
}

/* ---- the state ---- */

static struct pl_supervisor filled(struct pl_held *held)
{
    const struct pl_listen_options options = {.sockets = 3};
    struct pl_supervisor sup = {.log = 7,
                                .starts = 5,
                                .crashes = 2,
                                .held = held,
                                .nheld = 1,
                                .pid_file = {.path = "/run/pid", .fd = 9}};
    struct pl_addr addr;

    sup.children[3] = (struct pl_child){
        .state = PL_CHILD_SERVING, .pid = 11, .link = 12, .minding = true};
    CHECK_INT(0, pl_addr_parse(pl_str_c("127.0.0.1:0"), false, &addr, NULL),
              "address");
    *held = (struct pl_held){.asked = addr, .nth = 1, .users = 8};
    CHECK_INT(0, pl_listen_open(&addr, &options, &held->group, NULL), "open");
    return sup;
}

static void test_state__what_is_written_is_read(void **state)
{
    struct pl_held held;
    struct pl_supervisor sup = filled(&held), next = {.log = -1};
    struct pl_error error;
    int fd = pl_state_write(&sup);

    (void)state;
    CHECK_INT(0, pl_state_read(fd, NULL, &error), "looked at");
    CHECK_INT(0, pl_state_read(fd, &next, &error), "taken over");
    CHECK_INT(7, next.log, "log");
    CHECK_INT(5, next.starts, "starts");
    CHECK_INT(2, next.crashes, "crashes");
    CHECK_STR("/run/pid", pl_str_c(next.pid_file.path), "path");
    CHECK_INT(9, next.pid_file.fd, "pid file");
    CHECK_INT(PL_CHILD_SERVING, next.children[3].state, "child");
    CHECK_INT(11, next.children[3].pid, "pid");
    CHECK(next.children[3].minding, "child");
    CHECK_INT(1, next.nheld, "held");
    CHECK_INT(8, next.held[0].users, "users");
    CHECK_INT(3, next.held[0].group->count, "sockets");
    CHECK(pl_addr_eq(&held.group->addr, &next.held[0].group->addr), "port");
    close(fd);
    held.group->count = 0; /* they are the other's now */
    pl_listen_close(held.group);
    pl_listen_close(next.held[0].group);
    pl_free(next.held);
    pl_free((char *)next.pid_file.path);
}

static void test_state__what_is_not_whole_is_refused(void **state)
{
    struct pl_held held;
    struct pl_supervisor sup = filled(&held);
    struct pl_error error;
    int fd = pl_state_write(&sup);
    const uint32_t other = PL_STATE_VERSION + 1;
    off_t len = lseek(fd, 0, SEEK_END);

    (void)state;
    CHECK_INT(4, pwrite(fd, &other, 4, 8), "another version");
    CHECK_INT(PL_ERR_UNSUPPORTED, pl_state_read(fd, NULL, &error), "refused");
    CHECK_INT(4, pwrite(fd, &(uint32_t){PL_STATE_VERSION}, 4, 8), "ours");
    CHECK_INT(0, pl_state_read(fd, NULL, &error), "read");
    while (len-- > 0) {
        CHECK_INT(0, ftruncate(fd, len), "cut");
        CHECK_INT(PL_ERR_UNSUPPORTED, pl_state_read(fd, NULL, &error), "cut");
    }
    close(fd);
    pl_listen_close(held.group);
}

#define LINKED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

RUN_TESTS(LINKED(test_link__messages_and_descriptors_arrive),
          LINKED(test_link__texts_end_whatever_the_other_sends),
          LINKED(test_link__short_messages_are_refused),
          LINKED(test_link__the_end_of_the_other_is_seen),
          LINKED(test_link__signals_come_in_their_order),
          cmocka_unit_test(test_link__without_a_supervisor_nothing_is_said),
          cmocka_unit_test(test_state__what_is_written_is_read),
          cmocka_unit_test(test_state__what_is_not_whole_is_refused))
