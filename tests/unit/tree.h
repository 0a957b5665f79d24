/* tree.h - data of a template as a text, for tests:
 *
 *     {name: 'moon', list: [1, 2.5, true, null], shout: &shout}
 *
 * with lambdas by name from a table. Memory comes from an arena. Text that is
 * no tree is what could be read of it. */
#ifndef PL_TESTS_TREE_H
#define PL_TESTS_TREE_H

#include <ctype.h>

#include "base/arena.h"
#include "base/str.h"
#include "template/template.h"

enum tree_kind { TREE_NULL, TREE_WORD, TREE_MAP, TREE_LIST, TREE_LAMBDA };

struct tree {
    enum tree_kind kind;
    bool truth;
    struct pl_str name, text; /* of the member; WORD, LAMBDA */
    struct tree *first, *next;
};

struct tree_lambda {
    const char *name;
    int (*call)(struct pl_str source, struct pl_buf *out,
                struct pl_error *error);
    int (*show)(struct pl_template_call *call, struct pl_buf *out);
};

/* ---- reading ---- */

static void tree_space(const char **at)
{
    while (**at == ' ' || **at == ',' || **at == ':' || **at == '\n')
        (*at)++;
}

static struct pl_str tree_word(const char **at)
{
    const char *from;
    char quote = **at;

    if (quote == '\'') {
        from = ++*at;
        while (**at != '\0' && **at != quote)
            (*at)++;
        return pl_str(from, (size_t)(*at - from));
    }
    from = *at;
    while (isalnum((unsigned char)**at) || strchr("_.*-+&", **at) != NULL) {
        if (**at == '\0')
            break;
        (*at)++;
    }
    return pl_str(from, (size_t)(*at - from));
}

static void tree_quote(const char **at)
{
    if (**at == '\'')
        (*at)++;
}

static void tree_leaf(struct tree *tree, const char **at)
{
    bool quoted = **at == '\'', lambda = **at == '&';

    tree->text = tree_word(at);
    tree_quote(at);
    tree->kind = lambda ? TREE_LAMBDA : TREE_WORD;
    if (!quoted && pl_str_eq(tree->text, PL_STR("null")))
        tree->kind = TREE_NULL;
    tree->truth = tree->text.len > 0 &&
                  (quoted || !pl_str_eq(tree->text, PL_STR("false")));
    if (lambda)
        tree->text = pl_str_skip(tree->text, 1);
}

static struct tree *tree_read(struct pl_arena *arena, const char **at,
                              unsigned depth);

static void tree_members(struct pl_arena *arena, struct tree *tree,
                         const char **at, unsigned depth)
{
    struct tree **last = &tree->first;

    (*at)++;
    for (tree_space(at); **at != '\0' && strchr("}]", **at) == NULL;
         tree_space(at)) {
        const char *before = *at;
        struct pl_str name = {NULL, 0};
        struct tree *member;

        if (tree->kind == TREE_MAP) {
            name = tree_word(at);
            tree_quote(at);
        }
        member = tree_read(arena, at, depth - 1);
        if (member == NULL || *at == before)
            break;
        member->name = name;
        *last = member;
        last = &member->next;
    }
    if (**at != '\0')
        (*at)++;
}

static struct tree *tree_read(struct pl_arena *arena, const char **at,
                              unsigned depth)
{
    struct tree *tree = pl_arena_zeroed(arena, sizeof(*tree));

    if (tree == NULL)
        return NULL;
    tree_space(at);
    tree->kind = **at == '{' ? TREE_MAP : TREE_LIST;
    if ((**at == '{' || **at == '[') && depth > 0)
        tree_members(arena, tree, at, depth);
    else
        tree_leaf(tree, at);
    return tree;
}

/* ---- as data ---- */

static bool tree_get(void *arg, struct pl_template_value value,
                     struct pl_str name, struct pl_template_value *out)
{
    const struct tree *tree = value.at;

    for (tree = tree->kind == TREE_MAP ? tree->first : NULL; tree != NULL;
         tree = tree->next) {
        if (pl_str_eq(tree->name, name)) {
            *out = (struct pl_template_value){tree, NULL};
            return true;
        }
    }
    return false;
}

static enum pl_template_kind tree_kind_of(void *arg,
                                          struct pl_template_value value)
{
    const struct tree *tree = value.at;

    switch (tree->kind) {
    case TREE_NULL:
        return PL_TEMPLATE_FALSE;
    case TREE_WORD:
        return tree->truth ? PL_TEMPLATE_TRUE : PL_TEMPLATE_FALSE;
    case TREE_LIST:
        return PL_TEMPLATE_LIST;
    case TREE_LAMBDA:
        return PL_TEMPLATE_LAMBDA;
    default:
        return PL_TEMPLATE_TRUE;
    }
}

static bool tree_item(void *arg, struct pl_template_value list, size_t index,
                      struct pl_template_value *out)
{
    const struct tree *tree = ((const struct tree *)list.at)->first;

    while (tree != NULL && index-- > 0)
        tree = tree->next;
    *out = (struct pl_template_value){tree, NULL};
    return tree != NULL;
}

static struct pl_str tree_text(void *arg, struct pl_template_value value,
                               struct pl_buf *scratch)
{
    const struct tree *tree = value.at;

    /* Half of all through scratch: that way is taken, too. */
    if (tree->text.len % 2 == 0)
        return tree->text;
    pl_buf_add(scratch, tree->text);
    return pl_buf_str(scratch);
}

static int tree_call(void *arg, struct pl_template_call *call,
                     struct pl_buf *out, struct pl_error *error)
{
    const struct tree *tree = call->lambda.at;
    const struct tree_lambda *one = arg;

    for (; one != NULL && one->name != NULL; one++)
        if (pl_str_eq(pl_str_c(one->name), tree->text))
            return one->show != NULL ? one->show(call, out)
                                     : one->call(call->source, out, error);
    return pl_error_set(error, PL_ERR_NOT_FOUND, "", "no such lambda");
}

/* lambdas ends with name NULL; may be NULL. */
PL_UNUSED static struct pl_data tree_data(const struct tree *tree,
                                          const struct tree_lambda *lambdas)
{
    static const struct pl_data_ops ops = {.get = tree_get,
                                           .kind = tree_kind_of,
                                           .item = tree_item,
                                           .text = tree_text,
                                           .call = tree_call};

    return (struct pl_data){&ops, (void *)(uintptr_t)lambdas, {tree, NULL}};
}

#endif
