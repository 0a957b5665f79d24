/* test_fs.c - calls of the file system, with real threads and a real folder. */
#include "os_world.h"

#include <stdatomic.h>
#include <sys/resource.h>

#include "os/fs.h"

/* What the last call has said and found out. */
static char problem[512];
static char text[4096];
static struct stat found;
static int64_t number;

struct errand {
    int (*work)(struct pl_fs_call *call);
    struct pl_fs_args args;
};

static int run_errand(void *arg)
{
    const struct errand *errand = arg;
    struct pl_fs_call *call = pl_fs_call_new(errand->work, &errand->args);
    struct pl_fs_op op;
    int result;

    if (call == NULL)
        return PL_ERR_NOMEM;
    pl_fs_begin(&op, &sched, call);
    result = pl_op_wait(&op.offload.op);
    if (result != PL_ERR_CANCELED) {
        pl_fs_message(call, result, problem, sizeof(problem));
        found = call->st;
        number = call->number;
        text[0] = '\0';
        if (call->out != NULL && call->out_len < sizeof(text)) {
            memcpy(text, call->out, call->out_len);
            text[call->out_len] = '\0';
        }
    }
    pl_fs_call_drop(call);
    return result;
}

/* What a test does not say is as a caller would have it. */
static int do_call(int (*work)(struct pl_fs_call *call),
                   const struct pl_fs_args *args)
{
    struct errand errand = {work, *args};

    if (args->length == 0)
        errand.args.length = UINT64_MAX;
    if (args->max == 0)
        errand.args.max = 1 << 20;
    if (args->mode == 0)
        errand.args.mode = PL_FS_NO_MODE;
    if (args->time.tv_sec == 0)
        errand.args.time.tv_nsec = UTIME_NOW;
    return on_fiber(run_errand, &errand);
}

#define DO(verb, ...)                                                          \
    do_call(pl_fs_do_##verb, &(struct pl_fs_args){__VA_ARGS__})
#define PATH(name) .path = PL_STR(name)
#define TO(name) .to = PL_STR(name)

/* ---- reading ---- */

static void test_fs__reads_whole_files_and_parts(void **state)
{
    (void)state;
    put_file("a", "0123456789");
    CHECK_INT(0, DO(read, PATH("a")), "whole");
    CHECK_STR("0123456789", pl_str_c(text), "whole");
    CHECK_INT(0, DO(read, PATH("a"), .offset = 3, .length = 4), "part");
    CHECK_STR("3456", pl_str_c(text), "part");
    CHECK_INT(0, DO(read, PATH("a"), .offset = 11), "beyond");
    CHECK_STR("", pl_str_c(text), "beyond the end");
    CHECK_INT(0, DO(read, PATH("a"), .max = 10), "just at the limit");
    CHECK_INT(PL_ERR_LIMIT, DO(read, PATH("a"), .max = 9), "over it");
    CHECK_INT(0, DO(read, PATH("a"), .max = 4, .length = 4), "not asked for");
    CHECK_INT(0, DO(read, PATH("/proc/self/status")), "size 0, but not empty");
    CHECK(strstr(text, "Pid:") != NULL, text);
}

static void test_fs__refuses_what_is_no_file(void **state)
{
    static const char long_name[300] = {[0 ... 298] = 'x'};

    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, DO(read, PATH("none")), "missing");
    CHECK_STR("none: No such file or directory", pl_str_c(problem), "why");
    CHECK_INT(PL_ERR_INVALID, DO(read, PATH(".")), "a folder");
    CHECK_INT(PL_ERR_INVALID, DO(read, PATH("/dev/zero")), "a device");
    CHECK_INT(PL_ERR_INVALID, DO(read, PATH("a\0b")), "NUL");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(read, PATH("")), "no name");
    CHECK_INT(PL_ERR_TOO_LONG, DO(read, .path = pl_str_c(long_name)), "long");
    CHECK(symlink("loop", "loop") == 0, "loop");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(read, PATH("loop")), "loop");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(write, PATH("loop")), "loop");
}

/* Nobody is at the other end: a plain open() would wait for ever. */
static void test_fs__never_waits_for_a_pipe(void **state)
{
    (void)state;
    CHECK(mkfifo("pipe", 0600) == 0, "pipe");
    CHECK_INT(PL_ERR_INVALID, DO(read, PATH("pipe")), "read");
    CHECK_INT(PL_ERR_INVALID, DO(write, PATH("pipe")), "write");
    CHECK_INT(PL_ERR_INVALID, DO(write, PATH("pipe"), .flags = PL_FS_IN_PLACE),
              "write in place");
    CHECK_INT(PL_ERR_INVALID, DO(copy, PATH("pipe"), TO("a")), "copy");
    CHECK_INT(PL_ERR_INVALID, DO(open, PATH("pipe"), .how = O_RDONLY), "open");
    CHECK_INT(0, DO(stat, PATH("pipe")), "stat");
    CHECK_STR("pipe", pl_str_c(pl_fs_type(found.st_mode)), "type");
}

/* ---- writing ---- */

static void test_fs__writes_by_way_of_a_new_file(void **state)
{
    struct stat before, after;

    (void)state;
    put_file("a", "old");
    CHECK(chmod("a", 0640) == 0 && symlink("a", "link") == 0, "set up");
    CHECK(stat("a", &before) == 0, "before");
    CHECK_INT(0, DO(write, PATH("link"), .data = PL_STR("new")), "write");
    check_file("a", "new");
    CHECK(stat("a", &after) == 0 && lstat("link", &before) == 0, "after");
    CHECK(S_ISLNK(before.st_mode), "the link stays");
    CHECK_INT(0100640, after.st_mode, "the permissions stay");
    CHECK_INT(0,
              DO(write, PATH("a"), .data = PL_STR("x"), .mode = 0600,
                 .flags = PL_FS_SYNC),
              "mode");
    CHECK(stat("a", &after) == 0 && after.st_mode == 0100600, "mode");
    CHECK_INT(2, count_names("."), "nothing is left beside it");
}

static void test_fs__appends_and_writes_in_place(void **state)
{
    struct stat before, after;

    (void)state;
    put_file("a", "old");
    CHECK(stat("a", &before) == 0, "before");
    CHECK_INT(0,
              DO(write, PATH("a"), .data = PL_STR("+"), .flags = PL_FS_APPEND),
              "append");
    check_file("a", "old+");
    CHECK_INT(
        0, DO(write, PATH("a"), .data = PL_STR("n"), .flags = PL_FS_IN_PLACE),
        "in place");
    check_file("a", "n");
    CHECK(stat("a", &after) == 0 && before.st_ino == after.st_ino, "the same");
}

static void test_fs__exclusive_leaves_what_is_there(void **state)
{
    static const unsigned ways[] = {0, PL_FS_IN_PLACE};

    (void)state;
    put_file("a", "old");
    put_file("b", "other");
    for (size_t i = 0; i < PL_COUNT(ways); i++)
        CHECK_INT(PL_ERR_EXISTS,
                  DO(write, PATH("a"), .data = PL_STR("new"),
                     .flags = ways[i] | PL_FS_EXCLUSIVE),
                  "write");
    CHECK_INT(PL_ERR_EXISTS,
              DO(copy, PATH("b"), TO("a"), .flags = PL_FS_EXCLUSIVE), "copy");
    CHECK_STR("b, a: File exists", pl_str_c(problem), "both names");
    check_file("a", "old");
    CHECK_INT(0,
              DO(write, PATH("c"), .data = PL_STR("new"),
                 .flags = PL_FS_EXCLUSIVE | PL_FS_SYNC),
              "a new one");
    check_file("c", "new");
    CHECK_INT(3, count_names("."), "nothing is left beside them");
}

/* The limit on the size of files stands for a full disk. */
static void test_fs__full_disk_leaves_the_old_file(void **state)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY}, was;
    static char data[8192];

    (void)state;
    put_file("a", "old");
    put_file("b", "");
    CHECK(truncate("b", 8192) == 0, "a large one");
    CHECK(getrlimit(RLIMIT_FSIZE, &was) == 0, "limit");
    limit.rlim_max = was.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0, "limit");
    CHECK_INT(PL_ERR_LIMIT,
              DO(write, PATH("a"), .data = pl_str(data, sizeof(data))),
              "write");
    CHECK_INT(PL_ERR_LIMIT, DO(copy, PATH("b"), TO("a")), "copy");
    CHECK(setrlimit(RLIMIT_FSIZE, &was) == 0, "limit");
    check_file("a", "old");
    CHECK_INT(2, count_names("."), "nothing is left beside them");
}

static void test_fs__copies(void **state)
{
    struct stat st;

    (void)state;
    put_file("a", "content");
    CHECK(chmod("a", 0751) == 0, "mode");
    CHECK_INT(0, DO(copy, PATH("a"), TO("b")), "copy");
    check_file("b", "content");
    CHECK(stat("b", &st) == 0 && st.st_mode == 0100751, "mode");
    CHECK_INT(0, DO(copy, PATH("/proc/self/cmdline"), TO("c")), "of no size");
    CHECK(stat("c", &st) == 0 && st.st_size > 0, "content");
    CHECK_INT(PL_ERR_INVALID, DO(copy, PATH("a"), TO(".")), "to a folder");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(copy, PATH("a"), TO("x/y")), "nowhere");
    CHECK_INT(PL_ERR_INVALID, DO(copy, PATH("a"), TO("x\0y")), "NUL");
}

/* ---- folders ---- */

/* "f:a d:b ..." of the last list */
static const char *listed(const char *list, int64_t n)
{
    static char line[512];

    line[0] = '\0';
    for (; n > 0; n--) {
        size_t len = strlen(line);

        snprintf(line + len, sizeof(line) - len, "%s%c:%s", len > 0 ? " " : "",
                 list[0], list + 1);
        list += strlen(list) + 1;
    }
    return line;
}

static void test_fs__lists(void **state)
{
    (void)state;
    CHECK_INT(0, DO(mkdir, PATH("b/c"), .flags = PL_FS_PARENTS), "mkdir");
    put_file("z", "");
    put_file("a.txt", "");
    put_file("b/c/d.txt", "");
    CHECK(symlink("b", "link") == 0, "link");
    CHECK_INT(0, DO(list, PATH(".")), "list");
    CHECK_STR("f:a.txt d:b l:link f:z", pl_str_c(listed(text, number)), "flat");
    CHECK_INT(0, DO(list, PATH("link"), .flags = PL_FS_RECURSIVE), "list");
    CHECK_STR("d:c f:c/d.txt", pl_str_c(listed(text, number)),
              "a link that was named is followed");
    CHECK_INT(0, DO(list, PATH("."), TO("*.txt"), .flags = PL_FS_RECURSIVE),
              "list");
    CHECK_STR("f:a.txt f:b/c/d.txt", pl_str_c(listed(text, number)),
              "a link that was found is not");
    CHECK_INT(PL_ERR_LIMIT, DO(list, PATH("."), .max = 3), "limit");
    CHECK_INT(0, DO(list, PATH("."), .max = 4), "at the limit");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(list, PATH("z")), "a file");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(list, PATH("none")), "nothing");
}

static void test_fs__makes_folders(void **state)
{
    struct stat st;

    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, DO(mkdir, PATH("a/b")), "no parent");
    CHECK_INT(0, DO(mkdir, PATH("a/b//c/"), .flags = PL_FS_PARENTS), "all");
    CHECK_INT(0, DO(mkdir, PATH("a/b"), .flags = PL_FS_PARENTS), "is there");
    CHECK_INT(PL_ERR_EXISTS, DO(mkdir, PATH("a/b")), "is there");
    CHECK_INT(0, DO(mkdir, PATH("m"), .mode = 0777), "mode");
    CHECK(stat("m", &st) == 0 && st.st_mode == 040777, "not of the umask");
    put_file("f", "");
    CHECK_INT(PL_ERR_EXISTS, DO(mkdir, PATH("f"), .flags = PL_FS_PARENTS),
              "a file");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(mkdir, PATH("f/x"), .flags = PL_FS_PARENTS),
              "below a file");
}

static void test_fs__removes_without_following_links(void **state)
{
    (void)state;
    CHECK_INT(0, DO(mkdir, PATH("a/b"), .flags = PL_FS_PARENTS), "mkdir");
    CHECK_INT(0, DO(mkdir, PATH("out")), "mkdir");
    put_file("out/precious", "here");
    put_file("a/b/f", "");
    CHECK(symlink("../out", "a/link") == 0, "link");
    CHECK_INT(PL_ERR_EXISTS, DO(remove, PATH("a")), "not empty");
    CHECK_INT(0, DO(remove, PATH("a"), .flags = PL_FS_RECURSIVE), "all");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(stat, PATH("a")), "gone");
    check_file("out/precious", "here");
    CHECK(symlink("out", "link") == 0, "link");
    CHECK_INT(0, DO(remove, PATH("link"), .flags = PL_FS_RECURSIVE), "a link");
    check_file("out/precious", "here");
    CHECK_INT(PL_ERR_DENIED, DO(remove, PATH("/"), .flags = PL_FS_RECURSIVE),
              "the root");
    CHECK_INT(PL_ERR_NOT_FOUND, DO(remove, PATH("none")), "nothing");
}

static void test_fs__levels_of_folders_are_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < 140; i++)
        CHECK(mkdir("d", 0700) == 0 && chdir("d") == 0, "a level");
    CHECK(chdir(os_name) == 0, "back");
    CHECK_INT(PL_ERR_LIMIT, DO(list, PATH("."), .flags = PL_FS_RECURSIVE),
              "list");
    CHECK_INT(PL_ERR_LIMIT, DO(remove, PATH("d"), .flags = PL_FS_RECURSIVE),
              "remove");
    CHECK_STR("d: too many levels of folders", pl_str_c(problem), "why");
}

/* ---- names ---- */

static void test_fs__names(void **state)
{
    struct stat st;

    (void)state;
    put_file("a", "x");
    CHECK_INT(0, DO(rename, PATH("a"), TO("b")), "rename");
    CHECK_INT(0, DO(link, PATH("b"), TO("c")), "link");
    CHECK_INT(PL_ERR_EXISTS, DO(link, PATH("b"), TO("c")), "link again");
    CHECK_INT(0, DO(symlink, PATH("s"), TO("./b")), "symlink");
    CHECK_INT(0, DO(readlink, PATH("s")), "readlink");
    CHECK_STR("./b", pl_str_c(text), "as it was said");
    CHECK_INT(PL_ERR_INVALID, DO(readlink, PATH("b")), "no link");
    CHECK_INT(0, DO(realpath, PATH("s")), "realpath");
    CHECK(strstr(text, "/b") != NULL && text[0] == '/', text);
    CHECK_INT(0, DO(stat, PATH("s")), "stat");
    CHECK(S_ISREG(found.st_mode) && found.st_nlink == 2, "of the file");
    CHECK_INT(0, DO(stat, PATH("s"), .flags = PL_FS_LINK), "stat");
    CHECK(S_ISLNK(found.st_mode), "of the link");
    CHECK_INT(0, DO(chmod, PATH("b"), .mode = 0604), "chmod");
    CHECK(stat("b", &st) == 0 && st.st_mode == 0100604, "mode");
    CHECK_INT(0, DO(touch, PATH("t"), .time = {12, 500000000}), "touch");
    CHECK(stat("t", &st) == 0 && st.st_mtim.tv_sec == 12, "time");
    CHECK_INT(0, DO(touch, PATH("t")), "now");
    CHECK(stat("t", &st) == 0 && st.st_mtim.tv_sec > 12, "time");
    CHECK_INT(PL_ERR_UNSUPPORTED, DO(rename, PATH("b"), TO("/proc/b")),
              "another file system");
}

static void test_fs__temporary_names(void **state)
{
    struct stat st;

    (void)state;
    CHECK_INT(0, DO(temp, PATH(".")), "file");
    CHECK(stat(text, &st) == 0 && st.st_mode == 0100600, text);
    CHECK_INT(0, DO(temp, PATH("."), .flags = PL_FS_FOLDER), "folder");
    CHECK(stat(text, &st) == 0 && st.st_mode == 040700, text);
    CHECK_INT(PL_ERR_NOT_FOUND, DO(temp, PATH("none")), "nowhere");
}

/* ---- open files ---- */

static int use_file(void *arg)
{
    struct pl_fs_args args = {
        .path = PL_STR("a"), .how = O_RDWR, .mode = PL_FS_NO_MODE};
    struct pl_fs_call *call = pl_fs_call_new(pl_fs_do_open, &args);
    struct pl_fs_file *file;
    struct pl_fs_op op;

    (void)arg;
    pl_fs_begin(&op, &sched, call);
    CHECK_INT(0, pl_op_wait(&op.offload.op), "open");
    file = pl_fs_file_take(call->file);
    pl_fs_call_drop(call);
    args.file = file;
    args.length = 2;
    call = pl_fs_call_new(pl_fs_do_file_read, &args);
    atomic_store(&file->busy, true);
    pl_fs_begin(&op, &sched, call);
    CHECK_INT(0, pl_op_wait(&op.offload.op), "read");
    CHECK_STR("01", pl_str(call->out, call->out_len), "read");
    CHECK(!atomic_load(&file->busy), "free for the next call");
    pl_fs_call_drop(call);
    CHECK_INT(1, atomic_load(&file->refs), "only ours");
    pl_fs_file_drop(file);
    return 0;
}

static void test_fs__open_files_count_their_users(void **state)
{
    (void)state;
    put_file("a", "0123");
    CHECK_INT(0, on_fiber(use_file, NULL), "use");
}

/* ---- cancellation ---- */

static int gate[2];
static atomic_int started;

static int wait_at_gate(struct pl_fs_call *call)
{
    char c;

    atomic_fetch_add(&started, 1);
    CHECK_INT(1, read(gate[0], &c, 1), "gate");
    CHECK(atomic_load(&call->stop), "the job is told");
    return 0;
}

static void test_fs__canceled_caller_leaves_at_once(void **state)
{
    struct errand errand = {wait_at_gate, {.path = PL_STR("a")}};
    struct pl_task *task = pl_fiber_new(&sched, NULL, run_errand, &errand);
    struct pl_join_op join;

    (void)state;
    CHECK(pipe(gate) == 0, "gate");
    atomic_store(&started, 0);
    pl_task_join_begin(&join, task);
    pl_task_start(task);
    while (atomic_load(&started) == 0)
        sched_yield();
    pl_task_cancel(task);
    run_until(&join.op);
    CHECK_INT(PL_ERR_CANCELED, join.op.result, "canceled");
    CHECK_INT(1, sched.jobs, "the job is still out, and owns its memory");
    CHECK_INT(1, write(gate[1], "x", 1), "open the gate");
    while (!pl_sched_idle(&sched))
        CHECK(pl_loop_step(loop, -1) >= 0, "turn");
    close(gate[0]);
    close(gate[1]);
}

/* ---- every call of the kernel may fail ---- */

static void check_each(enum pl_sys_call which,
                       int (*work)(struct pl_fs_call *call), const char *what)
{
    struct pl_fs_args args = {.path = work == pl_fs_do_list ? PL_STR(".")
                                                            : PL_STR("a"),
                              .data = PL_STR("new"),
                              .flags = PL_FS_SYNC};

    if (work == pl_fs_do_copy)
        args.to = PL_STR("b");
    FOR_EACH_FAULT (which, which == PL_SYS_malloc ? ENOMEM : EIO) {
        bool written;
        int err;

        put_file("a", "old");
        err = do_call(work, &args);
        CHECK(err == 0 || pl_faults_hit(), what);
        written = err == 0 && work == pl_fs_do_write;
        check_file("a", written ? "new" : "old");
        remove("b");
        CHECK_INT(1, count_names("."), what);
    }
}

static void test_fs__each_fault_leaves_no_trace(void **state)
{
    static const enum pl_sys_call calls[] = {
        PL_SYS_malloc, PL_SYS_open,   PL_SYS_fstat,     PL_SYS_fstatat,
        PL_SYS_write,  PL_SYS_fchmod, PL_SYS_renameat,  PL_SYS_read,
        PL_SYS_pread,  PL_SYS_openat, PL_SYS_fdopendir, PL_SYS_readdir,
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        check_each(calls[i], pl_fs_do_read, "read");
        check_each(calls[i], pl_fs_do_list, "list");
        if (calls[i] != PL_SYS_open) /* of the folder, after the rename */
            check_each(calls[i], pl_fs_do_write, "write");
        check_each(calls[i], pl_fs_do_copy, "copy");
    }
    pl_faults_reset();
}

static void test_fs__copies_by_hand_where_the_kernel_does_not(void **state)
{
    (void)state;
    put_file("a", "content");
    pl_faults_fail_every(PL_SYS_copy_file_range, 1, EXDEV);
    CHECK_INT(0, DO(copy, PATH("a"), TO("b")), "copy");
    pl_faults_reset();
    check_file("b", "content");
}

RUN_TESTS(OS_TEST(test_fs__reads_whole_files_and_parts),
          OS_TEST(test_fs__refuses_what_is_no_file),
          OS_TEST(test_fs__never_waits_for_a_pipe),
          OS_TEST(test_fs__writes_by_way_of_a_new_file),
          OS_TEST(test_fs__appends_and_writes_in_place),
          OS_TEST(test_fs__exclusive_leaves_what_is_there),
          OS_TEST(test_fs__full_disk_leaves_the_old_file),
          OS_TEST(test_fs__copies), OS_TEST(test_fs__lists),
          OS_TEST(test_fs__makes_folders),
          OS_TEST(test_fs__removes_without_following_links),
          OS_TEST(test_fs__levels_of_folders_are_bounded),
          OS_TEST(test_fs__names), OS_TEST(test_fs__temporary_names),
          OS_TEST(test_fs__open_files_count_their_users),
          OS_TEST(test_fs__canceled_caller_leaves_at_once),
          OS_TEST(test_fs__each_fault_leaves_no_trace),
          OS_TEST(test_fs__copies_by_hand_where_the_kernel_does_not))
