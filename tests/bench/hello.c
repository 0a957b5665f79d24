/* hello.c - the least that a program on libperilune can do: what `make bench`
 * measures as "perilune C".
 *
 *     hello PORT */
#include <perilune.h>
#include <stdio.h>

enum { PIECE = 65536 };

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)req;
    (void)arg;
    return pl_respond(res, 200, "text/plain", PL_STR("Hello, World!"));
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

int main(int argc, char **argv)
{
    struct pl_app *app = pl_app_new();
    char address[32];
    int code;

    if (app == NULL || argc != 2)
        return 2;
    pl_app_get(app, "/", hello, NULL);
    pl_app_post(app, "/upload", upload, NULL);
    pl_app_set(app, "workers", "1");
    snprintf(address, sizeof(address), "127.0.0.1:%s", argv[1]);
    pl_app_listen(app, address);
    code = pl_app_run(app);
    if (code != 0)
        fprintf(stderr, "%s\n", pl_app_error(app));
    pl_app_free(app);
    return code;
}
