/* test_plugin.c - a plug-in is found, and what is none is refused with a
 * reason. PERILUNE_PLUGINS is the build folder. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/plugin.h"
#include "lua/plugin.h"

static struct pl_error error;

static int load(const char *name, uint32_t host_size, uint32_t offer_size)
{
    const struct pl_plugin_want want = {
        .name = name,
        .host = "",
        .host_size = host_size,
        .offer_size = offer_size,
    };
    const void *offer = NULL;
    int err = pl_plugin_load(&want, &offer, &error);

    CHECK((err == 0) == (offer != NULL), name);
    return err;
}

static void check_text(const char *part)
{
    if (strstr(error.text, part) == NULL)
        fail_msg("no \"%s\" in \"%s\"", part, error.text);
}

static void test_plugin__one_that_is_there(void **state)
{
    char libraries[100];

    (void)state;
    if (!pl_plugin_libraries("crypto", libraries, sizeof(libraries)))
        skip(); /* -Dcrypto=disabled */
    CHECK(strncmp(libraries, "OpenSSL 3", 9) == 0, libraries);
    for (int i = 0; i < 2; i++)
        CHECK_INT(0,
                  load("crypto", sizeof(struct pl_lua_host),
                       sizeof(struct pl_lua_offer)),
                  error.text);
    CHECK_INT(PL_ERR_UNSUPPORTED,
              load("crypto", 8, sizeof(struct pl_lua_offer)), "host");
    check_text("perilune-crypto.so is not of this build");
    CHECK_INT(PL_ERR_UNSUPPORTED, load("crypto", sizeof(struct pl_lua_host), 8),
              "offer");
}

/* Its file may be out of reach when it is asked for again. The name is not
 * kept: who has asked first may have freed it. */
static void test_plugin__one_that_is_loaded_is_found(void **state)
{
    const char *folder = getenv("PERILUNE_PLUGINS");
    char libraries[100], name[] = "crypto", kept[1024];

    (void)state;
    pl_plugin_keep("nothing");
    pl_plugin_keep(name);
    memset(name, 'x', sizeof(name) - 1);
    snprintf(kept, sizeof(kept), "%s", folder == NULL ? "" : folder);
    if (!pl_plugin_libraries("crypto", libraries, sizeof(libraries)))
        skip(); /* -Dcrypto=disabled */
    setenv("PERILUNE_PLUGINS", "/no/such", 1);
    CHECK_INT(
        0,
        load("crypto", sizeof(struct pl_lua_host), sizeof(struct pl_lua_offer)),
        error.text);
    setenv("PERILUNE_PLUGINS", kept, 1);
}

static void test_plugin__one_that_is_not_there(void **state)
{
    char libraries[100];

    (void)state;
    CHECK_INT(PL_ERR_NOT_FOUND, load("nothing", 8, 8), "absent");
    check_text("install the package perilune-nothing");
    check_text("-Dnothing=enabled");
    CHECK(!pl_plugin_libraries("nothing", libraries, sizeof(libraries)), "no");
}

static void test_plugin__files_that_are_none(void **state)
{
    const char *old = getenv("PERILUNE_PLUGINS");
    char *kept = old == NULL ? NULL : strdup(old);
    char folder[] = "/tmp/perilune-test-XXXXXX", path[100];
    FILE *file;

    (void)state;
    CHECK(mkdtemp(folder) != NULL, "folder");
    setenv("PERILUNE_PLUGINS", folder, 1);
    snprintf(path, sizeof(path), "%s/perilune-bad.so", folder);
    file = fopen(path, "w");
    fputs("not a library", file);
    fclose(file);
    CHECK_INT(PL_ERR_NOT_FOUND, load("bad", 8, 8), "garbage");
    check_text("cannot load a plug-in: ");
    check_text(path);
    unlink(path);
    snprintf(path, sizeof(path), "%s/perilune-other.so", folder);
    CHECK_INT(0, symlink(PL_TEST_OTHER_LIBRARY, path), "link");
    CHECK_INT(PL_ERR_UNSUPPORTED, load("other", 8, 8), "another library");
    check_text("is not of this build");
    unlink(path);
    rmdir(folder);
    if (kept != NULL)
        setenv("PERILUNE_PLUGINS", kept, 1);
    free(kept);
}

RUN_TESTS(cmocka_unit_test(test_plugin__one_that_is_there),
          cmocka_unit_test(test_plugin__one_that_is_loaded_is_found),
          cmocka_unit_test(test_plugin__one_that_is_not_there),
          cmocka_unit_test(test_plugin__files_that_are_none))
