#include "share/member.h"

#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/bus.h"
#include "share/presence.h"

enum { RETRY_NS = 1000000 };

static _Thread_local struct pl_member *current;

/* ---- garbage: what this worker has retired ---- */

/* At the end of a turn. What somebody still looked at is freed a little later,
 * also if the worker sleeps until then. */
static bool collect(struct pl_hook *hook)
{
    struct pl_member *member = PL_CONTAINER_OF(hook, struct pl_member, hook);

    if (PL_LIKELY(!pl_epoch_pending(member->reader)))
        return false;
    pl_epoch_leave(member->reader); /* an error may have left it open */
    if (!pl_epoch_collect(member->reader) && !member->retry.armed)
        pl_timer_start(pl_loop_wheel(member->loop), &member->retry,
                       pl_now(member->loop) + RETRY_NS);
    return false;
}

static void on_retry(struct pl_timer *timer)
{
    collect(&PL_CONTAINER_OF(timer, struct pl_member, retry)->hook);
}

struct pl_dict_user pl_member_user(struct pl_member *member)
{
    if (PL_UNLIKELY(!member->hooked)) { /* who shares nothing pays nothing */
        member->hooked = true;
        pl_loop_add_hook(member->loop, &member->hook);
    }
    pl_epoch_leave(member->reader);
    return (struct pl_dict_user){member->reader, pl_now(member->loop)};
}

/* ---- guests ---- */

int pl_guest_begin(struct pl_guest *guest, struct pl_share *share)
{
    if (current != NULL && current->share == share) {
        guest->id = (int)current->id;
        guest->user = pl_member_user(current);
        return 0;
    }
    guest->id = PL_SHARE_NOBODY;
    guest->user = (struct pl_dict_user){pl_epoch_join(pl_share_epoch(share)),
                                        pl_clock_monotonic()};
    return guest->user.reader == NULL ? PL_ERR_NOMEM : 0;
}

void pl_guest_end(struct pl_guest *guest)
{
    if (guest->id == PL_SHARE_NOBODY)
        pl_epoch_part(guest->user.reader);
}

/* ---- who leads ---- */

static void on_lead(struct pl_mail *mail);

/* Finds a leader if there is none. In a section of the caller's. */
static void elect(struct pl_share *share)
{
    _Atomic int *leader = pl_share_leader(share);
    unsigned workers = pl_share_workers(share);
    int nobody = PL_SHARE_NOBODY;

    for (unsigned i = 0; i < workers && atomic_load(leader) == nobody; i++) {
        struct pl_member *member = pl_share_member(share, i);

        if (member == NULL || !atomic_load(&member->candidate) ||
            !atomic_compare_exchange_strong(leader, &nobody, (int)i)) {
            nobody = PL_SHARE_NOBODY;
            continue;
        }
        member->lead_mail.deliver = on_lead;
        pl_mailbox_send(pl_loop_mailbox(member->loop), &member->lead_mail);
    }
}

static void resign(struct pl_member *member)
{
    int mine = (int)member->id;

    member->leading = false;
    if (!atomic_compare_exchange_strong(pl_share_leader(member->share), &mine,
                                        PL_SHARE_NOBODY))
        return;
    pl_epoch_enter(member->reader);
    elect(member->share);
    pl_epoch_leave(member->reader);
}

static void lead(struct pl_member *member)
{
    if (!member->leading && member->ops != NULL) {
        member->leading = true;
        member->ops->lead(member->arg);
    }
}

static void on_lead(struct pl_mail *mail)
{
    struct pl_member *member =
        PL_CONTAINER_OF(mail, struct pl_member, lead_mail);

    if (atomic_load(&member->candidate))
        lead(member);
    else
        resign(member);
}

void pl_member_stand(struct pl_member *member, const struct pl_member_ops *ops,
                     void *arg)
{
    member->ops = ops;
    member->arg = arg;
    if (ops == NULL || !member->placed)
        return;
    atomic_store(&member->candidate, true);
    if (atomic_load(pl_share_leader(member->share)) == (int)member->id)
        lead(member);
    pl_epoch_enter(member->reader);
    elect(member->share);
    pl_epoch_leave(member->reader);
    if (!pl_list_empty(&member->inbox))
        ops->message(arg);
}

void pl_member_withdraw(struct pl_member *member)
{
    atomic_store(&member->candidate, false);
}

/* ---- messages ---- */

static void on_message(struct pl_mail *mail)
{
    struct pl_envelope *envelope =
        PL_CONTAINER_OF(mail, struct pl_envelope, mail);
    struct pl_member *member = envelope->to;

    pl_list_push(&member->inbox, &envelope->node);
    if (member->ops != NULL)
        member->ops->message(member->arg);
}

struct pl_envelope *pl_member_next(struct pl_member *member)
{
    struct pl_list *node = pl_list_pop(&member->inbox);

    return node == NULL ? NULL : PL_LIST_ENTRY(node, struct pl_envelope, node);
}

static int address(struct pl_share *share, struct pl_message *message, int to)
{
    unsigned first = to == PL_SHARE_NOBODY ? 0 : (unsigned)to;
    int err = PL_ERR_NOT_FOUND;

    for (unsigned i = 0; i < message->count; i++) {
        struct pl_member *member = pl_share_member(share, first + i);

        if (member == NULL)
            continue; /* it has ended */
        err = pl_message_address(message, i, member);
        if (err < 0)
            break;
    }
    return err;
}

int pl_share_send(struct pl_share *share, struct pl_reader *reader, int from,
                  int to, const struct pl_datum *value)
{
    unsigned count = to == PL_SHARE_NOBODY ? pl_share_workers(share) : 1;
    const struct pl_str none = {NULL, 0};
    struct pl_message *message = pl_message_new(count, from, none, value);
    int err;

    if (message == NULL)
        return PL_ERR_NOMEM;
    pl_epoch_enter(reader);
    err = address(share, message, to);
    if (err == 0)
        pl_message_post(message, on_message);
    else
        pl_message_drop(message);
    pl_epoch_leave(reader);
    return err;
}

/* ---- joining and leaving ---- */

int pl_member_join(struct pl_member *member, struct pl_share *share,
                   struct pl_loop *loop, unsigned id, bool visitor)
{
    if (!PL_WITH_SHARE) {
        *member = (struct pl_member){.id = id};
        current = member; /* who it is, it can say */
        return 0;
    }
    *member = (struct pl_member){
        .share = share,
        .loop = loop,
        .id = id,
        .count = visitor ? 1 : pl_share_workers(share),
        .placed = !visitor,
        .hook = {.run = collect},
    };
    member->reader = pl_epoch_join(pl_share_epoch(share));
    if (member->reader == NULL)
        return PL_ERR_NOMEM;
    pl_timer_init(&member->retry, on_retry);
    pl_common_account_init(&member->account, PL_MEMBER_MEMORY);
    pl_list_init(&member->inbox);
    pl_list_init(&member->presences);
    pl_table_init(&member->topics, pl_loop_pool(loop), NULL);
    pl_table_init(&member->patterns, pl_loop_pool(loop), NULL);
    pl_table_init(&member->doors, pl_loop_pool(loop), NULL);
    if (member->placed)
        pl_share_set_member(share, id, member);
    current = member;
    return 0;
}

struct pl_member *pl_member_current(void)
{
    return current;
}

/* Nobody can send to it any more: what was sent is taken out of the mailbox
 * first, so that all of it is freed. */
static void drop_mail(struct pl_member *member)
{
    struct pl_mailbox *box = pl_loop_mailbox(member->loop);
    struct pl_envelope *envelope;

    while (!pl_mailbox_empty(box))
        pl_mailbox_drain(box, 1);
    while ((envelope = pl_member_next(member)) != NULL)
        pl_envelope_release(envelope);
}

void pl_member_leave(struct pl_member *member)
{
    if (!PL_WITH_SHARE && current == member)
        current = NULL;
    if (!PL_WITH_SHARE || member->reader == NULL)
        return; /* never joined */
    member->ops = NULL;
    pl_epoch_leave(member->reader);
    pl_member_withdraw(member);
    if (member->placed) {
        pl_share_set_member(member->share, member->id, NULL);
        pl_epoch_wait(pl_share_epoch(member->share));
        resign(member);
    }
    drop_mail(member);
    pl_presence_fini(member);
    pl_bus_fini(member);
    PL_ASSERT(atomic_load(&member->account.used) == 0);
    pl_timer_stop(pl_loop_wheel(member->loop), &member->retry);
    if (member->hooked)
        pl_loop_remove_hook(&member->hook);
    pl_epoch_part(member->reader);
    member->reader = NULL;
    if (current == member)
        current = NULL;
}
