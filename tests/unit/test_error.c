/* test_error.c - each code has a name, a text and a status; each errno has a
 * code. */
#include "check.h"

#include <errno.h>
#include <limits.h>

#include "base/error.h"

static void test_error__every_code_is_described(void **state)
{
    (void)state;
#define ROW(name, value, status, text)                                         \
    CHECK_STR("PL_ERR_" #name, pl_str_c(pl_err_name(value)), #name);           \
    CHECK_STR(text, pl_str_c(pl_err_text(value)), #name);                      \
    CHECK_INT(status, pl_err_status(value), #name);
    PL_ERR_MAP(ROW)
#undef ROW
}

static void test_error__what_is_no_code(void **state)
{
    static const int none[] = {0, 1, -1000, INT_MAX, INT_MIN};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(none); i++) {
        CHECK_STR("PL_ERR_?", pl_str_c(pl_err_name(none[i])), "name");
        CHECK_STR("unknown error", pl_str_c(pl_err_text(none[i])), "text");
        CHECK_INT(500, pl_err_status(none[i]), "status");
    }
}

static const struct {
    int number, want;
} errnos[] = {
    {EAGAIN, PL_ERR_AGAIN},          {EINTR, PL_ERR_AGAIN},
    {ENOMEM, PL_ERR_NOMEM},          {ETIMEDOUT, PL_ERR_TIMEOUT},
    {ECONNRESET, PL_ERR_CLOSED},     {EPIPE, PL_ERR_CLOSED},
    {ENOENT, PL_ERR_NOT_FOUND},      {EXDEV, PL_ERR_NOT_FOUND},
    {EEXIST, PL_ERR_EXISTS},         {EACCES, PL_ERR_DENIED},
    {EBADF, PL_ERR_INVALID},         {EADDRINUSE, PL_ERR_BUSY},
    {EMFILE, PL_ERR_NO_FDS},         {ENFILE, PL_ERR_NO_FDS},
    {ENAMETOOLONG, PL_ERR_TOO_LONG}, {ENOSPC, PL_ERR_NO_SPACE},
    {ENOSYS, PL_ERR_UNSUPPORTED},    {EIO, PL_ERR_IO},
};

static void test_error__from_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(errnos); i++)
        CHECK_INT(errnos[i].want, pl_err_from_errno(errnos[i].number),
                  strerror(errnos[i].number));
    for (int number = -1; number < 200; number++)
        CHECK(strcmp(pl_err_name(pl_err_from_errno(number)), "PL_ERR_?") != 0,
              strerror(number));
}

static void test_error__set_cuts_and_returns(void **state)
{
    struct pl_error error;
    char path[300];

    (void)state;
    memset(path, 'x', sizeof(path));
    path[299] = '\0';
    CHECK_INT(PL_ERR_IO, pl_error_set(NULL, PL_ERR_IO, "a", "b"), "no room");
    CHECK_INT(PL_ERR_IO, pl_error_set(&error, PL_ERR_IO, NULL, "%d", 5), "set");
    CHECK_INT(PL_ERR_IO, error.code, "code");
    CHECK_STR("", pl_str_c(error.where), "nowhere");
    CHECK_STR("5", pl_str_c(error.text), "text");
    pl_error_set(&error, PL_ERR_IO, path, "%s%s", path, path);
    CHECK_INT(sizeof(error.where) - 1, strlen(error.where), "cut");
    CHECK_INT(sizeof(error.text) - 1, strlen(error.text), "cut");
}

RUN_TESTS(cmocka_unit_test(test_error__every_code_is_described),
          cmocka_unit_test(test_error__what_is_no_code),
          cmocka_unit_test(test_error__from_errno),
          cmocka_unit_test(test_error__set_cuts_and_returns))
