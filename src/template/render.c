/* render.c - runs the operations of a template: see render_priv.h. */
#include "base/check.h"
#include "base/str.h"
#include "template/render_priv.h"

enum { LAMBDA_MAX = 1 << 20 };

static int step(struct pl_run *run)
{
    if (run->steps++ < PL_TEMPLATE_STEPS_MAX)
        return 0;
    return pl_run_fail(run, PL_ERR_LIMIT, "rendering takes too long");
}

/* ---- frames ---- */

static int grow_frames(struct pl_run *run)
{
    unsigned room = run->room * 2;
    struct pl_frame *grown = pl_pool_get(run->out->pool, room * sizeof(*grown));

    if (grown == NULL)
        return pl_run_fail(run, PL_ERR_NOMEM, "out of memory");
    memcpy(grown, run->frames, run->depth * sizeof(*grown));
    if (run->frames != run->few)
        pl_pool_put(run->out->pool, run->frames,
                    run->room * sizeof(*run->frames));
    run->frames = grown;
    run->room = room;
    return 0;
}

static int push(struct pl_run *run, enum pl_frame_kind kind,
                struct pl_frame **out)
{
    struct pl_frame *frame;
    int err = 0;

    if (run->depth == PL_TEMPLATE_DEPTH_MAX)
        return pl_run_fail(run, PL_ERR_LIMIT,
                           "too many sections and partials in each other");
    if (run->depth == run->room)
        err = grow_frames(run);
    if (err < 0)
        return err;
    frame = &run->frames[run->depth++];
    *frame = (struct pl_frame){
        .kind = (uint8_t)kind,
        .pc = run->pc + 1,
        .outer = run->parents,
        .back = run->template,
        .indent_at = run->indent_at,
        .indent_end = run->indent_end,
    };
    *out = frame;
    return 0;
}

static void pop(struct pl_run *run)
{
    struct pl_frame *frame = &run->frames[--run->depth];

    run->template = frame->back;
    run->pc = frame->pc;
    run->parents = frame->outer;
    run->indent_at = frame->indent_at;
    run->indent_end = frame->indent_end;
    run->indent.len = run->indent_end;
}

/* For the frame just pushed: what it shows is indented by more, too; or not at
 * all when it begins within a line. */
static int indent(struct pl_run *run, bool line, struct pl_str more)
{
    if (!line) {
        run->indent_at = run->indent_end;
        return 0;
    }
    if (pl_buf_add(&run->indent, more) < 0)
        return pl_run_no_room(run, run->indent.err);
    run->indent_end = (uint32_t)run->indent.len;
    return 0;
}

static void unwind(struct pl_run *run, unsigned depth)
{
    while (run->depth > depth) {
        if (run->frames[run->depth - 1].kind == PL_FRAME_LAMBDA)
            pl_template_free(run->frames[run->depth - 1].template);
        pop(run);
    }
}

/* ---- lambdas ---- */

/* What a lambda has begun to render and a leap has ended. */
static void forget(const struct pl_template_call *call)
{
    struct pl_run *run = call->run;

    unwind(run, call->depth);
    run->rendering = call->rendering;
    if (run->out->len > call->out)
        run->out->len = call->out;
}

static struct pl_delimiters delimiters_of(const struct pl_run *run,
                                          const struct pl_template_op *op)
{
    const struct pl_template *template = run->template;
    struct pl_delimiters found = template->delimiters;

    if (op->more != 0)
        pl_template_delimiters(
            pl_str(template->source + op->more, template->len - op->more),
            &found);
    return found;
}

/* Runs text as a frame. */
static int enter_text(struct pl_run *run, struct pl_str text,
                      struct pl_delimiters delimiters, struct pl_frame **frame)
{
    struct pl_template *made = pl_template_new_with(
        pl_str_c(run->template->name), text, delimiters, run->error);
    int err;

    if (made == NULL)
        return run->error == NULL ? PL_ERR_SYNTAX : run->error->code;
    err = push(run, PL_FRAME_LAMBDA, frame);
    if (err < 0) {
        pl_template_free(made);
        return err;
    }
    (*frame)->template = made;
    (*frame)->out = run->out->len;
    run->template = made;
    run->pc = 0;
    return 0;
}

static int fail_call(struct pl_run *run, int err)
{
    if (run->made.err < 0)
        return pl_run_no_room(run, run->made.err);
    if (run->error != NULL)
        pl_run_place(run, run->error->where, sizeof(run->error->where));
    return err;
}

/* Calls it: what it has made is shown, or becomes a frame. *frame is NULL if
 * it did not. escape: what is shown; a frame does that at its end. */
static int call_lambda(struct pl_run *run, struct pl_template_value lambda,
                       struct pl_str source, struct pl_delimiters delimiters,
                       bool escape, struct pl_frame **frame)
{
    struct pl_template_call call = {.lambda = lambda,
                                    .context = pl_run_context(run),
                                    .source = source,
                                    .run = run,
                                    .delimiters = delimiters,
                                    .depth = run->depth,
                                    .rendering = run->rendering,
                                    .out = run->out->len};
    size_t before = pl_run_mark(run);
    int err;

    *frame = NULL;
    run->made.len = 0;
    err = run->data->ops->call(run->data->arg, &call, &run->made, run->error);
    forget(&call);
    if (err < 0 || run->made.err < 0)
        return fail_call(run, err);
    pl_run_release(run, before);
    if (err == PL_TEMPLATE_MADE)
        err = enter_text(run, pl_buf_str(&run->made), delimiters, frame);
    else if (escape)
        err = pl_template_escape(run->out, pl_buf_str(&run->made));
    else
        err = pl_buf_add(run->out, pl_buf_str(&run->made));
    if (*frame != NULL)
        (*frame)->escape = escape;
    run->made.len = 0;
    return err;
}

/* What a lambda has shown is escaped behind itself. */
static int end_lambda(struct pl_run *run)
{
    struct pl_frame *frame = &run->frames[run->depth - 1];
    struct pl_buf *out = run->out, shown;
    int err = 0;

    if (frame->escape) {
        pl_buf_init(&shown, out->pool, out->account, 0);
        err = pl_buf_add(&shown, pl_str_skip(pl_buf_str(out), frame->out));
        if (err == 0) {
            out->len = frame->out;
            pl_template_escape(out, pl_buf_str(&shown));
        }
        pl_buf_fini(&shown);
    }
    pl_template_free(frame->template);
    pop(run);
    return err < 0 ? pl_run_no_room(run, err) : 0;
}

/* ---- operations ---- */

static int do_value(struct pl_run *run, const struct pl_template_op *op)
{
    static const struct pl_delimiters normal = {{"{{", 2}, {"}}", 2}};
    bool escape = op->code == PL_TEMPLATE_VALUE;
    size_t before = pl_run_mark(run);
    struct pl_template_value value;
    struct pl_str text;
    struct pl_frame *frame;
    int err = 0;

    if (!pl_run_find(run, pl_template_str(run->template, op->text), &value)) {
        run->pc++;
    } else if (pl_run_kind(run, value) == PL_TEMPLATE_LAMBDA) {
        err = call_lambda(run, value, pl_str(NULL, 0), normal, escape, &frame);
        if (frame == NULL)
            run->pc++;
        else
            err = indent(run, false, pl_str(NULL, 0));
    } else {
        run->scratch.len = 0;
        text = run->data->ops->text(run->data->arg, value, &run->scratch);
        if (escape)
            pl_template_escape(run->out, text);
        else
            pl_buf_add(run->out, text);
        run->pc++;
        if (run->scratch.err < 0)
            err = pl_run_no_room(run, run->scratch.err);
    }
    pl_run_release(run, before);
    return err;
}

static int call_section(struct pl_run *run, const struct pl_template_op *op,
                        struct pl_template_value lambda)
{
    struct pl_str source = pl_template_str(run->template, op->extra);
    struct pl_frame *frame;
    int err =
        call_lambda(run, lambda, source, delimiters_of(run, op), false, &frame);

    if (frame == NULL) {
        run->pc = op->other + 1;
        return err;
    }
    frame->pc = op->other + 1;
    return indent(run, op->flags & PL_TEMPLATE_ALONE, pl_str(NULL, 0));
}

static int do_section(struct pl_run *run, const struct pl_template_op *op)
{
    const struct pl_data *data = run->data;
    size_t before = pl_run_mark(run), within;
    struct pl_template_value value = {NULL, NULL}, item;
    enum pl_template_kind kind = PL_TEMPLATE_FALSE;
    struct pl_frame *frame;
    int err = 0;

    if (pl_run_find(run, pl_template_str(run->template, op->text), &value))
        kind = pl_run_kind(run, value);
    within = pl_run_mark(run);
    item = value;
    if (kind == PL_TEMPLATE_LAMBDA)
        err = call_section(run, op, value);
    else if (kind == PL_TEMPLATE_FALSE ||
             (kind == PL_TEMPLATE_LIST &&
              !data->ops->item(data->arg, value, 0, &item)))
        run->pc = op->other + 1;
    else if ((err = push(run, PL_FRAME_SECTION, &frame)) == 0) {
        frame->repeated = kind == PL_TEMPLATE_LIST;
        frame->list = value;
        frame->context = item;
        frame->mark = before;
        frame->within = within;
        run->pc++;
        return 0; /* the values are in use */
    }
    pl_run_release(run, before);
    return err;
}

static int do_inverted(struct pl_run *run, const struct pl_template_op *op)
{
    const struct pl_data *data = run->data;
    size_t before = pl_run_mark(run);
    struct pl_template_value value, item;
    bool empty = true;

    if (pl_run_find(run, pl_template_str(run->template, op->text), &value)) {
        switch (pl_run_kind(run, value)) {
        case PL_TEMPLATE_FALSE:
            break;
        case PL_TEMPLATE_LIST:
            empty = !data->ops->item(data->arg, value, 0, &item);
            break;
        default:
            empty = false;
        }
    }
    pl_run_release(run, before);
    run->pc = empty ? run->pc + 1 : op->other + 1;
    return 0;
}

/* The template that a PARTIAL or PARENT names; NULL: none. */
static const struct pl_template *partial(struct pl_run *run,
                                         const struct pl_template_op *op)
{
    const struct pl_data *data = run->data;
    const struct pl_partials *partials = run->partials;
    struct pl_str name = pl_template_str(run->template, op->text);
    const struct pl_template *found = NULL;
    size_t before = pl_run_mark(run);
    struct pl_template_value value;

    if (op->flags & PL_TEMPLATE_DYNAMIC) {
        run->scratch.len = 0;
        name = pl_run_find(run, name, &value)
                   ? data->ops->text(data->arg, value, &run->scratch)
                   : pl_str(NULL, 0);
    }
    if (name.len > 0 && partials != NULL)
        found = partials->find(partials->arg, name);
    pl_run_release(run, before);
    return found;
}

static int call(struct pl_run *run, const struct pl_template_op *op,
                const struct pl_template *template)
{
    struct pl_str spaces = pl_template_str(run->template, op->extra);
    bool alone = op->flags & PL_TEMPLATE_ALONE;
    struct pl_frame *frame;
    int err;

    if (!alone) {
        if (op->flags & PL_TEMPLATE_LINE)
            pl_run_write_indent(run);
        pl_buf_add(run->out, spaces); /* they are text then */
    }
    if (template == NULL) {
        run->pc = (op->code == PL_TEMPLATE_PARENT ? op->other : run->pc) + 1;
        return 0;
    }
    err = push(run, PL_FRAME_CALL, &frame);
    if (err < 0)
        return err;
    if (op->code == PL_TEMPLATE_PARENT) {
        frame->pc = op->other + 1;
        frame->parent = run->pc;
        if (op->more != 0)
            run->parents = (int)run->depth - 1;
    }
    err = indent(run, alone, spaces);
    run->template = template;
    run->pc = 0;
    return err;
}

/* ---- blocks ---- */

/* The ARGUMENT of the parent that frame is, by name; 0: it has none. */
static uint32_t argument(const struct pl_frame *frame, struct pl_str name)
{
    const struct pl_template *template = frame->back;
    uint32_t at = template->ops[frame->parent].more;

    while (at != 0 &&
           !pl_str_eq(name, pl_template_str(template, template->ops[at].text)))
        at = template->ops[at].more;
    return at;
}

static int do_block(struct pl_run *run, const struct pl_template_op *op)
{
    struct pl_str name = pl_template_str(run->template, op->text);
    struct pl_str spaces = pl_template_str(run->template, op->extra);
    bool line = op->flags & (PL_TEMPLATE_LINE | PL_TEMPLATE_ALONE);
    const struct pl_template *from;
    int holder = PL_NO_FRAME, err;
    uint32_t found = 0;
    struct pl_frame *frame;

    for (int i = run->parents; i != PL_NO_FRAME; i = run->frames[i].outer) {
        uint32_t at = argument(&run->frames[i], name);

        holder = at != 0 ? i : holder;
        found = at != 0 ? at : found;
    }
    if (found == 0) { /* what it has itself, as it stands there */
        if (line && !(op->flags & PL_TEMPLATE_ALONE)) {
            pl_run_write_indent(run);
            pl_buf_add(run->out, spaces);
        }
        run->pc++;
        return 0;
    }
    err = push(run, PL_FRAME_ARGUMENT, &frame);
    if (err < 0)
        return err;
    frame->pc = op->other + 1;
    from = run->frames[holder].back;
    run->parents = run->frames[holder].outer;
    err = indent(run, line, spaces);
    if (line && !(from->ops[found].flags & PL_TEMPLATE_ALONE))
        pl_run_write_indent(run);
    run->template = from;
    run->pc = found + 1;
    return err;
}

/* ---- ends ---- */

/* The next element of the list, or what follows the section. */
static int end_section(struct pl_run *run)
{
    struct pl_frame *frame = &run->frames[run->depth - 1];
    const struct pl_data *data = run->data;
    uint32_t next = run->pc + 1;

    PL_ASSERT(run->depth > 0 && frame->kind == PL_FRAME_SECTION);
    if (frame->repeated) {
        pl_run_release(run, frame->within);
        if (data->ops->item(data->arg, frame->list, ++frame->index,
                            &frame->context)) {
            run->pc = frame->pc;
            return 0;
        }
    }
    pl_run_release(run, frame->mark);
    pop(run);
    run->pc = next;
    return 0;
}

static int do_end(struct pl_run *run, const struct pl_template_op *op)
{
    switch (run->template->ops[op->other].code) {
    case PL_TEMPLATE_SECTION:
        return end_section(run);
    case PL_TEMPLATE_ARGUMENT:
        PL_ASSERT(run->depth > 0 &&
                  run->frames[run->depth - 1].kind == PL_FRAME_ARGUMENT);
        pop(run);
        return 0;
    default: /* of what needs no frame */
        run->pc++;
        return 0;
    }
}

static int do_stop(struct pl_run *run)
{
    if (run->frames[run->depth - 1].kind == PL_FRAME_LAMBDA)
        return end_lambda(run);
    PL_ASSERT(run->frames[run->depth - 1].kind == PL_FRAME_CALL);
    pop(run);
    return 0;
}

/* ---- the loop ---- */

static int run_op(struct pl_run *run, const struct pl_template_op *op)
{
    switch (op->code) {
    case PL_TEMPLATE_TEXT:
        pl_run_write_text(run, op);
        run->pc++;
        return 0;
    case PL_TEMPLATE_PARTIAL:
    case PL_TEMPLATE_PARENT:
        return call(run, op, partial(run, op));
    case PL_TEMPLATE_BLOCK:
        return do_block(run, op);
    case PL_TEMPLATE_STOP:
        return do_stop(run);
    default:
        break;
    }
    if (op->flags & PL_TEMPLATE_LINE)
        pl_run_write_indent(run);
    switch (op->code) {
    case PL_TEMPLATE_SECTION:
        return do_section(run, op);
    case PL_TEMPLATE_INVERTED:
        return do_inverted(run, op);
    case PL_TEMPLATE_END:
        return do_end(run, op);
    default:
        return do_value(run, op);
    }
}

/* Until what began at that depth is over. */
static int run_to(struct pl_run *run, unsigned depth)
{
    int err = 0;

    while (err == 0) {
        const struct pl_template_op *op = pl_run_op(run);

        if (op->code == PL_TEMPLATE_STOP && run->depth == depth)
            break;
        err = step(run);
        if (err == 0)
            err = run_op(run, op);
        if (err == 0 && run->out->err < 0)
            err = pl_run_no_room(run, run->out->err);
    }
    return err;
}

int pl_template_call_render(struct pl_template_call *call, struct pl_str text,
                            struct pl_str *shown)
{
    struct pl_run *run = call->run;
    struct pl_frame *frame;
    bool alone;
    int err;

    forget(call);
    alone = pl_run_op(run)->flags & PL_TEMPLATE_ALONE;
    if (run->rendering++ == PL_TEMPLATE_LAMBDAS_MAX)
        return pl_run_fail(run, PL_ERR_LIMIT,
                           "too many lambdas that render in each other");
    err = enter_text(run, text, call->delimiters, &frame);
    if (err == 0) {
        frame->pc--; /* the same tag again: it is being called */
        err = indent(run, alone, pl_str(NULL, 0));
    }
    if (err == 0)
        err = run_to(run, run->depth);
    if (err == 0)
        *shown = pl_str_skip(pl_buf_str(run->out), call->out);
    else
        pl_buf_fini(&run->made);
    forget(call);
    return err;
}

/* ---- the whole ---- */

static void begin(struct pl_run *run, const struct pl_template *template,
                  const struct pl_data *data,
                  const struct pl_partials *partials, struct pl_buf *out,
                  struct pl_error *error)
{
    run->data = data;
    run->partials = partials;
    run->out = out;
    run->error = error;
    run->template = template;
    run->pc = 0;
    run->frames = run->few;
    run->depth = 0;
    run->room = PL_FRAMES;
    run->parents = PL_NO_FRAME;
    run->indent_at = run->indent_end = 0;
    run->steps = 0;
    run->rendering = 0;
    pl_buf_init(&run->indent, out->pool, out->account, LAMBDA_MAX);
    pl_buf_init(&run->scratch, out->pool, out->account, 0);
    pl_buf_init(&run->made, out->pool, out->account, LAMBDA_MAX);
}

/* An error that a lambda has got over is none. */
static int run_whole(struct pl_run *run)
{
    int err = run_to(run, 0);

    if (err == 0 && run->error != NULL)
        run->error->code = 0;
    return err;
}

static void end(struct pl_run *run)
{
    unwind(run, 0);
    if (run->frames != run->few)
        pl_pool_put(run->out->pool, run->frames,
                    run->room * sizeof(*run->frames));
    pl_buf_fini(&run->made);
    pl_buf_fini(&run->scratch);
    pl_buf_fini(&run->indent);
}

int pl_template_render(const struct pl_template *template,
                       const struct pl_data *data,
                       const struct pl_partials *partials, struct pl_buf *out,
                       struct pl_error *error)
{
    struct pl_run run;
    int err;

    begin(&run, template, data, partials, out, error);
    err = run_whole(&run);
    end(&run);
    return err;
}

struct pl_run *pl_run_begin(const struct pl_template *template,
                            const struct pl_data *data,
                            const struct pl_partials *partials,
                            struct pl_buf *out, struct pl_error *error)
{
    struct pl_run *run = pl_pool_get(out->pool, sizeof(*run));

    if (run == NULL)
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    else
        begin(run, template, data, partials, out, error);
    return run;
}

int pl_run_go(struct pl_run *run)
{
    return run_whole(run);
}

void pl_run_end(struct pl_run *run)
{
    struct pl_pool *pool = run->out->pool;

    end(run);
    pl_pool_put(pool, run, sizeof(*run));
}
