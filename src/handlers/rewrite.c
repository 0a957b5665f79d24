/* rewrite.c - the way of a request through the rules of a set. */
#include "base/check.h"
#include "base/log.h"
#include "base/str.h"
#include "handlers/rewrite_priv.h"
#include "http/retarget.h"
#include "route/dispatch.h"
#include "task/fiber.h"

/* So many steps may the patterns of a set take for one request, about half a
 * millisecond: a path of 8 KiB costs an ordinary pattern a tenth of that. */
enum { STEPS = 250000 };

/* What a phase says, beside PL_ERR_* and statuses to answer with. */
enum { NO, YES, AGAIN, OVER };

enum phase { MATCH, TEST, ASK, MAKE, ACT };

enum said { NOTHING, SAID_NO, SAID_YES };

struct pl_rewrite_run {
    const struct pl_rewrites *set;
    struct pl_request *req;
    struct pl_then *then; /* what follows when this has answered */
    const struct pl_rewrite_rule *rule;
    enum phase phase;
    unsigned tests; /* that hold */
    uint64_t steps;
    struct pl_str text;
    struct pl_luapat_match match;
    struct pl_str url;
    int status;
    /* of a step that waits */
    enum said said;
    struct pl_then step;
    struct pl_op op;
};

static void run_on(struct pl_rewrite_run *run);

static void end(struct pl_rewrite_run *run, int result)
{
    run->then->done(run->then, run->req, result);
}

/* Why a site's rules do not answer, for who wrote them. */
PL_COLD static int give_up(const struct pl_rewrite_run *run, const char *why)
{
    char id[PL_REQUEST_ID_LEN];

    pl_request_id(run->req, id);
    pl_log(PL_LOG_ERROR, "rewrite", "%s: %s request=%.16s", run->rule->where,
           why, id);
    return 500;
}

/* ---- steps that wait ---- */

static void on_due(struct pl_op *op)
{
    struct pl_rewrite_run *run = PL_CONTAINER_OF(op, struct pl_rewrite_run, op);
    struct pl_request *req = run->req;

    if (req->wire == NULL) /* its client has left */
        end(run, PL_ERR_CLOSED);
    else
        run_on(run);
    pl_request_drop(req);
}

/* Whoever was asked is still on the stack, and its task not over: what follows
 * must not be a part of it. */
static void on_step(struct pl_then *then, struct pl_request *req, int result)
{
    struct pl_rewrite_run *run = pl_rewrite_run_of(then);

    if (result != 0 || run->said == NOTHING) {
        end(run, result);
        return;
    }
    pl_request_hold(req);
    pl_op_init(&run->op, req->http->sched, NULL);
    pl_op_begin(&run->op);
    pl_op_complete(&run->op, 0);
    pl_op_then(&run->op, on_due);
}

struct pl_rewrite_run *pl_rewrite_run_of(struct pl_then *then)
{
    PL_ASSERT(then->done == on_step);
    return PL_CONTAINER_OF(then, struct pl_rewrite_run, step);
}

/* handler: it will say something. */
static int ask_handler(struct pl_rewrite_run *run, struct pl_handler *handler)
{
    run->said = NOTHING;
    run->step.done = on_step;
    handler->start(handler, run->req, &run->step);
    return OVER;
}

static int ask_fiber(struct pl_rewrite_run *run, pl_fiber_fn *fn)
{
    struct pl_request *req = run->req;
    struct pl_task *task =
        pl_fiber_new(req->http->sched, pl_task_current(), fn, run);

    if (task == NULL)
        return PL_ERR_NOMEM;
    run->said = NOTHING;
    run->step.done = on_step;
    task->serves = true;
    pl_request_add_task(req, task);
    if (req->task == NULL)
        req->task = task;
    pl_task_start(task);
    return OVER;
}

/* The fiber has nothing more to do with the request. */
static int end_fiber(struct pl_rewrite_run *run, int result)
{
    if (run->req->task == pl_task_current())
        run->req->task = NULL;
    on_step(&run->step, run->req, result);
    return 0;
}

/* What was said is used up. */
static int take_said(struct pl_rewrite_run *run)
{
    enum said said = run->said;

    run->said = NOTHING;
    return said == SAID_YES ? YES : NO;
}

const struct pl_luapat_match *pl_rewrite_match(const struct pl_rewrite_run *run,
                                               struct pl_str *text)
{
    *text = run->text;
    return &run->match;
}

const struct pl_luapat *pl_rewrite_pattern(const struct pl_rewrite_run *run)
{
    return run->rule->pattern;
}

const char *pl_rewrite_where(const struct pl_rewrite_run *run)
{
    return run->rule->where;
}

void pl_rewrite_say(struct pl_rewrite_run *run, bool yes)
{
    run->said = yes ? SAID_YES : SAID_NO;
}

int pl_rewrite_say_url(struct pl_rewrite_run *run, struct pl_str url,
                       int status)
{
    run->url = pl_expansion_tidy(url, &run->req->arena);
    if (run->url.data == NULL)
        return PL_ERR_NOMEM;
    run->status = status;
    run->said = SAID_YES;
    return 0;
}

/* ---- the phases of a rule ---- */

/* What the rule's pattern is about; false: not this request. */
static bool take_text(struct pl_rewrite_run *run)
{
    const struct pl_rewrite_rule *rule = run->rule;
    struct pl_request *req = run->req;
    uint16_t port;

    if (run->set->mounted) {
        run->text = req->rest;
        while (pl_str_starts(run->text, PL_STR("/")))
            run->text = pl_str_skip(run->text, 1);
        return true;
    }
    run->text = pl_str_skip(req->path, rule->prefix.len);
    return pl_str_starts(req->path, rule->prefix) &&
           (run->text.len == 0 || run->text.data[0] == '/') &&
           (rule->host.len == 0 ||
            pl_router_host_is(rule->host, pl_request_host(req, &port)));
}

static int match(struct pl_rewrite_run *run)
{
    int got;

    if (!take_text(run))
        return NO;
    got = pl_luapat_find(run->rule->pattern, run->text, 0, &run->steps,
                         &run->match);
    return got >= 0 ? got
                    : give_up(run, "the patterns take too long for this path");
}

static int test_from(struct pl_rewrite_run *run, bool wait)
{
    const struct pl_rewrite_rule *rule = run->rule;

    for (; run->tests < rule->ntests; run->tests++) {
        int got = pl_test_holds(&rule->tests[run->tests], run->req, &run->match,
                                wait);

        if (got != YES)
            return got;
    }
    return YES;
}

static int test_on_fiber(void *arg)
{
    struct pl_rewrite_run *run = arg;
    int got = test_from(run, true);

    if (got >= 0)
        pl_rewrite_say(run, got == YES);
    return end_fiber(run, got < 0 ? got : 0);
}

static int test(struct pl_rewrite_run *run)
{
    int got;

    if (run->said != NOTHING)
        return take_said(run);
    got = test_from(run, false);
    return got == PL_ERR_AGAIN ? ask_fiber(run, test_on_fiber) : got;
}

static int ask(struct pl_rewrite_run *run)
{
    if (run->rule->ask == NULL)
        return YES;
    if (run->said != NOTHING)
        return take_said(run);
    return ask_handler(run, run->rule->ask);
}

static int make_on_fiber(void *arg)
{
    struct pl_rewrite_run *run = arg;
    const struct pl_rewrite_rule *rule = run->rule;
    struct pl_str url = {NULL, 0};
    int err = rule->fn(run->req, run->match.parts, run->match.count + 1,
                       rule->arg, &url);

    if (err == 0 && url.data == NULL)
        pl_rewrite_say(run, false);
    else if (err == 0)
        err = pl_rewrite_say_url(run, url, 0);
    return end_fiber(run, err);
}

static int make(struct pl_rewrite_run *run)
{
    const struct pl_rewrite_rule *rule = run->rule;
    int err;

    if (run->said != NOTHING)
        return take_said(run);
    if (rule->make != NULL)
        return ask_handler(run, rule->make);
    if (rule->fn != NULL)
        return ask_fiber(run, make_on_fiber);
    run->status = 0;
    err =
        pl_expansion_make(&rule->to, &run->match, &run->req->arena, &run->url);
    return err < 0 ? err : YES;
}

/* With the request's query, unless it has one; before the fragment. */
static int add_query(struct pl_rewrite_run *run)
{
    struct pl_request *req = run->req;
    struct pl_str rest = run->url, front, query = req->query;

    if (query.len == 0 || pl_str_chr(run->url, '?') >= 0)
        return 0;
    pl_str_split(&rest, '#', &front);
    run->url = pl_arena_printf(&req->arena, "%.*s?%.*s%s%.*s",
                               PL_STR_ARG(front), PL_STR_ARG(query),
                               rest.data == NULL ? "" : "#", PL_STR_ARG(rest));
    return run->url.data == NULL ? PL_ERR_NOMEM : 0;
}

static int redirect(struct pl_rewrite_run *run, int status)
{
    int err = add_query(run);

    if (err == 0)
        err = pl_response_redirect(&run->req->response, run->url, status);
    end(run, err);
    return OVER;
}

/* Somebody else goes on with the request. */
static int hand_on(struct pl_rewrite_run *run, bool front)
{
    pl_dispatch_anew(run->set->router, run->req, run->then, front);
    return OVER;
}

static int rewrite(struct pl_rewrite_run *run)
{
    const struct pl_rewrites *set = run->set;
    struct pl_request *req = run->req;
    struct pl_str path = req->raw_path, query = req->query;
    int err = add_query(run);

    if (err < 0)
        return err;
    if (run->url.len == 0 || run->url.data[0] != '/')
        return give_up(run, "what its function has made is no path");
    err = pl_request_retarget(req, run->url);
    if (err < 0)
        return err;
    if (set->moved != NULL)
        set->moved(req);
    if (pl_str_eq(path, req->raw_path) && pl_str_eq(query, req->query) &&
        !set->mounted)
        return hand_on(run, false); /* it is where it should be */
    if (++req->rewrites > PL_REWRITES_MAX)
        return give_up(run, "the path was rewritten more than 4 times");
    if (set->mounted || run->rule->last)
        return hand_on(run, !run->rule->last);
    return AGAIN;
}

static int act(struct pl_rewrite_run *run)
{
    int status = run->status != 0 ? run->status : run->rule->redirect;

    return status != 0 ? redirect(run, status) : rewrite(run);
}

/* ---- all rules ---- */

static void begin_rule(struct pl_rewrite_run *run,
                       const struct pl_rewrite_rule *rule)
{
    run->rule = rule;
    run->phase = MATCH;
    run->tests = 0;
}

static void run_on(struct pl_rewrite_run *run)
{
    static int (*const phases[])(struct pl_rewrite_run *) = {[MATCH] = match,
                                                             [TEST] = test,
                                                             [ASK] = ask,
                                                             [MAKE] = make,
                                                             [ACT] = act};

    while (run->rule != NULL) {
        int got = phases[run->phase](run);

        if (got == OVER)
            return;
        if (got == YES)
            run->phase++;
        else if (got == NO)
            begin_rule(run, run->rule->next);
        else if (got == AGAIN)
            begin_rule(run, run->set->first);
        else {
            end(run, got);
            return;
        }
    }
    if (run->set->mounted)
        end(run, 404);
    else
        hand_on(run, false);
}

void pl_rewrites_start(struct pl_handler *handler, struct pl_request *req,
                       struct pl_then *then)
{
    struct pl_rewrites *set =
        PL_CONTAINER_OF(handler, struct pl_rewrites, handler);
    struct pl_rewrite_run *run = pl_arena_zeroed(&req->arena, sizeof(*run));

    if (run == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    run->set = set;
    run->req = req;
    run->then = then;
    run->steps = STEPS;
    begin_rule(run, set->first);
    run_on(run);
}
