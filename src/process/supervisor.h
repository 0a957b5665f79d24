/* supervisor.h - the process that was started: it holds what must outlive a
 * server process (listening sockets, the pid file, the word to systemd), and
 * starts another one when one has died. It never runs the site's code and
 * never reads from a client.
 *
 *     perilune (supervisor) --fork--> server process: reads the site, asks for
 *        |  ^                         its addresses, starts workers, serves
 *        |  +---- link.h ---------->
 *        +--fork--> the next one, when the first has died: at once, and more
 *                   slowly when they die one after another
 *
 * It forks before a Lua state or a thread exists: it stays small, and a fork
 * costs little. The server process is the program as it is without a
 * supervisor, but for its link. */
#ifndef PL_PROCESS_SUPERVISOR_H
#define PL_PROCESS_SUPERVISOR_H

#include "process/link.h"

/* Starts a server process and minds it; argv is what this program was started
 * with. Returns true in each server process, with *link, and in the supervisor
 * false at the end of all, with its exit code in *code. (A fork returns twice,
 * and so does this.) */
bool pl_supervise(char **argv, struct pl_server_link *link, int *code);

#endif
