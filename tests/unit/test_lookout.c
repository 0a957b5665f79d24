/* test_lookout.c - where to hear of files, and which have changed. */
#include "os_world.h"

#include "os/lookout.h"

static struct pl_lookout lookout;
static struct pl_fs_file *notify;

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, name);
}

static void begin(const char *path)
{
    struct pl_stamp stamp = pl_stamp_read(path);

    CHECK_INT(0, pl_notify_open(&notify), "notify");
    lookout = (struct pl_lookout){.notify = notify};
    CHECK_INT(0, pl_lookout_add(&lookout, path, &stamp), "add");
    pl_lookout_look(&lookout);
}

static void end(void)
{
    pl_lookout_fini(&lookout);
    pl_fs_file_drop(notify);
}

/* Has something been heard of our files since the last time? */
static bool hears(void)
{
    static max_align_t block[PL_NOTIFY_BLOCK / sizeof(max_align_t)];
    struct pl_notify_event event;
    struct pl_str rest;
    bool any = false;
    ssize_t n;

    while ((n = pl_notify_read(notify, block, sizeof(block))) > 0) {
        rest = pl_str((const char *)block, (size_t)n);
        while (pl_notify_next(&rest, &event))
            any |= pl_lookout_hear(&lookout, &event);
    }
    return any;
}

/* The same, and whether a look finds a change, which is known from then on. */
static bool changes(const char *what)
{
    CHECK(hears(), what);
    pl_lookout_look(&lookout);
    lookout.files[0].stamp = lookout.files[0].seen;
    lookout.files[0].heard = false;
    return lookout.changed;
}

static void test_lookout__hears_of_every_way_to_save(void **state)
{
    (void)state;
    put("a", "1");
    put("other", "1");
    begin("a");
    CHECK(!lookout.changed && !hears(), "nothing so far");
    put("other", "2");
    CHECK(!hears(), "another file");
    put("a", "2");
    CHECK(changes("in place"), "in place, of the same length");
    put("a.new", "2");
    CHECK(!hears(), "a file of the editor");
    CHECK(rename("a.new", "a") == 0 && changes("renamed"), "renamed");
    CHECK(unlink("a") == 0 && !changes("removed"), "it has gone: nothing");
    put("a", "3");
    CHECK(changes("made again"), "made again");
    CHECK(!lookout.deaf && lookout.err == 0, "all is heard");
    end();
}

static void test_lookout__waits_for_folders(void **state)
{
    (void)state;
    begin("x/y/a");
    CHECK(!lookout.changed, "not there");
    CHECK(mkdir("x", 0700) == 0 && !changes("x"), "half of the way");
    CHECK(mkdir("x/y", 0700) == 0 && !changes("y"), "the other half");
    put("x/y/a", "1");
    CHECK(changes("the file"), "there");
    CHECK(rename("x", "z") == 0 && !changes("moved away"), "moved away");
    CHECK(mkdir("x", 0700) == 0 && mkdir("x/y", 0700) == 0, "again");
    CHECK(!changes("new folders"), "without the file");
    put("z/y/a", "2");
    CHECK(!hears(), "the old folder is nobody's");
    put("x/y/a", "2");
    CHECK(changes("the new file"), "there again");
    end();
}

static void test_lookout__follows_links(void **state)
{
    (void)state;
    CHECK(mkdir("one", 0700) == 0 && mkdir("two", 0700) == 0, "folders");
    put("one/a", "1");
    put("two/a", "2");
    CHECK(symlink("one", "current") == 0, "link");
    begin("current/a");
    put("one/a", "3");
    CHECK(changes("behind the link"), "behind the link");
    CHECK(symlink("two", "next") == 0 && rename("next", "current") == 0,
          "swap");
    CHECK(changes("the link itself"), "another file");
    put("two/a", "4");
    CHECK(changes("behind the new one"), "behind the new one");
    end();
}

static void test_lookout__says_what_it_cannot_hear(void **state)
{
    (void)state;
#ifndef PL_FAULTS
    skip();
#endif
    put("a", "1");
    pl_faults_fail_every(PL_SYS_inotify_add_watch, 1, ENOSPC);
    begin("a");
    pl_faults_reset();
    CHECK(lookout.deaf, "deaf");
    CHECK_INT(PL_ERR_LIMIT, lookout.err, "why");
    put("a", "22");
    pl_lookout_look(&lookout);
    CHECK(lookout.changed, "but a look finds it");
    CHECK(!lookout.deaf, "and hears from now on");
    end();
}

static void test_lookout__works_without_a_notifier(void **state)
{
    struct pl_stamp stamp = {.there = false};

    (void)state;
    put("a", "1");
    lookout = (struct pl_lookout){.notify = NULL};
    CHECK_INT(0, pl_lookout_add(&lookout, "a", &stamp), "add");
    CHECK_INT(0, pl_lookout_add(&lookout, "a", &stamp), "once");
    CHECK_INT(1, lookout.nfiles, "one file");
    pl_lookout_look(&lookout);
    CHECK(lookout.changed && lookout.deaf && lookout.err == 0, "looked at");
    pl_lookout_fini(&lookout);
}

RUN_TESTS(OS_TEST(test_lookout__hears_of_every_way_to_save),
          OS_TEST(test_lookout__waits_for_folders),
          OS_TEST(test_lookout__follows_links),
          OS_TEST(test_lookout__says_what_it_cannot_hear),
          OS_TEST(test_lookout__works_without_a_notifier))
