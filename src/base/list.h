/* list.h - an intrusive doubly linked list.
 *
 * A head is a node that points at itself when the list is empty. A node that
 * is in no list points at itself too, so that removing it twice is harmless. */
#ifndef PL_BASE_LIST_H
#define PL_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct pl_list {
    struct pl_list *next, *prev;
};

#define PL_LIST_INIT(name)                                                     \
    {                                                                          \
        &(name), &(name)                                                       \
    }

PL_INLINE void pl_list_init(struct pl_list *node)
{
    node->next = node->prev = node;
}

PL_INLINE bool pl_list_empty(const struct pl_list *head)
{
    return head->next == head;
}

PL_INLINE void pl_list_insert_before(struct pl_list *at, struct pl_list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

/* Appends node to the list. */
PL_INLINE void pl_list_push(struct pl_list *head, struct pl_list *node)
{
    pl_list_insert_before(head, node);
}

PL_INLINE void pl_list_push_front(struct pl_list *head, struct pl_list *node)
{
    pl_list_insert_before(head->next, node);
}

PL_INLINE void pl_list_remove(struct pl_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    pl_list_init(node);
}

/* Takes the first node out; NULL if the list is empty. */
PL_INLINE struct pl_list *pl_list_pop(struct pl_list *head)
{
    struct pl_list *node = head->next;

    if (node == head)
        return NULL;
    pl_list_remove(node);
    return node;
}

/* Moves all nodes of from to the end of head; from is empty afterwards. */
PL_INLINE void pl_list_splice(struct pl_list *head, struct pl_list *from)
{
    if (pl_list_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    pl_list_init(from);
}

#define PL_LIST_ENTRY(node, type, member) PL_CONTAINER_OF(node, type, member)

#define PL_LIST_FOREACH(node, head)                                            \
    for (node = (head)->next; node != (head); node = node->next)

/* node may be removed inside. */
#define PL_LIST_FOREACH_SAFE(node, tmp, head)                                  \
    for (node = (head)->next, tmp = node->next; node != (head);                \
         node = tmp, tmp = node->next)

#endif
