/* test_temp.c - temporary files with real threads in a folder of their own,
 * while each call fails in turn, where calls can. */
#include "world.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/faults.h"
#include "loop/offload.h"
#include "os/temp.h"

static struct pl_offload *offload;
static char folder[64], target[128];

static int make_folder(void **state)
{
    struct pl_loop_options options = {.backend = &pl_epoll};

    (void)state;
    strcpy(folder, "/tmp/test_temp.XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "folder");
    snprintf(target, sizeof(target), "%s/target", folder);
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    CHECK_INT(0, pl_offload_new(2, 16, &offload), "offload");
    CHECK_INT(0, pl_sched_init(&sched, loop, offload), "sched");
    return 0;
}

static int end_folder(void **state)
{
    pl_faults_reset();
    pl_offload_free(offload);
    while (!pl_sched_idle(&sched))
        turn(1);
    unlink(target);
    CHECK_INT(0, rmdir(folder), "no file is left");
    return end_world(state);
}

/* ---- operations, waited for ---- */

static int got;

static void on_done(struct pl_temp_op *op, int result)
{
    (void)op;
    got = result;
}

/* For the next operation. */
static struct pl_temp_op *op(void)
{
    static struct pl_temp_op the_op;

    the_op.done = on_done;
    got = 1;
    return &the_op;
}

static int result(void)
{
    while (got == 1)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    return got;
}

static int write_text(struct pl_temp *temp, const char *text)
{
    pl_temp_write(op(), temp, pl_str_c(text));
    return result();
}

static int keep(struct pl_temp *temp)
{
    pl_temp_keep(op(), temp);
    return result();
}

/* Gone, and its descriptor too. */
static void end(struct pl_temp *temp)
{
    pl_temp_free(temp);
    while (sched.jobs > 0 || sched.head != NULL)
        turn(1);
}

static void check_target(const char *want, unsigned mode, const char *what)
{
    char text[64] = "";
    struct stat st;
    FILE *in = fopen(target, "r");

    CHECK(in != NULL && fstat(fileno(in), &st) == 0, what);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    CHECK_STR(want, pl_str_c(text), what);
    CHECK_INT(mode, st.st_mode & 07777, what);
}

static unsigned count_files(void)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

/* ---- */

static void test_temp__is_written_and_read_back(void **state)
{
    struct pl_temp *temp =
        pl_temp_new(&sched, &(struct pl_temp_spec){.folder = folder});
    char text[8] = "";

    (void)state;
    CHECK_INT(0, write_text(temp, "abc"), "write");
    CHECK_INT(0, write_text(temp, "def"), "write");
    CHECK_INT(6, pl_temp_size(temp), "size");
    pl_temp_read(op(), temp, 1, text, 4);
    CHECK_INT(0, result(), "read");
    CHECK_STR("bcde", pl_str_c(text), "read");
    pl_temp_read(op(), temp, 4, text, 4);
    CHECK_INT(PL_ERR_IO, result(), "beyond the end");
    CHECK_INT(0, count_files(), "it has no name");
    end(temp);
}

static void test_temp__is_somewhere_without_being_told(void **state)
{
    struct pl_temp *temp = pl_temp_new(&sched, &(struct pl_temp_spec){0});

    (void)state;
    CHECK_INT(0, write_text(temp, "abc"), "write");
    end(temp);
    temp = pl_temp_new(&sched, &(struct pl_temp_spec){.folder = "/no/such"});
    CHECK_INT(PL_ERR_NOT_FOUND, write_text(temp, "abc"), "no folder");
    end(temp);
}

static void test_temp__becomes_its_target_at_once(void **state)
{
    struct pl_temp_spec spec = {.target = target, .mode = 0640};
    struct pl_temp *temp = pl_temp_new(&sched, &spec);

    (void)state;
    CHECK_INT(0, write_text(temp, "one"), "write");
    CHECK_INT(0, count_files(), "not yet");
    CHECK_INT(0, keep(temp), "keep");
    end(temp);
    check_target("one", 0640, "new");
    spec.mode = 0600;
    spec.sync = true;
    temp = pl_temp_new(&sched, &spec);
    CHECK_INT(0, keep(temp), "empty");
    end(temp);
    check_target("", 0600, "replaced");
    spec.exclusive = true;
    temp = pl_temp_new(&sched, &spec);
    CHECK_INT(0, write_text(temp, "three"), "write");
    CHECK_INT(PL_ERR_EXISTS, keep(temp), "exclusive");
    end(temp);
    check_target("", 0600, "left alone");
    CHECK_INT(1, count_files(), "nothing else");
}

static void test_temp__is_relative_to_where_it_runs(void **state)
{
    static const struct pl_temp_spec spec = {.target = "target", .mode = 0644};
    struct pl_temp *temp;
    char before[4096];

    (void)state;
    CHECK(getcwd(before, sizeof(before)) != NULL && chdir(folder) == 0, "cd");
    temp = pl_temp_new(&sched, &spec);
    CHECK_INT(0, keep(temp), "keep");
    end(temp);
    CHECK_INT(0, chdir(before), "cd");
    check_target("", 0644, "there");
}

static void test_temp__is_copied(void **state)
{
    struct pl_temp_spec spec = {.target = target, .mode = 0644};
    struct pl_temp *from =
        pl_temp_new(&sched, &(struct pl_temp_spec){.folder = "/dev/shm"});
    struct pl_temp *temp = pl_temp_new(&sched, &spec);

    (void)state; /* between two file systems, where /tmp is on a disk */
    CHECK_INT(0, write_text(from, "copied"), "write");
    pl_temp_copy(op(), temp, from);
    CHECK_INT(0, result(), "copy");
    CHECK_INT(0, write_text(temp, "!"), "and more");
    CHECK_INT(7, pl_temp_size(temp), "size");
    CHECK_INT(0, keep(temp), "keep");
    check_target("copied!", 0644, "copy");
    end(temp);
    end(from);
}

/* All of it, over an old target. 0 or the first error. */
static int copy_and_keep(void)
{
    struct pl_temp_spec spec = {.target = target, .mode = 0644, .sync = true};
    struct pl_temp *from =
        pl_temp_new(&sched, &(struct pl_temp_spec){.folder = folder});
    struct pl_temp *temp = pl_temp_new(&sched, &spec);
    char text[4] = "";
    int err = from == NULL || temp == NULL ? PL_ERR_NOMEM : 0;

    if (err == 0)
        err = write_text(from, "new");
    if (err == 0) {
        pl_temp_read(op(), from, 0, text, 3);
        err = result();
    }
    if (err == 0) {
        pl_temp_copy(op(), temp, from);
        err = result();
    }
    if (err == 0)
        err = keep(temp);
    end(temp);
    end(from);
    return err;
}

static void write_old(void)
{
    FILE *out = fopen(target, "w");

    fputs("old", out);
    fclose(out);
    chmod(target, 0644);
}

/* The target is the old one or the new one, and nothing lies beside it. */
static void check_each(enum pl_sys_call call, int error)
{
    FOR_EACH_FAULT (call, error) {
        int err;

        write_old();
        err = copy_and_keep();
        CHECK(err == 0 || pl_faults_hit(), pl_err_name(err));
        if (err == 0)
            check_target("new", 0644, "new");
        else if (call != PL_SYS_fsync && call != PL_SYS_open)
            check_target("old", 0644, "old"); /* those sync the folder, too */
        CHECK_INT(1, count_files(), "nothing else");
    }
}

static void test_temp__leaves_no_half_whatever_fails(void **state)
{
    static const enum pl_sys_call calls[] = {
        PL_SYS_open,   PL_SYS_write,  PL_SYS_pread,    PL_SYS_copy_file_range,
        PL_SYS_fchmod, PL_SYS_fsync,  PL_SYS_renameat, PL_SYS_linkat,
        PL_SYS_malloc, PL_SYS_thread, PL_SYS_close,
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(calls); i++)
        check_each(calls[i], calls[i] == PL_SYS_write ? ENOSPC : EIO);
    check_each(PL_SYS_linkat, EEXIST);
    check_each(PL_SYS_linkat, ENOENT);
    check_each(PL_SYS_copy_file_range, EXDEV);
    check_each(PL_SYS_open, EOPNOTSUPP); /* files with names, then */
}

static void test_temp__goes_on_after_short_and_interrupted_calls(void **state)
{
    (void)state;
    write_old();
    pl_faults_shorten(PL_SYS_pread, 1);
    pl_faults_shorten(PL_SYS_copy_file_range, 1);
    pl_faults_eintr(PL_SYS_write, 2);
    pl_faults_eintr(PL_SYS_pread, 2);
    pl_faults_eintr(PL_SYS_copy_file_range, 2);
    CHECK_INT(0, copy_and_keep(), "all of it");
    check_target("new", 0644, "all of it");
}

#define TEMP_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, make_folder, end_folder)

RUN_TESTS(TEMP_TEST(test_temp__is_written_and_read_back),
          TEMP_TEST(test_temp__is_somewhere_without_being_told),
          TEMP_TEST(test_temp__becomes_its_target_at_once),
          TEMP_TEST(test_temp__is_relative_to_where_it_runs),
          TEMP_TEST(test_temp__is_copied),
          TEMP_TEST(test_temp__leaves_no_half_whatever_fails),
          TEMP_TEST(test_temp__goes_on_after_short_and_interrupted_calls))
