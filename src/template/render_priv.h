/* render_priv.h - a rendering under way; for this room only.
 *
 * Whatever must be returned from is a frame on a stack of our own:
 *
 *     SECTION   its context, and which element of which list is shown
 *     CALL      a partial or a parent: operations of another template
 *     ARGUMENT  what takes the place of a block: operations of the template
 *               that has the parent tag, which the block is somewhere below
 *     LAMBDA    operations of what a lambda has made
 *
 * The context of a name is found by walking down the frames. Parents with
 * arguments are a list through the frames (outer), innermost first; of several
 * that replace a block, the outermost does. While an argument is shown only the
 * parents around its own hold, or a block of the same name in it would be
 * replaced by itself for ever.
 *
 * A function of the data may leave by a leap and never come back: what has to
 * be freed is always where pl_run_end() finds it, never a variable. */
#ifndef PL_TEMPLATE_RENDER_PRIV_H
#define PL_TEMPLATE_RENDER_PRIV_H

#include "template/program.h"

enum { PL_NO_FRAME = -1, PL_FRAMES = 16 };

enum pl_frame_kind {
    PL_FRAME_SECTION,
    PL_FRAME_CALL,
    PL_FRAME_ARGUMENT,
    PL_FRAME_LAMBDA
};

struct pl_frame {
    uint8_t kind;
    bool repeated;   /* SECTION: over a list */
    bool escape;     /* LAMBDA */
    uint32_t pc;     /* where to go on; SECTION: its first operation */
    uint32_t parent; /* CALL: the PARENT in back, whose arguments hold */
    int outer;       /* the parents as they were */
    const struct pl_template *back;         /* what was run before */
    uint32_t indent_at, indent_end;         /* as they were */
    struct pl_template_value list, context; /* SECTION */
    size_t index;
    size_t out;                   /* LAMBDA: where its output begins */
    struct pl_template *template; /* LAMBDA */
    size_t mark, within; /* SECTION: before its value, before an element */
};

struct pl_run {
    const struct pl_data *data;
    const struct pl_partials *partials;
    struct pl_buf *out;
    struct pl_error *error;
    const struct pl_template *template;
    uint32_t pc;
    struct pl_frame *frames; /* first at `few`, then of out's pool */
    unsigned depth, room;
    int parents; /* the innermost frame whose arguments hold */
    /* The indentation in force is a slice of the text. */
    struct pl_buf indent;
    uint32_t indent_at, indent_end;
    struct pl_buf scratch;
    struct pl_buf made; /* by the lambda that has just returned */
    uint32_t steps;
    unsigned rendering; /* lambdas that render, in each other */
    struct pl_frame few[PL_FRAMES];
};

PL_INLINE const struct pl_template_op *pl_run_op(const struct pl_run *run)
{
    return &run->template->ops[run->pc];
}

/* ---- context.c ---- */

/* "name:line" of the operation. */
void pl_run_place(const struct pl_run *run, char *out, size_t size);

/* Fills run->error and returns code. */
int pl_run_fail(struct pl_run *run, int code, const char *text);
int pl_run_no_room(struct pl_run *run, int code);

size_t pl_run_mark(struct pl_run *run);
void pl_run_release(struct pl_run *run, size_t to);
struct pl_template_value pl_run_context(const struct pl_run *run);
enum pl_template_kind pl_run_kind(struct pl_run *run,
                                  struct pl_template_value value);

/* "." is the context; of "a.b.c", a is looked for in one context after the
 * other, b and c only in what it is. */
bool pl_run_find(struct pl_run *run, struct pl_str name,
                 struct pl_template_value *out);

/* ---- output.c ---- */

void pl_run_write_indent(struct pl_run *run);
void pl_run_write_text(struct pl_run *run, const struct pl_template_op *op);

#endif
