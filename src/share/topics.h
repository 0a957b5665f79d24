/* topics.h - who listens to what: the two indexes of subscriptions.
 *
 * One is the worker's own: from a name to the subscriptions that have it. The
 * other is the process's, a dictionary from a name to as many counts as there
 * are workers, by which a publisher finds whom to send to. In both a pattern
 * stands under its key, the tokens before its first wildcard with ".>" behind
 * them, a name that no topic has: so a topic of n tokens is looked up under
 * itself and, while there are patterns at all, under n + 1 keys, and the
 * patterns of a key are few. */
#ifndef PL_SHARE_TOPICS_H
#define PL_SHARE_TOPICS_H

#include "share/member.h"

enum { PL_TOPICS_WORKERS = 1024 };

/* A name that the worker has subscriptions to: in member->topics, and a pattern
 * in member->patterns, too. */
struct pl_topic {
    struct pl_list subs;
    struct pl_topic *next; /* pattern of the same key */
    struct pl_str name;
    struct pl_str key; /* of a pattern; else absent */
    char text[];
};

/* May it be subscribed to? 0, PL_ERR_INVALID (empty, or a pattern with too many
 * tokens before its first wildcard) or PL_ERR_TOO_LONG. */
int pl_topic_check(struct pl_str name);

/* ---- the process's ---- */

/* Adds by to this worker's count for name. Returns 0, PL_ERR_LIMIT (too many
 * names) or PL_ERR_NOMEM: nothing was counted. Not in a section. */
int pl_topic_count(struct pl_member *member, struct pl_str name, int by);

/* Counts the subscriptions that topic reaches in each worker (counts[i]);
 * returns the number of workers that have some. Not in a section. */
unsigned pl_topic_receivers(struct pl_share *share,
                            const struct pl_dict_user *user,
                            struct pl_str topic, uint32_t *counts);

/* ---- the worker's ---- */

/* That of the name, made if need be; NULL: no memory. */
struct pl_topic *pl_topic_get(struct pl_member *member, struct pl_str name);

/* Frees it if it has no subscription left. */
void pl_topic_put(struct pl_member *member, struct pl_topic *topic);

/* Shows each that reaches topic, by name or pattern, to see, until that returns
 * false. */
void pl_topic_each(struct pl_member *member, struct pl_str topic,
                   bool (*see)(struct pl_topic *topic, void *arg), void *arg);

#endif
