/* compile.c - from the text of a template to its operations.
 *
 * One pass, tag by tag. What makes it more than a list of tags are the lines:
 * a tag that has its line for itself takes the line with it, or gives it to
 * what it stands for. Parents and blocks may share such a line with each
 * other, because none of them shows anything by itself:
 *
 *     {{<layout}}{{$title}}        alone, both
 *     {{/title}}{{/layout}}        alone, both
 *
 * An argument loses the indentation that it has here; it is given that of the
 * block which it replaces. */
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"
#include "template/tag.h"

struct open {
    uint32_t op;
    uint32_t dedent; /* what holds again behind it */
    bool blank;      /* nothing was before it on its line */
};

struct compiler {
    struct pl_str name, source;
    struct pl_error *error;
    struct pl_delimiters delimiters;
    uint32_t delimiters_at; /* 0: they are those of the beginning */
    struct pl_template_op *ops;
    uint32_t nops, room;
    struct open open[PL_TEMPLATE_NESTING_MAX];
    unsigned depth;
    uint32_t line, counted; /* the number of the line that counted is in */
    uint32_t line_start;
    bool blank; /* only spaces since line_start */
    bool clear; /* only spaces, parents and blocks */
    bool first; /* the next operation is the first of its line */
    uint32_t dedent;
};

/* ---- errors ---- */

static int fail_at(struct compiler *c, uint32_t line, int code,
                   const char *text)
{
    char where[sizeof(c->error->where)];

    snprintf(where, sizeof(where), "%.*s:%u", PL_STR_ARG(c->name),
             (unsigned)line);
    return pl_error_set(c->error, code, where, "%s", text);
}

static int fail(struct compiler *c, int code, const char *text)
{
    return fail_at(c, c->line, code, text);
}

static void count_lines(struct compiler *c, uint32_t upto)
{
    for (; c->counted < upto; c->counted++)
        if (c->source.data[c->counted] == '\n')
            c->line++;
}

/* ---- operations ---- */

static struct pl_template_op *add(struct compiler *c,
                                  enum pl_template_code code)
{
    struct pl_template_op *op;

    if (c->nops == c->room) {
        uint32_t room = c->room == 0 ? 32 : c->room * 2;
        struct pl_template_op *grown =
            pl_realloc(c->ops, room * sizeof(*grown));

        if (grown == NULL) {
            fail(c, PL_ERR_NOMEM, "out of memory");
            return NULL;
        }
        c->ops = grown;
        c->room = room;
    }
    op = &c->ops[c->nops++];
    *op = (struct pl_template_op){.code = (uint8_t)code, .line = c->line};
    if (c->first)
        op->flags = PL_TEMPLATE_LINE;
    c->first = false;
    return op;
}

static struct pl_template_op *add_tag(struct compiler *c,
                                      enum pl_template_code code,
                                      const struct pl_tag *tag)
{
    struct pl_template_op *op = add(c, code);

    if (op != NULL) {
        op->text = (struct pl_template_slice){tag->name, tag->length};
        if (tag->dynamic)
            op->flags |= PL_TEMPLATE_DYNAMIC;
    }
    return op;
}

/* The operation whose body we are in; NULL: none. */
static struct pl_template_op *body(const struct compiler *c)
{
    return c->depth == 0 ? NULL : &c->ops[c->open[c->depth - 1].op];
}

/* Only blocks count there. */
static bool in_parent(const struct compiler *c)
{
    return c->depth > 0 && body(c)->code == PL_TEMPLATE_PARENT;
}

static int push(struct compiler *c)
{
    if (c->depth == PL_TEMPLATE_NESTING_MAX)
        return fail(c, PL_ERR_LIMIT, "too many sections in each other");
    c->open[c->depth++] = (struct open){
        .op = c->nops - 1, .dedent = c->dedent, .blank = c->blank};
    return 0;
}

/* ---- lines ---- */

/* The spaces at the beginning of a line, from at, without those which its
 * argument loses. */
static struct pl_template_slice spaces(const struct compiler *c, uint32_t at)
{
    uint32_t end = at, skip;

    while (end < c->source.len && pl_tag_is_space(c->source.data[end]))
        end++;
    skip = PL_MIN(c->dedent, end - at);
    return (struct pl_template_slice){at + skip, end - at - skip};
}

/* The indentation of the first line from at on that has more than spaces. */
static struct pl_template_slice indentation(const struct compiler *c,
                                            uint32_t at)
{
    uint32_t next = pl_tag_skip_line(c->source, at);

    while (next != at) {
        at = next;
        next = pl_tag_skip_line(c->source, at);
    }
    return spaces(c, at);
}

static void begin_line(struct compiler *c, uint32_t at)
{
    c->line_start = at;
    c->blank = c->clear = true;
    c->first = true;
}

/* What the text before a tag says of the tag's line. */
static void look(struct compiler *c, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char ch = c->source.data[i];

        if (ch == '\n') {
            c->line_start = i + 1;
            c->blank = c->clear = true;
        } else if (!pl_tag_is_space(ch)) {
            c->blank = false;
            c->clear = c->clear && in_parent(c);
        }
    }
}

static int add_text(struct compiler *c, uint32_t from, uint32_t to)
{
    struct pl_template_op *op;

    if (from >= to)
        return 0;
    op = add(c, PL_TEMPLATE_TEXT);
    if (op == NULL)
        return PL_ERR_NOMEM;
    op->text = (struct pl_template_slice){from, to - from};
    c->first = c->source.data[to - 1] == '\n';
    return 0;
}

/* Each line loses c->dedent spaces. */
static int add_lines(struct compiler *c, uint32_t from, uint32_t to)
{
    int err = 0;

    while (err == 0 && from < to) {
        uint32_t end = from;

        while (end < to && c->source.data[end++] != '\n')
            ;
        if (c->first)
            from = PL_MIN(spaces(c, from).at, end);
        err = add_text(c, from, end);
        from = end;
    }
    return err;
}

/* The text before a tag, without the spaces that stand before it when they are
 * not part of the text. */
static int text_before(struct compiler *c, uint32_t from,
                       const struct pl_tag *tag, bool without_spaces)
{
    uint32_t to = without_spaces ? c->line_start : tag->start;

    if (in_parent(c))
        return 0;
    return c->dedent > 0 ? add_lines(c, from, to) : add_text(c, from, to);
}

/* ---- tags: each returns where the text goes on, in *next ---- */

struct step {
    const struct pl_tag *tag;
    uint32_t from;  /* where the text before it begins */
    uint32_t *next; /* behind the tag, or behind its line */
    bool alone;
};

/* Behind a tag of the core. */
static void end_tag(struct compiler *c, const struct step *step)
{
    c->blank = c->clear = false;
    if (step->alone) {
        *step->next = pl_tag_skip_line(c->source, step->tag->end);
        begin_line(c, *step->next);
    }
}

static int on_value(struct compiler *c, const struct step *step)
{
    bool raw = step->tag->kind == PL_TAG_RAW;
    int err = text_before(c, step->from, step->tag, false);

    if (err < 0)
        return err;
    if (add_tag(c, raw ? PL_TEMPLATE_RAW : PL_TEMPLATE_VALUE, step->tag) ==
        NULL)
        return PL_ERR_NOMEM;
    c->blank = c->clear = false;
    return 0;
}

static int on_comment(struct compiler *c, const struct step *step)
{
    int err = text_before(c, step->from, step->tag, step->alone);

    end_tag(c, step);
    return err;
}

static int on_delimiters(struct compiler *c, const struct step *step)
{
    const struct pl_tag *tag = step->tag;
    struct pl_str text = pl_str(c->source.data + tag->name, tag->length);
    struct pl_delimiters found;
    int err = text_before(c, step->from, tag, step->alone);

    if (err < 0)
        return err;
    if (tag->length == 0 || pl_template_delimiters(text, &found) != tag->length)
        return fail(c, PL_ERR_SYNTAX,
                    "two delimiters are wanted, as in {{=<% %>=}}");
    c->delimiters = found;
    c->delimiters_at = tag->name;
    end_tag(c, step);
    return 0;
}

static int on_section(struct compiler *c, const struct step *step)
{
    bool inverted = step->tag->kind == PL_TAG_INVERTED;
    struct pl_template_op *op;
    int err = text_before(c, step->from, step->tag, step->alone);

    if (err < 0)
        return err;
    c->first = c->first && !step->alone;
    op = add_tag(c, inverted ? PL_TEMPLATE_INVERTED : PL_TEMPLATE_SECTION,
                 step->tag);
    if (op == NULL)
        return PL_ERR_NOMEM;
    op->flags |= step->alone ? PL_TEMPLATE_ALONE : 0;
    end_tag(c, step);
    op->extra.at = *step->next;
    op->more = c->delimiters_at;
    return push(c);
}

/* The text before a tag, and the tag: gives *op. */
static int begin_tag(struct compiler *c, const struct step *step,
                     enum pl_template_code code, bool without_spaces,
                     struct pl_template_op **op)
{
    int err = text_before(c, step->from, step->tag, without_spaces);

    if (err < 0)
        return err;
    *op = add_tag(c, code, step->tag);
    return *op == NULL ? PL_ERR_NOMEM : 0;
}

static int on_partial(struct compiler *c, const struct step *step)
{
    struct pl_template_op *op;
    int err = begin_tag(c, step, PL_TEMPLATE_PARTIAL, step->alone, &op);

    if (err < 0)
        return err;
    if (step->alone) {
        op->flags |= PL_TEMPLATE_ALONE;
        op->extra = spaces(c, c->line_start);
    }
    end_tag(c, step);
    return 0;
}

/* Whether it is alone is known at its end. */
static int on_parent(struct compiler *c, const struct step *step)
{
    struct pl_template_op *op;
    int err = begin_tag(c, step, PL_TEMPLATE_PARENT, c->blank, &op);

    if (err < 0)
        return err;
    if (c->blank)
        op->extra = spaces(c, c->line_start);
    err = push(c);
    c->blank = false;
    return err;
}

static int on_argument(struct compiler *c, const struct step *step)
{
    struct pl_template_op *op = add_tag(c, PL_TEMPLATE_ARGUMENT, step->tag);
    uint32_t place = c->nops - 1;
    int err;

    if (op == NULL)
        return PL_ERR_NOMEM;
    op->more = body(c)->more;
    body(c)->more = place;
    err = push(c);
    c->blank = c->first = false;
    c->dedent = 0;
    if (!pl_tag_line_ends(c->source, step->tag->end))
        return err;
    op->flags |= PL_TEMPLATE_ALONE;
    *step->next = pl_tag_skip_line(c->source, step->tag->end);
    begin_line(c, *step->next);
    c->dedent = indentation(c, *step->next).len;
    return err;
}

static int on_block(struct compiler *c, const struct step *step)
{
    bool alone = c->clear && pl_tag_line_ends(c->source, step->tag->end);
    struct pl_template_op *op;
    int err;

    if (in_parent(c))
        return on_argument(c, step);
    err = begin_tag(c, step, PL_TEMPLATE_BLOCK, c->blank, &op);
    if (err < 0)
        return err;
    if (c->blank)
        op->extra = spaces(c, c->line_start);
    err = push(c);
    c->blank = false;
    if (alone) {
        *step->next = pl_tag_skip_line(c->source, step->tag->end);
        op->flags |= PL_TEMPLATE_ALONE;
        begin_line(c, *step->next);
        op->extra = indentation(c, *step->next);
    }
    return err;
}

/* ---- closing ---- */

static int check_close(struct compiler *c, const struct pl_tag *tag)
{
    static const char signs[] = {[PL_TEMPLATE_SECTION] = '#',
                                 [PL_TEMPLATE_INVERTED] = '^',
                                 [PL_TEMPLATE_PARENT] = '<',
                                 [PL_TEMPLATE_BLOCK] = '$',
                                 [PL_TEMPLATE_ARGUMENT] = '$'};
    const struct pl_template_op *op = body(c);
    const char *data = c->source.data;
    char text[200];

    if (op == NULL) {
        snprintf(text, sizeof(text), "'/%.*s' closes nothing",
                 (int)PL_MIN(tag->length, 64), data + tag->name);
        return fail(c, PL_ERR_SYNTAX, text);
    }
    if (pl_str_eq(pl_str(data + op->text.at, op->text.len),
                  pl_str(data + tag->name, tag->length)))
        return 0;
    snprintf(text, sizeof(text), "'/%.*s' cannot close '%c%.*s' of line %u",
             (int)PL_MIN(tag->length, 64), data + tag->name, signs[op->code],
             (int)PL_MIN(op->text.len, 64), data + op->text.at,
             (unsigned)op->line);
    return fail(c, PL_ERR_SYNTAX, text);
}

static int add_end(struct compiler *c, bool first)
{
    uint32_t opener = c->open[c->depth - 1].op, place = c->nops;
    struct pl_template_op *op;

    c->first = first;
    op = add(c, PL_TEMPLATE_END);
    if (op == NULL)
        return PL_ERR_NOMEM;
    op->other = opener;
    c->ops[opener].other = place;
    c->dedent = c->open[--c->depth].dedent;
    return 0;
}

/* Ends a section or a block. */
static int close_body(struct compiler *c, const struct step *step)
{
    struct pl_template_op *op = body(c);
    bool block = op->code == PL_TEMPLATE_BLOCK, clear = c->clear;
    uint32_t upto = step->alone ? c->line_start : step->tag->start;
    int err = text_before(c, step->from, step->tag, step->alone);

    if (err < 0)
        return err;
    op = body(c); /* it may have moved */
    if (!block)
        op->extra.len = upto > op->extra.at ? upto - op->extra.at : 0;
    err = add_end(c, c->first && !step->alone);
    end_tag(c, step);
    c->clear = c->clear || (block && clear);
    return err;
}

static int close_argument(struct compiler *c, const struct step *step)
{
    int err = text_before(c, step->from, step->tag, c->blank);

    if (err < 0)
        return err;
    c->blank = false;
    return add_end(c, false);
}

static int close_parent(struct compiler *c, const struct step *step)
{
    const struct open *open = &c->open[c->depth - 1];
    uint32_t end = step->tag->end;
    bool ends = pl_tag_line_ends(c->source, end);
    int err;

    if (ends && open->blank)
        c->ops[open->op].flags |= PL_TEMPLATE_ALONE;
    ends = ends && (open->blank || c->clear);
    err = add_end(c, false);
    c->blank = false;
    if (ends) {
        *step->next = pl_tag_skip_line(c->source, end);
        begin_line(c, *step->next);
    }
    return err;
}

static int on_close(struct compiler *c, const struct step *step)
{
    int err = check_close(c, step->tag);

    if (err < 0)
        return err;
    switch (body(c)->code) {
    case PL_TEMPLATE_PARENT:
        return close_parent(c, step);
    case PL_TEMPLATE_ARGUMENT:
        return close_argument(c, step);
    default:
        return close_body(c, step);
    }
}

/* ---- all of it ---- */

static int (*const handlers[])(struct compiler *c, const struct step *step) = {
    [PL_TAG_VALUE] = on_value,     [PL_TAG_RAW] = on_value,
    [PL_TAG_SECTION] = on_section, [PL_TAG_INVERTED] = on_section,
    [PL_TAG_CLOSE] = on_close,     [PL_TAG_COMMENT] = on_comment,
    [PL_TAG_PARTIAL] = on_partial, [PL_TAG_PARENT] = on_parent,
    [PL_TAG_BLOCK] = on_block,     [PL_TAG_DELIMITERS] = on_delimiters,
};

static int compile(struct compiler *c)
{
    uint32_t from = 0, next;
    struct pl_tag tag;
    const char *what;
    int found, err = 0;

    while ((found = pl_tag_next(c->source, from, &c->delimiters, &tag, &what)) >
           0) {
        struct step step = {.tag = &tag, .from = from, .next = &next};

        look(c, from, tag.start);
        count_lines(c, tag.start);
        step.alone = c->blank && pl_tag_line_ends(c->source, tag.end);
        next = tag.end;
        err = handlers[tag.kind](c, &step);
        if (err < 0)
            return err;
        from = next;
    }
    count_lines(c, found < 0 ? tag.start : from);
    if (found < 0)
        return fail(c, found, what);
    if (c->depth > 0)
        return fail_at(c, body(c)->line, PL_ERR_SYNTAX,
                       "a section, a block or a parent that is not closed");
    tag.start = (uint32_t)c->source.len;
    err = text_before(c, from, &tag, false);
    if (err == 0 && add(c, PL_TEMPLATE_STOP) == NULL)
        err = PL_ERR_NOMEM;
    return err;
}

int pl_template_compile(struct pl_str name, struct pl_str source,
                        struct pl_delimiters delimiters,
                        struct pl_program *program, struct pl_error *error)
{
    struct compiler c = {
        .name = name,
        .source = source,
        .error = error,
        .delimiters = delimiters,
        .line = 1,
    };
    int err;

    begin_line(&c, 0);
    err = source.len > PL_TEMPLATE_SOURCE_MAX
              ? fail(&c, PL_ERR_LIMIT, "the template is too large")
              : compile(&c);
    if (err < 0) {
        pl_free(c.ops);
        return err;
    }
    *program = (struct pl_program){c.ops, c.nops};
    return 0;
}
