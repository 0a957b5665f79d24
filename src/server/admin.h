/* admin.h - the admin socket: HTTP with JSON for who runs the server.
 *
 *     server->loop -> UNIX socket, 0600 -> door: who is it? -> HTTP/1 -> routes
 *
 * It is served on the main thread, so a worker that is held never holds it:
 * what only a worker knows it is asked for by an errand (errand.h), with a
 * deadline. Until somebody connects there is a listening socket and nothing
 * else; the supervisor, if there is one, holds it. A library has one only if
 * its program says where.
 *
 * Who may connect: root, and the user who has started the server. */
#ifndef PL_SERVER_ADMIN_H
#define PL_SERVER_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct pl_admin;
struct pl_server;

enum { PL_ADMIN_PATH = 108 }; /* bytes of a path, with its end */

/* Opens the socket, as the user who has started the server, and answers from
 * the next turn of server->loop on. said: where (NULL: nowhere; "": at the
 * default place, and not at all where that is not possible). Makes
 * server->admin, which may stay NULL. Returns 0 or PL_ERR_* with *error. */
int pl_admin_open(struct pl_server *server, const char *said,
                  const char *pid_file, struct pl_error *error);

/* The loop of the main thread turns no more for others: ends what is going on.
 * The workers, and the watchdog, are still there. */
void pl_admin_close(struct pl_server *server);

/* They are not, any more. */
void pl_admin_free(struct pl_server *server);

/* Before an _exit(): removes the socket's file. */
void pl_admin_unlink(struct pl_server *server);

/* ---- where it is: for the server and for those who look for one ----
 *
 * Beside the pid file: "/run/site.pid" and "/run/site.admin". Without one, by
 * the process id in the folder below: "4711.sock". */

/* "/run/perilune" for root; else "$XDG_RUNTIME_DIR/perilune", or
 * "/tmp/perilune-1000". False if it does not fit. */
bool pl_admin_folder(char *out, size_t size);
bool pl_admin_beside(const char *pid_file, char *out, size_t size);

/* Is the folder there, and ours alone? */
bool pl_admin_folder_safe(const char *folder);

#endif
