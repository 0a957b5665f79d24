/* process.h - what the process is to the system: its pid file, its user, and
 * how many descriptors it may have. For the main thread, before the workers. */
#ifndef PL_PROCESS_PROCESS_H
#define PL_PROCESS_PROCESS_H

#include <sys/types.h>

#include "base/error.h"

/* ---- the pid file ---- */

/* The file is locked (flock) as long as the process lives: the lock, and not
 * the number in it, says that a server is alive, so that a file left behind by
 * a crash is no obstacle and never names a stranger's process. */
struct pl_pid_file {
    const char *path; /* NULL: none */
    int fd;
};

/* Locks the file, which is empty until pl_pid_file_write(). BORROWS path (NULL:
 * no file is wanted). Returns 0, PL_ERR_BUSY when another process has it, or
 * another PL_ERR_*, with *error. */
int pl_pid_file_claim(struct pl_pid_file *file, const char *path,
                      struct pl_error *error);

int pl_pid_file_write(const struct pl_pid_file *file, struct pl_error *error);

/* Removes the file; empties it where the process may not remove it any more. */
void pl_pid_file_release(struct pl_pid_file *file);

/* ---- the user ---- */

struct pl_user {
    const char *name; /* NULL: the process stays who it is */
    uid_t uid;
    gid_t gid;
};

/* Looks up names or numbers; both may be NULL. BORROWS user. Returns 0, or
 * PL_ERR_NOT_FOUND, PL_ERR_DENIED (only root may become another) with *error.
 */
int pl_user_find(const char *user, const char *group, struct pl_user *out,
                 struct pl_error *error);

/* Becomes that user in two steps, between which a chroot may be: takes on the
 * groups that it is a member of, and no other; then becomes it for good, which
 * is looked at. Threads that run already follow (glibc's doing). */
int pl_user_join(const struct pl_user *user, struct pl_error *error);
int pl_user_become(const struct pl_user *user, struct pl_error *error);

/* ---- descriptors ---- */

/* Raises RLIMIT_NOFILE as far as it goes: the default of many systems, 1024, is
 * there for programs that use select(). */
void pl_descriptors_raise(void);

/* Connections that each of so many workers may have under RLIMIT_NOFILE. What
 * is left is for the process itself, and for the files and clients of requests.
 */
unsigned pl_descriptors_share(unsigned workers);

/* Makes room for so many in the table of the process, up to a limit of its own.
 * The table grows by doubling, and a process of many threads waits 10 to 15 ms
 * each time, for the kernel's RCU, in the midst of an accept(); one of a single
 * thread does not. */
void pl_descriptors_reserve(uint64_t count);

#endif
