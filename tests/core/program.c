/* program.c - a C program around the core alone: workers are there, and what is
 * left out is refused. With an argument it wants a dictionary, and says why it
 * cannot run. */
#include <perilune.h>
#include <stdatomic.h>

static struct pl_app *app;
static atomic_int each, once;

static void count(struct pl_app *of, void *counter)
{
    (void)of;
    atomic_fetch_add((atomic_int *)counter, 1);
}

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct pl_str text = PL_STR("x");
    struct pl_feed *feed;

    (void)req;
    (void)arg;
    return pl_respondf(
        res, 200, "text/plain",
        "workers=%u known=%d each=%d once=%d publish=%s send=%s subscribe=%s",
        pl_worker_count(app), pl_worker_id() >= 0, atomic_load(&each),
        atomic_load(&once), pl_err_name(pl_publish(app, text, text)),
        pl_err_name(pl_worker_send(app, PL_WORKER_ALL, text)),
        pl_err_name(pl_subscribe(text, NULL, &feed)));
}

int main(int argc, char **argv)
{
    (void)argv;
    app = pl_app_new();
    pl_app_set(app, "workers", "2");
    pl_app_set(app, "signals", "on");
    pl_app_set(app, "announce", "on");
    pl_app_get(app, "/", show, NULL);
    pl_app_spawn(app, PL_EACH_WORKER, count, &each);
    pl_app_spawn(app, PL_ONE_WORKER, count, &once);
    if (argc > 1 && pl_shared_open(app, "visits", NULL) != NULL)
        return 1;
    pl_app_listen(app, "127.0.0.1:0");
    return pl_app_run(app);
}
