#include "client/foreign.h"

#include "base/sys.h"

struct pl_foreign_watch {
    struct pl_source source;
    struct pl_foreign *foreign;
    struct pl_list node;
    unsigned events;
};

static void on_timer(struct pl_timer *timer)
{
    struct pl_foreign *foreign =
        PL_CONTAINER_OF(timer, struct pl_foreign, timer);

    foreign->due(foreign);
}

void pl_foreign_init(struct pl_foreign *foreign, struct pl_loop *loop,
                     void (*ready)(struct pl_foreign *foreign, int fd,
                                   unsigned events),
                     void (*due)(struct pl_foreign *foreign))
{
    *foreign = (struct pl_foreign){.loop = loop, .ready = ready, .due = due};
    pl_list_init(&foreign->watches);
    pl_timer_init(&foreign->timer, on_timer);
}

static void forget(struct pl_foreign_watch *watch)
{
    pl_loop_remove(watch->foreign->loop, &watch->source, true);
    pl_list_remove(&watch->node);
    pl_free(watch);
}

void pl_foreign_fini(struct pl_foreign *foreign)
{
    struct pl_list *node, *tmp;

    pl_foreign_alarm(foreign, -1);
    PL_LIST_FOREACH_SAFE (node, tmp, &foreign->watches)
        forget(PL_LIST_ENTRY(node, struct pl_foreign_watch, node));
}

/* The library may say in ready() that it wants to hear no more: the watch is
 * gone then. */
static void on_ready(struct pl_source *source, unsigned events)
{
    struct pl_foreign_watch *watch =
        PL_CONTAINER_OF(source, struct pl_foreign_watch, source);

    watch->foreign->ready(watch->foreign, source->fd, events);
}

static struct pl_foreign_watch *find(const struct pl_foreign *foreign, int fd)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &foreign->watches) {
        struct pl_foreign_watch *watch =
            PL_LIST_ENTRY(node, struct pl_foreign_watch, node);

        if (watch->source.fd == fd)
            return watch;
    }
    return NULL;
}

static struct pl_foreign_watch *begin(struct pl_foreign *foreign, int fd,
                                      unsigned events, int *err)
{
    struct pl_foreign_watch *watch = pl_malloc(sizeof(*watch));

    *err = PL_ERR_NOMEM;
    if (watch == NULL)
        return NULL;
    *watch = (struct pl_foreign_watch){.source = {.ready = on_ready, .fd = fd},
                                       .foreign = foreign,
                                       .events = events};
    *err = pl_loop_add(foreign->loop, &watch->source, events, PL_LEVEL);
    if (*err < 0) {
        pl_free(watch);
        return NULL;
    }
    pl_list_push(&foreign->watches, &watch->node);
    return watch;
}

struct pl_foreign_watch *pl_foreign_watch(struct pl_foreign *foreign,
                                          struct pl_foreign_watch *watch,
                                          int fd, unsigned events)
{
    int err = 0;

    if (watch == NULL)
        watch = find(foreign, fd);
    if (events == 0) {
        if (watch != NULL)
            forget(watch);
        return NULL;
    }
    if (watch == NULL)
        watch = begin(foreign, fd, events, &err);
    else if (watch->events != events)
        err = pl_loop_modify(foreign->loop, &watch->source, events, PL_LEVEL);
    if (err < 0) {
        foreign->err = err;
        pl_foreign_alarm(foreign, 0);
    } else {
        watch->events = events;
    }
    return watch;
}

void pl_foreign_alarm(struct pl_foreign *foreign, int64_t ms)
{
    struct pl_wheel *wheel = pl_loop_wheel(foreign->loop);

    /* Who has failed is told at once, whatever the library would like. */
    if (foreign->err < 0)
        ms = 0;
    if (ms < 0)
        pl_timer_stop(wheel, &foreign->timer);
    else
        pl_timer_start(wheel, &foreign->timer,
                       pl_now(foreign->loop) + (uint64_t)ms * 1000000);
}
