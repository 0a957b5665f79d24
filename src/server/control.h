/* control.h - what the main thread does while workers serve: its loop turns for
 * signals, for pl_server_stop(), for what becomes of the workers, and for
 * whoever else has sources, timers, hooks or mail on server->loop. */
#ifndef PL_SERVER_CONTROL_H
#define PL_SERVER_CONTROL_H

#include <stdbool.h>

struct pl_server;

/* From now on signals wait to be read by pl_control_until(). Before any thread
 * that does not block them exists. 0 or PL_ERR_*; nothing is done for a process
 * that is not ours. */
int pl_control_open(struct pl_server *server);
void pl_control_close(struct pl_server *server);

/* Turns server->loop, and passes stops on to the workers, until reached()
 * holds. That is asked again after each turn: whatever has happened, a worker's
 * new stage and pl_server_wake() included, makes one. */
void pl_control_until(struct pl_server *server,
                      bool (*reached)(const struct pl_server *server));

#endif
