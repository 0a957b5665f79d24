/* test_files.c - what a worker keeps of files: for how long, how much, and who
 * waits for what has to be fetched; with real files and threads. */
#include "world.h"

#include <sched.h>
#include <stdlib.h>

#include "base/faults.h"
#include "handlers/files.h"
#include "loop/offload.h"

static char folder[] = "/tmp/perilune-files-XXXXXX";
static struct pl_offload *offload;
static struct pl_http http;
static struct pl_net net;
static struct pl_files *files;
static struct pl_file_root *root;

/* ---- a folder ---- */

static const char *in_folder(const char *name)
{
    static char path[2][512];
    static unsigned turn_of;
    char *to = path[turn_of++ % 2];

    snprintf(to, sizeof(path[0]), "%s/%s", folder, name);
    return to;
}

static void write_text(const char *name, const char *text)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    CHECK(fd >= 0, name);
    CHECK_INT(0, ftruncate(fd, 0), name);
    CHECK_INT(strlen(text), write(fd, text, strlen(text)), name);
    close(fd);
}

static void write_large(const char *name, size_t len)
{
    write_text(name, "x");
    CHECK_INT(0, truncate(in_folder(name), (off_t)len), name);
}

static int make_folder(void **state)
{
    (void)state;
    CHECK(mkdtemp(folder) != NULL, "folder");
    return 0;
}

static int remove_folder(void **state)
{
    char command[600];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

/* ---- a worker ---- */

static void open_world(size_t limit, unsigned descriptors, bool threads)
{
    struct pl_loop_options options = {
        .backend = &pl_epoll, .clock = pl_fake_clock, .clock_arg = &clock_ns};
    int fd;

    clock_ns = 1000 * MS;
    offload = NULL;
    CHECK_INT(0, pl_loop_new(&options, &loop), "loop");
    if (threads)
        CHECK_INT(0, pl_offload_new(1, 16, &offload), "threads");
    CHECK_INT(0, pl_sched_init(&sched, loop, offload), "sched");
    files = pl_files_new(&sched, limit, descriptors);
    CHECK(files != NULL, "files");
    net.loop = loop;
    http = (struct pl_http){.net = &net, .sched = &sched, .files = files};
    fd = pl_file_open_root(folder);
    CHECK(fd >= 0, "root");
    root = pl_file_root_new(fd, PL_LINKS_INSIDE, "index.html");
    CHECK(root != NULL, "root");
    root->period = 1000 * MS;
}

static int make_files(void **state)
{
    (void)state;
    open_world(1 << 20, 8, false);
    return 0;
}

static int make_threaded(void **state)
{
    (void)state;
    open_world(1 << 20, 8, true);
    return 0;
}

static int end_files(void **state)
{
    pl_file_root_drop(root);
    if (offload != NULL)
        pl_offload_free(offload);
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    CHECK_INT(0, pl_loop_step(loop, 0) < 0, "turn");
    pl_memo_clear(&files->memo);
    CHECK_INT(0, files->account.used, "all memory is back");
    CHECK_INT(0, files->descriptors, "all descriptors are back");
    pl_files_free(files);
    return end_world(state);
}

static struct pl_file_name name_of(const char *path)
{
    return (struct pl_file_name){.root = root, .path = pl_str_c(path)};
}

static struct pl_file *get(const char *path)
{
    struct pl_file_name name = name_of(path);
    struct pl_file *file;

    CHECK_INT(0, pl_files_get(&http, &name, &file), path);
    return file;
}

static bool is_kept(const char *path)
{
    struct pl_file_name name = name_of(path);
    struct pl_file *file = pl_files_peek(files, &name, clock_ns);

    if (file != NULL)
        pl_file_drop(file);
    return file != NULL;
}

static void check_body(const char *path, const char *want, const char *what)
{
    struct pl_file *file = get(path);
    const struct pl_file_version *plain = &file->versions[PL_FILE_PLAIN];

    CHECK(plain->body != NULL, what);
    CHECK_STR(want, pl_str(plain->body, (size_t)plain->state.size), what);
    pl_file_drop(file);
}

/* Time without a turn: nothing is swept. */
static void wait_ms(uint64_t ms)
{
    clock_ns += ms * MS;
    pl_loop_update_now(loop);
}

/* ---- how long ---- */

static void test_files__changes_are_seen_after_the_period(void **state)
{
    (void)state;
    write_text("a", "first");
    check_body("a", "first", "new");
    write_text("b", "other");
    CHECK_INT(0, rename(in_folder("b"), in_folder("a")), "replace");
    wait_ms(999);
    check_body("a", "first", "replaced, within the period");
    wait_ms(1);
    check_body("a", "other", "replaced, after the period");
    write_text("a", "third");
    wait_ms(999);
    check_body("a", "other", "written in place, within the period");
    wait_ms(1);
    check_body("a", "third", "written in place, after the period");
    unlink(in_folder("a"));
    wait_ms(999);
    check_body("a", "third", "deleted, within the period");
    wait_ms(1);
    CHECK(!is_kept("a"), "deleted, after the period");
}

/* Two contents of the same size within one tick of the file system's clock. */
static void test_files__a_young_file_is_read_again(void **state)
{
    char text[2] = "a";

    (void)state;
    for (int i = 0; i < 20; i++) {
        text[0] = (char)('a' + i);
        write_text("young", text);
        wait_ms(1000);
        check_body("young", text, "the last content");
    }
}

static void test_files__period_0_looks_every_time(void **state)
{
    (void)state;
    root->period = 0;
    write_text("a", "first");
    check_body("a", "first", "new");
    write_text("a", "second");
    check_body("a", "second", "changed");
    CHECK(!is_kept("a"), "never without a look");
}

static void test_files__an_old_file_is_only_looked_at(void **state)
{
    struct pl_file *before, *after;

    (void)state;
    write_large("large", PL_FILE_SMALL + 1);
    before = get("large");
    wait_ms(1000);
    pl_faults_reset();
    after = get("large");
    CHECK(before == after, "the same");
    CHECK_INT(0, pl_faults_count(PL_SYS_openat2), "not opened");
    pl_file_drop(before);
    pl_file_drop(after);
}

static void test_files__what_nobody_asks_for_goes(void **state)
{
    (void)state;
    write_text("a", "text");
    write_large("large", PL_FILE_SMALL + 1);
    check_body("a", "text", "kept");
    pl_file_drop(get("large"));
    CHECK_INT(1, files->descriptors, "one is open");
    for (int i = 0; i < 8; i++) {
        pass(10000);
        check_body("a", "text", "used");
    }
    CHECK_INT(0, files->descriptors, "not asked for in a minute");
    CHECK_INT(1, files->memo.table.count, "the other is");
    for (int i = 0; i < 8; i++)
        pass(10000);
    CHECK_INT(0, files->memo.table.count, "now both");
    CHECK(!files->sweep.armed, "nothing wakes the loop any more");
}

/* ---- how much ---- */

static void test_files__keep_to_their_limits(void **state)
{
    char path[32];

    (void)state;
    pl_files_limit(files, 64 << 10, 3);
    for (int i = 0; i < 50; i++) {
        snprintf(path, sizeof(path), "small%d", i);
        write_large(path, 10000);
        pl_file_drop(get(path));
        CHECK(files->account.used <= 64 << 10, "memory");
    }
    CHECK(files->memo.table.count > 3, "several are kept");
    for (int i = 0; i < 10; i++) {
        snprintf(path, sizeof(path), "large%d", i);
        write_large(path, PL_FILE_SMALL + 1);
        pl_file_drop(get(path));
        CHECK(files->descriptors <= 3, "descriptors");
    }
}

static void test_files__one_in_use_outlives_its_place(void **state)
{
    struct pl_file *file;

    (void)state;
    write_text("a", "kept");
    file = get("a");
    pl_memo_clear(&files->memo);
    CHECK_STR("kept", pl_str(file->versions[PL_FILE_PLAIN].body, 4), "body");
    CHECK(files->account.used > 0, "is counted");
    pl_file_drop(file);
    CHECK_INT(0, files->account.used, "until it goes");
}

static void test_files__without_room_nothing_is_kept(void **state)
{
    (void)state;
    pl_files_limit(files, 0, 8);
    write_text("a", "text");
    check_body("a", "text", "found");
    CHECK_INT(0, files->memo.table.count, "not kept");
    pl_files_limit(files, 1 << 20, 0);
    write_large("large", PL_FILE_SMALL + 1);
    pl_file_drop(get("large"));
    CHECK_INT(0, files->memo.table.count, "no descriptor to keep it with");
}

/* Descriptors that are kept are given up for one that is needed. */
static void test_files__make_room_for_a_descriptor(void **state)
{
    (void)state;
    write_large("large", PL_FILE_SMALL + 1);
    write_text("a", "text");
    pl_file_drop(get("large"));
    pl_faults_reset();
    pl_faults_fail_nth(PL_SYS_openat2, 1, EMFILE);
    check_body("a", "text", "opened after all");
    pl_faults_reset();
}

/* ---- fetching ---- */

static void run_until(const struct pl_op *op)
{
    while (op->state != PL_OP_DONE)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
}

/* As on a disk of which nothing may be asked on the loop. */
static void begin(struct pl_file_op *op, const char *path)
{
    struct pl_file_name name = name_of(path);
    struct pl_file *file;

    if (!root->remote) /* a thread may be looking */
        root->remote = true;
    CHECK_INT(PL_ERR_AGAIN, pl_files_get(&http, &name, &file), "not at hand");
    pl_file_begin(op, &http, &name);
}

static void test_files__are_fetched_once_for_all(void **state)
{
    struct pl_file_op ops[4];

    (void)state;
    write_text("a", "text");
    for (size_t i = 0; i < PL_COUNT(ops); i++)
        begin(&ops[i], "a");
    CHECK_INT(1, sched.jobs, "one job");
    pl_op_cancel(&ops[1].op);
    CHECK_INT(PL_ERR_CANCELED, ops[1].op.result, "canceled");
    CHECK(ops[1].file == NULL, "and has nothing");
    for (size_t i = 0; i < PL_COUNT(ops); i++) {
        run_until(&ops[i].op);
        if (i == 1)
            continue;
        CHECK_INT(0, ops[i].op.result, "fetched");
        CHECK(ops[i].file == ops[0].file, "the same for all");
    }
    for (size_t i = 0; i < PL_COUNT(ops); i++)
        if (i != 1)
            pl_file_drop(ops[i].file);
    check_body("a", "text", "and kept");
}

static void test_files__all_who_wait_hear_of_a_failure(void **state)
{
    struct pl_file_op ops[2];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(ops); i++)
        begin(&ops[i], "nowhere");
    for (size_t i = 0; i < PL_COUNT(ops); i++) {
        run_until(&ops[i].op);
        CHECK_INT(PL_ERR_NOT_FOUND, ops[i].op.result, "not found");
    }
    CHECK_INT(0, files->memo.table.count, "not kept");
}

static void test_files__the_last_who_waits_may_go(void **state)
{
    struct pl_file_op op;

    (void)state;
    write_text("a", "text");
    begin(&op, "a");
    pl_op_cancel(&op.op);
    CHECK_INT(PL_OP_DONE, op.op.state, "over at once");
    while (sched.jobs > 0)
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    turn(2);
    check_body("a", "text", "kept for the next one");
}

/* Of a remote file system every look is a thread's. */
static void test_files__remote_ones_are_looked_at_by_threads(void **state)
{
    struct pl_file_op op;
    struct pl_file *file;

    (void)state;
    write_large("far", PL_FILE_SMALL + 1);
    begin(&op, "far");
    run_until(&op.op);
    CHECK_INT(0, op.op.result, "fetched");
    file = op.file;
    CHECK(is_kept("far"), "kept");
    wait_ms(1000);
    begin(&op, "far");
    run_until(&op.op);
    CHECK(op.file == file, "as it was");
    CHECK(is_kept("far"), "and good for another period");
    pl_file_drop(op.file);
    wait_ms(1000);
    write_large("far", PL_FILE_SMALL + 2);
    begin(&op, "far");
    run_until(&op.op);
    CHECK(op.file != file, "changed");
    CHECK_INT(PL_FILE_SMALL + 2, op.file->versions[PL_FILE_PLAIN].state.size,
              "size");
    pl_file_drop(op.file);
    pl_file_drop(file);
}

/* What is not in memory is a thread's, too: here all that preadv2 reads. */
static void test_files__cold_bodies_are_read_by_threads(void **state)
{
    struct pl_file_op op;
    struct pl_file_name name = name_of("cold");
    struct pl_file *file;
    int err;

    (void)state;
    write_text("cold", "text");
    pl_faults_reset();
    pl_faults_fail_nth(PL_SYS_preadv2, 1, EAGAIN);
    err = pl_files_get(&http, &name, &file);
    CHECK(err == 0 || pl_faults_hit(), "only by a fault");
    pl_faults_reset();
    if (err == 0) {
        pl_file_drop(file);
        return;
    }
    CHECK_INT(PL_ERR_AGAIN, err, "would wait");
    pl_file_begin(&op, &http, &name);
    run_until(&op.op);
    CHECK_INT(0, op.op.result, "fetched");
    pl_file_drop(op.file);
}

static void test_files__survive_faults(void **state)
{
    static const struct {
        enum pl_sys_call call;
        int error;
    } faults[] = {
        {PL_SYS_malloc, ENOMEM},  {PL_SYS_openat2, EMFILE},
        {PL_SYS_openat2, EAGAIN}, {PL_SYS_openat2, EACCES},
        {PL_SYS_preadv2, EIO},    {PL_SYS_preadv2, EOPNOTSUPP},
        {PL_SYS_fstat, EIO},      {PL_SYS_fstatat, EIO},
        {PL_SYS_thread, EAGAIN},
    };
    const struct pl_file_name names[] = {name_of("a"), name_of("large"),
                                         name_of("link")};

    (void)state;
    root->codings = true;
    write_text("a", "text");
    write_text("a.gz", "text");
    write_large("large", PL_FILE_SMALL + 1);
    CHECK_INT(0, symlink("a", in_folder("link")), "link");
    for (size_t i = 0; i < PL_COUNT(faults) * PL_COUNT(names); i++) {
        const struct pl_file_name *name = &names[i % PL_COUNT(names)];

        FOR_EACH_FAULT (faults[i / PL_COUNT(names)].call,
                        faults[i / PL_COUNT(names)].error) {
            struct pl_file_op op;
            struct pl_file *file;
            int err = pl_files_get(&http, name, &file);

            if (err == PL_ERR_AGAIN) {
                pl_file_begin(&op, &http, name);
                run_until(&op.op);
                err = op.op.result;
                file = op.file;
            }
            CHECK(err == 0 || pl_faults_hit(), "an error has a reason");
            if (err == 0)
                pl_file_drop(file);
            wait_ms(1000);
            pl_memo_clear(&files->memo);
        }
    }
}

#define KEEPING(name)                                                          \
    cmocka_unit_test_setup_teardown(name, make_files, end_files)
#define THREADED(name)                                                         \
    cmocka_unit_test_setup_teardown(name, make_threaded, end_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEPING(test_files__changes_are_seen_after_the_period),
        KEEPING(test_files__a_young_file_is_read_again),
        KEEPING(test_files__period_0_looks_every_time),
        KEEPING(test_files__an_old_file_is_only_looked_at),
        KEEPING(test_files__what_nobody_asks_for_goes),
        KEEPING(test_files__keep_to_their_limits),
        KEEPING(test_files__one_in_use_outlives_its_place),
        KEEPING(test_files__without_room_nothing_is_kept),
        KEEPING(test_files__make_room_for_a_descriptor),
        THREADED(test_files__are_fetched_once_for_all),
        THREADED(test_files__all_who_wait_hear_of_a_failure),
        THREADED(test_files__the_last_who_waits_may_go),
        THREADED(test_files__remote_ones_are_looked_at_by_threads),
        THREADED(test_files__cold_bodies_are_read_by_threads),
        THREADED(test_files__survive_faults),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
