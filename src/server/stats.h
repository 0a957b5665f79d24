/* stats.h - what a worker has counted since its start, under the names by which
 * scripts (pl.workers.stats) know it. One table, so that whoever else shows it
 * shows the same. */
#ifndef PL_SERVER_STATS_H
#define PL_SERVER_STATS_H

#include "lua/vm.h"

struct pl_worker;

/* Fills out, which has PL_STATS_MAX places; returns how many are in it. On the
 * worker's thread. */
unsigned pl_worker_stats(const struct pl_worker *worker, struct pl_stat *out);

#endif
