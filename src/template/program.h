/* program.h - what a template is compiled to; for this room only.
 *
 * A tag with a body is an operation, the operations of the body, and an END:
 *
 *     SECTION ... END      INVERTED ... END      BLOCK ... END
 *     PARENT ARGUMENT ... END ARGUMENT ... END END
 *
 * each of the two knows the other's place in `other`. A BLOCK is a place that
 * can be overridden; an ARGUMENT is a block within a parent tag, which
 * overrides. All strings are slices of the source.
 *
 * Indentation. A partial that stands alone on its line is indented as its tag,
 * but what its values hold is not. So an operation that is the first of a line
 * says so (PL_TEMPLATE_LINE), and rendering writes the indentation there and
 * behind the line ends of a TEXT. */
#ifndef PL_TEMPLATE_PROGRAM_H
#define PL_TEMPLATE_PROGRAM_H

#include "template/template.h"

enum pl_template_code {
    PL_TEMPLATE_TEXT,
    PL_TEMPLATE_VALUE,
    PL_TEMPLATE_RAW, /* a value, not escaped */
    PL_TEMPLATE_SECTION,
    PL_TEMPLATE_INVERTED,
    PL_TEMPLATE_PARTIAL,
    PL_TEMPLATE_PARENT,
    PL_TEMPLATE_BLOCK,
    PL_TEMPLATE_ARGUMENT,
    PL_TEMPLATE_END,
    PL_TEMPLATE_STOP,
};

enum pl_template_flags {
    PL_TEMPLATE_LINE = 1,    /* first of its line, but for spaces */
    PL_TEMPLATE_ALONE = 2,   /* the tag has its line for itself */
    PL_TEMPLATE_DYNAMIC = 4, /* the name is that of a value with the name */
};

struct pl_template_slice {
    uint32_t at, len;
};

struct pl_template_op {
    uint8_t code, flags;
    uint32_t line;
    struct pl_template_slice text; /* or the name */
    /* SECTION: its source. PARTIAL, PARENT, BLOCK: the indentation. */
    struct pl_template_slice extra;
    uint32_t other; /* the END of this, or what this END ends */
    /* PARENT, ARGUMENT: the next ARGUMENT, or 0. SECTION: where the delimiters
     * of its source were set, 0: they are those of the beginning. */
    uint32_t more;
};

_Static_assert(sizeof(struct pl_template_op) == 32, "two in a cache line");

struct pl_template {
    uint32_t nops;
    uint32_t len; /* of the source */
    struct pl_delimiters delimiters;
    const char *source, *name;
    struct pl_template_op ops[];
};

/* The operations, to be freed. */
struct pl_program {
    struct pl_template_op *ops;
    uint32_t nops;
};

/* compile.c: from the text to its operations. 0, or PL_ERR_* with its text and
 * "name:line" in error; nothing is to be freed then. */
int pl_template_compile(struct pl_str name, struct pl_str source,
                        struct pl_delimiters delimiters,
                        struct pl_program *program, struct pl_error *error);

PL_INLINE struct pl_str pl_template_str(const struct pl_template *template,
                                        struct pl_template_slice slice)
{
    return (struct pl_str){template->source + slice.at, slice.len};
}

/* What {{=<% %>=}} has between its signs, at the front of text. Returns how
 * many bytes it takes, or 0 if it is malformed. */
size_t pl_template_delimiters(struct pl_str text, struct pl_delimiters *out);

#endif
