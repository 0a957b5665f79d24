/* fuzz_template.c - any bytes as templates and data: three texts with a NUL
 * between them, the data (as tests/unit/tree.h reads it), the template, and
 * the partials. Memory and output are bounded, and all of it is given back. */
#include <stdint.h>
#include <stdlib.h>

#include "../unit/tree.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 1 << 20, PARTIALS = 8 };

static int same(struct pl_str source, struct pl_buf *out,
                struct pl_error *error)
{
    return pl_buf_add(out, source);
}

static int name(struct pl_str source, struct pl_buf *out,
                struct pl_error *error)
{
    return pl_buf_add(out, PL_STR("{{a}}{{>p}}"));
}

/* Twice; an error of the first time does not matter. */
static int shown(struct pl_template_call *call, struct pl_buf *out)
{
    struct pl_str text = {NULL, 0};
    int err;

    if (call->source.data == NULL)
        return pl_buf_add(out, PL_STR("{{a}}"));
    pl_template_call_render(call, PL_STR("{{a}}{{#r}}{{>p}}{{/r}}"), &text);
    err = pl_template_call_render(call, call->source, &text);
    if (err == 0)
        err = pl_buf_add(out, text);
    return err < 0 ? err : PL_TEMPLATE_SHOWN;
}

static const struct tree_lambda lambdas[] = {{"s", same, NULL},
                                             {"n", name, NULL},
                                             {"r", NULL, shown},
                                             {NULL, NULL, NULL}};

struct world {
    const struct tree *partials;
    struct pl_template *made[PARTIALS];
    struct pl_str names[PARTIALS];
    unsigned count;
};

static const struct pl_template *find(void *arg, struct pl_str wanted)
{
    struct world *world = arg;
    const struct tree *one = world->partials;
    struct pl_template *template;

    for (unsigned i = 0; i < world->count; i++)
        if (pl_str_eq(world->names[i], wanted))
            return world->made[i];
    for (one = one == NULL ? NULL : one->first; one != NULL; one = one->next)
        if (pl_str_eq(one->name, wanted))
            break;
    if (one == NULL || world->count == PARTIALS)
        return NULL;
    template = pl_template_new(one->name, one->text, NULL);
    if (template == NULL)
        return NULL;
    world->names[world->count] = one->name;
    world->made[world->count++] = template;
    return template;
}

static void render(struct pl_pool *pool, const char *const texts[3])
{
    struct pl_error error = {0};
    struct pl_template *template =
        pl_template_new(PL_STR("fuzz"), pl_str_c(texts[1]), &error);
    struct world world = {NULL, {NULL}, {{NULL, 0}}, 0};
    struct pl_partials partials = {find, &world};
    struct pl_arena arena;
    struct pl_data tree;
    struct pl_buf out;
    const char *data = texts[0], *more = texts[2];
    int err;

    PL_ASSERT((template != NULL) == (error.code == 0));
    if (template == NULL)
        return;
    pl_arena_init(&arena, pool, NULL);
    tree = tree_data(tree_read(&arena, &data, 20), lambdas);
    world.partials = tree_read(&arena, &more, 20);
    pl_buf_init(&out, pool, NULL, OUTPUT_MAX);
    err = pl_template_render(template, &tree, &partials, &out, &error);
    PL_ASSERT((err == 0) == (error.code == 0) && out.len <= OUTPUT_MAX);
    pl_buf_fini(&out);
    while (world.count > 0)
        pl_template_free(world.made[--world.count]);
    pl_arena_fini(&arena);
    pl_template_free(template);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *texts[3];
    struct pl_pool pool;
    char *copy = malloc(size + 3), *at = copy;

    if (copy == NULL)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    memset(copy + size, 0, 3);
    for (int i = 0; i < 3; i++) {
        texts[i] = at;
        if (at < copy + size)
            at += strlen(at) + 1;
    }
    pl_pool_init(&pool, NULL, 0);
    render(&pool, texts);
    PL_ASSERT(pool.account.used == 0);
    pl_pool_fini(&pool);
    free(copy);
    return 0;
}
