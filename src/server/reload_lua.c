/* reload_lua.c - pl.reload(): a worker's task asks the main thread, which
 * answers by mail. */
#include "base/check.h"
#include "base/str.h"
#include "base/sys.h"
#include "lua/vm.h"
#include "server/server.h"

struct asker {
    struct pl_reload_request request;
    struct pl_mail mail;
    struct pl_sched *sched;
    struct pl_vm_reload_op *reload; /* NULL: nobody waits any longer */
    struct pl_error error;
};

static void on_answer(struct pl_mail *mail)
{
    struct asker *asker = PL_CONTAINER_OF(mail, struct asker, mail);

    asker->sched->jobs--;
    if (asker->reload != NULL) {
        asker->reload->error = asker->error;
        pl_op_complete(&asker->reload->op, asker->error.code);
    }
    pl_free(asker);
}

static void on_done(struct pl_reload_request *request,
                    const struct pl_reload_status *status)
{
    struct asker *asker = PL_CONTAINER_OF(request, struct asker, request);
    const struct pl_error *error = &status->error;

    asker->error = *error;
    if (error->code < 0 && error->where[0] != '\0')
        pl_error_set(&asker->error, error->code, error->where, "%s: %s",
                     error->where, error->text);
    pl_mailbox_send(pl_loop_mailbox(asker->sched->loop), &asker->mail);
}

static void cancel(struct pl_op *op)
{
    struct pl_vm_reload_op *reload =
        PL_CONTAINER_OF(op, struct pl_vm_reload_op, op);
    struct asker *asker = reload->state;

    asker->reload = NULL;
    pl_op_complete(op, PL_ERR_CANCELED);
}

void pl_reload_begin(struct pl_server *server, struct pl_vm_reload_op *reload)
{
    struct pl_sched *sched = pl_sched_current();
    struct asker *asker = pl_malloc(sizeof(*asker));

    pl_op_init(&reload->op, sched, cancel);
    pl_op_begin(&reload->op);
    if (asker == NULL) {
        pl_op_complete(&reload->op, PL_ERR_NOMEM);
        return;
    }
    *asker = (struct asker){.request = {.why = "pl.reload", .done = on_done},
                            .mail = {.deliver = on_answer},
                            .sched = sched,
                            .reload = reload};
    reload->state = asker;
    sched->jobs++;
    pl_reload_ask(server, &asker->request);
}
