/* test_straight_upload.c - bodies into files and part by part, for C programs:
 * perilune.h, on workers that serve real sockets. */
#include "app_world.h"

#include <fcntl.h>
#include <sys/stat.h>

static char path[64];

/* Its result, and what is in the file. */
static int saves(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_save_options options = {
        .size = sizeof(options), .mode = 0600, .exclusive = true, .max = 10};
    int64_t size = pl_request_save(req, path, arg != NULL ? &options : NULL);

    if (size < 0)
        return pl_respond(res, 200, NULL, pl_str_c(pl_err_name((int)size)));
    return pl_respondf(res, 200, NULL, "%d", (int)size);
}

static int forgets(struct pl_request *req, struct pl_response *res, void *arg)
{
    int64_t size = pl_request_discard(req);
    char c;

    CHECK_INT(0, pl_request_read(req, &c, 1), "nothing is left");
    CHECK_INT(PL_ERR_STATE, pl_request_save(req, path, NULL), "another way");
    return pl_respondf(res, 200, NULL, "%d", (int)size);
}

/* Text parts whole, files by the byte. */
static int takes_apart(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    struct pl_parts_options options = {.size = sizeof(options), .max_parts = 3};
    struct pl_builder *out = pl_builder_new(req);
    struct pl_part *part;
    struct pl_str text;
    char c;
    int got = pl_request_parts(req, &options);

    if (got < 0)
        return got;
    while ((got = pl_part_next(req, &part)) == 1) {
        pl_builder_addf(out, "%.*s", PL_STR_ARG(pl_part_name(part)));
        if (pl_part_filename(part).data == NULL) {
            got = pl_part_text(part, 4, &text);
            if (got < 0)
                return got;
            pl_builder_addf(out, "=%.*s;", PL_STR_ARG(text));
            continue;
        }
        pl_builder_addf(
            out, " %.*s %.*s %.*s %.*s:", PL_STR_ARG(pl_part_filename(part)),
            PL_STR_ARG(pl_part_raw_filename(part)),
            PL_STR_ARG(pl_part_type(part)),
            PL_STR_ARG(pl_part_header(part, PL_STR("X-y"))));
        while (pl_part_read(part, &c, 1) == 1)
            pl_builder_addc(out, c);
        pl_builder_addc(out, ';');
    }
    return got < 0 ? got : pl_respond(res, 200, NULL, pl_builder_str(out));
}

/* ---- */

static int make_app(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/test_straight_upload.%d", getpid());
    app = pl_app_new();
    pl_app_post(app, "/save", saves, NULL);
    pl_app_post(app, "/save-new", saves, (void *)"");
    pl_app_post(app, "/forget", forgets, NULL);
    pl_app_post(app, "/parts", takes_apart, NULL);
    start_app();
    return 0;
}

static int end_app(void **state)
{
    (void)state;
    stop_app();
    unlink(path);
    return 0;
}

static void check_post(const char *want, const char *target, const char *body)
{
    CHECK_STR(want, body_of(ask("POST", target, "", body)), target);
}

static void test_straight_upload__saves_bodies(void **state)
{
    char text[16] = "";
    struct stat st;
    int fd;

    (void)state;
    check_post("3", "/save", "one");
    check_post("PL_ERR_EXISTS", "/save-new", "two");
    check_post("5", "/save", "three");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_INT(5, read(fd, text, sizeof(text)), "length");
    CHECK_STR("three", pl_str_c(text), "content");
    CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0644, "mode");
    close(fd);
    unlink(path);
    check_post("PL_ERR_LIMIT", "/save-new", "12345678901");
    check_post("10", "/save-new", "1234567890");
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "mode");
    check_post("4", "/forget", "four");
}

#define TYPE "Content-Type: multipart/form-data; boundary=B\r\n"
#define CD "Content-Disposition: form-data; name="

static const char *post_form(const char *body)
{
    return ask("POST", "/parts", TYPE, body);
}

static void test_straight_upload__reads_forms(void **state)
{
    (void)state;
    CHECK_STR("a=1234;f x /y/x t/x z:data;b=;",
              body_of(post_form("--B\r\n" CD "a\r\n\r\n1234\r\n"
                                "--B\r\n" CD "f; filename=\"/y/x\"\r\n"
                                "Content-Type: t/x\r\nx-Y: z\r\n\r\ndata\r\n"
                                "--B\r\n" CD "b\r\n\r\n\r\n--B--")),
              "parts");
    CHECK_INT(413, status_of(post_form("--B\r\n" CD "a\r\n\r\n12345\r\n--B--")),
              "too long a text");
    CHECK_INT(413,
              status_of(post_form("--B\r\n" CD "a\r\n\r\n\r\n"
                                  "--B\r\n" CD "a\r\n\r\n\r\n"
                                  "--B\r\n" CD "a\r\n\r\n\r\n"
                                  "--B\r\n" CD "a\r\n\r\n\r\n--B--")),
              "too many parts");
    CHECK_INT(400, status_of(post_form("--B\r\n" CD "a\r\n\r\n")), "cut off");
    CHECK_INT(501, status_of(ask("POST", "/parts", "", "a=1")), "no form");
}

#define SERVED(name) cmocka_unit_test_setup_teardown(name, make_app, end_app)

RUN_TESTS(SERVED(test_straight_upload__saves_bodies),
          SERVED(test_straight_upload__reads_forms))
