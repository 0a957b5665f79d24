/* hello.c - the least that a program on libperilune can do: what `make bench`
 * measures as "perilune C". One worker; says where it listens. */
#include <perilune.h>
#include <stdio.h>

static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    (void)req;
    (void)arg;
    return pl_respond(res, 200, "text/plain", PL_STR("Hello, World!"));
}

int main(void)
{
    struct pl_app *app = pl_app_new();
    int code;

    if (app == NULL)
        return 1;
    pl_app_get(app, "/", hello, NULL);
    pl_app_set(app, "workers", "1");
    pl_app_listen(app, "127.0.0.1:0");
    pl_app_set(app, "announce", "on");
    code = pl_app_run(app);
    if (code != 0)
        fprintf(stderr, "%s\n", pl_app_error(app));
    pl_app_free(app);
    return code;
}
