/* test_metrics.c - latencies: every time falls into the bucket whose limits it
 * lies between, and what is added up and compared again is what was counted. */
#include <stdio.h>

#include "check.h"
#include "command/figures.h"
#include "server/metrics.h"

static void test_metrics__each_time_has_its_bucket(void **state)
{
    for (unsigned i = 0; i + 1 < PL_LATENCY_BUCKETS; i++) {
        struct pl_latency latency = {.buckets = {0}};
        uint64_t limit = pl_latency_limit(i);

        pl_latency_add(&latency, limit - 1);
        CHECK_INT(1, latency.buckets[i], "the last that is less");
        pl_latency_add(&latency, limit);
        CHECK_INT(1, latency.buckets[i + 1], "the limit is the next one's");
        CHECK(pl_latency_limit(i + 1) > limit, "limits rise");
    }
}

static void test_metrics__what_is_too_long_is_in_the_last(void **state)
{
    struct pl_latency latency = {.buckets = {0}};

    pl_latency_add(&latency, 0);
    pl_latency_add(&latency, UINT64_MAX);
    CHECK_INT(1, latency.buckets[0], "0");
    CHECK_INT(1, latency.buckets[PL_LATENCY_BUCKETS - 1], "all bits");
}

static const struct pl_json *parse(const char *text)
{
    const struct pl_json *json = NULL;

    CHECK_INT(0, pl_json_parse(NULL, pl_str_c(text), NULL, &json, NULL), text);
    return json;
}

static void test_figures__add_up_and_compare(void **state)
{
    const struct pl_json *was =
        parse("{\"requests\":{\"total\":3},\"latency_ms\":[[1,2],[4,1]]}");
    const struct pl_json *now = parse(
        "{\"requests\":{\"total\":10},\"latency_ms\":[[1,4],[2,4],[4,2]]}");
    struct pl_figures before = {.requests = 0}, figures = {.requests = 0};
    char text[32];

    pl_figures_add(&before, was);
    pl_figures_add(&figures, now);
    pl_figures_add(&figures, was); /* of another worker */
    CHECK_INT(13, figures.requests, "requests");
    CHECK_INT(13, figures.counted, "counted");
    pl_figures_since(&figures, &before);
    pl_figures_since(&figures, &before);
    CHECK_INT(7, figures.requests, "requests since");
    CHECK_INT(7, figures.counted, "counted since");
    pl_figure_percentile(text, sizeof(text), &figures, 0.5);
    CHECK_STR("<2ms", pl_str_c(text), "half of 2, 4, 1");
    pl_figure_percentile(text, sizeof(text), &figures, 0.99);
    CHECK_STR("<4ms", pl_str_c(text), "nearly all");
    pl_json_free(was);
    pl_json_free(now);
}

static void test_figures__are_written_for_people(void **state)
{
    struct pl_figures none = {.requests = 0};
    char text[32];

    pl_figure_percentile(text, sizeof(text), &none, 0.5);
    CHECK_STR("-", pl_str_c(text), "nothing counted");
    pl_figure_bytes(text, sizeof(text), 1023);
    CHECK_STR("1023 B", pl_str_c(text), "bytes");
    pl_figure_bytes(text, sizeof(text), 1536 * 1024);
    CHECK_STR("1.5 MiB", pl_str_c(text), "MiB");
    pl_figure_time(text, sizeof(text), 90061);
    CHECK_STR("1d 1h", pl_str_c(text), "days");
}

RUN_TESTS(cmocka_unit_test(test_metrics__each_time_has_its_bucket),
          cmocka_unit_test(test_metrics__what_is_too_long_is_in_the_last),
          cmocka_unit_test(test_figures__add_up_and_compare),
          cmocka_unit_test(test_figures__are_written_for_people))
