/* toolbox.c - memory, texts and tables that live as long as a request, for C
 * programs (perilune.h). */
#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"
#include "http/request.h"

/* ---- memory ---- */

void *pl_alloc(struct pl_request *req, size_t size)
{
    return pl_arena_alloc(&req->arena, size);
}

struct pl_str pl_strdup(struct pl_request *req, struct pl_str text)
{
    return pl_arena_str(&req->arena, text);
}

struct pl_str pl_vprintf(struct pl_request *req, const char *fmt, va_list ap)
{
    return pl_arena_vprintf(&req->arena, fmt, ap);
}

struct pl_str pl_printf(struct pl_request *req, const char *fmt, ...)
{
    struct pl_str text;
    va_list ap;

    va_start(ap, fmt);
    text = pl_arena_vprintf(&req->arena, fmt, ap);
    va_end(ap);
    return text;
}

int pl_request_defer(struct pl_request *req, void (*fn)(void *arg), void *arg)
{
    struct pl_request_defer *defer =
        pl_arena_alloc(&req->arena, sizeof(*defer));

    if (defer == NULL)
        return PL_ERR_NOMEM;
    *defer = (struct pl_request_defer){req->defers, fn, arg};
    req->defers = defer;
    return 0;
}

/* ---- builder ---- */

struct pl_builder {
    struct pl_buf text;
};

static void end_builder(void *arg)
{
    struct pl_builder *builder = arg;

    pl_buf_fini(&builder->text);
}

struct pl_builder *pl_builder_new(struct pl_request *req)
{
    struct pl_builder *builder = pl_arena_alloc(&req->arena, sizeof(*builder));

    if (builder == NULL)
        return NULL;
    pl_buf_init(&builder->text, req->arena.pool, &req->account, 0);
    return pl_request_defer(req, end_builder, builder) < 0 ? NULL : builder;
}

struct pl_buf *pl_request_buf(struct pl_request *req)
{
    struct pl_builder *builder = pl_builder_new(req);

    return builder == NULL ? NULL : &builder->text;
}

int pl_builder_add(struct pl_builder *builder, struct pl_str text)
{
    return pl_buf_add(&builder->text, text);
}

int pl_builder_addc(struct pl_builder *builder, char c)
{
    return pl_buf_addc(&builder->text, c);
}

int pl_builder_addf(struct pl_builder *builder, const char *fmt, ...)
{
    va_list ap;
    int err;

    va_start(ap, fmt);
    err = pl_buf_vprintf(&builder->text, fmt, ap);
    va_end(ap);
    return err;
}

struct pl_str pl_builder_str(const struct pl_builder *builder)
{
    return builder->text.err < 0 ? pl_str(NULL, 0) : pl_buf_str(&builder->text);
}

/* ---- hash ---- */

/* An entry carries its key, which the table borrows. */
struct entry {
    void *value;
    size_t size; /* of the entry */
    struct pl_str key;
    char text[];
};

struct pl_hash {
    struct pl_table table;
    struct pl_pool *pool;       /* the worker's, or own */
    struct pl_account *account; /* the request's, or NULL */
    struct pl_pool own;
};

static void drop_entry(struct pl_hash *hash, struct entry *entry)
{
    pl_account_release(hash->account, pl_pool_round(entry->size));
    pl_pool_put(hash->pool, entry, entry->size);
}

static void end_hash(void *arg)
{
    struct pl_hash *hash = arg;

    for (struct pl_table_walk at = {0}; pl_table_next(&hash->table, &at);)
        drop_entry(hash, at.value);
    pl_table_fini(&hash->table);
}

struct pl_hash *pl_hash_new(struct pl_request *req)
{
    struct pl_hash *hash = req == NULL
                               ? pl_malloc(sizeof(*hash))
                               : pl_arena_alloc(&req->arena, sizeof(*hash));

    if (hash == NULL)
        return NULL;
    hash->account = NULL;
    hash->pool = &hash->own;
    if (req == NULL) {
        pl_pool_init(&hash->own, NULL, 0);
    } else {
        hash->account = &req->account;
        hash->pool = req->arena.pool;
    }
    pl_table_init(&hash->table, hash->pool, hash->account);
    if (req != NULL && pl_request_defer(req, end_hash, hash) < 0)
        return NULL;
    return hash;
}

void pl_hash_free(struct pl_hash *hash)
{
    if (hash == NULL || hash->pool != &hash->own)
        return; /* the request's goes with it */
    end_hash(hash);
    pl_pool_fini(&hash->own);
    pl_free(hash);
}

void *pl_hash_get(const struct pl_hash *hash, struct pl_str key)
{
    struct entry *entry = pl_table_get(&hash->table, key);

    return entry == NULL ? NULL : entry->value;
}

static struct entry *new_entry(struct pl_hash *hash, struct pl_str key)
{
    size_t size = sizeof(struct entry) + key.len;
    struct entry *entry;

    if (pl_account_charge(hash->account, pl_pool_round(size)) < 0)
        return NULL;
    entry = pl_pool_get(hash->pool, size);
    if (entry == NULL) {
        pl_account_release(hash->account, pl_pool_round(size));
        return NULL;
    }
    if (key.len > 0)
        memcpy(entry->text, key.data, key.len);
    entry->size = size;
    entry->key = pl_str(entry->text, key.len);
    return entry;
}

int pl_hash_put(struct pl_hash *hash, struct pl_str key, void *value)
{
    struct entry *entry = pl_table_get(&hash->table, key);
    int err;

    if (value == NULL)
        return PL_ERR_INVALID;
    if (entry != NULL) {
        entry->value = value;
        return 0;
    }
    entry = new_entry(hash, key);
    if (entry == NULL)
        return PL_ERR_NOMEM;
    entry->value = value;
    err = pl_table_put(&hash->table, entry->key, entry, NULL);
    if (err < 0)
        drop_entry(hash, entry);
    return err;
}

void *pl_hash_remove(struct pl_hash *hash, struct pl_str key)
{
    struct entry *entry = pl_table_remove(&hash->table, key);
    void *value = entry == NULL ? NULL : entry->value;

    if (entry != NULL)
        drop_entry(hash, entry);
    return value;
}

size_t pl_hash_count(const struct pl_hash *hash)
{
    return hash->table.count;
}

void pl_hash_each(struct pl_hash *hash,
                  bool (*fn)(void *arg, struct pl_str key, void *value),
                  void *arg)
{
    struct pl_table_walk at = {0};

    while (pl_table_next(&hash->table, &at)) {
        struct entry *entry = at.value;

        if (!fn(arg, entry->key, entry->value))
            return;
    }
}
