/* template.h - Mustache: text with tags, filled from data.
 *
 * The whole of the specification (https://mustache.github.io/spec): comments,
 * delimiters, interpolation, sections, inverted sections and partials, and its
 * optional parts: lambdas, inheritance (parents and blocks) and dynamic names.
 *
 * A template is compiled once to a list of operations and never changes
 * afterwards: threads may share it. Rendering is a loop over that list with a
 * stack of its own, so neither a template nor its data can exhaust the C
 * stack; what it may take in depth, steps and output is limited. Where the
 * data comes from is the business of a struct pl_data (fields.h: C structs).
 *
 * Where the specification leaves a choice:
 *
 * - &, <, >, " and ' are escaped.
 * - A tag's content without a name, or with a space inside it, is an error.
 * - Empty lines of an indented partial stay empty.
 * - Blocks can be overridden in plain partials below a parent, too. */
#ifndef PL_TEMPLATE_TEMPLATE_H
#define PL_TEMPLATE_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"

enum {
    PL_TEMPLATE_SOURCE_MAX = 4 << 20, /* bytes of a template */
    PL_TEMPLATE_NESTING_MAX = 100,    /* sections open within one template */
    PL_TEMPLATE_DEPTH_MAX = 250,      /* sections and partials in rendering */
    PL_TEMPLATE_STEPS_MAX = 20 << 20, /* operations of one rendering */
    PL_TEMPLATE_LAMBDAS_MAX = 16,     /* lambdas that render, in each other */
};

struct pl_run;
struct pl_template;

/* Between which a tag stands. */
struct pl_delimiters {
    struct pl_str open, close;
};

/* Compiles. COPIES source and name (which errors carry, "name:line"). NULL with
 * *error: PL_ERR_SYNTAX, PL_ERR_LIMIT, PL_ERR_NOMEM. */
struct pl_template *pl_template_new(struct pl_str name, struct pl_str source,
                                    struct pl_error *error);

/* The same, where delimiters other than {{ and }} hold at the beginning. */
struct pl_template *pl_template_new_with(struct pl_str name,
                                         struct pl_str source,
                                         struct pl_delimiters delimiters,
                                         struct pl_error *error);
void pl_template_free(struct pl_template *template); /* may be NULL */

const char *pl_template_name(const struct pl_template *template);

/* Calls see for the name of each partial and parent that the template itself
 * names (not those whose name is in the data), until it returns below 0; that
 * is returned then, else 0. Names may come several times. */
int pl_template_partials(const struct pl_template *template,
                         int (*see)(void *arg, struct pl_str name), void *arg);

/* Has it names of partials that are in the data? */
bool pl_template_is_dynamic(const struct pl_template *template);

/* ---- data ---- */

/* A value of the data. What it holds only its source understands. */
struct pl_template_value {
    const void *at, *as;
};

enum pl_template_kind {
    PL_TEMPLATE_FALSE,  /* false, nothing, an empty text: skips a section */
    PL_TEMPLATE_TRUE,   /* any other value: a section takes it as its context */
    PL_TEMPLATE_LIST,   /* a section is repeated for each element */
    PL_TEMPLATE_LAMBDA, /* called with the section's source, or with nothing */
};

/* A lambda, for as long as it is called. */
struct pl_template_call {
    struct pl_template_value lambda;
    struct pl_template_value context; /* the innermost at its tag */
    struct pl_str source;             /* of its section; absent: it has none */
    struct pl_run *run;
    /* For pl_template_call_render(): */
    struct pl_delimiters delimiters;
    unsigned depth, rendering;
    size_t out;
};

/* What a lambda has made: a template, or what is shown as it stands. */
enum { PL_TEMPLATE_MADE = 0, PL_TEMPLATE_SHOWN = 1 };

struct pl_data_ops {
    /* The member of value by that name; false if it has none. */
    bool (*get)(void *arg, struct pl_template_value value, struct pl_str name,
                struct pl_template_value *out);
    enum pl_template_kind (*kind)(void *arg, struct pl_template_value value);
    /* Element index (from 0) of a LIST; false behind the last one. */
    bool (*item)(void *arg, struct pl_template_value list, size_t index,
                 struct pl_template_value *out);
    /* What a tag with its name shows; not escaped. Valid until the next call.
     * scratch is empty: for values that have to be formatted. */
    struct pl_str (*text)(void *arg, struct pl_template_value value,
                          struct pl_buf *scratch);
    /* LAMBDA: appends what it makes of call->source. Returns PL_TEMPLATE_MADE,
     * _SHOWN (without a section: as other values), or PL_ERR_* with *error
     * (where: ""). May be NULL where there are none. */
    int (*call)(void *arg, struct pl_template_call *call, struct pl_buf *out,
                struct pl_error *error);
    /* For sources whose values live on a stack: everything got since mark() is
     * out of use at release(). Both may be NULL. */
    size_t (*mark)(void *arg);
    void (*release)(void *arg, size_t mark);
};

struct pl_data {
    const struct pl_data_ops *ops;
    void *arg;
    struct pl_template_value root;
};

/* ---- rendering ---- */

/* Where partials are found. Gives NULL if there is none of that name: nothing
 * is shown then. What it gives is BORROWED until the rendering is over. */
struct pl_partials {
    const struct pl_template *(*find)(void *arg, struct pl_str name);
    void *arg;
};

/* Appends to out, whose limit holds. partials may be NULL: there are none.
 * Returns 0 or PL_ERR_LIMIT, PL_ERR_NOMEM, PL_ERR_SYNTAX (of what a lambda
 * made), or what a lambda returned, with *error; what was appended stays. */
int pl_template_render(const struct pl_template *template,
                       const struct pl_data *data,
                       const struct pl_partials *partials, struct pl_buf *out,
                       struct pl_error *error);

/* The same in steps, for data whose functions may leave by a leap (errors of
 * Lua): all is BORROWED until pl_run_end(), which is called in any case. The
 * rendering is memory of out's pool; NULL when there is none. */
struct pl_run *pl_run_begin(const struct pl_template *template,
                            const struct pl_data *data,
                            const struct pl_partials *partials,
                            struct pl_buf *out, struct pl_error *error);
int pl_run_go(struct pl_run *run); /* once */
void pl_run_end(struct pl_run *run);

/* For the lambda of a section, while it is called: renders text as what stands
 * in its section. Gives *shown, valid until the rendering goes on. Returns 0 or
 * PL_ERR_*, with the error of the rendering. What a leap has left unfinished
 * meanwhile is forgotten. */
int pl_template_call_render(struct pl_template_call *call, struct pl_str text,
                            struct pl_str *shown);

/* Appends text as it may stand in HTML, also in an attribute. */
int pl_template_escape(struct pl_buf *out, struct pl_str text);

#endif
