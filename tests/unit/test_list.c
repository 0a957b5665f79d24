/* test_list.c - order, and nodes that are in no list. */
#include "check.h"

#include "base/list.h"

struct item {
    int value;
    struct pl_list node;
};

static struct item items[5];

static void set_up(struct pl_list *head)
{
    pl_list_init(head);
    for (int i = 0; i < 5; i++) {
        items[i].value = i;
        pl_list_init(&items[i].node);
    }
}

/* The values in order, each a digit; checks the links both ways. */
static const char *values(struct pl_list *head)
{
    static char text[16];
    struct pl_list *node;
    size_t n = 0;

    PL_LIST_FOREACH (node, head) {
        CHECK(node->prev->next == node && node->next->prev == node, "links");
        text[n++] = (char)('0' + PL_LIST_ENTRY(node, struct item, node)->value);
    }
    text[n] = '\0';
    return text;
}

static void test_list__keeps_order(void **state)
{
    struct pl_list head = PL_LIST_INIT(head);

    (void)state;
    set_up(&head);
    CHECK(pl_list_empty(&head), "empty");
    CHECK(pl_list_pop(&head) == NULL, "nothing to pop");
    pl_list_push(&head, &items[1].node);
    pl_list_push(&head, &items[2].node);
    pl_list_push_front(&head, &items[0].node);
    pl_list_insert_before(&items[2].node, &items[3].node);
    CHECK_STR("0132", pl_str_c(values(&head)), "order");
    CHECK(pl_list_pop(&head) == &items[0].node, "the first");
    CHECK(pl_list_empty(&items[0].node), "is in no list");
    pl_list_remove(&items[3].node);
    pl_list_remove(&items[3].node);
    CHECK_STR("12", pl_str_c(values(&head)), "removing twice is harmless");
}

static void test_list__splices(void **state)
{
    struct pl_list a, b;

    (void)state;
    set_up(&a);
    pl_list_init(&b);
    pl_list_splice(&a, &b);
    CHECK(pl_list_empty(&a), "nothing to nothing");
    pl_list_push(&b, &items[0].node);
    pl_list_push(&b, &items[1].node);
    pl_list_splice(&a, &b);
    CHECK_STR("01", pl_str_c(values(&a)), "to nothing");
    CHECK(pl_list_empty(&b), "moved");
    pl_list_push(&b, &items[2].node);
    pl_list_splice(&a, &b);
    CHECK_STR("012", pl_str_c(values(&a)), "to the end");
}

static void test_list__nodes_may_go_on_a_walk(void **state)
{
    struct pl_list head, *node, *next;

    (void)state;
    set_up(&head);
    for (int i = 0; i < 5; i++)
        pl_list_push(&head, &items[i].node);
    PL_LIST_FOREACH_SAFE (node, next, &head)
        if (PL_LIST_ENTRY(node, struct item, node)->value % 2 == 0)
            pl_list_remove(node);
    CHECK_STR("13", pl_str_c(values(&head)), "the odd ones");
}

RUN_TESTS(cmocka_unit_test(test_list__keeps_order),
          cmocka_unit_test(test_list__splices),
          cmocka_unit_test(test_list__nodes_may_go_on_a_walk))
