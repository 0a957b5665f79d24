/* records.h - the request of an exchange over FastCGI, as its caller writes it.
 *
 * One request at a time on a connection: its id is always 1. Programs that know
 * more than one would have to be asked first, and a connection that is shared
 * is as fast as its slowest reader. */
#ifndef PL_CLIENT_RECORDS_H
#define PL_CLIENT_RECORDS_H

#include "client/fetch.h"

/* Begins the request, whose name-value pairs are these (record.h). COPIES. 0 or
 * PL_ERR_*, as pl_fetch_write(). */
int pl_fetch_begin_records(struct pl_fetch *fetch, struct pl_str pairs);

/* A piece of its body, not empty; and its end. */
int pl_fetch_write_input(struct pl_fetch *fetch, struct pl_str bytes);
int pl_fetch_end_input(struct pl_fetch *fetch);

#endif
