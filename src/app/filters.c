/* filters.c - the filters of perilune.h: written in C, below the library. */
#include "app/app.h"

#include "base/features.h"
#include "filters/compress.h"
#include "filters/cors.h"
#include "filters/request_id.h"
#include "filters/security.h"

/* Adds what was made; NULL is the failure that error tells. */
static int use(struct pl_app *app, const char *call, struct pl_filter *filter,
               struct pl_error *error)
{
    int err =
        filter == NULL ? error->code : pl_site_use(app->site, filter, error);

    return pl_app_note(app, err, call, "", error->text);
}

int pl_app_compress(struct pl_app *app,
                    const struct pl_compress_options *options)
{
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_COMPRESS)
        return pl_app_note(app, PL_ERR_UNSUPPORTED, "pl_app_compress", "",
                           PL_WITHOUT PL_FEATURE_COMPRESS);
    return use(app, "pl_app_compress", pl_compress_new(options, &error),
               &error);
}

static bool has_filters(struct pl_app *app, const char *call)
{
    if (!PL_WITH_FILTERS)
        pl_app_note(app, PL_ERR_UNSUPPORTED, call, "",
                    PL_WITHOUT PL_FEATURE_FILTERS);
    return PL_WITH_FILTERS;
}

int pl_app_cors(struct pl_app *app, const struct pl_cors_options *options)
{
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    if (!has_filters(app, "pl_app_cors"))
        return PL_ERR_UNSUPPORTED;
    return use(app, "pl_app_cors", pl_cors_new(options, &error), &error);
}

int pl_app_security_headers(struct pl_app *app,
                            const struct pl_security_options *options)
{
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    if (!has_filters(app, "pl_app_security_headers"))
        return PL_ERR_UNSUPPORTED;
    return use(app, "pl_app_security_headers",
               pl_security_headers_new(options, &error), &error);
}

int pl_app_request_id(struct pl_app *app, const char *header)
{
    struct pl_error error = {.code = 0};

    if (app->running)
        return PL_ERR_STATE;
    if (!has_filters(app, "pl_app_request_id"))
        return PL_ERR_UNSUPPORTED;
    return use(app, "pl_app_request_id", pl_request_id_new(header, &error),
               &error);
}
