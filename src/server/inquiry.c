/* inquiry.c - what a worker that is held is asked: by a signal to its thread,
 * whose handler copies what runs there. It takes no lock and no memory. */
#include <signal.h>
#include <ucontext.h>

#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"
#include "route/router.h"
#include "server/watchdog_priv.h"
#include "task/fiber.h"
#include "task/meter.h"

/* ---- in the handler ---- */

static void copy(char *out, size_t size, struct pl_str text)
{
    size_t n = PL_MIN(text.len, size - 1);

    memcpy(out, text.data, n);
    out[n] = '\0';
}

/* Children of a handler's task belong to its request, too. */
static void copy_request(struct pl_inquiry *inquiry, const struct pl_task *task)
{
    const struct pl_request *req;

    while (task != NULL && task->owner == NULL)
        task = task->parent;
    inquiry->id[0] = inquiry->method[0] = inquiry->path[0] = inquiry->route[0] =
        '\0';
    if (task == NULL)
        return;
    req = task->owner;
    copy(inquiry->method, sizeof(inquiry->method), req->method_name);
    copy(inquiry->path, sizeof(inquiry->path), req->path);
    if (req->route != NULL)
        copy(inquiry->route, sizeof(inquiry->route),
             pl_str_c(req->route->pattern));
    pl_request_id(req, inquiry->id);
    inquiry->id[PL_REQUEST_ID_LEN] = '\0';
}

static void registers(const ucontext_t *context, uintptr_t *pc, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *pc = (uintptr_t)context->uc_mcontext.pc;
    *sp = (uintptr_t)context->uc_mcontext.sp;
#else
    *pc = *sp = 0;
#endif
}

/* The words of the stack from the interrupted function outwards: return
 * addresses are found in them later. (An unwinder may abort when it meets the
 * frames of LuaJIT, which it cannot know.) */
PL_NO_SANITIZE static void copy_stack(struct pl_inquiry *inquiry,
                                      const struct pl_task *task,
                                      const ucontext_t *context)
{
    uintptr_t sp, end = task == NULL ? 0 : pl_fiber_stack_end(task);
    const uintptr_t *word;

    registers(context, &inquiry->pc, &sp);
    if (end == 0 || sp > end || end - sp > PL_FIBER_STACK * 4u)
        end = inquiry->ward->stack_end;
    inquiry->nwords = 0;
    if (sp == 0 || sp > end)
        return;
    word = (const uintptr_t *)(sp & ~(sizeof(sp) - 1));
    while (inquiry->nwords < PL_INQUIRY_WORDS && (uintptr_t)(word + 1) <= end)
        inquiry->words[inquiry->nwords++] = *word++;
}

static bool alarm_lua(struct pl_inquiry *inquiry, const struct pl_task *task)
{
    const struct pl_question *question = &inquiry->question;

    inquiry->lua.kind = question->kind;
    inquiry->lua.status = question->status;
    memcpy(inquiry->lua.why, question->why, sizeof(inquiry->lua.why));
    return pl_lua_alarm(task, &inquiry->lua);
}

/* A deadline that came too early, for CPU, is set anew. */
static void answer_budget(struct pl_inquiry *inquiry)
{
    struct pl_sched *sched = &inquiry->ward->worker->sched;
    struct pl_meter *meter = sched->meter;

    inquiry->stale = meter == NULL || pl_meter_judge(meter) == PL_OVER_NONE;
    if (!inquiry->stale)
        inquiry->in_lua = alarm_lua(inquiry, pl_sched_seen(sched));
}

static void answer(struct pl_inquiry *inquiry, const ucontext_t *context)
{
    struct pl_worker *worker = inquiry->ward->worker;
    const struct pl_task *task;

    if (inquiry->question.budget) {
        answer_budget(inquiry);
        return;
    }
    inquiry->stale =
        pl_loop_busy_since(worker->loop) != inquiry->question.busy_since;
    if (inquiry->stale)
        return;
    task = pl_sched_seen(&worker->sched);
    copy_request(inquiry, task);
    copy_stack(inquiry, task, context);
    if (inquiry->question.only_where)
        inquiry->in_lua =
            pl_lua_where(task, inquiry->where, sizeof(inquiry->where));
    else
        inquiry->in_lua = alarm_lua(inquiry, task);
}

void pl_inquiry_on_alarm(int signal, siginfo_t *info, void *context)
{
    int keep = errno;
    struct pl_inquiry *inquiry = info->si_value.sival_ptr;
    unsigned asked;

    (void)signal;
    if (info->si_code != SI_QUEUE || info->si_pid != getpid())
        return; /* somebody else's */
    asked = atomic_load(&inquiry->asked);
    if (asked == atomic_load(&inquiry->answered))
        return; /* asked again just before the answer came */
    answer(inquiry, context);
    atomic_store(&inquiry->answered, asked);
    sem_post(&inquiry->ward->dog->news);
    errno = keep;
}

void pl_inquiry_on_heard(struct pl_alarm *alarm)
{
    struct pl_inquiry *inquiry = (struct pl_inquiry *)alarm;

    if (alarm->kind == PL_ALARM_ABORT)
        pl_loop_count_held(inquiry->ward->worker->loop, true);
    atomic_store(&inquiry->heard, atomic_load(&inquiry->answered));
    sem_post(&inquiry->ward->dog->news);
}

/* ---- asking ---- */

bool pl_inquiry_await(struct pl_watchdog *dog, const struct pl_inquiry *inquiry,
                      const _Atomic unsigned *answer, unsigned ms)
{
    struct timespec end =
        pl_watchdog_time(pl_clock_monotonic() + (uint64_t)ms * 1000000);

    while (atomic_load(answer) != atomic_load(&inquiry->asked)) {
        if (sem_clockwait(&dog->news, CLOCK_MONOTONIC, &end) < 0 &&
            errno != EINTR)
            return atomic_load(answer) == atomic_load(&inquiry->asked);
        if (dog->stop)
            return false;
    }
    return true;
}

/* Asks what is asked already. */
static bool deliver(struct pl_ward *ward)
{
    struct pl_inquiry *inquiry = &ward->inquiry;

    return pthread_sigqueue(ward->worker->thread, PL_INQUIRY_SIGNAL,
                            (union sigval){.sival_ptr = inquiry}) == 0 &&
           pl_inquiry_await(ward->dog, inquiry, &inquiry->answered,
                            PL_INQUIRY_ANSWER_MS);
}

bool pl_inquiry_ask(struct pl_ward *ward, const struct pl_question *question)
{
    struct pl_inquiry *inquiry = &ward->inquiry;

    if (atomic_load(&inquiry->answered) != atomic_load(&inquiry->asked) &&
        !deliver(ward))
        return false;
    inquiry->question = *question;
    atomic_fetch_add(&inquiry->asked, 1);
    return deliver(ward) && !inquiry->stale;
}
