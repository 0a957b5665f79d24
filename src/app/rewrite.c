/* rewrite.c - rules, redirects and fixed responses of C programs (perilune.h).
 */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "handlers/fixed.h"
#include "handlers/redirect.h"
#include "handlers/rewrite.h"

/* 0, or why nothing can be added. */
static int may_add(struct pl_app *app, const char *call, const char *what)
{
    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_REWRITE)
        return pl_app_note(app, PL_ERR_UNSUPPORTED, call, what,
                           PL_WITHOUT PL_FEATURE_REWRITE);
    return 0;
}

/* TAKES handler; NULL: error says why. */
static int add_handler(struct pl_app *app, const char *call,
                       const char *pattern, bool mount,
                       struct pl_handler *handler, struct pl_error *error)
{
    int err = error->code;

    if (handler != NULL)
        err = pl_site_route(app->site, PL_METHODS_ANY, pl_str_c(pattern), mount,
                            handler, &app->limits[app->depth], "", error);
    return pl_app_note(app, err, call, pattern, error->text);
}

static int add_rule(struct pl_app *app, const char *call,
                    struct pl_rewrites *set, const char *pattern,
                    const struct pl_rewrite_options *options)
{
    struct pl_error error = {.code = 0};
    struct pl_rewrite_options given;
    int err;

    PL_OPTIONS_READ(&given, options);
    if (given.to == NULL && given.fn == NULL)
        return pl_app_note(app, PL_ERR_INVALID, call, pattern,
                           "to or fn is needed");
    err = pl_rewrites_add(set, app->site, pattern, &given, "", &error, NULL);
    return pl_app_note(app, err, call, pattern, error.text);
}

int pl_app_rewrite(struct pl_app *app, const char *pattern,
                   const struct pl_rewrite_options *options)
{
    static const char call[] = "pl_app_rewrite";
    struct pl_rewrites *set;
    int err = may_add(app, call, pattern);

    if (err < 0)
        return err;
    set = pl_rewrites_front(app->site);
    if (set == NULL)
        return pl_app_note(app, PL_ERR_NOMEM, call, pattern, "out of memory");
    return add_rule(app, call, set, pattern, options);
}

int pl_app_rewrite_below(struct pl_app *app, const char *prefix,
                         const char *const *patterns,
                         const struct pl_rewrite_options *options, size_t count)
{
    static const char call[] = "pl_app_rewrite_below";
    struct pl_error error = {.code = 0};
    struct pl_rewrites *set;
    int err = may_add(app, call, prefix);

    if (err < 0)
        return err;
    set = pl_rewrites_mount(app->site, pl_str_c(prefix), "", &error);
    if (set == NULL)
        return pl_app_note(app, error.code, call, prefix, error.text);
    for (size_t i = 0; i < count && err == 0; i++) /* each says its size */
        err = add_rule(app, call, set, patterns[i], &options[i]);
    return err;
}

int pl_app_redirect(struct pl_app *app, const char *prefix,
                    const struct pl_redirect_options *options)
{
    static const char call[] = "pl_app_redirect";
    struct pl_error error = {.code = 0};
    struct pl_redirect_options given;
    int err = may_add(app, call, prefix);

    if (err < 0)
        return err;
    PL_OPTIONS_READ(&given, options);
    return add_handler(app, call, prefix, true, pl_redirect_new(&given, &error),
                       &error);
}

int pl_app_respond_with(struct pl_app *app, const char *pattern,
                        const struct pl_fixed_options *options)
{
    static const char call[] = "pl_app_respond_with";
    struct pl_error error = {.code = 0};
    struct pl_fixed_options given;
    int err = may_add(app, call, pattern);

    if (err < 0)
        return err;
    PL_OPTIONS_READ(&given, options);
    return add_handler(app, call, pattern, false, pl_fixed_new(&given, &error),
                       &error);
}
