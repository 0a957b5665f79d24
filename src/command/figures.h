/* figures.h - numbers of the admin socket, added up, compared and written for
 * people. */
#ifndef PL_COMMAND_FIGURES_H
#define PL_COMMAND_FIGURES_H

#include <perilune.h>

enum { PL_FIGURES = 128 }; /* different limits of buckets */

/* Of one worker or route, or of several. */
struct pl_figures {
    uint64_t requests, counted;
    unsigned n;
    struct {
        double ms; /* less than this, */
        uint64_t count;
    } buckets[PL_FIGURES]; /* in the order of ms */
};

/* Adds those of a worker or a route. */
void pl_figures_add(struct pl_figures *figures, const struct pl_json *of);

/* What has come since before. */
void pl_figures_since(struct pl_figures *figures,
                      const struct pl_figures *before);

/* "<0.26ms", "12ms"; "-" if nothing was counted. */
void pl_figure_percentile(char *out, size_t size,
                          const struct pl_figures *figures, double part);

/* "1.2 MiB"; "3d 4h". */
void pl_figure_bytes(char *out, size_t size, double bytes);
void pl_figure_time(char *out, size_t size, double seconds);

/* By how much a number has grown in each second; 0 if there is none before. */
double pl_figure_rate(const struct pl_json *before, const struct pl_json *now,
                      const char *pointer, double seconds);

bool pl_figure_true(const struct pl_json *value);

#endif
