/* test_trace.c - what an error of a script says, taken apart. */
#include "arena_world.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/trace.h"

static char folder[] = "/tmp/perilune-trace-folder-with-a-long-name-XXXXXX";
static struct pl_trace trace;

static int make_folder(void **state)
{
    char path[200];
    FILE *file;

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/lib", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/lib/a.lua", folder);
    file = fopen(path, "w");
    for (int i = 1; i <= 20; i++)
        fprintf(file, i == 20 ? "line %d" : "line %d\n", i);
    fclose(file);
    snprintf(path, sizeof(path), "%s/secret.txt", folder);
    file = fopen(path, "w");
    fputs("secret\n", file);
    fclose(file);
    return 0;
}

static int remove_folder(void **state)
{
    char command[200];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

/* "@" in text is the folder, "~" its last 20 characters. */
static void read_trace(const char *text)
{
    static char full[2000];
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (*text == '@')
            n += (size_t)snprintf(full + n, sizeof(full) - n, "%s", folder);
        else if (*text == '~')
            n += (size_t)snprintf(full + n, sizeof(full) - n, "%s",
                                  folder + strlen(folder) - 20);
        else
            full[n++] = *text;
    }
    CHECK_INT(0, pl_trace_read(&trace, pl_str(full, n), folder, &arena),
              "reads");
}

static void expect_lines(size_t frame, uint64_t first, uint64_t here,
                         uint64_t last, const char *what)
{
    const struct pl_trace_frame *found = &trace.frames[frame];

    CHECK(frame < trace.nframes && found->source, what);
    CHECK_INT(last - first + 1, found->nlines, what);
    CHECK_INT(first, found->lines[0].number, what);
    CHECK_INT(last, found->lines[found->nlines - 1].number, what);
    for (size_t i = 0; i < found->nlines; i++)
        CHECK_INT(found->lines[i].number == here, found->lines[i].here, what);
}

static void test_trace__message_and_frames(void **state)
{
    (void)state;
    read_trace("@/lib/a.lua:10: it broke: badly\nstack traceback:\n"
               "\t[C]: in function 'error'\n"
               "\t@/lib/a.lua:10: in function 'f'\n"
               "\t@/lib/a.lua:20: in function <@/lib/a.lua:2>\n"
               "\tperilune/core/web.lua:25: in function <x>\n"
               "\t(...tail calls...)\n");
    CHECK_STR("it broke: badly", trace.message, "message");
    CHECK_INT(2, trace.nframes, "not those of C and of the library");
    CHECK_STR("in function 'f'", trace.frames[0].what, "what");
    expect_lines(0, 6, 10, 14, "the middle");
    expect_lines(1, 16, 20, 20, "the last line has no end");
    CHECK(trace.frames[0].first && !trace.frames[1].first, "one is first");
    CHECK_STR("line 20", trace.frames[1].lines[4].text, "text");
}

static void test_trace__place_without_a_frame(void **state)
{
    (void)state;
    read_trace("@/lib/a.lua:1: unexpected symbol");
    CHECK_INT(1, trace.nframes, "made of the place");
    expect_lines(0, 1, 1, 5, "the first line");
    read_trace("@/lib/a.lua:2: x\nstack traceback:\n"
               "\t@/lib/a.lua:9: in function 'g'");
    CHECK_INT(2, trace.nframes, "the place comes first");
    expect_lines(0, 1, 2, 6, "the place");
    expect_lines(1, 5, 9, 13, "the call");
    CHECK(trace.frames[0].first && !trace.frames[1].first, "one is first");
    read_trace("@/lib/a.lua:3: x\nstack traceback:\n"
               "\t@/lib/a.lua: in function 'g'\n");
    CHECK_INT(1, trace.nframes, "LuaJIT: the line of a dead function");
    expect_lines(0, 1, 3, 7, "from the place");
}

static void test_trace__names_that_lua_has_cut(void **state)
{
    (void)state;
    read_trace("...~/lib/a.lua:10: x");
    expect_lines(0, 6, 10, 14, "cut within the folder");
    read_trace(".../lib/a.lua:10: x");
    expect_lines(0, 6, 10, 14, "cut behind the folder");
    read_trace("...other/lib/a.lua:10: x");
    CHECK_INT(1, trace.nframes, "another folder");
    CHECK(!trace.frames[0].source, "is not looked at");
}

static void test_trace__only_scripts_of_the_folder(void **state)
{
    static const char *const others[] = {
        "/etc/passwd:1: x",
        "@/secret.txt:1: x",
        "@/lib/../secret.txt:1: x",
        "@/lib/../lib/a.lua:1: x",
        "/tmp/perilune-trace.lua:1",
        "@/lib:1: x",
        "@/lib/none.lua:1: x",
        "...:1: x",
        ":1: x",
        "1: x",
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(others); i++) {
        read_trace(others[i]);
        for (size_t k = 0; k < trace.nframes; k++)
            CHECK(!trace.frames[k].source, others[i]);
    }
    read_trace("@/lib/a.lua:0: x");
    expect_lines(0, 1, 0, 4, "a line that is none");
    read_trace("@/lib/a.lua:99999999999999999999: x");
    CHECK_INT(0, trace.place.len, "no number");
    read_trace("@/lib/a.lua:18446744073709551615: x");
    CHECK(!trace.frames[0].source, "behind the end");
}

static void test_trace__frames_are_bounded(void **state)
{
    static char text[20000];
    size_t n =
        (size_t)snprintf(text, sizeof(text), "a.lua:1: x\nstack traceback:\n");

    (void)state;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "\tb.lua:%d: in function 'f'\n", i);
    CHECK_INT(0, pl_trace_read(&trace, pl_str(text, n), folder, &arena),
              "reads");
    CHECK_INT(PL_TRACE_FRAMES, trace.nframes, "so many");
    CHECK_STR("a.lua:1", trace.frames[0].place, "the place is one of them");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_trace__message_and_frames),
        ARENA_TEST(test_trace__place_without_a_frame),
        ARENA_TEST(test_trace__names_that_lua_has_cut),
        ARENA_TEST(test_trace__only_scripts_of_the_folder),
        ARENA_TEST(test_trace__frames_are_bounded),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
