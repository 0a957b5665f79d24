/* admin_reload.c - reloads, by the admin socket: what has become of the last
 * one, and orders to do one. */
#include <stdio.h>
#include <unistd.h>

#include "base/features.h"
#include "base/log.h"
#include "base/module.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/response.h"
#include "server/admin_priv.h"
#include "task/fiber.h"

/* ---- the status ---- */

static const char *const stages[] = {
    [PL_RELOAD_IDLE] = "idle",
    [PL_RELOAD_LOADS] = "loading",
    [PL_RELOAD_TAKES] = "taking",
    [PL_RELOAD_DISCARDS] = "discarding",
};

static const char *result_of(const struct pl_reload_status *status)
{
    switch (status->result) {
    case PL_RELOADED_NEVER:
        return "never";
    case PL_RELOADED:
        return "reloaded";
    case PL_RELOADED_BESIDE:
        return status->error.code < 0 ? "refused" : "replaced";
    default:
        return "refused";
    }
}

/* "site.lua:3: what is wrong", or "". */
static void tell_error(struct pl_json_builder *json,
                       const struct pl_error *error)
{
    char text[sizeof(error->where) + sizeof(error->text) + 2] = "";

    if (error->code < 0)
        snprintf(text, sizeof(text), "%s%s%s", error->where,
                 error->where[0] == '\0' ? "" : ": ", error->text);
    pl_admin_str(json, "error", text);
}

static void tell_result(struct pl_json_builder *json,
                        const struct pl_reload_status *status)
{
    pl_admin_str(json, "result", result_of(status));
    pl_admin_u64(json, "took_ms", status->ms);
    pl_admin_u64(json, "held", status->held);
    tell_error(json, &status->error);
}

/* Of those who answer, the first is generation 1, also before any reload. */
static uint64_t generation_of(const struct pl_server *server)
{
    return PL_MAX(server->reload.id, (uint64_t)1);
}

void pl_admin_tell_reload(struct pl_admin *admin, struct pl_json_builder *json)
{
    const struct pl_reload *reload = &admin->server->reload;
    const struct pl_reload_status *status = &reload->status;

    pl_admin_u64(json, "generation", generation_of(admin->server));
    pl_admin_object(json, "reload");
    pl_admin_str(json, "stage", stages[reload->stage]);
    pl_admin_u64(json, "count", status->count);
    pl_admin_u64(json, "failed", status->failed);
    pl_admin_u64(json, "when", (uint64_t)status->when);
    pl_admin_str(json, "why", status->why == NULL ? "" : status->why);
    tell_result(json, status);
    pl_json_end(json);
}

/* ---- modules ---- */

static void tell_module(void *arg, const struct pl_module_fact *fact)
{
    struct pl_json_builder *json = arg;

    pl_json_begin_object(json);
    pl_admin_str(json, "path", fact->path);
    pl_admin_u64(json, "copy", fact->number);
    pl_admin_u64(json, "used", fact->refs);
    pl_json_end(json);
}

void pl_admin_tell_modules(struct pl_json_builder *json)
{
    pl_admin_array(json, "modules");
    if (PL_WITH_MODULES)
        pl_modules_each(tell_module, json);
    pl_json_end(json);
}

/* ---- POST /reload ---- */

struct order {
    struct pl_errand errand;
    struct pl_reload_request request;
    struct pl_reload_status status;
    struct pl_server *server;
    unsigned reports; /* the supervisor had made, when that was so */
};

static void free_order(struct pl_errand *errand)
{
    pl_free(PL_CONTAINER_OF(errand, struct order, errand));
}

static unsigned reports_of(const struct pl_server *server)
{
    return server->link == NULL ? 0 : server->link->reports;
}

static void on_reloaded(struct pl_reload_request *request,
                        const struct pl_reload_status *status)
{
    struct order *order = PL_CONTAINER_OF(request, struct order, request);

    order->status = *status;
    order->reports = reports_of(order->server);
    pl_errand_answer(&order->errand);
}

static struct order *ask_for_reload(struct pl_admin *admin)
{
    struct order *order = pl_calloc(1, sizeof(*order));

    if (order == NULL)
        return NULL;
    order->errand.free = free_order;
    order->server = admin->server;
    order->request = (struct pl_reload_request){
        .why = "admin", .by_operator = true, .done = on_reloaded};
    pl_errand_begin(&order->errand, &admin->errands);
    pl_reload_ask(admin->server, &order->request);
    return order;
}

/* The new process is another one; or there is one more report. */
static void tell_process(struct pl_json_builder *json, unsigned reports)
{
    pl_admin_u64(json, "process", (uint64_t)getpid());
    pl_admin_u64(json, "reports", reports);
}

static int status_of(const struct pl_reload_status *status)
{
    if (status->error.code == PL_ERR_CANCELED)
        return 503;
    if (status->error.code < 0)
        return 409;
    return status->result == PL_RELOADED_BESIDE ? 202 : 200;
}

static int answer_order(struct pl_request *req, struct pl_response *res,
                        const struct order *order)
{
    struct pl_json_builder *json = pl_json_builder_new(req, PL_JSON_PRETTY);

    pl_json_begin_object(json);
    pl_admin_u64(json, "generation", generation_of(order->server));
    tell_result(json, &order->status);
    tell_process(json, order->reports);
    pl_json_end(json);
    return pl_respond_json_built(res, status_of(&order->status), json);
}

static int reload_soft(struct pl_request *req, struct pl_response *res,
                       struct pl_admin *admin)
{
    struct order *order = ask_for_reload(admin);
    int err;

    if (order == NULL)
        return PL_ERR_NOMEM;
    err = pl_op_wait(&order->errand.op);
    if (pl_errand_answered(&order->errand))
        err = answer_order(req, res, order);
    pl_errand_drop(&order->errand);
    return err;
}

static int reload_hard(struct pl_request *req, struct pl_response *res,
                       struct pl_admin *admin)
{
    struct pl_server *server = admin->server;
    struct pl_json_builder *json;

    if (!pl_link_is(server->link))
        return pl_admin_refuse(
            req, res, 409,
            "there is no supervisor, who would start a new process");
    pl_log(PL_LOG_NOTICE, "admin", "asked for a new process");
    json = pl_json_builder_new(req, PL_JSON_PRETTY);
    pl_json_begin_object(json);
    pl_admin_str(json, "result", "replaced");
    tell_process(json, reports_of(server));
    pl_json_end(json);
    pl_link_say(server->link, PL_LINK_REPLACE);
    return pl_respond_json_built(res, 202, json);
}

int pl_admin_post_reload(struct pl_request *req, struct pl_response *res,
                         void *arg)
{
    bool hard = false;

    if (!PL_WITH_RELOAD)
        return pl_admin_refuse(req, res, 409, PL_WITHOUT PL_FEATURE_RELOAD);
    if (!pl_admin_flag(req, PL_STR("hard"), &hard))
        return pl_admin_refuse(req, res, 400, "hard: true or false");
    return hard ? reload_hard(req, res, arg) : reload_soft(req, res, arg);
}
