/* hello.c - the least that a program on libperilune can do: what `make bench`
 * measures as "perilune C".
 *
 *     hello PORT [CERT KEY [tickets]]     with TLS */
#include <perilune.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 65536 };

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)req;
    (void)arg;
    return pl_respond(res, 200, "text/plain", PL_STR("Hello, World!"));
}

static int wait_long(void *arg)
{
    (void)arg;
    pl_sleep(NULL, 3600 * 1000);
    return 0;
}

/* "?n=...": so many more fibers that wait. */
static int park(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str n = pl_request_arg(req, PL_STR("n"));
    int err = 0;

    (void)arg;
    for (int left = atoi(n.data == NULL ? "" : n.data); left > 0; left--)
        if ((err = pl_spawn(NULL, wait_long, NULL)) < 0)
            return err;
    return pl_respond(res, 200, "text/plain", PL_STR("parked"));
}

static int upload(struct pl_request *req, struct pl_response *res, void *arg)
{
    char *piece = pl_alloc(req, PIECE);
    ssize_t n = PL_ERR_NOMEM;
    size_t size = 0;

    (void)arg;
    while (piece != NULL && (n = pl_request_read(req, piece, PIECE)) > 0)
        size += (size_t)n;
    if (n < 0)
        return (int)n;
    return pl_respondf(res, 200, "text/plain", "%zu", size);
}

static int echo(struct pl_ws *ws, const struct pl_ws_message *message,
                void *arg)
{
    (void)arg;
    return pl_ws_send(ws, message->kind, message->data);
}

static int enter(struct pl_ws *ws, struct pl_request *req, void *arg)
{
    (void)req;
    (void)arg;
    return pl_ws_subscribe(ws, PL_STR("room"), false);
}

static int publish(struct pl_ws *ws, const struct pl_ws_message *message,
                   void *arg)
{
    int receivers = pl_publish(arg, PL_STR("room"), message->data);

    (void)ws;
    return receivers < 0 ? receivers : 0;
}

static void add_sockets(struct pl_app *app)
{
    static const struct pl_ws_callbacks one = {.size = sizeof(one),
                                               .message = echo};
    static const struct pl_ws_callbacks all = {
        .size = sizeof(all), .open = enter, .message = publish};

    pl_app_websocket(app, "/echo", &one, NULL, NULL);
    pl_app_websocket(app, "/room", &all, NULL, app);
}

static void listen_on(struct pl_app *app, char **argv, bool tickets)
{
    const struct pl_app_tls_cert cert = {.cert = argv[2], .key = argv[3]};
    const struct pl_app_tls_options tls = {.size = sizeof(tls),
                                           .certs = &cert,
                                           .ncerts = 1,
                                           .no_session_tickets = !tickets};
    const struct pl_app_listen_options options = {
        .size = sizeof(options), .tls = argv[2] == NULL ? NULL : &tls};
    char address[32];

    snprintf(address, sizeof(address), "127.0.0.1:%s", argv[1]);
    pl_app_listen_with(app, address, &options);
}

int main(int argc, char **argv)
{
    struct pl_app *app = pl_app_new();
    int code;

    if (app == NULL || argc < 2 || argc == 3 || argc > 5)
        return 2;
    pl_app_get(app, "/", hello, NULL);
    pl_app_get(app, "/park", park, NULL);
    pl_app_post(app, "/upload", upload, NULL);
    add_sockets(app);
    pl_app_set(app, "workers", "1");
    listen_on(app, argv, argc == 5);
    code = pl_app_run(app);
    if (code != 0)
        fprintf(stderr, "%s\n", pl_app_error(app));
    pl_app_free(app);
    return code;
}
