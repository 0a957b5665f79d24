#include "command/figures.h"

#include <stdio.h>

#include "base/compiler.h"
#include "base/str.h"
#include "command/client.h"

/* ---- adding up ---- */

static void add_bucket(struct pl_figures *figures, double ms, uint64_t count)
{
    unsigned i = 0;

    while (i < figures->n && figures->buckets[i].ms < ms)
        i++;
    if (i == figures->n || figures->buckets[i].ms > ms) {
        if (figures->n == PL_FIGURES)
            return;
        memmove(&figures->buckets[i + 1], &figures->buckets[i],
                (figures->n - i) * sizeof(figures->buckets[0]));
        figures->buckets[i].ms = ms;
        figures->buckets[i].count = 0;
        figures->n++;
    }
    figures->buckets[i].count += count;
    figures->counted += count;
}

void pl_figures_add(struct pl_figures *figures, const struct pl_json *of)
{
    const struct pl_json *bucket =
        pl_json_first(pl_json_find(of, PL_STR("/latency_ms")));

    figures->requests +=
        pl_client_u64(of, "/requests/total") + pl_client_u64(of, "/requests");
    for (; bucket != NULL; bucket = pl_json_next(bucket))
        add_bucket(figures, pl_client_double(bucket, "/0"),
                   pl_client_u64(bucket, "/1"));
}

void pl_figures_since(struct pl_figures *figures,
                      const struct pl_figures *before)
{
    unsigned j = 0;

    figures->requests -= PL_MIN(before->requests, figures->requests);
    figures->counted = 0;
    for (unsigned i = 0; i < figures->n; i++) {
        uint64_t was = 0;

        while (j < before->n && before->buckets[j].ms < figures->buckets[i].ms)
            j++;
        if (j < before->n && before->buckets[j].ms == figures->buckets[i].ms)
            was = before->buckets[j].count;
        figures->buckets[i].count -= PL_MIN(was, figures->buckets[i].count);
        figures->counted += figures->buckets[i].count;
    }
}

/* ---- writing ---- */

void pl_figure_percentile(char *out, size_t size,
                          const struct pl_figures *figures, double part)
{
    uint64_t before = 0;
    double ms = 0;

    if (figures->counted == 0) {
        snprintf(out, size, "-");
        return;
    }
    for (unsigned i = 0; i < figures->n; i++) {
        before += figures->buckets[i].count;
        ms = figures->buckets[i].ms;
        if ((double)before >= part * (double)figures->counted)
            break;
    }
    if (ms < 1000)
        snprintf(out, size, "<%.3gms", ms);
    else
        snprintf(out, size, "<%.3gs", ms / 1000);
}

void pl_figure_bytes(char *out, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;

    while (bytes >= 1024 && unit + 1 < PL_COUNT(units)) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void pl_figure_time(char *out, size_t size, double seconds)
{
    unsigned long s = (unsigned long)seconds;

    if (s < 60)
        snprintf(out, size, "%lus", s);
    else if (s < 3600)
        snprintf(out, size, "%lum %lus", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%luh %lum", s / 3600, s % 3600 / 60);
    else
        snprintf(out, size, "%lud %luh", s / 86400, s % 86400 / 3600);
}

double pl_figure_rate(const struct pl_json *before, const struct pl_json *now,
                      const char *pointer, double seconds)
{
    uint64_t was = pl_client_u64(before, pointer);
    uint64_t is = pl_client_u64(now, pointer);

    return before == NULL || is < was || seconds <= 0
               ? 0
               : (double)(is - was) / seconds;
}

bool pl_figure_true(const struct pl_json *value)
{
    bool is = false;

    return pl_json_to_bool(value, &is) && is;
}
