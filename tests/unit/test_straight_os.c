/* test_straight_os.c - files and processes in straight lines, from C. */
#include "os_world.h"

#include <signal.h>
#include <sys/stat.h>

static int use_files(void *arg)
{
    struct pl_str content;
    struct stat st;

    (void)arg;
    CHECK_INT(0, pl_fs_write(NULL, "a", PL_STR("hello")), "write");
    CHECK_INT(0, pl_fs_read(NULL, "a", 5, &content), "read");
    CHECK_STR("hello", content, "content");
    CHECK_INT(PL_ERR_LIMIT, pl_fs_read(NULL, "a", 4, &content), "limit");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_fs_read(NULL, "b", 4, &content), "none");
    CHECK_INT(0, pl_fs_stat(NULL, "a", &st), "stat");
    CHECK_INT(5, st.st_size, "size");
    return 0;
}

static void test_straight_os__files(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(use_files, NULL), "files");
}

static int use_folders(void *arg)
{
    struct pl_fs_entry *entries = NULL;
    size_t count = 9;

    (void)arg;
    CHECK_INT(0, pl_fs_mkdir(NULL, "d/e"), "mkdir");
    CHECK_INT(0, pl_fs_mkdir(NULL, "d/e"), "it is there");
    CHECK_INT(0, pl_fs_list(NULL, "d/e", 10, &entries, &count), "list");
    CHECK_INT(0, count, "none");
    CHECK_INT(0, pl_fs_write(NULL, "d/b", PL_STR("")), "write");
    CHECK_INT(0, pl_fs_rename(NULL, "d/b", "d/a"), "rename");
    CHECK_INT(0, symlink("a", "d/z"), "link");
    CHECK_INT(0, pl_fs_list(NULL, "d", 3, &entries, &count), "list");
    CHECK_INT(3, count, "all");
    CHECK_STR("a", entries[0].name, "sorted");
    CHECK_STR("e", entries[1].name, "sorted");
    CHECK_STR("z", entries[2].name, "sorted");
    CHECK(entries[0].type == 'f' && entries[1].type == 'd' &&
              entries[2].type == 'l',
          "types");
    CHECK_INT(PL_ERR_LIMIT, pl_fs_list(NULL, "d", 2, &entries, &count), "max");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_fs_list(NULL, "x", 2, &entries, &count),
              "none");
    CHECK(pl_fs_remove(NULL, "d", false) < 0, "it is not empty");
    CHECK_INT(0, pl_fs_remove(NULL, "d/a", false), "a file");
    CHECK_INT(0, pl_fs_remove(NULL, "d", true), "all of it");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_fs_remove(NULL, "d", true), "gone");
    return 0;
}

static void test_straight_os__folders(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(use_folders, NULL), "folders");
}

static int use_processes(void *arg)
{
    static const char
        *const cat[] = {"cat", NULL},
               *const none[] = {"./none", NULL}, *const empty[] = {NULL},
               *const late[] = {"/bin/sh", "-c", "echo a; sleep 60", NULL};
    struct pl_process_options options = {.size = sizeof(options),
                                         .input = PL_STR("moon")};
    struct pl_process_result result;

    (void)arg;
    CHECK_INT(0, pl_process_run(NULL, cat, &options, &result), "run");
    CHECK_STR("moon", result.out, "output");
    CHECK_STR("", result.err, "errors");
    CHECK(result.status == 0 && result.signal == 0, "status");
    CHECK_INT(0, pl_process_run(NULL, cat, NULL, &result), "no input");
    CHECK_STR("", result.out, "output");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_process_run(NULL, none, NULL, &result),
              "none");
    CHECK_INT(PL_ERR_INVALID, pl_process_run(NULL, empty, NULL, &result),
              "empty");
    options.timeout_ms = 100;
    CHECK_INT(PL_ERR_TIMEOUT, pl_process_run(NULL, late, &options, &result),
              "late");
    CHECK_STR("a\n", result.out, "what had come");
    CHECK_INT(15, result.signal, "ended");
    return 0;
}

static void test_straight_os__processes(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(use_processes, NULL), "processes");
}

/* Reads what comes until it is want. */
static void expect(struct pl_child *child, enum pl_child_stream stream,
                   const char *want)
{
    char got[64];
    size_t len = 0, n = strlen(want);

    while (len < n) {
        ssize_t more = pl_child_read(child, stream, got + len, n - len);

        CHECK(more > 0, want);
        len += (size_t)more;
    }
    CHECK_STR(want, pl_str(got, len), "what it says");
}

static int talk(void *arg)
{
    static const char *const cat[] = {
        "/bin/sh", "-c",
        "echo ready >&2; while read l; do echo \"<$l>\"; done; exit 7", NULL};
    struct pl_child *child;
    char byte;
    int status = -1, signal = -1;

    (void)arg;
    CHECK_INT(0, pl_child_start(cat, NULL, &child), "start");
    expect(child, PL_CHILD_ERR, "ready\n");
    CHECK_INT(0, pl_child_write(child, PL_STR("one\n")), "write");
    expect(child, PL_CHILD_OUT, "<one>\n");
    CHECK_INT(0, pl_child_write(child, PL_STR("two\nthree\n")), "write");
    expect(child, PL_CHILD_OUT, "<two>\n<three>\n");
    pl_child_close(child);
    CHECK_INT(PL_ERR_CLOSED, pl_child_write(child, PL_STR("x")), "closed");
    CHECK_INT(0, pl_child_read(child, PL_CHILD_OUT, &byte, 1), "the end");
    CHECK_INT(0, pl_child_read(child, PL_CHILD_ERR, &byte, 1), "the end");
    CHECK_INT(0, pl_child_wait(child, &status, &signal), "wait");
    CHECK_INT(7, status, "status");
    CHECK_INT(0, signal, "no signal");
    CHECK_INT(0, pl_child_wait(child, NULL, NULL), "again");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_child_kill(child, SIGTERM), "it is over");
    return 0;
}

static void test_straight_os__children_are_talked_to(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(talk, NULL), "talk");
}

enum { MUCH = 1 << 20 };

/* More than a pipe holds, while the child writes as much back. */
static int feed(void *arg)
{
    static char much[MUCH];

    pl_child_write(arg, pl_str(much, sizeof(much)));
    pl_child_close(arg);
    return 0;
}

static int pass_through(void *arg)
{
    static const char *const cat[] = {"cat", NULL};
    static char piece[10000];
    struct pl_child *child;
    size_t len = 0;
    ssize_t n;

    (void)arg;
    CHECK_INT(0, pl_child_start(cat, NULL, &child), "start");
    CHECK_INT(0, pl_spawn(NULL, feed, child), "spawn");
    while ((n = pl_child_read(child, PL_CHILD_OUT, piece, sizeof(piece))) > 0)
        len += (size_t)n;
    CHECK_INT(MUCH, len, "all of it");
    CHECK_INT(0, pl_child_wait(child, NULL, NULL), "wait");
    return 0;
}

static void test_straight_os__children_and_pipes_that_are_full(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(pass_through, NULL), "pass through");
}

/* The second is left to its end with the task. */
static int end_children(void *arg)
{
    static const char *const sleeper[] = {"sleep", "1000", NULL},
                             *const none[] = {"./none", NULL},
                             *const empty[] = {NULL};
    const struct pl_process_options options = {.size = sizeof(options),
                                               .input = PL_STR("x")};
    struct pl_child *child, *other;
    int status, signal;

    (void)arg;
    CHECK_INT(0, pl_child_start(sleeper, NULL, &child), "start");
    CHECK_INT(0, pl_child_start(sleeper, NULL, &other), "start");
    CHECK_INT(0, pl_child_kill(child, SIGKILL), "kill");
    CHECK_INT(0, pl_child_wait(child, &status, &signal), "wait");
    CHECK_INT(SIGKILL, signal, "signal");
    CHECK_INT(128 + SIGKILL, status, "as in a shell");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_child_start(none, NULL, &child), "none");
    CHECK_INT(PL_ERR_INVALID, pl_child_start(empty, NULL, &child), "empty");
    CHECK_INT(PL_ERR_INVALID, pl_child_start(sleeper, &options, &child),
              "it has an input");
    return 0;
}

static void test_straight_os__children_end_with_their_task(void **state)
{
    (void)state;
    CHECK_INT(0, on_fiber(end_children, NULL), "children");
}

static void test_straight_os__only_where_one_may_wait(void **state)
{
    static const char *const argv[] = {"true", NULL};
    struct pl_process_result result;
    struct pl_str content;

    (void)state;
    CHECK_INT(PL_ERR_STATE, pl_fs_read(NULL, "a", 1, &content), "read");
    CHECK_INT(PL_ERR_STATE, pl_process_run(NULL, argv, NULL, &result), "run");
    CHECK_INT(PL_ERR_STATE, pl_child_start(argv, NULL, NULL), "start");
}

RUN_TESTS(OS_TEST(test_straight_os__files), OS_TEST(test_straight_os__folders),
          OS_TEST(test_straight_os__processes),
          OS_TEST(test_straight_os__children_are_talked_to),
          OS_TEST(test_straight_os__children_and_pipes_that_are_full),
          OS_TEST(test_straight_os__children_end_with_their_task),
          OS_TEST(test_straight_os__only_where_one_may_wait))
