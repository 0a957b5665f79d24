#include "share/message.h"

#include "base/check.h"
#include "base/json_build.h"
#include "base/pack_json.h"
#include "base/str.h"
#include "base/sys.h"
#include "share/member.h"

static bool has_bytes(const struct pl_datum *value)
{
    return value->type == PL_DATUM_STRING || value->type == PL_DATUM_PACKED;
}

int pl_datum_text(const struct pl_datum *value, struct pl_buf *scratch,
                  struct pl_str *text)
{
    struct pl_json_builder json;
    int err;

    if (value->type == PL_DATUM_STRING) {
        *text = value->bytes;
        return 0;
    }
    pl_json_builder_init(&json, scratch, PL_JSON_NAN_NULL);
    if (value->type == PL_DATUM_PACKED)
        err = pl_pack_to_json(value->bytes, scratch);
    else if (value->type == PL_DATUM_BOOL)
        err = pl_json_add_bool(&json, value->boolean);
    else if (value->type == PL_DATUM_INTEGER)
        err = pl_json_add_i64(&json, value->integer);
    else
        err = pl_json_add_double(&json, value->number);
    *text = pl_buf_str(scratch);
    return err;
}

struct pl_message *pl_message_new(unsigned envelopes, int from,
                                  struct pl_str topic,
                                  const struct pl_datum *value)
{
    size_t head =
        sizeof(struct pl_message) + envelopes * sizeof(struct pl_envelope);
    size_t len = has_bytes(value) ? value->bytes.len : 0;
    struct pl_message *message = pl_malloc(head + topic.len + len);
    char *bytes = (char *)message + head;

    if (message == NULL)
        return NULL;
    atomic_init(&message->refs, 1);
    message->number = 0;
    message->count = envelopes;
    for (unsigned i = 0; i < envelopes; i++)
        message->envelopes[i].to = NULL;
    message->from = from;
    message->value = *value;
    message->topic = topic;
    message->charge =
        sizeof(*message) + sizeof(struct pl_envelope) + topic.len + len;
    if (topic.len > 0)
        message->topic.data = memcpy(bytes, topic.data, topic.len);
    if (len > 0)
        message->value.bytes.data =
            memcpy(bytes + topic.len, value->bytes.data, len);
    return message;
}

int pl_message_address(struct pl_message *message, unsigned number,
                       struct pl_member *member)
{
    struct pl_envelope *envelope = &message->envelopes[number];
    int err = pl_common_account_charge(&member->account, message->charge);

    if (err == 0)
        envelope->to = member;
    return err;
}

void pl_message_release(struct pl_message *message)
{
    if (atomic_fetch_sub(&message->refs, 1) == 1)
        pl_free(message);
}

unsigned pl_message_post(struct pl_message *message,
                         void (*deliver)(struct pl_mail *mail))
{
    unsigned sent = 0, count = message->count;

    for (unsigned i = 0; i < count; i++)
        sent += message->envelopes[i].to != NULL;
    atomic_fetch_add(&message->refs, sent);
    for (unsigned i = 0, left = sent; left > 0; i++) {
        struct pl_envelope *envelope = &message->envelopes[i];

        if (envelope->to == NULL)
            continue;
        left--;
        envelope->message = message;
        envelope->refs = 1;
        envelope->apart = false;
        envelope->mail.deliver = deliver;
        pl_list_init(&envelope->node);
        pl_mailbox_send(pl_loop_mailbox(envelope->to->loop), &envelope->mail);
    }
    pl_message_release(message);
    return sent;
}

void pl_message_drop(struct pl_message *message)
{
    for (unsigned i = 0; i < message->count; i++)
        if (message->envelopes[i].to != NULL)
            pl_common_account_release(&message->envelopes[i].to->account,
                                      message->charge);
    pl_free(message);
}

void pl_envelope_release(struct pl_envelope *envelope)
{
    struct pl_message *message = envelope->message;

    PL_ASSERT(envelope->refs > 0);
    if (--envelope->refs > 0)
        return;
    pl_common_account_release(&envelope->to->account, message->charge);
    if (envelope->apart)
        pl_pool_put(pl_loop_pool(envelope->to->loop), envelope,
                    sizeof(*envelope));
    pl_message_release(message);
}

struct pl_envelope *pl_envelope_new(struct pl_message *message,
                                    struct pl_member *member)
{
    struct pl_envelope *envelope =
        pl_pool_get(pl_loop_pool(member->loop), sizeof(*envelope));

    if (envelope != NULL &&
        pl_common_account_charge(&member->account, message->charge) < 0) {
        pl_pool_put(pl_loop_pool(member->loop), envelope, sizeof(*envelope));
        envelope = NULL;
    }
    if (envelope == NULL)
        pl_message_release(message);
    else
        *envelope = (struct pl_envelope){
            .message = message, .to = member, .refs = 1, .apart = true};
    return envelope;
}
