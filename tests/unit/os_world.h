/* os_world.h - a worker with a real loop and real offload threads, and a folder
 * of its own that the test stands in. */
#ifndef PL_TESTS_OS_WORLD_H
#define PL_TESTS_OS_WORLD_H

#include "world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/faults.h"
#include "loop/offload.h"

static struct pl_offload *offload;
static char os_folder[] = "/tmp/pl-os-XXXXXX";
static char os_name[sizeof(os_folder)];

static int make_os_world_of(unsigned threads)
{
    struct pl_loop_options options = {.backend = &pl_epoll};

    memcpy(os_name, os_folder, sizeof(os_folder));
    CHECK(mkdtemp(os_name) != NULL && chdir(os_name) == 0, "folder");
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_offload_new(threads, 1024, &offload), "offload");
    CHECK_INT(0, pl_sched_init(&sched, loop, offload), "sched");
    return 0;
}

PL_UNUSED static int make_os_world(void **state)
{
    (void)state;
    return make_os_world_of(2);
}

PL_UNUSED static int end_os_world(void **state)
{
    char line[64];

    (void)state;
    pl_faults_reset();
    pl_offload_free(offload);
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    snprintf(line, sizeof(line), "rm -rf %s", os_name);
    CHECK(chdir("/") == 0 && system(line) == 0, "clean up");
    return end_world(state);
}

PL_UNUSED static void run_until(const struct pl_op *op)
{
    while (op->state != PL_OP_DONE)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
}

/* Runs fn(arg) on a fiber to its end, and all that it has left behind. */
PL_UNUSED static int on_fiber(int (*fn)(void *arg), void *arg)
{
    struct pl_join_op join;
    int err = pl_fiber_spawn(&sched, NULL, fn, arg, &join);

    if (err < 0) {
        CHECK(pl_faults_hit(), "spawn");
        return err;
    }
    run_until(&join.op);
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    return join.op.result;
}

PL_UNUSED static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0, path);
    fclose(file);
}

PL_UNUSED static void check_file(const char *path, const char *want)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");

    CHECK(file != NULL, path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    CHECK_STR(want, pl_str_c(text), path);
}

PL_UNUSED static int count_names(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;

    CHECK(folder != NULL, path);
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n - 2; /* "." and ".." */
}

#define OS_TEST(name)                                                          \
    cmocka_unit_test_setup_teardown(name, make_os_world, end_os_world)

#endif
