/* proxy.c - pl_app_proxy, pl_app_fastcgi (perilune.h). */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "handlers/gateway.h"

/* One worker asks for all. */
static void check(struct pl_app *app, void *handler)
{
    (void)app;
    pl_gateway_check(handler);
}

int pl_app_proxy(struct pl_app *app, const char *prefix,
                 const struct pl_proxy_options *options)
{
    static const char call[] = "pl_app_proxy";
    struct pl_error error = {.code = 0};
    struct pl_handler *handler;
    uint32_t every;
    int err;

    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_UPSTREAM)
        return pl_app_note(app, PL_ERR_UNSUPPORTED, call, prefix,
                           PL_WITHOUT "upstream");
    handler = pl_gateway_new(options, &error);
    err = error.code;
    every = handler == NULL ? 0 : pl_gateway_check_ms(handler);
    if (handler != NULL)
        err = pl_site_route(app->site, PL_METHODS_ANY, pl_str_c(prefix), true,
                            handler, &app->limits[app->depth], "", &error);
    if (err == 0 && every != 0)
        return pl_app_every(app, PL_ONE_WORKER, every, check, handler);
    return pl_app_note(app, err, call, prefix, error.text);
}

/* What they name is read inside a sandbox as well. */
static int name_folders(struct pl_app *app,
                        const struct pl_fastcgi_options *options)
{
    struct pl_fastcgi_options all;
    int err = 0;

    PL_OPTIONS_READ(&all, options);
    if (all.root != NULL && !all.remote)
        err = pl_site_name_path(app->site, pl_str_c(all.root), PL_PATH_READ);
    if (err == 0 && all.sendfile != NULL)
        err =
            pl_site_name_path(app->site, pl_str_c(all.sendfile), PL_PATH_READ);
    return err;
}

int pl_app_fastcgi(struct pl_app *app, const char *prefix,
                   const struct pl_fastcgi_options *options)
{
    static const char call[] = "pl_app_fastcgi";
    struct pl_error error = {.code = 0};
    struct pl_handler *handler;
    int err;

    if (app->running)
        return PL_ERR_STATE;
    if (!PL_WITH_FASTCGI || !PL_WITH_UPSTREAM)
        return pl_app_note(app, PL_ERR_UNSUPPORTED, call, prefix,
                           PL_WITHOUT "fastcgi or upstream");
    err = name_folders(app, options);
    if (err < 0)
        return pl_app_note(app, err, call, prefix, pl_err_text(err));
    handler = pl_gateway_fcgi_new(options, &error);
    err = error.code;
    if (handler != NULL)
        err = pl_site_route(app->site, PL_METHODS_ANY, pl_str_c(prefix), true,
                            handler, &app->limits[app->depth], "", &error);
    return pl_app_note(app, err, call, prefix, error.text);
}
