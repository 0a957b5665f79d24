/* test_straight_os.c - files and processes in straight lines, from C. */
#include "os_world.h"

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

static void test_straight_os__only_where_one_may_wait(void **state)
{
    static const char *const argv[] = {"true", NULL};
    struct pl_process_result result;
    struct pl_str content;

    (void)state;
    CHECK_INT(PL_ERR_STATE, pl_fs_read(NULL, "a", 1, &content), "read");
    CHECK_INT(PL_ERR_STATE, pl_process_run(NULL, argv, NULL, &result), "run");
}

RUN_TESTS(OS_TEST(test_straight_os__files),
          OS_TEST(test_straight_os__processes),
          OS_TEST(test_straight_os__only_where_one_may_wait))
