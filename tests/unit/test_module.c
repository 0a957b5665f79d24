/* test_module.c - shared objects as private copies: which one is given, what
 * happens to files that change, and that the last user unloads it.
 * PL_TEST_MODULE is module_one.so. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/faults.h"
#include "base/module.h"

typedef int next_fn(void);

static char path[64];
static char image[1 << 20];
static size_t size;
static struct pl_error error;

static void write_file(const void *data, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static int read_image(void **state)
{
    FILE *file = fopen(PL_TEST_MODULE, "r");

    (void)state;
    assert_non_null(file);
    size = fread(image, 1, sizeof(image) - 1, file);
    fclose(file);
    snprintf(path, sizeof(path), "/tmp/pl-module-%d.so", (int)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static unsigned count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

static void count_copy(void *arg, const struct pl_module_fact *fact)
{
    unsigned *n = arg;

    CHECK(strcmp(path, fact->path) == 0, "its path");
    (*n)++;
}

static unsigned copies(void)
{
    unsigned n = 0;

    pl_modules_each(count_copy, &n);
    return n;
}

static struct pl_module *open_it(void)
{
    struct pl_module *module = NULL;

    CHECK_INT(0, pl_module_open(path, &module, &error), error.text);
    return module;
}

static next_fn *next_of(struct pl_module *module)
{
    next_fn *next;

    *(void **)&next = pl_module_symbol(module, "module_next");
    assert_non_null(next);
    return next;
}

static void test_module__a_round_has_one_copy(void **state)
{
    unsigned fds = count_fds();
    struct pl_module *first, *again, *other;

    (void)state;
    write_file(image, size);
    pl_modules_round();
    first = open_it();
    CHECK_INT(1, next_of(first)(), "its own count");
    write_file(image, size + 1); /* another file, which works as well */
    again = open_it();
    CHECK(again == first, "the same round");
    pl_modules_round();
    other = open_it();
    CHECK(other != first, "the next round looks again");
    CHECK_INT(1, next_of(other)(), "statics of its own");
    CHECK_INT(2, next_of(first)(), "and the old one goes on");
    pl_modules_round();
    CHECK(open_it() == other, "the same bytes: the same copy");
    CHECK_INT(2, copies(), "two of them");
    pl_module_drop(first);
    pl_module_drop(again);
    CHECK_INT(1, copies(), "the old one has gone");
    pl_module_drop(other);
    pl_module_drop(other);
    CHECK_INT(0, copies(), "and the new one");
    CHECK_INT(fds, count_fds(), "with their descriptors");
}

static void test_module__runs_on_when_its_file_is_overwritten(void **state)
{
    struct pl_module *module;

    (void)state;
    write_file(image, size);
    pl_modules_round();
    module = open_it();
    write_file("", 0);
    CHECK_INT(1, next_of(module)(), "code that is not in the file");
    pl_module_drop(module);
}

static void test_module__is_found_by_its_code(void **state)
{
    struct pl_module *module, *found;
    uintptr_t code;

    (void)state;
    write_file(image, size);
    pl_modules_round();
    CHECK(pl_module_of_code((uintptr_t)count_fds) == NULL, "none is loaded");
    module = open_it();
    code = (uintptr_t)next_of(module);
    CHECK(pl_module_of_code((uintptr_t)count_fds) == NULL, "code of ours");
    found = pl_module_of_code(code);
    CHECK(found == module, "its own");
    pl_module_drop(module);
    CHECK_INT(1, ((next_fn *)code)(), "a task keeps it");
    pl_module_drop(found);
    CHECK(pl_module_of_code(code) == NULL, "it has gone");
}

/* A compiler that is still writing, or a disk that is full. */
static void test_module__parts_of_a_file_are_refused(void **state)
{
    (void)state;
    pl_modules_round();
    for (size_t len = 0; len < size; len += 1 + size / 211) {
        struct pl_module *module;
        int err;

        write_file(image, len);
        err = pl_module_open(path, &module, &error);
        CHECK(err == PL_ERR_BUSY || err == PL_ERR_INVALID, "cut");
    }
    write_file("#!/bin/sh\n", 10);
    CHECK_INT(PL_ERR_INVALID, pl_module_open(path, NULL, &error), "a script");
    CHECK_INT(PL_ERR_INVALID, pl_module_open("/tmp", NULL, &error), "a folder");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_module_open("/tmp/-none-", NULL, &error),
              "nothing");
    CHECK_INT(0, copies(), "nothing stays");
}

static void test_module__each_call_may_fail(void **state)
{
    static const enum pl_sys_call calls[] = {
        PL_SYS_malloc, PL_SYS_open,     PL_SYS_fstat,
        PL_SYS_mmap,   PL_SYS_sendfile, PL_SYS_memfd_create};
    unsigned fds = count_fds();

    (void)state;
    write_file(image, size);
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        FOR_EACH_FAULT (calls[i], EMFILE) {
            struct pl_module *module = NULL;
            int err = pl_module_open(path, &module, &error);

            CHECK(err == 0 || pl_faults_hit(), error.text);
            pl_module_drop(module);
        }
    }
    pl_faults_reset();
    CHECK_INT(0, copies(), "nothing stays");
    CHECK_INT(fds, count_fds(), "no descriptor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module__a_round_has_one_copy),
        cmocka_unit_test(test_module__runs_on_when_its_file_is_overwritten),
        cmocka_unit_test(test_module__is_found_by_its_code),
        cmocka_unit_test(test_module__parts_of_a_file_are_refused),
        cmocka_unit_test(test_module__each_call_may_fail),
    };

    return cmocka_run_group_tests(tests, read_image, remove_file);
}
