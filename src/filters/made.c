#include "filters/made.h"

#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"

enum { STEP = 64 * 1024 };

/* ---- what is kept ---- */

struct key {
    struct pl_file_state state;
    const struct pl_codec *codec;
};

static struct pl_str key_of(struct key *key,
                            const struct pl_file_version *version,
                            const struct pl_codec *codec)
{
    key->state = version->state;
    key->codec = codec;
    return pl_str((const char *)key, sizeof(*key));
}

static void free_made(void *value, void *arg)
{
    (void)arg;
    pl_free(value);
}

void pl_made_init(struct pl_coders *coders)
{
    const struct pl_memo_options options = {.free = free_made};

    pl_memo_init(&coders->made, &options, coders->pool, NULL);
}

struct pl_memo_entry *pl_made_peek(struct pl_coders *coders,
                                   const struct pl_file_version *version,
                                   const struct pl_codec *codec)
{
    struct key key;

    return pl_memo_peek(&coders->made, key_of(&key, version, codec), 0);
}

/* ---- on an offload thread ---- */

/* The thread has codec, version and made, and nothing else. The request keeps
 * the file, and its generation. */
struct make {
    struct pl_offload_op offload;
    struct pl_request *req;
    struct pl_coders *coders;
    struct pl_memo_entry *entry;
    const struct pl_codec *codec;
    const struct pl_file_version *version;
    struct pl_made *made;
};

static void *heap_alloc(void *arg, size_t size)
{
    (void)arg;
    return pl_malloc(size);
}

static void heap_free(void *arg, void *block)
{
    (void)arg;
    pl_free(block);
}

/* The next bytes of the file; 0 at its end, or PL_ERR_*. */
static ssize_t next_piece(const struct pl_file_version *version, uint64_t at,
                          char *room, const char **out)
{
    size_t len = (size_t)PL_MIN(version->state.size - at, (uint64_t)STEP);
    ssize_t n;

    if (version->body != NULL) {
        *out = version->body + at;
        return (ssize_t)len;
    }
    do
        n = pl_sys_pread(version->fd, room, len, (off_t)at);
    while (n < 0 && errno == EINTR);
    *out = room;
    if (n == 0 && len > 0)
        return PL_ERR_STATE; /* shorter than it was */
    return n < 0 ? PL_ERR_IO : n;
}

/* Takes a piece; 0, or PL_ERR_LIMIT when the room is used up: not worth it. */
static int pack_piece(const struct make *make, void *encoder,
                      enum pl_codec_step step, struct pl_codec_io *io)
{
    int got = PL_CODEC_MORE;

    while (got == PL_CODEC_MORE && io->out_len > 0)
        got = make->codec->encode(encoder, step, io);
    if (got < 0)
        return PL_ERR_NOMEM;
    return got == PL_CODEC_DONE ? 0 : PL_ERR_LIMIT;
}

static int pack(struct make *make, void *encoder, char *room)
{
    const struct pl_file_version *version = make->version;
    size_t most = (size_t)version->state.size;
    struct pl_codec_io io = {.out = make->made->bytes, .out_len = most};
    uint64_t at = 0;
    int err = 0;

    while (err == 0 && at < version->state.size) {
        ssize_t n = next_piece(version, at, room, &io.in);

        if (n < 0)
            return (int)n;
        at += (uint64_t)n;
        io.in_len = (size_t)n;
        err = pack_piece(
            make, encoder,
            at == version->state.size ? PL_CODEC_END : PL_CODEC_RUN, &io);
    }
    make->made->len = err == 0 ? most - io.out_len : 0;
    return err == PL_ERR_LIMIT ? 0 : err;
}

/* Is it still what it was when it was looked at? */
static bool is_same(const struct pl_file_version *version)
{
    const struct pl_file_state *state = &version->state;
    struct stat st;

    if (version->body != NULL)
        return true;
    return pl_sys_fstat(version->fd, &st) == 0 &&
           (uint64_t)st.st_size == state->size &&
           (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec ==
               state->modified_ns &&
           (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec ==
               state->changed_ns;
}

/* Gives back what was reserved for a worse case. */
static void shrink(struct make *make)
{
    struct pl_made *made = make->made, *smaller;

    smaller = pl_malloc(sizeof(*made) + made->len);
    if (smaller == NULL)
        return;
    memcpy(smaller, made, sizeof(*made) + made->len);
    pl_free(made);
    make->made = smaller;
}

static int work(void *arg)
{
    static const struct pl_codec_memory memory = {heap_alloc, heap_free, NULL};
    struct make *make = arg;
    const struct pl_codec_wish wish = {
        .lasting = true, .size = (size_t)make->version->state.size};
    void *encoder = make->codec->encoder_new(&memory, &wish);
    char *room = make->version->body == NULL ? pl_malloc(STEP) : NULL;
    int err = PL_ERR_NOMEM;

    make->made =
        pl_malloc(sizeof(*make->made) + (size_t)make->version->state.size);
    if (encoder != NULL && make->made != NULL &&
        (room != NULL || make->version->body != NULL))
        err = pack(make, encoder, room);
    if (err == 0 && !is_same(make->version))
        err = PL_ERR_STATE;
    if (err == 0)
        shrink(make);
    if (encoder != NULL)
        make->codec->encoder_free(encoder);
    pl_free(room);
    return err;
}

/* ---- on the loop ---- */

static void on_made(struct pl_op *op)
{
    struct make *make = PL_CONTAINER_OF(op, struct make, offload.op);
    struct pl_memo *memo = &make->coders->made;
    int err = op->result;

    pl_offload_end(&make->offload);
    if (err < 0) {
        pl_free(make->made);
        pl_memo_fail(memo, make->entry, err);
    } else {
        pl_memo_fill(memo, make->entry, make->made,
                     sizeof(*make->made) + make->made->len, 0);
    }
    pl_memo_release(memo, make->entry);
    pl_request_drop(make->req);
    pl_free(make);
}

/* Fills the entry that op waits for. */
static int begin_make(struct pl_made_op *op, struct pl_request *req,
                      const struct pl_file_version *version,
                      const struct pl_codec *codec)
{
    struct make *make = pl_calloc(1, sizeof(*make));

    if (make == NULL)
        return PL_ERR_NOMEM;
    make->req = req;
    make->coders = op->coders;
    make->entry = op->entry;
    make->codec = codec;
    make->version = version;
    op->entry->refs++;
    pl_request_hold(req);
    pl_offload_begin(&make->offload, req->http->sched, work, make, NULL);
    pl_op_then(&make->offload.op, on_made);
    return 0;
}

static void on_filled(struct pl_memo_waiter *waiter, int err)
{
    struct pl_made_op *op = PL_CONTAINER_OF(waiter, struct pl_made_op, waiter);

    if (err < 0) {
        pl_memo_release(&op->coders->made, op->entry);
        op->entry = NULL;
    }
    pl_op_complete(&op->op, err);
}

void pl_made_begin(struct pl_made_op *op, struct pl_request *req,
                   const struct pl_file_version *version,
                   const struct pl_codec *codec)
{
    struct pl_memo *memo = &req->http->coders->made;
    struct key key;
    int got, err = 0;

    pl_op_init(&op->op, req->http->sched, NULL);
    pl_op_begin(&op->op);
    op->coders = req->http->coders;
    op->waiter.done = on_filled;
    pl_list_init(&op->waiter.node);
    memo->options.limit = (size_t)req->settings->file_cache;
    got = pl_memo_get(memo, key_of(&key, version, codec), 0, &op->entry);
    if (got < 0 || got == PL_MEMO_HIT) {
        pl_op_complete(&op->op, got < 0 ? got : 0);
        return;
    }
    pl_memo_wait(op->entry, &op->waiter);
    if (got == PL_MEMO_MISS)
        err = begin_make(op, req, version, codec);
    if (err < 0)
        pl_memo_fail(memo, op->entry, err);
}
