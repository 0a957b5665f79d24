/* rewrite_rule.c - rules while a site is loaded. */
#include "base/str.h"
#include "base/sys.h"
#include "handlers/redirect.h"
#include "handlers/rewrite_priv.h"

/* ---- sets ---- */

static void free_rule(struct pl_rewrite_rule *rule)
{
    pl_luapat_free(rule->pattern);
    if (rule->ask != NULL)
        rule->ask->free(rule->ask);
    if (rule->make != NULL)
        rule->make->free(rule->make);
}

static void free_set(struct pl_handler *handler)
{
    struct pl_rewrites *set =
        PL_CONTAINER_OF(handler, struct pl_rewrites, handler);

    for (struct pl_rewrite_rule *rule = set->first; rule; rule = rule->next)
        free_rule(rule);
    pl_free(set);
}

static struct pl_rewrites *new_set(struct pl_site *site, bool mounted)
{
    struct pl_rewrites *set = pl_malloc(sizeof(*set));

    if (set == NULL)
        return NULL;
    *set = (struct pl_rewrites){.handler = {.kind = "rewrite",
                                            .start = pl_rewrites_start,
                                            .free = free_set},
                                .router = site->router,
                                .end = &set->first,
                                .mounted = mounted};
    return set;
}

struct pl_rewrites *pl_rewrites_front(struct pl_site *site)
{
    struct pl_handler *front = pl_router_front(site->router);
    struct pl_rewrites *set;

    if (front != NULL)
        return PL_CONTAINER_OF(front, struct pl_rewrites, handler);
    set = new_set(site, false);
    if (set != NULL)
        pl_router_set_front(site->router, &set->handler);
    return set;
}

struct pl_rewrites *pl_rewrites_mount(struct pl_site *site,
                                      struct pl_str prefix, const char *where,
                                      struct pl_error *error)
{
    struct pl_rewrites *set = new_set(site, true);

    if (set == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, where, "out of memory");
        return NULL;
    }
    return pl_site_route(site, PL_METHODS_ANY, prefix, true, &set->handler,
                         NULL, where, error) < 0
               ? NULL
               : set;
}

void pl_rewrites_tell(struct pl_rewrites *rewrites,
                      void (*moved)(struct pl_request *req))
{
    rewrites->moved = moved;
}

/* ---- rules ---- */

/* What is wrong, or NULL. */
static const char *fault(const struct pl_rewrite_rule *rule,
                         const struct pl_rewrite_options *options)
{
    struct pl_str to = pl_str_c(options->to);

    if (rule->redirect != 0 && !pl_redirect_status(rule->redirect))
        return "a redirect is 301, 302, 303, 307 or 308";
    if (rule->redirect == 0 && rule->to.absolute)
        return "a URL with a host is for redirects (redirect = 301)";
    if (rule->redirect == 0 && pl_str_chr(to, '#') >= 0)
        return "\"#\" and what follows is for browsers: for redirects";
    if (pl_str_chr(rule->prefix, ':') >= 0)
        return "a group of rules has no parameter in its prefix";
    return NULL;
}

static int read_tests(struct pl_rewrite_rule *rule, struct pl_arena *arena,
                      const struct pl_rewrite_options *options,
                      struct pl_error *error)
{
    size_t n = options->conditions_count;
    struct pl_test *tests = pl_arena_alloc(arena, n * sizeof(*tests));
    int err = 0;

    if (tests == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (size_t i = 0; i < n && err == 0; i++)
        err = pl_test_read(&tests[i], arena, &options->conditions[i],
                           rule->pattern, error);
    rule->tests = tests;
    rule->ntests = (unsigned)n;
    return err;
}

/* rule->pattern is there. */
static int read_rule(struct pl_rewrite_rule *rule, struct pl_site *site,
                     const struct pl_rewrite_options *options,
                     struct pl_error *error)
{
    const char *wrong;
    int err = 0;

    rule->fn = options->fn;
    rule->arg = options->arg;
    rule->redirect = options->redirect;
    rule->last = options->last;
    if (options->to != NULL)
        err = pl_expansion_read(&rule->to, &site->arena, pl_str_c(options->to),
                                true, rule->pattern, error);
    if (err == 0)
        err = read_tests(rule, &site->arena, options, error);
    if (err < 0)
        return err;
    wrong = fault(rule, options);
    return wrong == NULL ? 0
                         : pl_error_set(error, PL_ERR_INVALID, "", "%s", wrong);
}

/* where: for messages; the pattern, if there is no better. */
static struct pl_rewrite_rule *new_rule(const struct pl_rewrites *set,
                                        struct pl_site *site, const char *where)
{
    struct pl_rewrite_rule *rule = pl_arena_zeroed(&site->arena, sizeof(*rule));
    struct pl_str copy = pl_arena_str(&site->arena, pl_str_c(where));

    if (rule == NULL || copy.data == NULL)
        return NULL;
    rule->where = copy.data;
    rule->host = rule->prefix = PL_STR("");
    if (!set->mounted)
        pl_site_scope_names(site, &rule->host, &rule->prefix);
    return rule;
}

/* Who lists what the site has finds the rule there. */
static int note(struct pl_site *site, const struct pl_rewrite_rule *rule,
                const char *pattern, const char *to, struct pl_error *error)
{
    struct pl_site_rule *noted = pl_arena_alloc(&site->arena, sizeof(*noted));
    struct pl_str copy = pl_arena_str(&site->arena, pl_str_c(pattern)),
                  copy_to = pl_arena_str(&site->arena, pl_str_c(to));

    if (noted == NULL || copy.data == NULL || (to && copy_to.data == NULL))
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    *noted = (struct pl_site_rule){.host = rule->host,
                                   .prefix = rule->prefix,
                                   .pattern = copy.data,
                                   .to = copy_to.data,
                                   .redirect = rule->redirect,
                                   .where = rule->where};
    pl_list_push(&site->rules, &noted->node);
    return 0;
}

int pl_rewrites_add(struct pl_rewrites *rewrites, struct pl_site *site,
                    const char *pattern,
                    const struct pl_rewrite_options *options, const char *where,
                    struct pl_error *error, struct pl_rewrite_rule **out)
{
    struct pl_rewrite_rule *rule =
        new_rule(rewrites, site, where[0] == '\0' ? pattern : where);
    struct pl_error why = {.code = 0};

    if (rule == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, where, "out of memory");
    rule->pattern = pl_luapat_new(pl_str_c(pattern), &why);
    if (rule->pattern == NULL || read_rule(rule, site, options, &why) < 0 ||
        (!rewrites->mounted &&
         note(site, rule, pattern, options->to, &why) < 0)) {
        pl_luapat_free(rule->pattern);
        return pl_error_set(error, why.code, where, "%s", why.text);
    }
    *rewrites->end = rule;
    rewrites->end = &rule->next;
    if (out != NULL)
        *out = rule;
    return 0;
}

void pl_rewrite_rule_ask(struct pl_rewrite_rule *rule,
                         struct pl_handler *handler)
{
    rule->ask = handler;
}

void pl_rewrite_rule_make(struct pl_rewrite_rule *rule,
                          struct pl_handler *handler)
{
    rule->make = handler;
}
