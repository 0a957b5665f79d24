/* ws_callbacks.h - a route whose WebSockets are served by functions in C. */
#ifndef PL_HTTP_WS_CALLBACKS_H
#define PL_HTTP_WS_CALLBACKS_H

#include "http/ws.h"

struct pl_ws_route {
    struct pl_ws_callbacks callbacks;
    struct pl_ws_settings settings;
    void *arg; /* of the callbacks */
};

/* The defaults, and over them what options (may be NULL) has; BORROWS its
 * strings. */
void pl_ws_settings_read(struct pl_ws_settings *settings,
                         const struct pl_ws_options *options);

/* A pl_handler_fn: arg is the route, BORROWED by its sockets. */
int pl_ws_serve(struct pl_request *req, struct pl_response *res, void *arg);

#endif
