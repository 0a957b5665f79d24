/* test_app_template.c - templates of a C program, filled from its structs. */
#include "app_world.h"

#include <sys/stat.h>

struct moon {
    const char *name;
    int radius;
};

struct planet {
    struct pl_str name;
    struct moon *moons;
    size_t nmoons;
    const struct pl_str *words;
    size_t nwords;
};

static const struct pl_field moon_fields[] = {
    PL_FIELD(TEXT, struct moon, name),
    PL_FIELD(INT, struct moon, radius),
    PL_FIELD_END,
};
static const struct pl_field moon_type = PL_FIELD_OF(struct moon, moon_fields);
static const struct pl_field word_type = PL_FIELD_ITEM(STR, struct pl_str);
static const struct pl_field planet_fields[] = {
    PL_FIELD(STR, struct planet, name),
    PL_FIELD_LIST("moons", struct planet, moons, nmoons, &moon_type),
    PL_FIELD_LIST("words", struct planet, words, nwords, &word_type),
    PL_FIELD_END,
};
static const struct pl_field planet_type =
    PL_FIELD_OF(struct planet, planet_fields);

static struct moon moons[] = {{"Phobos", 11}, {"<Deimos>", 6}};
static const struct pl_str words[] = {PL_STR("red"), PL_STR("dry")};
static const struct planet mars = {PL_STR("Mars"), moons, 2, words, 2};
static const struct pl_template_set *set;

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond_template(res, 201, set, &planet_type, &mars);
}

static int show_text(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str text;
    int err = pl_render(req, set, &planet_type, &mars, &text);

    if (err == 0)
        err =
            pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/plain"));
    return err < 0 ? err : pl_response_bytes(res, text, NULL, NULL);
}

static void serve_template(const char *source)
{
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    set = pl_app_template_text(app, "t", pl_str_c(source));
    pl_app_get(app, "/html", show, NULL);
    pl_app_get(app, "/text", show_text, NULL);
    start_app();
}

static void test_app_template__structs_are_shown(void **state)
{
    (void)state;
    serve_template("{{name}}:{{#moons}} {{name}}={{radius}}{{/moons}}"
                   "{{#words}} {{.}}{{/words}}");
    CHECK_STR("Mars: Phobos=11 &lt;Deimos&gt;=6 red dry",
              body_of(ask("GET", "/html", "", "")), "html");
    CHECK_INT(201, status_of(answer), "status");
    check_line("Content-Type: text/html; charset=utf-8", "type");
    CHECK_STR("Mars: Phobos=11 &lt;Deimos&gt;=6 red dry",
              body_of(ask("GET", "/text", "", "")), "text");
    check_line("Content-Type: text/plain", "type");
    CHECK(pl_app_template_text(app, "t", PL_STR("")) == NULL, "it runs");
    CHECK(pl_app_template(app, "t") == NULL, "it runs");
    stop_app();
}

static void test_app_template__an_empty_one_is_an_empty_page(void **state)
{
    (void)state;
    serve_template("{{nobody}}");
    CHECK_STR("", body_of(ask("GET", "/html", "", "")), "html");
    CHECK_INT(201, status_of(answer), "status");
    stop_app();
}

static void test_app_template__limits_of_a_request_hold(void **state)
{
    (void)state;
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_set(app, "request_memory", "16k");
    set = pl_app_template_text(
        app, "t",
        PL_STR("{{#moons}}{{#moons}}{{#moons}}{{#moons}}{{#moons}}{{#moons}}"
               "{{#moons}}{{#moons}}{{#moons}}{{#moons}}{{#moons}}{{#moons}}"
               "0123456789"
               "{{/moons}}{{/moons}}{{/moons}}{{/moons}}{{/moons}}{{/moons}}"
               "{{/moons}}{{/moons}}{{/moons}}{{/moons}}{{/moons}}"
               "{{/moons}}"));
    pl_app_get(app, "/html", show, NULL);
    start_app();
    CHECK_INT(413, status_of(ask("GET", "/html", "", "")), "too large");
    stop_app();
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[300];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    CHECK(file != NULL, path);
    fputs(text, file);
    fclose(file);
}

static void test_app_template__a_file_and_its_partials(void **state)
{
    char folder[] = "/tmp/pl-app-template-XXXXXX", path[300], head[300];

    (void)state;
    CHECK(mkdtemp(folder) != NULL, folder);
    snprintf(path, sizeof(path), "%s/page.mustache", folder);
    snprintf(head, sizeof(head), "%s/head.mustache", folder);
    write_file(folder, "page.mustache", "{{>head}}{{name}}");
    write_file(folder, "head.mustache", "<h1>");
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    set = pl_app_template(app, path);
    CHECK(set != NULL, pl_app_error(app));
    unlink(path);
    unlink(head);
    rmdir(folder);
    pl_app_get(app, "/html", show, NULL);
    start_app();
    CHECK_STR("<h1>Mars", body_of(ask("GET", "/html", "", "")), "no disk");
    stop_app();
}

static void test_app_template__faults_name_the_line(void **state)
{
    (void)state;
    app = pl_app_new();
    CHECK(pl_app_template_text(app, "page", PL_STR("a\n{{#b}}\n")) == NULL,
          "not closed");
    CHECK(strstr(pl_app_error(app), "pl_app_template_text(\"page\"): page:2:"),
          pl_app_error(app));
    CHECK_INT(3, pl_app_run(app), "refuses to run");
    pl_app_free(app);
    app = pl_app_new();
    CHECK(pl_app_template(app, "/none.mustache") == NULL, "no file");
    CHECK(strstr(pl_app_error(app), "/none.mustache"), pl_app_error(app));
    pl_app_free(app);
}

/* ---- files that change ---- */

static char folder[] = "/tmp/perilune-template-XXXXXX";

static void write_template(const char *name, const char *text)
{
    char path[200], part[210];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(part, sizeof(part), "%s.part", path);
    file = fopen(part, "w");
    CHECK(file != NULL, part);
    fputs(text, file);
    fclose(file);
    CHECK_INT(0, rename(part, path), path);
}

static void remove_template(const char *name)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    CHECK_INT(0, unlink(path), path);
}

static void wait_for_text(const char *want)
{
    while (!pl_str_eq(body_of(ask("GET", "/text", "", "")), pl_str_c(want)))
        continue;
}

/* Requests that render all the time, while the files change. */
static void *ask_all_the_time(void *arg)
{
    atomic_bool *over = arg;
    char got[1000];
    ssize_t n;

    while (!atomic_load(over)) {
        int fd = open_conn();

        send_all(fd, "GET /html HTTP/1.0\r\n\r\n", 22);
        while ((n = recv(fd, got, sizeof(got), 0)) > 0)
            continue;
        close(fd);
    }
    return NULL;
}

static void test_app_template__files_reload_alone(void **state)
{
    char path[200];
    pthread_t asker;
    atomic_bool over = false;

    CHECK(mkdtemp(folder) != NULL, folder);
    write_template("page.mustache", "{{name}} {{>part}}");
    snprintf(path, sizeof(path), "%s/page.mustache", folder);
    app = pl_app_new();
    pl_app_set(app, "workers", "2");
    set = pl_app_template(app, path);
    CHECK(set != NULL, pl_app_error(app));
    pl_app_get(app, "/html", show, NULL);
    pl_app_get(app, "/text", show_text, NULL);
    start_app();
    CHECK_INT(0, pthread_create(&asker, NULL, ask_all_the_time, &over), "ask");
    wait_for_text("Mars ");
    write_template("part.mustache", "one");
    wait_for_text("Mars one");
    write_template("part.mustache", "two");
    wait_for_text("Mars two");
    write_template("part.mustache", "{{#open}}"); /* a fault: nothing changes */
    write_template("page.mustache", "never seen {{>part}}");
    for (int i = 0; i < 20; i++)
        wait_for_text("Mars two");
    write_template("part.mustache", "{{name}}");
    wait_for_text("never seen Mars");
    remove_template("part.mustache");
    wait_for_text("never seen ");
    remove_template("page.mustache");
    for (int i = 0; i < 20; i++)
        wait_for_text("never seen ");
    atomic_store(&over, true);
    pthread_join(asker, NULL);
    stop_app();
    CHECK_INT(0, rmdir(folder), folder);
}

RUN_TESTS(cmocka_unit_test(test_app_template__files_reload_alone),
          cmocka_unit_test(test_app_template__structs_are_shown),
          cmocka_unit_test(test_app_template__an_empty_one_is_an_empty_page),
          cmocka_unit_test(test_app_template__limits_of_a_request_hold),
          cmocka_unit_test(test_app_template__a_file_and_its_partials),
          cmocka_unit_test(test_app_template__faults_name_the_line))
