/* client_top.h - `perilune top`: what a server does, again each second. */
#ifndef PL_COMMAND_CLIENT_TOP_H
#define PL_COMMAND_CLIENT_TOP_H

#include "command/client.h"

/* On a terminal: until q, ^C or the end of the server. Else once, of half a
 * second. Returns an enum pl_exit. */
int pl_client_top(const struct pl_client *client);

#endif
