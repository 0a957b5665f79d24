/* admin_ask.c - asking workers what only they know, with a deadline; and the
 * watchdog, about those that do not answer. */
#include "base/str.h"
#include "base/sys.h"
#include "server/admin_priv.h"
#include "server/watchdog.h"
#include "task/fiber.h"

enum {
    WAIT_MS = 500,       /* for workers */
    WAIT_HELD_MS = 2000, /* for the watchdog, who waits for signal and hook */
};

static const char *const stages[] = {
    [PL_WORKER_STARTING] = "starting", [PL_WORKER_LOADING] = "loading",
    [PL_WORKER_LOADED] = "loaded",     [PL_WORKER_SERVING] = "serving",
    [PL_WORKER_DRAINING] = "draining", [PL_WORKER_ENDING] = "ending",
    [PL_WORKER_OVER] = "over",         [PL_WORKER_FAILED] = "failed",
};

/* ---- members ---- */

static void key(struct pl_json_builder *json, const char *name)
{
    pl_json_key(json, pl_str_c(name));
}

void pl_admin_u64(struct pl_json_builder *json, const char *name,
                  uint64_t value)
{
    key(json, name);
    pl_json_add_u64(json, value);
}

void pl_admin_str(struct pl_json_builder *json, const char *name,
                  const char *value)
{
    key(json, name);
    pl_json_add_str(json, pl_str_c(value));
}

void pl_admin_double(struct pl_json_builder *json, const char *name,
                     double value)
{
    key(json, name);
    pl_json_add_double(json, value);
}

void pl_admin_bool(struct pl_json_builder *json, const char *name, bool value)
{
    key(json, name);
    pl_json_add_bool(json, value);
}

void pl_admin_object(struct pl_json_builder *json, const char *name)
{
    key(json, name);
    pl_json_begin_object(json);
}

void pl_admin_array(struct pl_json_builder *json, const char *name)
{
    key(json, name);
    pl_json_begin_array(json);
}

/* Until all are done, but not longer than ms. */
static void wait_for(struct pl_admin *admin, struct pl_op **ops, unsigned n,
                     uint64_t ms)
{
    struct pl_many_op many;

    pl_many_begin(&many, &admin->sched, ops, n, true,
                  pl_now(admin->server->loop) + ms * 1000000);
    pl_op_wait(&many.op);
}

/* ---- a worker ---- */

struct question {
    struct pl_errand errand;
    struct pl_worker *worker;
    pl_admin_tell *tell;
    struct pl_admin_query query;
    struct pl_json_builder *json; /* of whose turn it is */
};

static void free_question(struct pl_errand *errand)
{
    struct question *question =
        PL_CONTAINER_OF(errand, struct question, errand);

    pl_admin_stacks_free(question->query.stacks);
    pl_json_builder_free(question->json);
    pl_free(question);
}

/* On the worker's loop, between two pieces of work. */
static void on_question(struct pl_mail *mail)
{
    struct question *question =
        PL_CONTAINER_OF(mail, struct question, errand.mail);

    question->tell(question->worker, question->json, &question->query);
    pl_errand_answer(&question->errand);
}

static bool has_loop(const struct pl_worker *worker)
{
    enum pl_worker_stage stage = worker->stage;

    return stage >= PL_WORKER_LOADING && stage < PL_WORKER_OVER;
}

/* NULL: it cannot be asked. */
static struct question *ask(struct pl_admin *admin, struct pl_worker *worker,
                            pl_admin_tell *tell,
                            const struct pl_admin_query *query)
{
    struct question *question;

    if (!has_loop(worker))
        return NULL;
    question = pl_calloc(1, sizeof(*question));
    if (question == NULL)
        return NULL;
    question->errand.free = free_question;
    question->worker = worker;
    question->tell = tell;
    question->query = *query;
    if (query->all != NULL) /* without memory: without them */
        question->query.stacks = pl_admin_stacks_new();
    question->json = pl_json_builder_new(NULL, PL_JSON_PRETTY);
    if (question->json == NULL) {
        free_question(&question->errand);
        return NULL;
    }
    pl_errand_begin(&question->errand, &admin->errands);
    question->errand.mail.deliver = on_question;
    pl_mailbox_send(pl_loop_mailbox(worker->loop), &question->errand.mail);
    return question;
}

/* ---- one that does not answer ---- */

struct held_question {
    struct pl_errand errand;
    struct pl_holder held;
};

static void free_held(struct pl_errand *errand)
{
    pl_free(PL_CONTAINER_OF(errand, struct held_question, errand));
}

static void on_held_known(struct pl_holder *held)
{
    struct held_question *question =
        PL_CONTAINER_OF(held, struct held_question, held);

    pl_errand_answer(&question->errand);
}

static void add_held(struct pl_json_builder *json, const struct pl_holder *held)
{
    pl_admin_object(json, "held");
    if (held->method[0] != '\0') {
        pl_admin_str(json, "method", held->method);
        pl_admin_str(json, "path", held->path);
        pl_admin_str(json, "id", held->id);
        if (held->route[0] != '\0')
            pl_admin_str(json, "route", held->route);
    }
    pl_admin_str(json, "where", held->where);
    pl_json_end(json);
}

static void tell_held(struct pl_admin *admin, const struct pl_worker *worker,
                      struct pl_json_builder *json)
{
    struct held_question *question;
    struct pl_op *op;

    if (admin->server->watchdog == NULL || !has_loop(worker) ||
        pl_loop_busy_since(worker->loop) == 0)
        return;
    question = pl_calloc(1, sizeof(*question));
    if (question == NULL)
        return;
    question->errand.free = free_held;
    question->held.worker = worker->id;
    question->held.known_by = on_held_known;
    pl_errand_begin(&question->errand, &admin->errands);
    pl_watchdog_ask(admin->server->watchdog, &question->held);
    op = &question->errand.op;
    wait_for(admin, &op, 1, WAIT_HELD_MS);
    if (pl_errand_answered(&question->errand) && question->held.known)
        add_held(json, &question->held);
    pl_errand_drop(&question->errand);
}

static void tell_silent(struct pl_admin *admin, struct pl_worker *worker,
                        struct pl_json_builder *json)
{
    pl_json_begin_object(json);
    pl_admin_tell_seen(worker, json);
    pl_admin_bool(json, "answers", false);
    tell_held(admin, worker, json);
    pl_json_end(json);
}

/* Any thread. */
void pl_admin_tell_seen(struct pl_worker *worker, struct pl_json_builder *json)
{
    uint64_t since;

    pl_admin_u64(json, "worker", worker->id);
    pl_admin_str(json, "stage", stages[worker->stage]);
    if (!has_loop(worker))
        return;
    since = pl_loop_busy_since(worker->loop);
    pl_admin_double(json, "busy_s",
                    since == 0 ? 0
                               : (double)(pl_clock_monotonic() - since) / 1e9);
}

/* ---- all ---- */

/* "?wait=": how long answers are waited for, in ms. */
static uint64_t patience(struct pl_request *req)
{
    struct pl_str text = pl_request_arg(req, PL_STR("wait"));
    uint64_t seconds;

    if (text.data == NULL || !pl_str_to_u64(text, &seconds) || seconds > 60)
        return WAIT_MS;
    return seconds * 1000;
}

/* ops has room for n. */
static void wait_for_all(struct pl_admin *admin, struct question **questions,
                         unsigned n, struct pl_op **ops, uint64_t ms)
{
    unsigned asked = 0;

    for (unsigned i = 0; i < n; i++)
        if (questions[i] != NULL)
            ops[asked++] = &questions[i]->errand.op;
    if (asked > 0)
        wait_for(admin, ops, asked, ms);
}

static void tell(struct pl_admin *admin, struct pl_worker *worker,
                 struct question *question, struct pl_json_builder *json)
{
    struct pl_str text = {NULL, 0};

    if (question != NULL && pl_errand_answered(&question->errand))
        text = pl_json_builder_str(question->json);
    if (text.data != NULL && question->query.stacks != NULL) {
        pl_admin_add_stacks(question->query.all, question->query.stacks);
        question->query.stacks = NULL;
    }
    if (text.data != NULL)
        pl_json_add_raw(json, text);
    else
        tell_silent(admin, worker, json);
    if (question != NULL)
        pl_errand_drop(&question->errand);
}

void pl_admin_ask_workers(struct pl_admin *admin, struct pl_request *req,
                          pl_admin_tell *fn, const struct pl_admin_query *query,
                          struct pl_json_builder *json)
{
    struct pl_server *server = admin->server;
    unsigned n = server->started; /* there may be more when all have answered */
    struct question **questions = pl_alloc(req, n * sizeof(*questions));
    struct pl_op **ops = pl_alloc(req, n * sizeof(*ops));

    pl_json_begin_array(json);
    if (questions != NULL && ops != NULL) {
        for (unsigned i = 0; i < n; i++)
            questions[i] = ask(admin, &server->workers[i], fn, query);
        wait_for_all(admin, questions, n, ops, patience(req));
        for (unsigned i = 0; i < n; i++)
            tell(admin, &server->workers[i], questions[i], json);
    }
    pl_json_end(json);
}
