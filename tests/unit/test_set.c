/* test_set.c - templates of files: found, read once, nothing else opened. */
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/faults.h"
#include "template/fields.h"
#include "template/set.h"

struct page {
    struct pl_str title, kind;
};

static const struct pl_field fields[] = {
    PL_FIELD(STR, struct page, title),
    PL_FIELD(STR, struct page, kind),
    {0},
};
static const struct pl_field type = PL_FIELD_OF(struct page, fields);

static char folder[] = "/tmp/perilune-set-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "w");
    CHECK(file != NULL, path);
    fputs(text, file);
    fclose(file);
}

static int make_folder(void **state)
{
    char path[200];

    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/site", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/site/parts", folder);
    mkdir(path, 0700);
    write_file("site/page.mustache",
               "{{>head}}{{>parts/body}}{{>*kind}}{{>../secret}}{{>gone}}");
    write_file("site/head.mustache", "<{{title}}>{{>page2}}");
    write_file("site/page2.mustache", "2{{#x}}{{>head}}{{/x}}");
    write_file("site/parts/body.mustache", "body");
    write_file("secret.mustache", "secret");
    write_file("bad.mustache", "{{>worse}}");
    write_file("worse.mustache", "\n{{#open}}");
    return 0;
}

static int remove_folder(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static struct pl_template_set *load(const char *name, struct pl_error *error)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return pl_template_set_load(path, error);
}

static void test_set__partials_come_from_its_folder(void **state)
{
    struct page page = {PL_STR("T"), PL_STR("parts/body")};
    struct pl_data data = pl_fields_data(&type, &page);
    struct pl_error error = {0};
    struct pl_template_set *set = load("site/page.mustache", &error);
    struct pl_pool pool;
    struct pl_buf out;

    (void)state;
    CHECK(set != NULL, error.text);
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    CHECK_INT(0, pl_template_set_render(set, &data, &out, &error), "renders");
    CHECK_STR("<T>2bodybody", pl_buf_str(&out), "no file outside, none gone");
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    pl_template_set_free(set);
}

static void test_set__faults_name_the_file(void **state)
{
    struct pl_error error = {0};

    (void)state;
    CHECK(load("none.mustache", &error) == NULL, "not there");
    CHECK_INT(PL_ERR_NOT_FOUND, error.code, "not there");
    CHECK(strstr(error.where, "none.mustache") != NULL, error.where);
    CHECK(load("bad.mustache", &error) == NULL, "a bad partial");
    CHECK(strstr(error.where, "worse.mustache:2") != NULL, error.where);
    CHECK(load("site", &error) == NULL, "a folder");
    CHECK(pl_template_set_load("/dev/zero", &error) == NULL, "without end");
    CHECK_INT(PL_ERR_LIMIT, error.code, "without end");
}

static void test_set__text_of_the_program(void **state)
{
    struct pl_error error = {0};
    struct pl_template_set *set =
        pl_template_set_text(PL_STR("x"), PL_STR("a{{>b}}"), &error);

    (void)state;
    CHECK(set != NULL, "made");
    pl_template_set_free(set);
    pl_template_set_free(NULL);
    CHECK(pl_template_set_text(PL_STR("x"), PL_STR("{{"), &error) == NULL,
          "malformed");
}

static void load_or_fail(void)
{
    struct pl_error error = {0};
    struct pl_template_set *set = load("site/page.mustache", &error);

    CHECK(set != NULL || (pl_faults_hit() && error.code < 0), "fails");
    pl_template_set_free(set);
}

static void test_set__any_call_may_fail(void **state)
{
    (void)state;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        load_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_open, EMFILE) {
        load_or_fail();
    }
    FOR_EACH_FAULT (PL_SYS_read, EIO) {
        load_or_fail();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set__partials_come_from_its_folder),
        cmocka_unit_test(test_set__faults_name_the_file),
        cmocka_unit_test(test_set__text_of_the_program),
        cmocka_unit_test(test_set__any_call_may_fail),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
