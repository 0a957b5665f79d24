/* upkeep.c - filters that C programs are run with (perilune.h). */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "filters/caching.h"
#include "filters/limit.h"
#include "filters/maintenance.h"

/* TAKES filter; NULL: error says why. */
static int use(struct pl_app *app, const char *call, struct pl_filter *filter,
               struct pl_error *error)
{
    int err = error->code;

    if (filter != NULL)
        err = pl_site_use(app->site, filter, error);
    return pl_app_note(app, err, call, "", error->text);
}

int pl_app_maintenance(struct pl_app *app,
                       const struct pl_maintenance_options *options)
{
    struct pl_maintenance_options given;
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    PL_OPTIONS_READ(&given, options);
    return use(app, "pl_app_maintenance",
               pl_maintenance_new(&given, NULL, &error), &error);
}

int pl_app_cache_control(struct pl_app *app,
                         const struct pl_caching_rule *rules, size_t count)
{
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    return use(app, "pl_app_cache_control",
               pl_caching_new(rules, count, &error), &error);
}

/* The workers have one filter, so its tables are its own. */
int pl_app_limit(struct pl_app *app, const struct pl_limit_options *options)
{
    const struct pl_limit_home home = {NULL, PL_STR("")};
    struct pl_limit_options given;
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_LIMITS)
        return pl_app_note(app, PL_ERR_UNSUPPORTED, "pl_app_limit", "",
                           PL_WITHOUT PL_FEATURE_LIMITS);
    PL_OPTIONS_READ(&given, options);
    return use(app, "pl_app_limit", pl_limit_new(&given, &home, NULL, &error),
               &error);
}
