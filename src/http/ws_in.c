/* ws_in.c - the input of a WebSocket: frames, and the messages they make.
 *
 * A head and a control frame are looked at when all of it has come; the payload
 * of other frames is taken as it comes, unmasked (and unpacked) on its way into
 * the message, and text is checked there.
 *
 * A few bytes may be unpacked to a thousand times as many: how many there may
 * be in a turn is limited, and the rest of the bytes waits for the next. */
#include "http/ws_priv.h"

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "http/ws_deflate.h"

enum {
    FIRST_ROOM = 16 * 1024, /* of a message whose length is only announced */
    CONTROLS = 500,         /* control frames in a window */
    SHARE = 256,            /* heads and payloads that one turn takes */
    UNPACKED = 64 * 1024,   /* bytes that one turn makes of packed ones */
    PIECE = 4096,           /* packed bytes that are unmasked at a time */
    WINDOW = 10000,         /* ms */
};

/* ---- control frames ---- */

/* Returns false when there are too many of them. Fragments of nothing, which no
 * length limits, count as well. */
static bool count_control(struct pl_ws *ws)
{
    uint32_t now = pl_ws_now(ws);

    if (now - ws->window >= WINDOW) {
        ws->window = now;
        ws->controls = 0;
    }
    return ++ws->controls <= CONTROLS;
}

static void take_close(struct pl_ws *ws, struct pl_str data)
{
    unsigned code = 0;

    if (data.len >= 2)
        code = (unsigned)(uint8_t)data.data[0] << 8 | (uint8_t)data.data[1];
    if (data.len == 1 || (data.len > 0 && !pl_ws_code_valid(code)))
        pl_ws_fail(ws, PL_WS_PROTOCOL_ERROR, "a bad close code");
    else if (!pl_utf8_valid(pl_str_skip(data, 2)))
        pl_ws_fail(ws, PL_WS_NOT_UTF8, "a close reason that is not UTF-8");
    else
        pl_ws_closed_by_peer(ws, code, pl_str_skip(data, 2));
}

static void take_control(struct pl_ws *ws, const struct pl_ws_frame *frame,
                         const char *payload)
{
    char data[PL_WS_CONTROL_MAX];
    struct pl_str text = pl_str(data, (size_t)frame->len);

    pl_ws_mask(data, payload, text.len, frame->key, 0);
    if (frame->opcode == PL_WS_OP_CLOSE)
        take_close(ws, text);
    else if (!count_control(ws))
        pl_ws_fail(ws, PL_WS_POLICY, "too many control frames");
    else if (frame->opcode == PL_WS_OP_PING && ws->state == PL_WS_OPEN)
        pl_ws_control(ws, PL_WS_OP_PONG, text);
}

/* ---- messages ---- */

/* Text that was added to the message behind its first bytes. False: that has
 * ended the socket. */
static bool check_text(struct pl_ws *ws, size_t from)
{
    struct pl_ws_work *work = ws->work;

    if (work->opcode != PL_WS_OP_TEXT ||
        pl_utf8_feed(&work->utf8,
                     pl_str_skip(pl_buf_str(&work->message), from)))
        return true;
    pl_ws_fail(ws, PL_WS_NOT_UTF8, "text that is not UTF-8");
    return false;
}

/* What unpacking says, and what came of it. False: that has ended the socket.
 */
static bool judge_unpacked(struct pl_ws *ws, int err, size_t from)
{
    if (err == PL_ERR_LIMIT ||
        ws->work->message.len > ws->settings->max_message)
        pl_ws_fail(ws, PL_WS_TOO_BIG, "a packed message is too long");
    else if (err == PL_ERR_PROTO)
        pl_ws_fail(ws, PL_WS_NOT_UTF8, "a message is packed wrongly");
    else if (err < 0)
        pl_ws_fail(ws, PL_WS_ERROR, "out of memory");
    else
        return check_text(ws, from);
    return false;
}

static bool may_unpack(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;
    struct pl_ws_packer *packer = pl_ws_packer_of(ws);

    if (work->unpacker == NULL && packer != NULL)
        work->unpacker = pl_ws_unpacker_get(packer);
    return work->unpacker != NULL || judge_unpacked(ws, PL_ERR_NOMEM, 0);
}

/* Takes of the payload what may be unpacked now; *used is how much that is, and
 * *made counts what came of it. False: that has ended the socket. */
static bool unpack(struct pl_ws *ws, struct pl_str bytes, size_t *used,
                   size_t *made)
{
    struct pl_ws_work *work = ws->work;
    char plain[PIECE];

    if (!may_unpack(ws))
        return false;
    while (*used < bytes.len && *made < UNPACKED) {
        struct pl_str part = pl_str_first(pl_str_skip(bytes, *used), PIECE);
        struct pl_str rest = pl_str(plain, part.len);
        size_t from = work->message.len;
        int err;

        pl_ws_mask(plain, part.data, part.len, work->frame.key,
                   work->seen + *used);
        err = pl_ws_unpack(work->unpacker, &rest, &work->message,
                           UNPACKED - *made);
        *used += part.len - rest.len;
        *made += work->message.len - from;
        if (!judge_unpacked(ws, err, from))
            return false;
    }
    return true;
}

static bool unpack_end(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;
    size_t from = work->message.len;
    int err;

    if (!may_unpack(ws))
        return false;
    err = pl_ws_unpack_end(work->unpacker, &work->message);
    pl_ws_unpacker_drop(ws);
    return judge_unpacked(ws, err, from);
}

static void message_is_whole(struct pl_ws *ws)
{
    struct pl_ws_work *work = ws->work;

    if (work->packed && !unpack_end(ws))
        return;
    if (work->opcode == PL_WS_OP_TEXT && work->utf8.more > 0) {
        pl_ws_fail(ws, PL_WS_NOT_UTF8, "text that is not UTF-8");
        return;
    }
    work->whole = true;
    ws->active = pl_ws_now(ws);
    pl_ws_tell(ws);
}

static void frame_is_over(struct pl_ws *ws)
{
    if (ws->state != PL_WS_OPEN) /* nobody reads any more */
        pl_ws_work_put(ws);
    else if (ws->work->frame.fin)
        message_is_whole(ws);
}

/* Room for what is said to come, but not for more than has been promised by
 * as much again. */
static bool make_room(struct pl_ws_work *work, size_t len)
{
    size_t room = (size_t)PL_MIN(work->left, (uint64_t)FIRST_ROOM);

    return pl_buf_reserve(&work->message, PL_MAX(len, room)) == 0;
}

/* Puts payload into the message. False: that has ended the socket. */
static bool add_payload(struct pl_ws *ws, struct pl_str bytes)
{
    struct pl_ws_work *work = ws->work;
    size_t from = work->message.len;

    if (!make_room(work, bytes.len)) {
        pl_ws_fail(ws, PL_WS_ERROR, "out of memory");
        return false;
    }
    pl_ws_mask(work->message.data + from, bytes.data, bytes.len,
               work->frame.key, work->seen);
    work->message.len += bytes.len;
    return check_text(ws, from);
}

/* Takes what is there of a frame's payload, or its share of what is packed;
 * returns how much. */
static size_t take_payload(struct pl_ws *ws, struct pl_str bytes, size_t *made)
{
    struct pl_ws_work *work = ws->work;
    struct pl_str part =
        pl_str_first(bytes, (size_t)PL_MIN(work->left, bytes.len));
    size_t used = part.len;

    if (ws->state == PL_WS_OPEN && work->packed) {
        used = 0;
        if (!unpack(ws, part, &used, made))
            return used;
    } else if (ws->state == PL_WS_OPEN && !add_payload(ws, part)) {
        return used;
    }
    work->seen += used;
    work->left -= used;
    if (work->left == 0)
        frame_is_over(ws);
    return used;
}

/* What is wrong with a data frame where it stands; or NULL. */
static const char *check_order(const struct pl_ws_work *work, unsigned opcode)
{
    if (opcode == PL_WS_OP_CONTINUE)
        return work->opcode == 0 ? "a fragment of no message" : NULL;
    return work->opcode != 0 ? "a message within another" : NULL;
}

/* A frame of a message. */
static void begin_part(struct pl_ws *ws, const struct pl_ws_frame *frame)
{
    struct pl_ws_work *work = ws->work;
    uint64_t most = ws->settings->max_message;
    const char *wrong;

    wrong = check_order(work, frame->opcode);
    if (wrong != NULL) {
        pl_ws_fail(ws, PL_WS_PROTOCOL_ERROR, wrong);
        return;
    }
    if (frame->opcode != PL_WS_OP_CONTINUE) {
        work->opcode = frame->opcode;
        work->packed = frame->packed;
        work->utf8 = (struct pl_utf8){0};
        work->announced = 0;
        /* One more shows that it is too long. */
        work->message.limit =
            frame->packed ? (size_t)PL_MIN(most, SIZE_MAX - 1) + 1 : 0;
    }
    /* After a reload the limit may be below what is there already. */
    if (work->announced > most || frame->len > most - work->announced)
        pl_ws_fail(ws, PL_WS_TOO_BIG, "a message is too long");
    else if (frame->len == 0 && !frame->fin && !count_control(ws))
        pl_ws_fail(ws, PL_WS_POLICY, "too many empty fragments");
    else
        work->announced += frame->len;
}

static void begin_frame(struct pl_ws *ws, const struct pl_ws_frame *frame)
{
    struct pl_ws_work *work = pl_ws_work_get(ws);

    if (work == NULL) {
        pl_ws_fail(ws, PL_WS_ERROR, "out of memory");
        return;
    }
    if (ws->state == PL_WS_OPEN)
        begin_part(ws, frame);
    if (ws->state == PL_WS_CLOSED)
        return;
    work->frame = *frame;
    work->left = frame->len;
    work->seen = work->judged = 0;
    if (work->left == 0)
        frame_is_over(ws);
}

/* ---- frames ---- */

/* A message is with its reader, or waits for it: what follows must wait, also
 * a close frame and what is wrong, so that the answer still goes out. */
static bool must_wait(struct pl_ws *ws)
{
    if (ws->work == NULL || !ws->work->whole || ws->state != PL_WS_OPEN)
        return false;
    ws->paused = true;
    ws->transport->pause(ws->link);
    return true;
}

static bool is_ping(const struct pl_ws_frame *frame)
{
    return frame->opcode == PL_WS_OP_PING || frame->opcode == PL_WS_OP_PONG;
}

/* The head of a frame, and all of a control frame. Returns how much was used;
 * 0: more is needed, or it must wait. */
static size_t take_head(struct pl_ws *ws, struct pl_str bytes)
{
    struct pl_ws_frame frame;
    const char *why;
    int err = pl_ws_frame_parse(&frame, bytes, ws->packs, &why);

    if (err == PL_ERR_AGAIN || ((err < 0 || !is_ping(&frame)) && must_wait(ws)))
        return 0;
    if (err < 0) {
        pl_ws_fail(ws, PL_WS_PROTOCOL_ERROR, why);
        return 0;
    }
    ws->heard = pl_ws_now(ws);
    ws->pinged = false;
    if (!pl_ws_is_control(frame.opcode)) {
        begin_frame(ws, &frame);
        return frame.size;
    }
    if (bytes.len - frame.size < frame.len)
        return 0;
    take_control(ws, &frame, bytes.data + frame.size);
    return frame.size + (size_t)frame.len;
}

size_t pl_ws_input(struct pl_ws *ws, struct pl_str bytes)
{
    size_t used = 0, n = 1, made = 0;
    unsigned pieces = 0;

    pl_ws_hold(ws); /* whoever is told may close it */
    while (used < bytes.len && n > 0 && ws->state != PL_WS_CLOSED) {
        struct pl_str rest = pl_str_skip(bytes, used);

        if (++pieces > SHARE || made >= UNPACKED) {
            ws->transport->pass(ws->link);
            break;
        }
        n = pl_ws_in_frame(ws) ? take_payload(ws, rest, &made)
                               : take_head(ws, rest);
        used += n;
    }
    if (ws->state == PL_WS_CLOSED)
        used = bytes.len;
    pl_ws_drop(ws);
    return used;
}
