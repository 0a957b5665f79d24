/* test_conn_file.c - files that are not in memory, on their way to a peer: read
 * by threads, while the connection waits and others do not.
 *
 * A file is cold when the kernel has dropped its pages; where it cannot (a
 * tmpfs), a build with faults says so all the same. */
#include <sched.h>
#include <stdlib.h>

#include "base/faults.h"
#include "loop/offload.h"

#include "conn_world.h"

enum { SIZE = 1200000 };

static struct pl_offload *offload;
static char path[] = "/tmp/perilune-cold-XXXXXX";
static int file;
static int released;

static void release(void *arg)
{
    CHECK(arg == (void *)&released, "its argument");
    released++;
}

static int write_file(struct pl_conn *conn, uint64_t off, uint64_t len)
{
    return pl_conn_write_file(conn, file, off, len, release, &released);
}

static int make_file(void **state)
{
    make(state);
    CHECK_INT(0, pl_offload_new(1, 4, &offload), "threads");
    net.offload = offload;
    fill_big();
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    file = mkstemp(path);
    CHECK(file >= 0, "file");
    CHECK_INT(SIZE, write(file, big, SIZE), "file");
    released = 0;
    return 0;
}

static void cool(void)
{
    CHECK_INT(0, fsync(file), "written");
    CHECK_INT(0, posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), "dropped");
    pl_faults_reset();
    pl_faults_fail_every(PL_SYS_preadv2, 1, EAGAIN);
}

static int end_file(void **state)
{
    pl_offload_free(offload);
    while (net.reads > 0)
        turn(1);
    pl_faults_reset();
    close(file);
    unlink(path);
    return end(state);
}

/* As check_stream(), also while threads read. */
static void check_file(int far, const char *want, size_t len, const char *what)
{
    size_t at = 0;

    for (int idle = 0; idle < 3; idle++) {
        struct pl_str got = pl_script_received(script, far);

        if (got.len > 0 || net.reads > 0)
            idle = 0;
        CHECK(at + got.len <= len, what);
        CHECK(memcmp(want + at, got.data, got.len) == 0, what);
        at += got.len;
        pl_script_take(script, far, got.len);
        turn(1);
        sched_yield();
    }
    CHECK_INT(len, at, what);
}

/* ---- tests ---- */

static void test_conn_file__cold_windows_are_read_first(void **state)
{
    int far = connect_far();
    char *want = malloc(SIZE + 8);

    (void)state;
    memcpy(want, "head", 4);
    memcpy(want + 4, big, SIZE);
    memcpy(want + 4 + SIZE, "tail", 4);
    cool();
    write_text(last, "head");
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    write_text(last, "tail");
    check_file(far, want, SIZE + 8, "all of it, in order");
    CHECK_INT(1, released, "when it has gone");
    CHECK(has_no_buffer(last), "nothing is left");
    free(want);
}

static void test_conn_file__warm_ones_need_no_thread(void **state)
{
    int far = connect_far();

    (void)state;
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    CHECK_INT(0, net.reads, "nothing to read");
    check_file(far, big, SIZE, "all of it");
    CHECK_INT(0, pl_offload_threads(offload), "no thread");
}

/* Whether it waits for the disk or not: the file is released once, and not
 * while a thread reads it. */
static void test_conn_file__a_reader_outlives_its_connection(void **state)
{
    unsigned reads;

    (void)state;
    connect_far();
    cool();
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    reads = net.reads;
    pl_conn_close(last, 0);
    CHECK_INT(reads > 0 ? 0 : 1, released, "not under its reader");
    turn(1);
    while (net.reads > 0)
        turn(1);
    CHECK_INT(1, released, "once");
}

static void test_conn_file__the_disk_is_given_time(void **state)
{
    int far = connect_far();

    (void)state;
    cool();
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    if (net.reads > 0) {
        CHECK_INT(PL_DEADLINE_NONE, last->class, "no deadline");
        clock_ns += 60000 * MS; /* twice the write time-out, in one turn */
    }
    check_file(far, big, SIZE, "all of it");
}

static void test_conn_file__a_disk_error_closes(void **state)
{
    (void)state;
    connect_far();
    cool();
    pl_faults_fail_nth(PL_SYS_pread, 1, EIO);
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    while (net.reads > 0 && !pl_faults_hit())
        turn(1);
    if (!pl_faults_hit() || pl_faults_count(PL_SYS_pread) == 0)
        return; /* no disk that can fail */
    while (net.stats.open > 0)
        turn(1);
    CHECK_INT(1, released, "once");
    CHECK_INT(PL_ERR_IO, why, "why");
}

static void test_conn_file__one_that_shrinks_is_cut_off(void **state)
{
    int far = connect_far();
    size_t got;

    (void)state;
    cool();
    CHECK_INT(0, ftruncate(file, SIZE / 2), "shrink");
    write_file(last, 0, SIZE);
    while (net.stats.open > 0)
        turn(1);
    got = pl_script_received(script, far).len;
    CHECK(got <= SIZE / 2, "no more than there is");
    CHECK(memcmp(big, pl_script_received(script, far).data, got) == 0,
          "and nothing made up");
    CHECK_INT(1, released, "once");
    CHECK_INT(PL_ERR_IO, why, "closed");
}

/* Neither a thread nor room in the queue: it goes on by itself. */
static void test_conn_file__goes_on_without_threads(void **state)
{
    int far = connect_far();

    (void)state;
    cool();
    pl_faults_fail_every(PL_SYS_thread, 1, EAGAIN);
    CHECK_INT(0, write_file(last, 0, SIZE), "file");
    check_file(far, big, SIZE, "all of it");
    CHECK_INT(1, released, "once");
}

#define FILE_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, make_file, end_file)

RUN_TESTS(FILE_TEST(test_conn_file__cold_windows_are_read_first),
          FILE_TEST(test_conn_file__warm_ones_need_no_thread),
          FILE_TEST(test_conn_file__a_reader_outlives_its_connection),
          FILE_TEST(test_conn_file__the_disk_is_given_time),
          FILE_TEST(test_conn_file__a_disk_error_closes),
          FILE_TEST(test_conn_file__one_that_shrinks_is_cut_off),
          FILE_TEST(test_conn_file__goes_on_without_threads))
