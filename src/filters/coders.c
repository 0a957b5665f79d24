#include "filters/coders.h"

#include <stdalign.h>

#include "base/sys.h"
#include "filters/made.h"

/* ---- memory: what a library gives back stays with its workbench ---- */

struct pl_codec_block {
    struct pl_codec_block *next;
    size_t size;
    bool used;
    alignas(16) char bytes[];
};

/* Libraries ask for nearly the same sizes for each stream: powers of two, with
 * one step between. */
static size_t round_up(size_t size)
{
    size_t power = 64;

    while (power < size)
        power *= 2;
    return size <= power / 4 * 3 ? power / 4 * 3 : power;
}

static struct pl_codec_block *find_block(const struct pl_workbench *bench,
                                         size_t size)
{
    struct pl_codec_block *block = bench->blocks;

    while (block != NULL && (block->used || block->size != size))
        block = block->next;
    return block;
}

/* More than was reckoned with is charged when it is asked for. */
static bool charge(struct pl_workbench *bench, size_t size)
{
    size_t held = bench->held + size;

    if (held > bench->reserved) {
        if (pl_account_charge(&bench->coders->account, held - bench->reserved) <
            0)
            return false;
        bench->reserved = held;
    }
    bench->held = held;
    return true;
}

static void *alloc(void *arg, size_t size)
{
    struct pl_workbench *bench = arg;
    struct pl_codec_block *block;

    if (size > PL_CODERS_MEMORY)
        return NULL;
    size = round_up(size);
    block = find_block(bench, size);
    if (block == NULL) {
        if (!charge(bench, size))
            return NULL;
        block = pl_malloc(sizeof(*block) + size);
        if (block == NULL) {
            bench->held -= size;
            return NULL;
        }
        block->next = bench->blocks;
        block->size = size;
        bench->blocks = block;
    }
    block->used = true;
    return block->bytes;
}

static void give_back(void *arg, void *bytes)
{
    (void)arg;
    if (bytes != NULL)
        PL_CONTAINER_OF(bytes, struct pl_codec_block, bytes)->used = false;
}

static struct pl_codec_memory memory_of(struct pl_workbench *bench)
{
    return (struct pl_codec_memory){alloc, give_back, bench};
}

/* ---- workbenches ---- */

static void free_bench(struct pl_workbench *bench)
{
    struct pl_codec_block *block;

    if (bench->state != NULL && bench->decodes)
        bench->codec->decoder_free(bench->state);
    else if (bench->state != NULL)
        bench->codec->encoder_free(bench->state);
    while ((block = bench->blocks) != NULL) {
        bench->blocks = block->next;
        pl_free(block);
    }
    pl_account_release(&bench->coders->account, bench->reserved);
    pl_free(bench);
}

static bool same_wish(const struct pl_codec_wish *a,
                      const struct pl_codec_wish *b)
{
    return a->level == b->level && a->lasting == b->lasting &&
           a->frugal == b->frugal;
}

static bool is_for(const struct pl_workbench *bench,
                   const struct pl_workbench *want)
{
    return bench->codec == want->codec && bench->decodes == want->decodes &&
           same_wish(&bench->wish, &want->wish);
}

/* One that has done the same before, taken off the list; or NULL. */
static struct pl_workbench *take_idle(struct pl_coders *coders,
                                      const struct pl_workbench *want)
{
    struct pl_workbench **at = &coders->idle, *bench;

    while (*at != NULL && !is_for(*at, want))
        at = &(*at)->next;
    bench = *at;
    if (bench != NULL) {
        *at = bench->next;
        coders->nidle--;
    }
    return bench;
}

static bool prepare(struct pl_workbench *bench)
{
    const struct pl_codec *codec = bench->codec;
    const struct pl_codec_memory memory = memory_of(bench);

    if (bench->decodes)
        bench->state = codec->decoder_new(&memory);
    else if (bench->state != NULL)
        bench->state = codec->encoder_reset(bench->state);
    else
        bench->state = codec->encoder_new(&memory, &bench->wish);
    return bench->state != NULL;
}

/* What nobody uses makes room for what is needed. */
static void drop_idle(struct pl_coders *coders)
{
    struct pl_workbench *bench;

    while ((bench = coders->idle) != NULL) {
        coders->idle = bench->next;
        free_bench(bench);
    }
    coders->nidle = 0;
}

/* With room for all that it is going to need: a stream that has begun cannot be
 * sent in another way. What a decoder needs is up to its peer. */
static struct pl_workbench *new_bench(struct pl_coders *coders,
                                      const struct pl_workbench *want)
{
    size_t size = want->decodes ? 0 : want->codec->encoder_size(&want->wish);
    struct pl_workbench *bench;

    if (pl_account_charge(&coders->account, size) < 0)
        return NULL;
    bench = pl_malloc(sizeof(*bench));
    if (bench == NULL) {
        pl_account_release(&coders->account, size);
        return NULL;
    }
    *bench = *want;
    bench->coders = coders;
    bench->reserved = size;
    return bench;
}

static struct pl_workbench *get(struct pl_coders *coders,
                                const struct pl_workbench *want)
{
    struct pl_workbench *bench = take_idle(coders, want);

    if (bench == NULL)
        bench = new_bench(coders, want);
    if (bench == NULL)
        return NULL;
    if (prepare(bench))
        return bench;
    free_bench(bench);
    return NULL;
}

static struct pl_workbench *get_or_make_room(struct pl_coders *coders,
                                             const struct pl_workbench *want)
{
    struct pl_workbench *bench = get(coders, want);

    if (bench != NULL || coders->idle == NULL)
        return bench;
    drop_idle(coders);
    return get(coders, want);
}

struct pl_workbench *pl_coders_encoder(struct pl_coders *coders,
                                       const struct pl_codec *codec,
                                       const struct pl_codec_wish *wish)
{
    const struct pl_workbench want = {.codec = codec, .wish = *wish};

    return get_or_make_room(coders, &want);
}

struct pl_workbench *pl_coders_decoder(struct pl_coders *coders,
                                       const struct pl_codec *codec)
{
    const struct pl_workbench want = {.codec = codec, .decodes = true};

    return get_or_make_room(coders, &want);
}

/* The one that was not used for longest goes. */
static void trim_idle(struct pl_coders *coders)
{
    struct pl_workbench **at = &coders->idle;

    if (coders->nidle <= PL_CODERS_IDLE)
        return;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    free_bench(*at);
    *at = NULL;
    coders->nidle--;
}

void pl_coders_put(struct pl_workbench *bench)
{
    struct pl_coders *coders;

    if (bench == NULL)
        return;
    if (bench->decodes) { /* made anew each time, of the same blocks */
        bench->codec->decoder_free(bench->state);
        bench->state = NULL;
    }
    coders = bench->coders;
    bench->next = coders->idle;
    coders->idle = bench;
    coders->nidle++;
    trim_idle(coders);
}

/* ---- life ---- */

struct pl_coders *pl_coders_get(struct pl_http *http)
{
    struct pl_coders *coders = http->coders;

    if (PL_LIKELY(coders != NULL))
        return coders;
    coders = pl_malloc(sizeof(*coders));
    if (coders == NULL)
        return NULL;
    coders->idle = NULL;
    coders->nidle = 0;
    coders->pool = http->net->pool;
    pl_account_init(&coders->account, NULL, PL_CODERS_MEMORY);
    pl_made_init(coders);
    http->coders = coders;
    return coders;
}

void pl_coders_free(struct pl_coders *coders)
{
    if (coders == NULL)
        return;
    pl_memo_fini(&coders->made);
    drop_idle(coders);
    pl_free(coders);
}
