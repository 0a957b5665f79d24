/* websocket.c - routes for WebSockets, for C programs (perilune.h). */
#include "app/app.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/ws_callbacks.h"

static char *copy(char **to, struct pl_str text)
{
    char *at = *to;

    if (text.data == NULL)
        return NULL;
    memcpy(at, text.data, text.len);
    *to += text.len;
    return at;
}

/* The route and its strings in one block. NULL: no memory. */
static struct pl_ws_route *new_route(const struct pl_ws_callbacks *callbacks,
                                     const struct pl_ws_options *options,
                                     void *arg)
{
    struct pl_ws_settings settings;
    struct pl_ws_route *route;
    char *at;

    pl_ws_settings_read(&settings, options);
    route = pl_malloc(sizeof(*route) + settings.protocols.len +
                      settings.origins.len);
    if (route == NULL)
        return NULL;
    PL_OPTIONS_READ(&route->callbacks, callbacks);
    route->arg = arg;
    route->settings = settings;
    at = (char *)(route + 1);
    route->settings.protocols.data = copy(&at, settings.protocols);
    route->settings.origins.data = copy(&at, settings.origins);
    return route;
}

static void free_route(void *route)
{
    pl_free(route);
}

int pl_app_websocket(struct pl_app *app, const char *pattern,
                     const struct pl_ws_callbacks *callbacks,
                     const struct pl_ws_options *options, void *arg)
{
    struct pl_ws_route *route = new_route(callbacks, options, arg);

    if (route == NULL)
        return pl_app_note(app, PL_ERR_NOMEM, "pl_app_websocket", pattern,
                           "out of memory");
    return pl_app_add(app, "pl_app_websocket", PL_METHOD_BIT(PL_METHOD_GET),
                      pattern, pl_ws_serve, route, free_route);
}
