/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - intrusive doubly linked ring. A node that is in no list points at itself, so removing
 * twice is harmless and an owner's free function may always call list_remove. */
#ifndef RTP_LIST_H
#define RTP_LIST_H

#include "rtp/base.h"

struct list {
    struct list *next;
    struct list *prev;
};

/* Makes n an empty list head, or a node that is in no list. */
static inline void list_init(struct list *n)
{
    n->next = n;
    n->prev = n;
}

/* True when the head has no members, or when the node is in no list. */
static inline bool list_empty(const struct list *n)
{
    return n->next == n;
}

/* Puts n at the end of head's list. n must be in no list. */
static inline void list_append(struct list *head, struct list *n)
{
    assert(list_empty(n));
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}

/* Takes n out of whatever list it is in. */
static inline void list_remove(struct list *n)
{
    n->next->prev = n->prev;
    n->prev->next = n->next;
    list_init(n);
}

/* Walks a list; the body may remove the current node. */
#define LIST_EACH(it, head)                                                                        \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                      \
         it = it##_next, it##_next = it->next)

#endif
