#include "net/deadline.h"

#include "base/check.h"

static void append(struct pl_deadlines *lists, struct pl_source *source,
                   unsigned class)
{
    struct pl_deadline *deadline = lists->of(source);
    uint32_t tail = lists->lists[class].tail;

    deadline->next = 0;
    deadline->prev = tail;
    deadline->touched = false;
    if (tail != 0)
        lists->of(pl_loop_slot(lists->loop, tail))->next = source->slot;
    else
        lists->lists[class].head = source->slot;
    lists->lists[class].tail = source->slot;
}

static void take_out(struct pl_deadlines *lists, struct pl_source *source,
                     unsigned class)
{
    struct pl_deadline *deadline = lists->of(source);

    if (deadline->prev != 0)
        lists->of(pl_loop_slot(lists->loop, deadline->prev))->next =
            deadline->next;
    else
        lists->lists[class].head = deadline->next;
    if (deadline->next != 0)
        lists->of(pl_loop_slot(lists->loop, deadline->next))->prev =
            deadline->prev;
    else
        lists->lists[class].tail = deadline->prev;
    deadline->next = deadline->prev = 0;
}

static void arm(struct pl_deadlines *lists, uint64_t at_ms)
{
    if (lists->armed_ms != 0 && lists->armed_ms <= at_ms)
        return;
    lists->armed_ms = at_ms;
    pl_timer_start(pl_loop_wheel(lists->loop), &lists->timer, at_ms * 1000000u);
}

/* Ends what is due at the head of one list, and moves on what was touched since
 * it got its place. The first that was not is due before all that have got
 * theirs later. */
static void expire_class(struct pl_deadlines *lists, unsigned class,
                         uint64_t now_ms)
{
    uint32_t slot;

    while ((slot = lists->lists[class].head) != 0) {
        struct pl_source *source = pl_loop_slot(lists->loop, slot);
        struct pl_deadline *head = lists->of(source);
        int32_t left = (int32_t)(head->at - (uint32_t)now_ms);

        if (left <= 0) {
            lists->expired(source, (enum pl_deadline_class) class);
            /* Its owner has taken it out (and perhaps closed it), or set it
             * anew. */
            PL_ASSERT(lists->lists[class].head != slot ||
                      (int32_t)(head->at - (uint32_t)now_ms) > 0);
        } else if (head->touched) {
            take_out(lists, source, class);
            append(lists, source, class);
        } else {
            arm(lists, now_ms + (uint64_t)left);
            return;
        }
    }
}

static void on_timer(struct pl_timer *timer)
{
    struct pl_deadlines *lists =
        PL_CONTAINER_OF(timer, struct pl_deadlines, timer);
    uint64_t now_ms = pl_now_ms(lists->loop);

    lists->armed_ms = 0;
    for (unsigned class = PL_DEADLINE_NONE + 1; class < PL_DEADLINE_CLASSES;
         class ++)
        expire_class(lists, class, now_ms);
}

void pl_deadlines_init(struct pl_deadlines *lists, struct pl_loop *loop)
{
    lists->loop = loop;
    lists->armed_ms = 0;
    for (unsigned class = 0; class < PL_DEADLINE_CLASSES; class ++)
        lists->lists[class].head = lists->lists[class].tail = 0;
    pl_timer_init(&lists->timer, on_timer);
}

void pl_deadlines_fini(struct pl_deadlines *lists)
{
    pl_timer_stop(pl_loop_wheel(lists->loop), &lists->timer);
}

void pl_deadline_set(struct pl_deadlines *lists, struct pl_source *source,
                     uint8_t *now, enum pl_deadline_class next, uint32_t ms)
{
    struct pl_deadline *deadline = lists->of(source);
    uint64_t now_ms;

    if (next == PL_DEADLINE_NONE) {
        if (*now != PL_DEADLINE_NONE)
            take_out(lists, source, *now);
        *now = PL_DEADLINE_NONE;
        return;
    }
    now_ms = pl_now_ms(lists->loop);
    deadline->at = (uint32_t)now_ms + ms;
    if (*now == (uint8_t)next) {
        deadline->touched = true;
        return;
    }
    if (*now != PL_DEADLINE_NONE)
        take_out(lists, source, *now);
    *now = (uint8_t)next;
    append(lists, source, next);
    arm(lists, now_ms + ms);
}
