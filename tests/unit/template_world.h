/* template_world.h - one rendering of a template from texts, for tests. */
#ifndef PL_TESTS_TEMPLATE_WORLD_H
#define PL_TESTS_TEMPLATE_WORLD_H

#include "template_cases.h"
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

static int bold(struct pl_template_call *call, struct pl_buf *out)
{
    struct pl_str shown = {NULL, 0};
    int err = pl_template_call_render(call, call->source, &shown);

    pl_buf_add(out, PL_STR("<b>"));
    pl_buf_add(out, shown);
    pl_buf_add(out, PL_STR("</b>"));
    return err < 0 ? err : PL_TEMPLATE_SHOWN;
}

static int both(struct pl_template_call *call, struct pl_buf *out)
{
    struct pl_str shown = {NULL, 0};
    int err = pl_template_call_render(call, call->source, &shown);

    pl_buf_add(out, shown);
    pl_buf_addc(out, '+');
    if (err == 0)
        err = pl_template_call_render(call, call->source, &shown);
    pl_buf_add(out, shown);
    return err < 0 ? err : PL_TEMPLATE_SHOWN;
}

/* Goes on after an error. */
static int stubborn(struct pl_template_call *call, struct pl_buf *out)
{
    struct pl_str shown = {NULL, 0};
    int err = pl_template_call_render(call, PL_STR("{{#open}}"), &shown);

    if (err < 0)
        err = pl_template_call_render(call, call->source, &shown);
    pl_buf_add(out, shown);
    return err < 0 ? err : PL_TEMPLATE_SHOWN;
}

/* Renders itself again. */
static int deep(struct pl_template_call *call, struct pl_buf *out)
{
    struct pl_str shown;

    return pl_template_call_render(call, PL_STR("\n{{#l}}{{/l}}"), &shown);
}

#define MADE(name, fn)                                                         \
    {                                                                          \
        name, fn, NULL                                                         \
    }
#define SHOWN(name, fn)                                                        \
    {                                                                          \
        name, NULL, fn                                                         \
    }

static const struct tree_lambda lambdas[] = {
    MADE("planet", show_planet),
    MADE("angle", angle),
    MADE("bars", bars),
    MADE("count", count),
    MADE("raw", is_raw),
    MADE("twice", twice),
    MADE("twice_bars", twice_bars),
    MADE("same", same),
    MADE("again", again),
    MADE("broken", broken),
    MADE("failing", failing),
    SHOWN("bold", bold),
    SHOWN("both", both),
    SHOWN("deep", deep),
    SHOWN("stubborn", stubborn),
    MADE(NULL, NULL),
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

static void run_examples(const struct example *examples, size_t n)
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

#define RUN(examples) run_examples(examples, PL_COUNT(examples))

#endif
