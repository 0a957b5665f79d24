/* user.h - users and groups by name or number. May ask a directory on the
 * network, so: while starting only, and on one thread. */
#ifndef PL_BASE_USER_H
#define PL_BASE_USER_H

#include <sys/types.h>

#include "base/error.h"

/* *gid: the user's own group. A number must be that of a user, too. 0 or
 * PL_ERR_NOT_FOUND with *error naming it. */
int pl_user_lookup(const char *user, uid_t *uid, gid_t *gid,
                   struct pl_error *error);

/* A number need not be that of a group. */
int pl_group_lookup(const char *group, gid_t *gid, struct pl_error *error);

#endif
