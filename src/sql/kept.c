#include "sql/kept.h"

void pl_sql_keeper_init(struct pl_sql_keeper *keeper,
                        const struct pl_sql_memory *memory, unsigned most)
{
    *keeper = (struct pl_sql_keeper){.memory = memory, .most = most};
    pl_list_init(&keeper->all);
}

/* FNV-1a: the texts are the program's, nobody chooses them with intent. */
static uint32_t hash_of(struct pl_str text)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}

static struct pl_sql_kept **bucket_of(struct pl_sql_keeper *keeper,
                                      uint32_t hash)
{
    return &keeper->buckets[hash & (PL_SQL_KEPT_BUCKETS - 1)];
}

struct pl_sql_kept *pl_sql_keeper_find(struct pl_sql_keeper *keeper,
                                       struct pl_str text)
{
    uint32_t hash = hash_of(text);
    struct pl_sql_kept *kept = *bucket_of(keeper, hash);

    while (kept != NULL && (kept->hash != hash || kept->len != text.len ||
                            memcmp(kept->text, text.data, text.len) != 0))
        kept = kept->next;
    if (kept != NULL) {
        pl_list_remove(&kept->node);
        pl_list_push_front(&keeper->all, &kept->node);
    }
    return kept;
}

struct pl_sql_kept *pl_sql_keeper_surplus(struct pl_sql_keeper *keeper)
{
    struct pl_list *node = keeper->all.prev;

    if (keeper->count < keeper->most)
        return NULL;
    for (; node != &keeper->all; node = node->prev) {
        struct pl_sql_kept *kept =
            PL_LIST_ENTRY(node, struct pl_sql_kept, node);

        if (!kept->busy)
            return kept;
    }
    return NULL;
}

struct pl_sql_kept *pl_sql_keeper_add(struct pl_sql_keeper *keeper,
                                      struct pl_str text)
{
    struct pl_sql_kept *kept, **bucket;

    if (keeper->count >= keeper->most)
        return NULL;
    kept = keeper->memory->malloc(sizeof(*kept) + text.len);
    if (kept == NULL)
        return NULL;
    *kept =
        (struct pl_sql_kept){.hash = hash_of(text), .len = (uint32_t)text.len};
    memcpy(kept->text, text.data, text.len);
    bucket = bucket_of(keeper, kept->hash);
    kept->next = *bucket;
    *bucket = kept;
    pl_list_push_front(&keeper->all, &kept->node);
    keeper->count++;
    return kept;
}

void pl_sql_keeper_drop(struct pl_sql_keeper *keeper, struct pl_sql_kept *kept)
{
    struct pl_sql_kept **at = bucket_of(keeper, kept->hash);

    while (*at != kept)
        at = &(*at)->next;
    *at = kept->next;
    pl_list_remove(&kept->node);
    keeper->count--;
    keeper->memory->free(kept);
}

struct pl_sql_kept *pl_sql_keeper_any(struct pl_sql_keeper *keeper)
{
    return pl_list_empty(&keeper->all)
               ? NULL
               : PL_LIST_ENTRY(keeper->all.next, struct pl_sql_kept, node);
}
