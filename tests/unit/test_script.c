/* test_script.c - which script a path is for, and what is none: by every way of
 * following links, and without waiting for the disk. */
#include "check.h"

#include <stdlib.h>

#include "base/str.h"
#include "handlers/script.h"

static char root[] = "/tmp/perilune-script-XXXXXX";
static struct pl_script_folder folder;

static void make_file(const char *name)
{
    int fd = openat(folder.fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0);

    CHECK(fd >= 0, name);
    close(fd);
}

static int make(void **state)
{
    static const char *const files[] = {"index.php", "a.php",  "b.txt",
                                        "d/x.php",   "d/.php", "up/y.php",
                                        "o.php/z"};

    (void)state;
    CHECK(mkdtemp(root) != NULL, "folder");
    folder = (struct pl_script_folder){
        .fd = pl_file_open_root(root),
        .files = true,
        .suffixes = PL_STR(".php  .cgi"),
        .index = PL_STR("none.html index.php"),
        .closed = PL_STR("up no"),
    };
    CHECK(folder.fd >= 0, "root");
    CHECK_INT(0, mkdirat(folder.fd, "d", 0755), "d");
    CHECK_INT(0, mkdirat(folder.fd, "up", 0755), "up");
    CHECK_INT(0, mkdirat(folder.fd, "o.php", 0755), "o.php");
    for (size_t i = 0; i < PL_COUNT(files); i++)
        make_file(files[i]);
    CHECK_INT(0, symlinkat("d/x.php", folder.fd, "in.php"), "link");
    CHECK_INT(0, symlinkat("/dev/null", folder.fd, "out.php"), "link");
    return 0;
}

static int end(void **state)
{
    char command[128];

    (void)state;
    close(folder.fd);
    snprintf(command, sizeof(command), "rm -r '%s'", root);
    return system(command);
}

/* "a.php /info", or "file", "slash", or the error. */
static const char *ask(const char *path, bool wait)
{
    static char text[512];
    struct pl_script found;
    int err = pl_script_find(&folder, pl_str_c(path), wait, &found);

    if (err < 0)
        snprintf(text, sizeof(text), "%d", err);
    else if (found.kind == PL_SCRIPT_RUN)
        snprintf(text, sizeof(text), "%.*s%.*s %.*s", PL_STR_ARG(found.dir),
                 PL_STR_ARG(found.leaf), PL_STR_ARG(found.info));
    else
        snprintf(text, sizeof(text), "%s",
                 found.kind == PL_SCRIPT_FILE ? "file" : "slash");
    return text;
}

#define NONE "-9"

static const struct {
    const char *path, *want;
} paths[] = {
    {"", "index.php "},
    {"a.php", "a.php "},
    {"a.php/", "a.php /"},
    {"a.php/b/c.php", "a.php /b/c.php"},
    {"d/x.php/y", "d/x.php /y"},
    {"b.txt", "file"},
    {"d", "slash"},
    {"o.php", "slash"},
    {"o.php/z", "file"},
    {"o.php/q.php", NONE},
    {"d/", NONE},
    {"b.txt/a.php", NONE},
    {"none.php", NONE},
    {"none", NONE},
    {"up/y.php", NONE},
    {"up/none", NONE},
    {"d/.php", NONE},
    {"d//x.php", NONE},
    {"./a.php", NONE},
    {"d/../a.php", NONE},
    {"../x.php", NONE},
    {"a.php/../b", "a.php /../b"},
    {"out.php", NONE},
    {"a.phpx", NONE},
    {"A.PHP", NONE},
    {"d/x.php\n", NONE},
};

static void test_script__names_what_is_there(void **state)
{
    static const enum pl_file_links all[] = {PL_LINKS_INSIDE, PL_LINKS_OWNER,
                                             PL_LINKS_NONE};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(paths) * PL_COUNT(all); i++) {
        size_t n = i % PL_COUNT(paths);

        folder.links = all[i / PL_COUNT(paths)];
        CHECK_STR(paths[n].want, pl_str_c(ask(paths[n].path, true)),
                  paths[n].path);
    }
}

static void test_script__follows_links_as_it_is_told(void **state)
{
    static const struct {
        enum pl_file_links links;
        const char *inside;
    } rows[] = {{PL_LINKS_INSIDE, "in.php "},
                {PL_LINKS_OWNER, "in.php "},
                {PL_LINKS_ALL, "in.php "},
                {PL_LINKS_NONE, NONE}};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        folder.links = rows[i].links;
        CHECK_STR(rows[i].inside, pl_str_c(ask("in.php", true)), "inside");
        CHECK_STR(NONE, pl_str_c(ask("out.php", true)), "a device");
    }
    folder.links = PL_LINKS_INSIDE;
}

static void test_script__says_when_it_would_wait(void **state)
{
    const char *said;

    (void)state;
    folder.links = PL_LINKS_OWNER;
    CHECK_STR("-1", pl_str_c(ask("a.php", false)), "this takes several calls");
    folder.links = PL_LINKS_INSIDE;
    said = ask("a.php", false);
    CHECK(strcmp(said, "a.php ") == 0 || strcmp(said, "-1") == 0, said);
}

static void test_script__falls_back(void **state)
{
    (void)state;
    folder.fallback = PL_STR("index.php");
    CHECK_STR("index.php ", pl_str_c(ask("none", true)), "not there");
    CHECK_STR("index.php ", pl_str_c(ask("d/", true)), "no index");
    CHECK_STR("file", pl_str_c(ask("b.txt", true)), "a file");
    CHECK_STR(NONE, pl_str_c(ask("none.php", true)), "a script is itself");
    CHECK_STR(NONE, pl_str_c(ask(".git/config", true)), "hidden");
    folder.fallback = pl_str(NULL, 0);
}

static void test_script__believes_what_it_cannot_see(void **state)
{
    (void)state;
    folder.blind = true;
    folder.files = false;
    CHECK_STR("q.php /x", pl_str_c(ask("q.php/x", false)), "script");
    CHECK_STR("q/index.php ", pl_str_c(ask("q/", false)), "index");
    CHECK_STR(NONE, pl_str_c(ask("q.txt", false)), "file");
    CHECK_STR(NONE, pl_str_c(ask("up/q.php", false)), "closed");
    folder.blind = false;
    folder.files = true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script__names_what_is_there),
        cmocka_unit_test(test_script__follows_links_as_it_is_told),
        cmocka_unit_test(test_script__says_when_it_would_wait),
        cmocka_unit_test(test_script__falls_back),
        cmocka_unit_test(test_script__believes_what_it_cannot_see),
    };

    return cmocka_run_group_tests(tests, make, end);
}
