/* test_router.c - patterns against paths: by hand, and at random against a
 * matcher so simple that it is plainly right. */
#include "check.h"

#include <stdlib.h>

#include "route/router.h"

static struct pl_router *router;
static struct pl_error error;

static int make(void **state)
{
    (void)state;
    router = pl_router_new();
    CHECK(router != NULL, "router");
    error = (struct pl_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    pl_router_free(router);
    return 0;
}

#define GET PL_METHOD_BIT(PL_METHOD_GET)
#define HEAD PL_METHOD_BIT(PL_METHOD_HEAD)
#define POST PL_METHOD_BIT(PL_METHOD_POST)

static int add_to(const char *host, unsigned methods, const char *pattern,
                  bool mount)
{
    struct pl_route route = {.pattern = pattern,
                             .host = host,
                             .methods = methods,
                             .mount = mount,
                             .where = "s:1"};

    return pl_router_add(router, &route, &error);
}

static int add(const char *pattern)
{
    return add_to("", GET, pattern, false);
}

static struct pl_match match;

static void find_at(const char *host, enum pl_method method, const char *path)
{
    pl_router_find(router, pl_str_c(host), method, pl_str_c(path), &match);
}

/* The pattern that path matches; NULL: none. */
static void expect(const char *path, const char *pattern)
{
    find_at("", PL_METHOD_GET, path);
    CHECK_STR(pattern, pl_str_c(match.route ? match.route->pattern : NULL),
              path);
}

static void test_router__exact_before_parameter_before_rest(void **state)
{
    (void)state;
    CHECK_INT(0, add("/a/*all"), "add");
    CHECK_INT(0, add("/a/:x"), "add");
    CHECK_INT(0, add("/a/b"), "add");
    CHECK_INT(0, add("/a/b/c/d"), "add");
    CHECK_INT(0, add("/"), "add");
    expect("/", "/");
    expect("/a/b", "/a/b");
    expect("/a/c", "/a/:x");
    CHECK_STR("c", match.values[0], "value");
    expect("/a/b/", "/a/*all");
    CHECK_STR("b/", match.rest, "rest");
    CHECK_STR("b/", match.values[0], "and as a parameter");
    expect("/a/b/c", "/a/*all"); /* back from a blind alley */
    expect("/a/b/c/d", "/a/b/c/d");
    expect("/a/", "/a/*all");
    CHECK_STR("", match.rest, "none");
    expect("/a", NULL);
    expect("/b", NULL);
    expect("", NULL);
    expect("a", NULL);
    expect("*", NULL);
}

static void test_router__mounts_end_on_borders(void **state)
{
    (void)state;
    CHECK_INT(0, add_to("", GET, "/s", true), "add");
    CHECK_INT(0, add_to("", GET, "/s/deep/", true), "add");
    CHECK_INT(0, add("/s/file"), "add");
    expect("/s", "/s");
    CHECK(match.rest.data == NULL, "without the slash");
    expect("/s/", "/s");
    CHECK_STR("", match.rest, "with it");
    expect("/s/a/b", "/s");
    CHECK_STR("a/b", match.rest, "rest");
    expect("/s/deep", "/s/deep/");
    expect("/s/deep/x", "/s/deep/");
    CHECK_STR("x", match.rest, "rest");
    expect("/s/deeper", "/s");
    expect("/s/file", "/s/file");
    expect("/sx", NULL);
}

static void test_router__a_mount_at_the_root_takes_everything(void **state)
{
    (void)state;
    CHECK_INT(0, add_to("", GET, "/", true), "add");
    CHECK_INT(0, add("/x"), "add");
    expect("/", "/");
    expect("/x", "/x");
    expect("/x/y", "/");
    CHECK_STR("x/y", match.rest, "rest");
}

static void test_router__parameters_in_order(void **state)
{
    (void)state;
    CHECK_INT(0, add("/:a/x/:b/*c"), "add");
    expect("/1/x/2/3/4", "/:a/x/:b/*c");
    CHECK_INT(3, match.nparams, "three");
    CHECK_STR("1", match.values[0], "a");
    CHECK_STR("2", match.values[1], "b");
    CHECK_STR("3/4", match.values[2], "c");
    CHECK_STR("b", match.route->params[1], "name");
    expect("//x/2/3", NULL); /* an empty element is no parameter */
}

static void test_router__methods(void **state)
{
    (void)state;
    CHECK_INT(0, add_to("", GET, "/a", false), "add");
    CHECK_INT(0, add_to("", POST, "/a", false), "another method");
    CHECK_INT(0, add_to("", POST, "/:x", false), "add");
    CHECK_INT(0, add_to("", GET, "/h", false), "add");
    CHECK_INT(0, add_to("", HEAD, "/h", false), "HEAD of its own");
    find_at("", PL_METHOD_HEAD, "/a");
    CHECK(match.route != NULL, "HEAD is GET");
    find_at("", PL_METHOD_HEAD, "/h");
    CHECK_INT(HEAD, match.route->methods, "unless it is not");
    find_at("", PL_METHOD_GET, "/b");
    CHECK(match.route == NULL, "none");
    CHECK_INT(POST, match.allow, "405");
    find_at("", PL_METHOD_PUT, "/a");
    CHECK(match.route == NULL, "none");
    CHECK_INT(GET | POST, match.allow, "405");
    find_at("", PL_METHOD_PUT, "/c/d");
    CHECK_INT(0, match.allow, "404");
}

static void expect_host(const char *host, const char *want)
{
    find_at(host, PL_METHOD_GET, "/x");
    CHECK_STR(want, pl_str_c(match.route ? match.route->host : NULL), host);
}

static void test_router__hosts(void **state)
{
    (void)state;
    CHECK_INT(0, pl_router_ahead(router), "none");
    CHECK_INT(0, add_to("a.example", GET, "/x", false), "add");
    CHECK_INT(0, add_to("*.example", GET, "/x", false), "add");
    CHECK_INT(0, add_to("*.b.example", GET, "/x", false), "add");
    CHECK_INT(0, add_to("", GET, "/x", false), "add");
    CHECK_INT(0, add_to("A.example", GET, "/only", false), "any case");
    CHECK_INT(PL_AHEAD_HOST, pl_router_ahead(router), "some");
    expect_host("a.example", "a.example");
    expect_host("A.EXAMPLE", "a.example");
    expect_host("a.example.", "a.example");
    expect_host("c.example", "*.example");
    expect_host("x.b.example", "*.b.example");
    expect_host("b.example", "*.example");
    expect_host("example", "");
    expect_host("notexample", "");
    expect_host("", "");
    find_at("a.example", PL_METHOD_GET, "/only");
    CHECK(match.route != NULL, "its own");
    find_at("b.example", PL_METHOD_GET, "/only");
    CHECK(match.route == NULL, "not another's");
}

static const struct {
    const char *pattern, *text;
    bool mount;
} wrong[] = {
    {"", "route pattern '': must begin with '/'", false},
    {"a", "route pattern 'a': must begin with '/'", false},
    {"/:", "route pattern '/:': a parameter without a name", false},
    {"/new/:a/:a", "route pattern '/new/:a/:a': the same parameter twice",
     false},
    {"/new/*a/b", "route pattern '/new/*a/b': '*' must be the last element",
     false},
    {"/*a", "route pattern '/*a': a mounted prefix takes no '*'", true},
    {"/taken", "route '/taken' is already taken by '/taken' (s:1)", false},
    {"/p/:other", "route '/p/:other' is already taken by '/p/:one' (s:1)",
     false},
};

static void test_router__says_what_is_wrong(void **state)
{
    (void)state;
    CHECK_INT(0, add("/taken"), "add");
    CHECK_INT(0, add("/p/:one"), "add");
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        CHECK(add_to("", GET, wrong[i].pattern, wrong[i].mount) < 0,
              wrong[i].pattern);
        CHECK_STR(wrong[i].text, pl_str_c(error.text), wrong[i].pattern);
        CHECK_STR("s:1", pl_str_c(error.where), wrong[i].pattern);
    }
    expect("/new/x", NULL); /* what was refused left nothing behind */
    expect("/taken", "/taken");
    CHECK_INT(0, add("/new/x"), "and may be added right");
    expect("/new/x", "/new/x");
}

static void test_router__at_most_16_parameters(void **state)
{
    (void)state;
    CHECK_INT(0, add("/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p"), "16");
    CHECK_INT(PL_ERR_INVALID,
              add("/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p/*q"), "17");
    expect("/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6",
           "/:a/:b/:c/:d/:e/:f/:g/:h/:i/:j/:k/:l/:m/:n/:o/:p");
    CHECK_INT(16, match.nparams, "all");
    CHECK_STR("6", match.values[15], "the last");
    expect("/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", NULL);
}

static void test_router__a_thousand_routes(void **state)
{
    char pattern[32];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(pattern, sizeof(pattern), "/%d/x%d/:id", i % 37, i);
        CHECK_INT(0, add(pattern), pattern);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(pattern, sizeof(pattern), "/%d/x%d/y", i % 37, i);
        find_at("", PL_METHOD_GET, pattern);
        CHECK(match.route != NULL && match.route->index == (unsigned)i,
              pattern);
        CHECK(pl_router_route(router, (unsigned)i) == match.route, "by index");
    }
    CHECK(pl_router_route(router, 1000) == NULL, "the end");
    expect("/1/x2/y", NULL);
}

/* ---- against a model ---- */

enum { ELEMENTS = 4, ROUTES = 12, PATHS = 200, ROUNDS = 300 };

/* What an element of a pattern is worth: the better match has the greater
 * first difference. */
enum { END, REST, PARAM, EXACT };

struct model {
    char pattern[64];
    bool mount;
    unsigned methods;
    bool added;
};

static const char *const words[] = {"a", "b", "ab", ""};

static void random_pattern(struct model *model)
{
    size_t n = 0;
    int count = rand() % ELEMENTS;

    model->mount = rand() % 4 == 0;
    model->methods = 1u + (unsigned)rand() % 3;
    model->pattern[0] = '\0';
    for (int i = 0; i <= count; i++) {
        int kind = rand() % 6;

        if (kind == 0 && i == count && !model->mount)
            n += (size_t)sprintf(model->pattern + n, "/*r");
        else if (kind <= 2)
            n += (size_t)sprintf(model->pattern + n, "/:p%d", i);
        else
            n += (size_t)sprintf(model->pattern + n, "/%s", words[rand() % 4]);
    }
}

static void random_path(char *out)
{
    size_t n = 0;
    int count = rand() % ELEMENTS;

    for (int i = 0; i <= count; i++)
        n += (size_t)sprintf(out + n, "/%s", words[rand() % 4]);
}

/* Does path match? kinds gets one mark per element. */
static bool model_matches(const struct model *model, const char *path,
                          char *kinds)
{
    struct pl_str rest = pl_str_c(path + 1), part;
    struct pl_str want = pl_str_c(model->pattern + 1), element;
    bool more = true;

    if (model->mount && want.len == 0)
        want = pl_str(NULL, 0); /* the root: no element */
    else if (model->mount && pl_str_ends(want, PL_STR("/")))
        want.len--;
    while (pl_str_split(&want, '/', &element)) {
        if (!more)
            return false;
        if (pl_str_starts(element, PL_STR("*"))) {
            *kinds++ = REST;
            *kinds = END;
            return rest.data != NULL;
        }
        more = pl_str_split(&rest, '/', &part);
        if (!more)
            return false;
        if (pl_str_starts(element, PL_STR(":"))) {
            if (part.len == 0)
                return false;
            *kinds++ = PARAM;
        } else if (pl_str_eq(element, part)) {
            *kinds++ = EXACT;
        } else {
            return false;
        }
        more = rest.data != NULL;
    }
    *kinds++ = model->mount ? REST : EXACT; /* the end of the path itself */
    *kinds = END;
    return model->mount || rest.data == NULL;
}

static const struct model *model_find(const struct model *models,
                                      const char *path, unsigned method,
                                      unsigned *allow)
{
    const struct model *best = NULL;
    char kinds[ELEMENTS + 3], best_kinds[ELEMENTS + 3] = {END};

    *allow = 0;
    for (int i = 0; i < ROUTES; i++) {
        memset(kinds, 0, sizeof(kinds));
        if (!models[i].added || !model_matches(&models[i], path, kinds))
            continue;
        *allow |= models[i].methods;
        if ((models[i].methods & method) &&
            memcmp(kinds, best_kinds, sizeof(kinds)) > 0) {
            memcpy(best_kinds, kinds, sizeof(kinds));
            best = &models[i];
        }
    }
    return best;
}

static void check_path(const struct model *models, const char *path)
{
    unsigned method = (unsigned)rand() % 2, allow;
    const struct model *want = model_find(models, path, 1u << method, &allow);

    find_at("", (enum pl_method)method, path);
    if (method == PL_METHOD_HEAD && want == NULL)
        return; /* falls back to GET, which the model does not know */
    if (method == PL_METHOD_HEAD && match.route != NULL &&
        !(match.route->methods & HEAD))
        return;
    CHECK_STR(want ? want->pattern : NULL,
              pl_str_c(match.route ? match.route->pattern : NULL), path);
    if (want == NULL)
        CHECK_INT(allow, match.allow, path);
}

static void test_router__agrees_with_a_naive_matcher(void **state)
{
    (void)state;
    srand(11);
    for (int round = 0; round < ROUNDS; round++) {
        struct model models[ROUTES];
        char path[64];

        for (int i = 0; i < ROUTES; i++) {
            random_pattern(&models[i]);
            models[i].added = add_to("", models[i].methods, models[i].pattern,
                                     models[i].mount) == 0;
        }
        for (int i = 0; i < PATHS; i++) {
            random_path(path);
            check_path(models, path);
        }
        pl_router_free(router);
        router = pl_router_new();
    }
}

#define ROUTER_TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

RUN_TESTS(ROUTER_TEST(test_router__exact_before_parameter_before_rest),
          ROUTER_TEST(test_router__mounts_end_on_borders),
          ROUTER_TEST(test_router__a_mount_at_the_root_takes_everything),
          ROUTER_TEST(test_router__parameters_in_order),
          ROUTER_TEST(test_router__methods), ROUTER_TEST(test_router__hosts),
          ROUTER_TEST(test_router__says_what_is_wrong),
          ROUTER_TEST(test_router__at_most_16_parameters),
          ROUTER_TEST(test_router__a_thousand_routes),
          ROUTER_TEST(test_router__agrees_with_a_naive_matcher))
