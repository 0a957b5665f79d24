/* control.h - what the main thread does while workers serve: it waits for
 * signals, for pl_server_stop() and for what becomes of the workers. */
#ifndef PL_SERVER_CONTROL_H
#define PL_SERVER_CONTROL_H

#include <stdbool.h>

struct pl_server;

/* From now on signals wait to be read by pl_control_until(). Before any thread
 * that does not block them exists. 0 or PL_ERR_*; nothing is done for a process
 * that is not ours. */
int pl_control_open(struct pl_server *server);
void pl_control_close(struct pl_server *server);

/* Acts on signals and passes stops on to the workers until reached() holds,
 * which is asked again whenever something has happened. */
void pl_control_until(struct pl_server *server,
                      bool (*reached)(const struct pl_server *server));

#endif
