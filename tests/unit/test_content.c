/* test_content.c - which file of a folder of pages a URL means, and what is
 * passed on. The rules for names are told to Lua, too: tests/lua. */
#include "handlers/content.h"
#include "static_world.h"

#define GZIP "Accept-Encoding: gzip\r\n"
#define IMMUTABLE "Cache-Control: public, max-age=604800, immutable"

/* ---- who knows the pages ---- */

static void start_page(struct pl_handler *self, struct pl_request *req,
                       struct pl_then *then)
{
    (void)self;
    pl_respond(&req->response, 404, "text/plain", PL_STR("no page"));
    then->done(then, req, 0);
}

static void note_free(struct pl_handler *self)
{
    (void)self;
    note('f');
}

static struct pl_handler pages = {"pages", start_page, note_free};

/* ---- the world ---- */

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static int make_content_folder(void **state)
{
    static const char *const folders[] = {"www/static", "www/sub/static",
                                          "www/i.parts", "www/sub/i.x",
                                          "www/static/i.y"};
    static const char *const files[] = {"page.html",
                                        "both",
                                        "both.html",
                                        "sub.html",
                                        "LICENSE",
                                        "v1.2.html",
                                        "x.dyn.html",
                                        "x.priv.html",
                                        "y.dyn",
                                        "post.a.txt",
                                        "put.a.html",
                                        "delete.b.c.d",
                                        "post.html",
                                        "patch.a.txt",
                                        "tool.lua",
                                        "tool.lua~",
                                        "tool.lua.orig",
                                        "packed.lua.gz",
                                        "doc.lua.html",
                                        "tool.luac",
                                        "icon.ico",
                                        "index",
                                        "i.parts/a.css",
                                        "sub/i.x/b.css",
                                        "static/i.y/c.css",
                                        "static/app.js",
                                        "static/post.a.txt",
                                        "static/p.html",
                                        "static/lib.lua",
                                        "static/x.dyn.js",
                                        "static/x.priv.js",
                                        "sub/static/a.css",
                                        "only.txt.gz",
                                        "packed.html.gz",
                                        "bare/index.html.gz",
                                        "a.tar.gz"};
    char name[64];

    make_folder(state);
    for (size_t i = 0; i < PL_COUNT(folders); i++)
        CHECK_INT(0, mkdir(in_folder(folders[i]), 0755), folders[i]);
    for (size_t i = 0; i < PL_COUNT(files); i++) {
        snprintf(name, sizeof(name), "www/%s", files[i]);
        write_text(name, files[i]);
    }
    return 0;
}

static void mount(const char *at, struct pl_content_options options)
{
    struct pl_error error;
    struct pl_handler *handler;

    options.root = in_folder("www");
    handler = pl_content_new(&options, &error);
    CHECK(handler != NULL, at);
    add_route(at, true, PL_METHODS_ANY, handler);
}

static void mount_all(void)
{
    mount("/site", (struct pl_content_options){.pages = &pages});
    mount("/less", (struct pl_content_options){.no_static = true});
}

static int make_content_server(void **state)
{
    make_keeping_server(state);
    mount_all();
    return 0;
}

/* Nothing is kept: every name is looked for each time. */
static int make_forgetful_server(void **state)
{
    make_server(state);
    mount_all();
    return 0;
}

static void check_answer(const char *target, const char *fields, int status,
                         const char *body)
{
    const char *text = ask("GET", target, fields);

    CHECK_INT(status, status_of(text), target);
    CHECK_STR(body, pl_str_c(body_of(text)), target);
}

/* ---- names ---- */

static const struct {
    const char *path, *file; /* NULL: passed on */
} names[] = {
    {"/", "<p>home"},
    {"/page", "page.html"},
    {"/both", "both.html"},
    {"/LICENSE", "LICENSE"},
    {"/v1.2", "v1.2.html"},
    {"/a.txt", "0123456789"},
    {"/sub", "sub.html"},
    {"/sub/", "<p>sub"},
    {"/sub/b.txt", "bee"},
    {"/y.dyn", "y.dyn"},
    {"/post", "post.html"},
    {"/patch.a.txt", "patch.a.txt"},
    {"/icon.ico", "icon.ico"},
    {"/tool.luac", "tool.luac"},
    {"/doc.lua", "doc.lua.html"},
    {"/.well-known/x.txt", "known"},
    {"/static/app.js", "static/app.js"},
    {"/static/p", "static/p.html"},
    {"/static/post.a.txt", "static/post.a.txt"},
    {"/static/lib.lua", "static/lib.lua"},
    {"/sub/static/a.css", "sub/static/a.css"},
    {"/inside", "0123456789"},
    {"/page.html", NULL},
    {"/index", NULL},
    {"/index.html", NULL},
    {"/sub/index", NULL},
    {"/static/p.html", NULL},
    {"/x", NULL},
    {"/x.dyn", NULL},
    {"/x.dyn.html", NULL},
    {"/x.priv", NULL},
    {"/x.priv.html", NULL},
    {"/a", NULL},
    {"/post.a.txt", NULL},
    {"/put.a", NULL},
    {"/put.a.html", NULL},
    {"/delete.b.c.d", NULL},
    {"/tool.lua", NULL},
    {"/tool.lua~", NULL},
    {"/tool.lua.orig", NULL},
    {"/packed.lua", NULL},
    {"/packed.lua.gz", NULL},
    {"/.hidden", NULL},
    {"/.git/config", NULL},
    {"/i.parts/a.css", NULL},
    {"/sub/i.x/b.css", NULL},
    {"/static/i.y/c.css", NULL},
    {"/static/x.dyn.js", NULL},
    {"/static/x.js", NULL},
    {"/static/x.priv.js", NULL},
    {"/outside", NULL},
    {"/absolute", NULL},
    {"/magic/etc/passwd", NULL},
    {"/fifo", NULL},
    {"/loop/loop", NULL},
    {"/nothing", NULL},
    {"/nothing/", NULL},
    {"/page/", NULL},
    {"/page/x", NULL},
    {"/a%00b", NULL},
};

static void check_names(void)
{
    char target[64];

    for (size_t i = 0; i < PL_COUNT(names); i++) {
        snprintf(target, sizeof(target), "/site%s", names[i].path);
        if (strchr(target, '%') != NULL) /* the wire refuses it */
            CHECK_INT(400, status_of(get(target)), target);
        else if (names[i].file != NULL)
            check_answer(target, "", 200, names[i].file);
        else
            check_answer(target, "", 404, "no page");
    }
}

static void test_content__names_of_files_are_obeyed(void **state)
{
    (void)state;
    check_names();
    check_names(); /* once more, from what is kept */
}

static void test_content__folders_get_their_slash(void **state)
{
    (void)state;
    CHECK_INT(301, status_of(get("/site?q")), "the mount");
    check_field(answer, "Location: /site/?q", "the mount");
    CHECK_INT(301, status_of(get("/site/static")), "a folder");
    check_field(answer, "Location: /site/static/", "a folder");
    CHECK_INT(404, status_of(get("/site//static")), "two slashes");
}

static void test_content__static_is_kept_by_clients(void **state)
{
    (void)state;
    check_field(get("/site/static/app.js"), IMMUTABLE, "static");
    check_field(get("/site/sub/static/a.css"), IMMUTABLE, "below");
    check_field(get("/site/icon.ico"), IMMUTABLE, "icon");
    check_field(get("/site/page"), "Cache-Control: max-age=60", "others");
    CHECK(strstr(get("/site/static/no.js"), "604800") == NULL, "404");
}

static void test_content__without_static(void **state)
{
    (void)state;
    check_answer("/less/page", "", 200, "page.html");
    CHECK_INT(404, status_of(get("/less/static/app.js")), "static");
    CHECK_INT(404, status_of(get("/less/sub/static/a.css")), "below");
    CHECK_INT(404, status_of(get("/less/nothing")), "nobody has pages");
}

/* ---- only a packed version ---- */

static void test_content__packed_files_are_negotiated(void **state)
{
    static const struct {
        const char *path, *file, *type;
    } cases[] = {
        {"/site/only.txt", "only.txt.gz", "Content-Type: text/plain"},
        {"/site/packed", "packed.html.gz", "Content-Type: text/html"},
        {"/site/bare/", "bare/index.html.gz", "Content-Type: text/html"},
    };
    static const char *const refusals[] = {"Accept-Encoding: br\r\n",
                                           "Accept-Encoding: gzip;q=0\r\n",
                                           "Accept-Encoding:\r\n"};
    char type[64];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        check_answer(cases[i].path, GZIP, 200, cases[i].file);
        check_field(answer, "Content-Encoding: gzip", cases[i].path);
        check_field(answer, "Vary: Accept-Encoding", cases[i].path);
        snprintf(type, sizeof(type), "%s; charset=utf-8", cases[i].type);
        check_field(answer, type, cases[i].path);
        check_answer(cases[i].path, "", 200, cases[i].file);
        for (size_t j = 0; j < PL_COUNT(refusals); j++) {
            CHECK_INT(406, status_of(ask("GET", cases[i].path, refusals[j])),
                      refusals[j]);
            check_field(answer, "Vary: Accept-Encoding", refusals[j]);
        }
    }
    check_answer("/site/a.tar.gz", "", 200, "a.tar.gz");
    CHECK(strcasestr(answer, "\r\nContent-Encoding") == NULL, "as it is");
}

/* ---- failures ---- */

static void test_content__frees_pages_on_failure(void **state)
{
    struct pl_content_options options = {.root = "/no/where", .pages = &pages};
    struct pl_error error;

    (void)state;
    trace[0] = '\0';
    CHECK(pl_content_new(&options, &error) == NULL, "no folder");
    check_trace("f", "taken");
    CHECK(strstr(error.text, "cannot serve files from '/no/where'") != NULL,
          error.text);
}

static void test_content__what_may_not_be_read_is_403(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    CHECK_INT(403, status_of(get("/site/locked.txt")), "locked");
}

#define SERVED(name)                                                           \
    cmocka_unit_test_setup_teardown(name, make_content_server, end_server)
#define FORGOTTEN(name)                                                        \
    {                                                                          \
#name " (nothing kept)", name, make_forgetful_server, end_server, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(test_content__names_of_files_are_obeyed),
        FORGOTTEN(test_content__names_of_files_are_obeyed),
        SERVED(test_content__folders_get_their_slash),
        SERVED(test_content__static_is_kept_by_clients),
        SERVED(test_content__without_static),
        SERVED(test_content__packed_files_are_negotiated),
        FORGOTTEN(test_content__packed_files_are_negotiated),
        SERVED(test_content__frees_pages_on_failure),
        SERVED(test_content__what_may_not_be_read_is_403),
    };

    return cmocka_run_group_tests(tests, make_content_folder, remove_folder);
}
