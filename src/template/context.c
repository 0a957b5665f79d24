/* context.c - where names are looked up, and how a rendering fails. */
#include <stdio.h>

#include "base/str.h"
#include "template/render_priv.h"

/* ---- errors ---- */

void pl_run_place(const struct pl_run *run, char *out, size_t size)
{
    snprintf(out, size, "%s:%u", run->template->name,
             (unsigned)pl_run_op(run)->line);
}

int pl_run_fail(struct pl_run *run, int code, const char *text)
{
    char where[sizeof(run->error->where)];

    pl_run_place(run, where, sizeof(where));
    return pl_error_set(run->error, code, where, "%s", text);
}

int pl_run_no_room(struct pl_run *run, int code)
{
    return pl_run_fail(run, code,
                       code == PL_ERR_NOMEM ? "out of memory"
                                            : "the output is too large");
}

/* ---- data ---- */

size_t pl_run_mark(struct pl_run *run)
{
    const struct pl_data_ops *ops = run->data->ops;

    return ops->mark == NULL ? 0 : ops->mark(run->data->arg);
}

void pl_run_release(struct pl_run *run, size_t to)
{
    const struct pl_data_ops *ops = run->data->ops;

    if (ops->release != NULL)
        ops->release(run->data->arg, to);
}

enum pl_template_kind pl_run_kind(struct pl_run *run,
                                  struct pl_template_value value)
{
    return run->data->ops->kind(run->data->arg, value);
}

struct pl_template_value pl_run_context(const struct pl_run *run)
{
    for (unsigned i = run->depth; i-- > 0;)
        if (run->frames[i].kind == PL_FRAME_SECTION)
            return run->frames[i].context;
    return run->data->root;
}

/* The nearest context that has name. */
static bool find_first(struct pl_run *run, struct pl_str name,
                       struct pl_template_value *out)
{
    const struct pl_data *data = run->data;

    for (unsigned i = run->depth; i-- > 0;) {
        const struct pl_frame *frame = &run->frames[i];

        if (frame->kind == PL_FRAME_SECTION &&
            data->ops->get(data->arg, frame->context, name, out))
            return true;
    }
    return data->ops->get(data->arg, data->root, name, out);
}

bool pl_run_find(struct pl_run *run, struct pl_str name,
                 struct pl_template_value *out)
{
    const struct pl_data *data = run->data;
    struct pl_str part;
    struct pl_template_value next;

    if (pl_str_eq(name, PL_STR("."))) {
        *out = pl_run_context(run);
        return true;
    }
    if (!pl_str_split(&name, '.', &part) || !find_first(run, part, out))
        return false;
    while (pl_str_split(&name, '.', &part)) {
        if (!data->ops->get(data->arg, *out, part, &next))
            return false;
        *out = next;
    }
    return true;
}
