#include "template/template.h"

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "template/program.h"

static const char *copy(char **to, struct pl_str text)
{
    char *at = *to;

    if (text.len > 0)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    *to += text.len + 1;
    return at;
}

/* One block: the operations, and the texts behind them. NULL: out of memory. */
static struct pl_template *make(const struct pl_program *program,
                                struct pl_str name, struct pl_str source,
                                const struct pl_delimiters *delimiters)
{
    size_t ops = program->nops * sizeof(*program->ops);
    struct pl_template *template =
        pl_malloc(sizeof(*template) + ops + source.len + name.len +
                  delimiters->open.len + delimiters->close.len + 4);
    char *to = (char *)template + sizeof(*template) + ops;

    if (template == NULL)
        return NULL;
    template->nops = program->nops;
    template->len = (uint32_t)source.len;
    memcpy(template->ops, program->ops, ops);
    template->source = copy(&to, source);
    template->name = copy(&to, name);
    template->delimiters.open =
        pl_str(copy(&to, delimiters->open), delimiters->open.len);
    template->delimiters.close =
        pl_str(copy(&to, delimiters->close), delimiters->close.len);
    return template;
}

struct pl_template *pl_template_new_with(struct pl_str name,
                                         struct pl_str source,
                                         struct pl_delimiters delimiters,
                                         struct pl_error *error)
{
    struct pl_template *template;
    struct pl_program program;

    if (pl_template_compile(name, source, delimiters, &program, error) < 0)
        return NULL;
    template = make(&program, name, source, &delimiters);
    pl_free(program.ops);
    if (template == NULL)
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    return template;
}

struct pl_template *pl_template_new(struct pl_str name, struct pl_str source,
                                    struct pl_error *error)
{
    return pl_template_new_with(
        name, source, (struct pl_delimiters){PL_STR("{{"), PL_STR("}}")},
        error);
}

void pl_template_free(struct pl_template *template)
{
    pl_free(template);
}

const char *pl_template_name(const struct pl_template *template)
{
    return template->name;
}

int pl_template_partials(const struct pl_template *template,
                         int (*see)(void *arg, struct pl_str name), void *arg)
{
    int err = 0;

    for (uint32_t i = 0; err >= 0 && i < template->nops; i++) {
        const struct pl_template_op *op = &template->ops[i];

        if ((op->code == PL_TEMPLATE_PARTIAL ||
             op->code == PL_TEMPLATE_PARENT) &&
            !(op->flags & PL_TEMPLATE_DYNAMIC))
            err = see(arg, pl_template_str(template, op->text));
    }
    return err < 0 ? err : 0;
}

bool pl_template_is_dynamic(const struct pl_template *template)
{
    for (uint32_t i = 0; i < template->nops; i++)
        if (template->ops[i].flags & PL_TEMPLATE_DYNAMIC)
            return true;
    return false;
}
