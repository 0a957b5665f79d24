/* test_faults.c - calls fail when they are told to, and at no other time. In a
 * build without -Dfaults=true only the last test remains. */
#include "check.h"

#include <signal.h>

#include "base/buf.h"
#include "base/faults.h"

static void test_faults__each_body_runs_until_nothing_fails(void **state)
{
    int runs = 0, failed = 0;

    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        void *three[3];

        runs++;
        for (size_t i = 0; i < PL_COUNT(three); i++) {
            three[i] = pl_malloc(10);
            failed += three[i] == NULL;
        }
        for (size_t i = 0; i < PL_COUNT(three); i++)
            pl_free(three[i]);
    }
#ifdef PL_FAULTS
    CHECK_INT(4, runs, "three calls, and once for good");
    CHECK_INT(3, failed, "each in turn");
#else
    CHECK_INT(1, runs, "once");
    CHECK_INT(0, failed, "nothing fails");
#endif
}

#ifdef PL_FAULTS

static int reset(void **state)
{
    (void)state;
    pl_faults_reset();
    return 0;
}

static void test_faults__nth_and_every(void **state)
{
    (void)state;
    pl_faults_fail_nth(PL_SYS_close, 2, EINTR);
    CHECK_INT(0, pl_sys_close(dup(0)), "first");
    CHECK(!pl_faults_hit(), "not yet");
    CHECK_INT(-1, pl_sys_close(dup(0)), "second");
    CHECK_INT(EINTR, errno, "why");
    CHECK(pl_faults_hit(), "hit");
    CHECK_INT(0, pl_sys_close(dup(0)), "third");
    CHECK_INT(3, pl_faults_count(PL_SYS_close), "count");
    pl_faults_fail_every(PL_SYS_close, 2, EIO);
    CHECK_INT(-1, pl_sys_close(dup(0)), "fourth");
    CHECK_INT(0, pl_sys_close(dup(0)), "fifth");
    CHECK_INT(-1, pl_sys_close(dup(0)), "sixth");
}

/* Or every test that makes close() fail would leak descriptors. */
static void test_faults__a_failed_close_closes(void **state)
{
    int fd = dup(0);

    (void)state;
    pl_faults_fail_nth(PL_SYS_close, 1, EIO);
    CHECK_INT(-1, pl_sys_close(fd), "fails");
    CHECK_INT(-1, fcntl(fd, F_GETFD), "gone");
}

static void test_faults__transfers_are_shortened(void **state)
{
    char in[8] = "01234567", out[8];
    struct iovec iov[3] = {{in, 2}, {in + 2, 0}, {in + 2, 6}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};
    int pair[2];

    (void)state;
    CHECK_INT(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "pair");
    pl_faults_shorten(PL_SYS_send, 3);
    CHECK_INT(3, pl_sys_send(pair[0], in, 8, 0), "send");
    CHECK_INT(2, pl_sys_send(pair[0], in, 2, 0), "short already");
    CHECK_INT(5, pl_sys_recv(pair[1], out, 8, 0), "recv");
    pl_faults_shorten(PL_SYS_sendmsg, 4);
    CHECK_INT(4, pl_sys_sendmsg(pair[0], &msg, 0), "sendmsg");
    CHECK_INT(4, pl_sys_recv(pair[1], out, 8, 0), "recv");
    CHECK(memcmp(out, in, 4) == 0, "the first ones");
    pl_faults_shorten(PL_SYS_sendmsg, 0);
    CHECK_INT(8, pl_sys_sendmsg(pair[0], &msg, 0), "whole again");
    close(pair[0]);
    close(pair[1]);
}

static void test_faults__vectors_of_files_are_shortened(void **state)
{
    char a[2], b[6];
    struct iovec iov[2] = {{a, 2}, {b, 6}};
    FILE *file = tmpfile();

    (void)state;
    CHECK_INT(8, pwrite(fileno(file), "01234567", 8, 0), "write");
    pl_faults_shorten(PL_SYS_preadv2, 5);
    CHECK_INT(5, pl_sys_preadv2(fileno(file), iov, 2, 0, 0), "read");
    CHECK(memcmp(b, "234", 3) == 0, "the first ones");
    pl_faults_fail_nth(PL_SYS_preadv2, 1, EAGAIN);
    CHECK_INT(-1, pl_sys_preadv2(fileno(file), iov, 2, 0, 0), "fails");
    CHECK_INT(EAGAIN, errno, "why");
    fclose(file);
}

static const struct {
    const char *spec;
    int want;
} specs[] = {
    {"recv:3=ECONNRESET", 0},
    {"send:short=1, malloc:7", 0},
    {"accept4:every=10=EMFILE,epoll_wait:eintr=2", 0},
    {"", PL_ERR_SYNTAX},
    {"recv", PL_ERR_SYNTAX},
    {"recv:", PL_ERR_SYNTAX},
    {"recv:x", PL_ERR_SYNTAX},
    {"nothing:3", PL_ERR_SYNTAX},
    {"recv:3=EWHAT", PL_ERR_SYNTAX},
    {"recv:short=1=EIO", PL_ERR_SYNTAX},
    {"recv:often=1", PL_ERR_SYNTAX},
};

static void test_faults__from_the_environment(void **state)
{
    char c;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(specs); i++) {
        pl_faults_reset();
        CHECK_INT(specs[i].want, pl_faults_parse(pl_str_c(specs[i].spec)),
                  specs[i].spec);
    }
    pl_faults_reset();
    CHECK_INT(
        0, pl_faults_parse(PL_STR("recv:2=ECONNRESET,malloc:1,read:eintr=1")),
        "three");
    CHECK(pl_malloc(1) == NULL, "malloc");
    CHECK_INT(ENOMEM, errno, "the usual error");
    CHECK_INT(-1, pl_sys_recv(-1, &c, 1, 0), "recv 1");
    CHECK_INT(EBADF, errno, "the kernel's own");
    CHECK_INT(-1, pl_sys_recv(-1, &c, 1, 0), "recv 2");
    CHECK_INT(ECONNRESET, errno, "ours");
    CHECK_INT(-1, pl_sys_read(-1, &c, 1), "read 1");
    CHECK_INT(EINTR, errno, "interrupted");
    CHECK_INT(-1, pl_sys_read(-1, &c, 1), "read 2");
    CHECK_INT(EBADF, errno, "the kernel's own");
}
#endif

/* What an out of memory leaves behind: contents, and nothing charged. */
static void test_buf__survives_any_failed_allocation(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_pool pool;
        struct pl_buf buf;
        int err = 0, added = 0;

        pl_pool_init(&pool, NULL, 0);
        pl_buf_init(&buf, &pool, NULL, 0);
        for (; err == 0 && added < 100; added += err == 0)
            err = pl_buf_printf(&buf, "%0100d", added);
        CHECK_INT(pl_faults_hit() ? PL_ERR_NOMEM : 0, err, "the only error");
        CHECK_INT(added * 100, buf.len, "what was added");
        pl_buf_fini(&buf);
        pl_pool_fini(&pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef PL_FAULTS
        cmocka_unit_test_setup(test_faults__nth_and_every, reset),
        cmocka_unit_test_setup(test_faults__a_failed_close_closes, reset),
        cmocka_unit_test_setup(test_faults__transfers_are_shortened, reset),
        cmocka_unit_test_setup(test_faults__vectors_of_files_are_shortened,
                               reset),
        cmocka_unit_test_setup(test_faults__from_the_environment, reset),
#endif
        cmocka_unit_test(test_faults__each_body_runs_until_nothing_fails),
        cmocka_unit_test(test_buf__survives_any_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
