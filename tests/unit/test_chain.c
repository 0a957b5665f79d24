/* test_chain.c - filters around handlers: in C on fibers, and as callbacks that
 * need no task, before and after, waiting, failing, answering themselves. */
#include "http_world.h"

static void add_chain(const char *pattern, struct pl_filter **filters,
                      unsigned n, struct pl_handler *handler)
{
    struct pl_route route = {.pattern = pattern,
                             .methods = PL_METHODS_ANY,
                             .expires = -1,
                             .chain = pl_chain_new(filters, n, handler)};

    CHECK_INT(0, pl_router_add(router, &route, NULL), pattern);
}

static int say(struct pl_request *req, struct pl_response *res, void *arg)
{
    note('h');
    return pl_response_bytes(res, PL_STR("said"), NULL, NULL);
}

static int say_late(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_fiber_sleep(100);

    note(err == PL_ERR_CANCELED ? 'x' : 'h');
    return err < 0 ? err : pl_response_bytes(res, PL_STR("late"), NULL, NULL);
}

static int go_wrong(struct pl_request *req, struct pl_response *res, void *arg)
{
    note('h');
    return PL_ERR_NOT_FOUND;
}

/* ---- filters ---- */

/* Notes its letter before and, as a capital, after. */
static int letter(struct pl_request *req, struct pl_response *res,
                  const struct pl_next *next, void *arg)
{
    char c = *(const char *)arg;
    int result;

    note(c);
    result = pl_next(req, next);
    note((char)(c & ~0x20));
    return result;
}

static int answer_itself(struct pl_request *req, struct pl_response *res,
                         const struct pl_next *next, void *arg)
{
    note('!');
    return 401;
}

static int wait_around(struct pl_request *req, struct pl_response *res,
                       const struct pl_next *next, void *arg)
{
    int err = pl_fiber_sleep(50);

    note('w');
    if (err == 0)
        err = pl_next(req, next);
    if (err == 0)
        err = pl_fiber_sleep(50);
    note('W');
    return err;
}

/* What went wrong inside is answered with another page. */
static int mend(struct pl_request *req, struct pl_response *res,
                const struct pl_next *next, void *arg)
{
    int result = pl_next(req, next);

    if (result != PL_ERR_NOT_FOUND)
        return result;
    pl_response_status(res, 404);
    return pl_response_bytes(res, PL_STR("mended"), NULL, NULL);
}

static int set_field(struct pl_request *req, struct pl_response *res,
                     const struct pl_next *next, void *arg)
{
    int result = pl_next(req, next);

    pl_response_set(res, PL_STR("X-After"), PL_STR("yes"));
    return result;
}

static struct pl_filter *in_c(pl_filter_fn *fn, const char *arg)
{
    return pl_fiber_filter_new(fn, (void *)arg, NULL);
}

/* A filter that needs no task: it is told when the rest is done. */
struct plain {
    struct pl_filter filter;
    struct pl_then mine, *outer;
};

static void plain_done(struct pl_then *then, struct pl_request *req, int result)
{
    struct plain *plain = PL_CONTAINER_OF(then, struct plain, mine);

    note('P');
    plain->outer->done(plain->outer, req, result);
}

static void plain_start(struct pl_filter *filter, struct pl_request *req,
                        const struct pl_next *next, struct pl_then *then)
{
    struct plain *plain = PL_CONTAINER_OF(filter, struct plain, filter);

    note('p');
    plain->outer = then;
    plain->mine.done = plain_done;
    pl_next_start(next, req, &plain->mine);
}

static void plain_free(struct pl_filter *filter)
{
    note('f');
}

static struct plain plain;

static struct pl_filter *a_plain_one(void)
{
    plain = (struct plain){.filter = {.kind = "plain",
                                      .refs = 1,
                                      .start = plain_start,
                                      .free = plain_free}};
    return &plain.filter;
}

/* ---- tests ---- */

static int get(const char *path)
{
    char text[100];
    int far = connect_far();

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    request(far, text);
    return far;
}

static void test_chain__filters_are_around_each_other(void **state)
{
    struct pl_filter *filters[] = {in_c(letter, "a"), a_plain_one(),
                                   in_c(letter, "b")};

    (void)state;
    add_chain("/", filters, 3, pl_fiber_handler_new(say, NULL, NULL));
    expect_answer(get("/"), 200, "said", "answer");
    check_trace("apbhBPA", "outermost first, and last");
}

static void test_chain__a_filter_may_answer_itself(void **state)
{
    struct pl_filter *filters[] = {in_c(letter, "a"), in_c(answer_itself, NULL),
                                   in_c(letter, "b")};

    (void)state;
    add_chain("/", filters, 3, pl_fiber_handler_new(say, NULL, NULL));
    expect_status(get("/"), 401, "answer");
    check_trace("a!A", "the handler was not asked");
}

static void test_chain__errors_go_outwards(void **state)
{
    struct pl_filter *filters[] = {in_c(mend, NULL), in_c(letter, "a")};

    (void)state;
    add_chain("/mended", filters, 2,
              pl_fiber_handler_new(go_wrong, NULL, NULL));
    add_chain("/", NULL, 0, pl_fiber_handler_new(go_wrong, NULL, NULL));
    expect_answer(get("/mended"), 404, "mended", "mended");
    check_trace("ahA", "all of them");
    expect_answer(get("/"), 404, "404 Not Found\n", "the page of the error");
}

static void test_chain__filters_and_handlers_may_wait(void **state)
{
    struct pl_filter *filters[] = {in_c(wait_around, NULL), a_plain_one(),
                                   in_c(set_field, NULL)};
    int far, other;

    (void)state;
    add_chain("/late", filters, 3, pl_fiber_handler_new(say_late, NULL, NULL));
    add_chain("/", NULL, 0, pl_fiber_handler_new(say, NULL, NULL));
    far = get("/late");
    pass(50);
    pass(50);
    other = get("/");
    expect_answer(other, 200, "said", "others do not wait");
    pass(50);
    settle();
    check_trace("wphhP", "after the handler");
    expect_open(far, "not yet");
    pass(50);
    settle();
    expect_answer(far, 200, "late", "answer");
    expect_field("x-after", "yes");
    check_trace("W", "the last");
}

static void test_chain__a_client_that_leaves_cancels_all(void **state)
{
    struct pl_filter *filters[] = {in_c(letter, "a"), a_plain_one(),
                                   in_c(letter, "b")};
    int far;

    (void)state;
    add_chain("/", filters, 3, pl_fiber_handler_new(say_late, NULL, NULL));
    far = get("/");
    pl_script_reset(script, far);
    settle();
    check_trace("apbxBPA", "each on its way out");
    CHECK_INT(1, finished, "over");
}

static int freed;

static void count_free(void *arg)
{
    freed++;
}

static void test_chain__owns_its_links(void **state)
{
    struct pl_filter *filter = pl_fiber_filter_new(letter, NULL, count_free);
    struct pl_chain *one, *two;

    (void)state;
    freed = 0;
    filter->refs++; /* one for each chain */
    one = pl_chain_new(&filter, 1, pl_fiber_handler_new(say, NULL, count_free));
    two = pl_chain_new(&filter, 1, pl_fiber_handler_new(say, NULL, count_free));
    CHECK_INT(1, pl_chain_filters(one), "filters");
    CHECK_STR("c", pl_str_c(pl_chain_handler(one)->kind), "kind");
    pl_chain_free(one);
    CHECK_INT(1, freed, "its handler");
    pl_chain_free(two);
    CHECK_INT(3, freed, "the other, and the filter they shared");
    pl_chain_free(NULL);
}

RUN_TESTS(HTTP_TEST(test_chain__filters_are_around_each_other),
          HTTP_TEST(test_chain__a_filter_may_answer_itself),
          HTTP_TEST(test_chain__errors_go_outwards),
          HTTP_TEST(test_chain__filters_and_handlers_may_wait),
          HTTP_TEST(test_chain__a_client_that_leaves_cancels_all),
          HTTP_TEST_WHOLE(test_chain__owns_its_links))
