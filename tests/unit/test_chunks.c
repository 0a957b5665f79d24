/* test_chunks.c - files of Lua that are compiled once, and the lists of them.
 */
#include "os_world.h"

#include <pthread.h>
#include <stdlib.h>

#include "lua/bytecode.h"
#include "lua/chunks.h"
#include "lua/compat.h"

static unsigned grown;

static void on_grown(void *arg)
{
    (void)arg;
    grown++;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, name);
}

/* As if it had been written long ago: what it holds is settled. */
static void put_old(const char *name, const char *text, time_t age)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = time(NULL) - age}};

    put(name, text);
    CHECK_INT(0, utimensat(AT_FDCWD, name, times, 0), "age");
}

/* Reads path, and says what it is: the number that it returns, or the error. */
static const char *read_path(struct pl_chunks *chunks, const char *path,
                             bool anew)
{
    static char said[512];
    struct pl_chunk *chunk;
    char *message;
    lua_State *L;
    int err = pl_chunks_read(chunks, path, anew, &chunk, &message);

    if (err < 0) {
        snprintf(said, sizeof(said), "%s%s",
                 err == PL_ERR_NOT_FOUND ? "not found: "
                 : err == PL_ERR_SYNTAX  ? "syntax: "
                                         : "",
                 message == NULL ? "-" : message);
        pl_free(message);
        return said;
    }
    L = luaL_newstate();
    CHECK(luaL_loadbuffer(L, pl_chunk_code(chunk)->bytes,
                          pl_chunk_code(chunk)->len, "=?") == 0 &&
              lua_pcall(L, 0, 1, 0) == 0,
          "runs");
    snprintf(said, sizeof(said), "%s", lua_tostring(L, -1));
    lua_close(L);
    pl_chunk_drop(chunk);
    return said;
}

static bool is_known(struct pl_chunks *chunks, const char *path, bool anew)
{
    struct pl_chunk *chunk = pl_chunks_find(chunks, path, anew);

    pl_chunk_drop(chunk);
    return chunk != NULL;
}

static void test_chunks__a_file_is_read_once(void **state)
{
    struct pl_chunks *chunks = pl_chunks_new(NULL, on_grown, NULL);

    (void)state;
    grown = 0;
    put_old("a.lua", "return 1", 10);
    CHECK(!is_known(chunks, "a.lua", false), "not yet");
    CHECK_STR("1", pl_str_c(read_path(chunks, "a.lua", false)), "first");
    put_old("a.lua", "return 22", 20);
    CHECK_STR("1", pl_str_c(read_path(chunks, "a.lua", false)),
              "as it was read");
    CHECK(is_known(chunks, "a.lua", false), "known");
    CHECK(!is_known(chunks, "a.lua", true), "but not as it is now");
    CHECK_STR("22", pl_str_c(read_path(chunks, "a.lua", true)), "as it is now");
    CHECK_STR("1", pl_str_c(read_path(chunks, "a.lua", false)),
              "for the others");
    CHECK_INT(1, pl_chunks_count(chunks), "one file");
    CHECK_INT(1, grown, "told");
    pl_chunks_drop(chunks);
}

static void test_chunks__what_is_the_same_is_taken_over(void **state)
{
    struct pl_chunks *old = pl_chunks_new(NULL, NULL, NULL), *chunks;

    (void)state;
    put_old("same.lua", "return 1", 10);
    put_old("other.lua", "return 1", 10);
    put("recent.lua", "return 1");
    read_path(old, "same.lua", false);
    read_path(old, "other.lua", false);
    read_path(old, "recent.lua", false);
    put_old("other.lua", "return 2", 20);
    chunks = pl_chunks_new(old, NULL, NULL);
    pl_chunks_drop(old);
    CHECK_INT(0, pl_chunks_count(chunks), "nothing is used so far");
    CHECK(is_known(chunks, "same.lua", false), "the same");
    CHECK(!is_known(chunks, "other.lua", false), "changed");
    CHECK(!is_known(chunks, "recent.lua", false), "may have changed");
    CHECK_STR("2", pl_str_c(read_path(chunks, "other.lua", false)), "anew");
    CHECK_INT(2, pl_chunks_count(chunks), "those that are used");
    pl_chunks_drop(chunks);
}

/* The texts are those of luaL_loadfile. */
static void test_chunks__texts_and_errors_are_those_of_lua(void **state)
{
    static const struct {
        const char *text, *said;
    } files[] = {
        {"return 1", "1"},
        {"\xEF\xBB\xBFreturn 2", "2"},
        {"#!/usr/bin/lua\nreturn 3", "3"},
        {"\xEF\xBB\xBF#\nreturn debug == nil and 4", "4"},
        {"#", NULL},
        {"", NULL},
        {"x(", "syntax: f.lua:1: unexpected symbol near '<eof>'"},
        {"#!\nx = = 1", "syntax: f.lua:2: unexpected symbol near '='"},
    };
    struct pl_chunks *chunks = pl_chunks_new(NULL, NULL, NULL);
    const char *said;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(files); i++) {
        put("f.lua", files[i].text);
        said = read_path(chunks, "f.lua", true);
        /* The two Luas quote the end differently. */
        CHECK(files[i].said == NULL ||
                  strncmp(said, files[i].said, strlen(files[i].said) - 8) == 0,
              said);
    }
    CHECK_STR("not found: cannot open no.lua: No such file or directory",
              pl_str_c(read_path(chunks, "no.lua", false)), "missing");
    CHECK_STR("not found: cannot read .: Is a directory",
              pl_str_c(read_path(chunks, ".", false)), "a folder");
    pl_chunks_drop(chunks);
}

static unsigned seen, missing;

static void see(void *arg, const char *path, const struct pl_stamp *stamp,
                bool alone)
{
    (void)arg;
    (void)path;
    seen++;
    missing += !stamp->there;
}

static void test_chunks__notes_what_is_not_lua_or_not_there(void **state)
{
    struct pl_chunks *chunks = pl_chunks_new(NULL, NULL, NULL);

    (void)state;
    put("page.html", "text");
    pl_chunks_note(chunks, "page.html");
    pl_chunks_note(chunks, "page.html");
    pl_chunks_note(chunks, "missing.lua");
    read_path(chunks, "gone.lua", false);
    put("broken.lua", "(");
    read_path(chunks, "broken.lua", false);
    pl_chunks_note(NULL, "page.html");
    seen = missing = 0;
    pl_chunks_each(chunks, see, NULL);
    CHECK_INT(4, seen, "all");
    CHECK_INT(2, missing, "those that are not there");
    CHECK(!is_known(chunks, "page.html", false), "no code");
    pl_chunks_drop(chunks);
}

enum { FILES = 40, THREADS = 4 };

static void *read_all_of_them(void *arg)
{
    char name[16];

    for (int round = 0; round < 5; round++)
        for (int i = 0; i < FILES; i++) {
            struct pl_chunk *chunk;
            char *message;

            snprintf(name, sizeof(name), "t%d.lua", i);
            CHECK_INT(0,
                      pl_chunks_read(arg, name, i % 2 == 0, &chunk, &message),
                      name);
            pl_chunk_drop(chunk);
        }
    return NULL;
}

static void test_chunks__threads_meet_the_same_files(void **state)
{
    struct pl_chunks *chunks = pl_chunks_new(NULL, NULL, NULL);
    pthread_t threads[THREADS];
    char name[16];

    (void)state;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "t%d.lua", i);
        put_old(name, "return 1", 10);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(0,
                  pthread_create(&threads[i], NULL, read_all_of_them, chunks),
                  "thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(FILES, pl_chunks_count(chunks), "each once");
    pl_chunks_drop(chunks);
}

static void test_chunks__each_fault_leaves_no_trace(void **state)
{
    static const enum pl_sys_call calls[] = {PL_SYS_malloc, PL_SYS_open,
                                             PL_SYS_fstat, PL_SYS_read};

    (void)state;
    put_old("a.lua", "return 1", 10);
    for (size_t i = 0; i < PL_COUNT(calls); i++)
        for (unsigned nth = 1; nth < 10; nth++) {
            struct pl_chunks *chunks;

            pl_faults_reset();
            pl_faults_fail_nth(calls[i], nth, ENOMEM);
            chunks = pl_chunks_new(NULL, NULL, NULL);
            if (chunks != NULL)
                read_path(chunks, "a.lua", false);
            pl_faults_reset();
            if (chunks != NULL)
                CHECK_STR("1", pl_str_c(read_path(chunks, "a.lua", false)),
                          "later");
            pl_chunks_drop(chunks);
        }
}

RUN_TESTS(OS_TEST(test_chunks__a_file_is_read_once),
          OS_TEST(test_chunks__what_is_the_same_is_taken_over),
          OS_TEST(test_chunks__texts_and_errors_are_those_of_lua),
          OS_TEST(test_chunks__notes_what_is_not_lua_or_not_there),
          OS_TEST(test_chunks__threads_meet_the_same_files),
          OS_TEST(test_chunks__each_fault_leaves_no_trace))
