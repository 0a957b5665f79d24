/* template_world.h - one rendering of a template from texts, for tests. */
#ifndef PL_TESTS_TEMPLATE_WORLD_H
#define PL_TESTS_TEMPLATE_WORLD_H

#include "tree.h"

static struct pl_pool pool;

/* ---- lambdas of the cases ---- */

static int show_planet(struct pl_str source, struct pl_buf *out,
                       struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("{{planet}}"));
}

static int angle(struct pl_str source, struct pl_buf *out,
                 struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("<{{planet}}"));
}

static int bars(struct pl_str source, struct pl_buf *out,
                struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("|planet| => {{planet}}"));
}

static int count(struct pl_str source, struct pl_buf *out,
                 struct pl_error *error)
{
    static unsigned calls;

    return pl_buf_printf(out, "%u", ++calls);
}

static int is_raw(struct pl_str source, struct pl_buf *out,
                  struct pl_error *error)
{
    bool same = pl_str_eq(source, PL_STR("{{x}}"));

    return pl_buf_add(out, same ? PL_STR("yes") : PL_STR("no"));
}

static int twice(struct pl_str source, struct pl_buf *out,
                 struct pl_error *error)
{
    pl_buf_add(out, source);
    pl_buf_add(out, PL_STR("{{planet}}"));
    return pl_buf_add(out, source);
}

static int twice_bars(struct pl_str source, struct pl_buf *out,
                      struct pl_error *error)
{
    pl_buf_add(out, source);
    pl_buf_add(out, PL_STR("{{planet}} => |planet|"));
    return pl_buf_add(out, source);
}

static int same(struct pl_str source, struct pl_buf *out,
                struct pl_error *error)
{
    return pl_buf_add(out, source);
}

static int again(struct pl_str source, struct pl_buf *out,
                 struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("{{again}}"));
}

static int broken(struct pl_str source, struct pl_buf *out,
                  struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("{{#open}}"));
}

static int failing(struct pl_str source, struct pl_buf *out,
                   struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_IO, "", "no moon tonight");
}

static const struct tree_lambda lambdas[] = {
    {"planet", show_planet},    {"angle", angle},     {"bars", bars},
    {"count", count},           {"raw", is_raw},      {"twice", twice},
    {"twice_bars", twice_bars}, {"same", same},       {"again", again},
    {"broken", broken},         {"failing", failing}, {NULL, NULL},
};

/* ---- one rendering ---- */

struct world {
    struct pl_arena arena;
    struct tree *partials; /* name: 'template' */
    struct pl_template *made[32];
    struct pl_str names[32];
    unsigned count;
};

static const struct pl_template *find_partial(void *arg, struct pl_str name)
{
    struct world *world = arg;
    struct tree *one;

    for (unsigned i = 0; i < world->count; i++)
        if (pl_str_eq(world->names[i], name))
            return world->made[i];
    for (one = world->partials->first; one != NULL; one = one->next)
        if (pl_str_eq(one->name, name))
            break;
    if (one == NULL || world->count == PL_COUNT(world->made))
        return NULL;
    world->names[world->count] = name;
    world->made[world->count] = pl_template_new(name, one->text, NULL);
    return world->made[world->count++];
}

static int render(const char *source, const char *data, const char *partials,
                  size_t limit, struct pl_buf *out, struct pl_error *error)
{
    struct pl_template *template =
        pl_template_new(PL_STR("main"), pl_str_c(source), error);
    struct world world = {.count = 0};
    struct pl_partials find = {find_partial, &world};
    struct pl_data tree;
    const char *at = partials == NULL ? "{}" : partials;
    int err;

    pl_buf_init(out, &pool, NULL, limit);
    if (template == NULL)
        return error->code;
    pl_arena_init(&world.arena, &pool, NULL);
    world.partials = tree_read(&world.arena, &at, 50);
    tree = tree_data(tree_read(&world.arena, &data, 50), lambdas);
    err = pl_template_render(template, &tree, &find, out, error);
    for (unsigned i = 0; i < world.count; i++)
        pl_template_free(world.made[i]);
    pl_arena_fini(&world.arena);
    pl_template_free(template);
    return err;
}

struct example {
    const char *what, *source, *data, *want, *partials;
};

static void run(const struct example *examples, size_t n)
{
    struct pl_error error = {0};
    struct pl_buf out;

    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        const struct example *one = &examples[i];

        CHECK_INT(
            0, render(one->source, one->data, one->partials, 0, &out, &error),
            one->what);
        CHECK_STR(one->want, pl_buf_str(&out), one->what);
        pl_buf_fini(&out);
    }
    CHECK_INT(0, pool.account.used, "all memory is given back");
    pl_pool_fini(&pool);
}

#define RUN(examples) run(examples, PL_COUNT(examples))

#endif
