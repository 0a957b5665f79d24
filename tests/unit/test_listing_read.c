/* test_listing_read.c - folders of the disk: what is shown, in which order, as
 * JSON and by a template. */
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/faults.h"
#include "handlers/listing_page.h"

static char top[] = "/tmp/perilune-listing-XXXXXX";
static struct pl_pool pool;
static struct pl_folder folder;

/* ---- a folder ---- */

static const char *in_top(const char *name)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/%s", top, name);
    return path;
}

static void write_file(const char *name, const char *text, time_t when)
{
    struct timespec times[2] = {{when, 0}, {when, 0}};
    FILE *file = fopen(in_top(name), "w");

    CHECK(file != NULL, name);
    fputs(text, file);
    fclose(file);
    CHECK_INT(0, utimensat(AT_FDCWD, in_top(name), times, 0), name);
}

static int make_folder(void **state)
{
    static const char *const folders[] = {"www", "www/b", "www/A1", "www/empty",
                                          "www/.git"};
    static const struct {
        const char *to, *name;
    } links[] = {{"a2.txt", "www/inside"},
                 {"../secret", "www/outside"},
                 {"b", "www/folder"},
                 {"loop", "www/loop"}};

    (void)state;
    CHECK(mkdtemp(top) != NULL, "folder");
    for (size_t i = 0; i < PL_COUNT(folders); i++)
        CHECK_INT(0, mkdir(in_top(folders[i]), 0755), folders[i]);
    write_file("secret", "secret", 0);
    write_file("www/a10.txt", "0123456789", 300);
    write_file("www/a2.txt", "01", 100);
    write_file("www/Z<&>.txt", "0123", 200);
    write_file("www/bad\xff.bin", "", 1700000000);
    write_file("www/.hidden", "", 0);
    write_file("www/readme.txt", "not me", 0);
    write_file("www/README.md", "# <me>\n", 0);
    for (size_t i = 0; i < PL_COUNT(links); i++)
        CHECK_INT(0, symlink(links[i].to, in_top(links[i].name)), "link");
    CHECK_INT(0, mkfifo(in_top("www/fifo"), 0644), "fifo");
    return 0;
}

static int remove_folder(void **state)
{
    char command[500];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", top);
    return system(command);
}

static int read_folder(const char *path, bool dots)
{
    int root = open(in_top("www"), O_PATH | O_CLOEXEC), err;

    pl_pool_init(&pool, NULL, 0);
    err = pl_folder_open(&folder, &pool, root, PL_LINKS_INSIDE, path, dots);
    close(root);
    return err;
}

static void end_folder(void)
{
    pl_folder_close(&folder);
    CHECK_INT(0, pool.account.used, "all memory is given back");
    pl_pool_fini(&pool);
}

/* The names, with a '/' behind those of folders. */
static void expect_names(const char *want, const char *what)
{
    char text[500];
    size_t n = 0;

    for (size_t i = 0; i < folder.count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s%s ",
                              PL_STR_ARG(folder.entries[i].name),
                              folder.entries[i].folder ? "/" : "");
    CHECK_STR(want, pl_str(text, n), what);
}

/* ---- reading ---- */

static void test_listing_read__orders(void **state)
{
    static const struct {
        const char *what;
        enum pl_listing_sort sort;
        bool descending;
        const char *want;
    } orders[] = {
        {"name", PL_LISTING_NAME, false,
         "A1/ b/ empty/ folder/ a2.txt a10.txt bad\xff.bin inside README.md "
         "readme.txt Z<&>.txt "},
        {"name, down", PL_LISTING_NAME, true,
         "folder/ empty/ b/ A1/ Z<&>.txt readme.txt README.md inside "
         "bad\xff.bin a10.txt a2.txt "},
        {"size", PL_LISTING_SIZE, false,
         "A1/ b/ empty/ folder/ bad\xff.bin a2.txt inside Z<&>.txt readme.txt "
         "README.md a10.txt "},
        {"size, down", PL_LISTING_SIZE, true,
         "A1/ b/ empty/ folder/ a10.txt README.md readme.txt Z<&>.txt a2.txt "
         "inside bad\xff.bin "},
    };

    (void)state;
    CHECK_INT(0, read_folder("", false), "open");
    for (size_t i = 0; i < PL_COUNT(orders); i++) {
        pl_folder_sort(&folder, orders[i].sort, orders[i].descending);
        expect_names(orders[i].want, orders[i].what);
    }
    pl_folder_sort(&folder, PL_LISTING_TIME, false);
    CHECK_STR("README.md", folder.entries[4].name, "the oldest file");
    pl_folder_sort(&folder, PL_LISTING_TIME, true);
    CHECK_STR("bad\xff.bin", folder.entries[4].name, "the newest file");
    CHECK(folder.entries[3].folder, "folders come first");
    CHECK_STR("README.md", folder.readme_name, "the first of the two");
    CHECK_STR("# <me>\n", folder.readme, "its text");
    end_folder();
}

static void test_listing_read__dot_files_when_asked(void **state)
{
    (void)state;
    CHECK_INT(0, read_folder("", true), "open");
    pl_folder_sort(&folder, PL_LISTING_NAME, false);
    CHECK_STR(".git", folder.entries[0].name, "a folder");
    CHECK_STR(".hidden", folder.entries[5].name, "a file");
    end_folder();
    CHECK_INT(0, read_folder("empty/", false), "open");
    pl_folder_sort(&folder, PL_LISTING_NAME, true);
    expect_names("", "an empty folder");
    CHECK(folder.readme.data == NULL, "has no README");
    end_folder();
}

static void test_listing_read__what_is_no_folder(void **state)
{
    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, read_folder("gone/", false), "gone");
    end_folder();
    CHECK_INT(PL_ERR_NOT_FOUND, read_folder("a2.txt", false), "a file");
    end_folder();
}

static void test_listing_read__entries_are_bounded(void **state)
{
    char name[40];

    (void)state;
    CHECK_INT(0, mkdir(in_top("www/many"), 0755), "mkdir");
    for (int i = 0; i <= PL_LISTING_ENTRIES; i++) {
        snprintf(name, sizeof(name), "www/many/%d", i);
        CHECK_INT(0, mknod(in_top(name), S_IFREG | 0644, 0), name);
    }
    CHECK_INT(0, read_folder("many/", false), "open");
    CHECK_INT(PL_LISTING_ENTRIES, folder.count, "so many");
    CHECK(folder.truncated, "and says so");
    end_folder();
    snprintf(name, sizeof(name), "www/many/%d", 0);
    CHECK_INT(0, unlink(in_top(name)), name);
    CHECK_INT(0, read_folder("many/", false), "open");
    CHECK(folder.count == PL_LISTING_ENTRIES && !folder.truncated, "not more");
    end_folder();
}

static void test_listing_read__long_readme_is_cut_at_a_character(void **state)
{
    FILE *file;

    (void)state;
    CHECK_INT(0, mkdir(in_top("www/long"), 0755), "mkdir");
    file = fopen(in_top("www/long/README"), "w");
    fputc('x', file); /* so that the limit is within a character */
    for (int i = 0; i < PL_LISTING_README_MAX; i++)
        fputs("\xe2\x82\xac", file);
    fclose(file);
    CHECK_INT(0, read_folder("long/", false), "open");
    CHECK(folder.readme_cut, "cut");
    CHECK(folder.readme.len <= PL_LISTING_README_MAX &&
              folder.readme.len > PL_LISTING_README_MAX - 4,
          "at its limit");
    end_folder();
    write_file("www/long/README", "no \xff text", 0);
    CHECK_INT(0, read_folder("long/", false), "open");
    CHECK(folder.readme.data == NULL, "what is no text is not shown");
    end_folder();
}

/* ---- pages ---- */

static const struct pl_listing_view view = {
    .path = {"/files/b/", 9}, .below = {"b/", 2}, .sort = PL_LISTING_SIZE};

static void expect_page(const char *source, const char *want)
{
    struct pl_template_set *set =
        pl_template_set_text(PL_STR("t"), pl_str_c(source), NULL);
    struct pl_error error;
    struct pl_buf out;

    pl_buf_init(&out, &pool, NULL, 0);
    CHECK_INT(0, pl_listing_html(&folder, &view, set, &out, &error), source);
    CHECK_STR(want, pl_buf_str(&out), source);
    pl_buf_fini(&out);
    pl_template_set_free(set);
}

static void test_listing_read__what_templates_can_use(void **state)
{
    (void)state;
    CHECK_INT(0, read_folder("", false), "open");
    pl_folder_sort(&folder, PL_LISTING_NAME, false);
    expect_page("{{path}} {{summary}}{{#up}} up{{/up}}",
                "/files/b/ 4 folders, 7 files, 31 bytes up");
    expect_page("{{#crumbs}}[{{href}} {{name}}]{{#slash}}/{{/slash}}"
                "{{/crumbs}}",
                "[../ /files]/[ b]");
    expect_page("{{#columns}}{{class}} {{href}} {{sorted}};{{/columns}}",
                "name ?sort=name&amp;order=asc ;"
                "size ?sort=size&amp;order=desc ascending;"
                "time ?sort=time&amp;order=asc ;");
    expect_page("{{#entries}}{{^folder}}{{name}} {{href}} {{size}} {{kind}}\n"
                "{{/folder}}{{/entries}}",
                "a2.txt a2.txt 2 file\na10.txt a10.txt 10 file\n"
                "bad\xef\xbf\xbd.bin bad%FF.bin 0 file\n"
                "inside inside 2 file\nREADME.md README.md 7 file\n"
                "readme.txt readme.txt 6 file\n"
                "Z&lt;&amp;&gt;.txt Z%3C%26%3E.txt 4 file\n");
    expect_page("{{#readme}}{{name}}: {{text}}{{#cut}}...{{/cut}}{{/readme}}",
                "README.md: # &lt;me&gt;\n");
    expect_page("{{#truncated}}{{limit}}{{/truncated}}{{folders}} {{files}} "
                "{{bytes}}",
                "4 7 31");
    end_folder();
}

static void test_listing_read__json(void **state)
{
    struct pl_error error;
    struct pl_buf out;
    static const char want[] =
        "{\"path\":\"/files/b/\",\"truncated\":false,\"entries\":["
        "{\"name\":\"A1\",\"href\":\"A1/\",\"type\":\"folder\",\"modified\":";
    static const char last[] =
        "{\"name\":\"Z\\u003c\\u0026\\u003e.txt\",\"href\":\"Z%3C%26%3E.txt\","
        "\"type\":"
        "\"file\",\"size\":4,\"modified\":\"1970-01-01T00:03:20Z\"}]}\n";

    (void)state;
    CHECK_INT(0, read_folder("", false), "open");
    pl_folder_sort(&folder, PL_LISTING_NAME, false);
    pl_buf_init(&out, &pool, NULL, 0);
    CHECK_INT(0, pl_listing_json(&folder, &view, &out, &error), "JSON");
    CHECK(pl_str_starts(pl_buf_str(&out), pl_str_c(want)), "its beginning");
    CHECK(pl_str_ends(pl_buf_str(&out), pl_str_c(last)), "its end");
    pl_buf_fini(&out);
    pl_buf_init(&out, &pool, NULL, 100);
    CHECK_INT(PL_ERR_LIMIT, pl_listing_json(&folder, &view, &out, &error),
              "no more than the buffer takes");
    pl_buf_fini(&out);
    end_folder();
}

/* ---- failures ---- */

static void read_or_fail(void)
{
    int err = read_folder("", false);

    CHECK(err == 0 || pl_faults_hit(), "reads or fails");
    end_folder();
}

static void test_listing_read__any_call_may_fail(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        read_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_getdents64, EIO) {
        read_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_fstatat, ENOENT) {
        read_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_openat2, EMFILE) {
        read_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_read, EIO) {
        read_or_fail();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing_read__orders),
        cmocka_unit_test(test_listing_read__dot_files_when_asked),
        cmocka_unit_test(test_listing_read__what_is_no_folder),
        cmocka_unit_test(test_listing_read__what_templates_can_use),
        cmocka_unit_test(test_listing_read__json),
        cmocka_unit_test(test_listing_read__any_call_may_fail),
        cmocka_unit_test(test_listing_read__entries_are_bounded),
        cmocka_unit_test(test_listing_read__long_readme_is_cut_at_a_character),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
