/* users.h - who may enter: names, each with a hash of a password (or, as Lwan
 * has them, the password itself). Read once, never changed: a file that has
 * changed is read into another list. Any thread. */
#ifndef PL_FILTERS_USERS_H
#define PL_FILTERS_USERS_H

#include "base/auth_plugin.h"
#include "base/error.h"

struct pl_users;

struct pl_login {
    struct pl_str name;
    struct pl_str secret; /* terminated */
    bool is_hash;         /* or the password in the clear */
};

/* An empty list; NULL when out of memory. BORROWS auth for ever. */
struct pl_users *pl_users_new(const struct pl_auth_offer *auth);
void pl_users_free(struct pl_users *users); /* may be NULL */

/* COPIES. secret is a hash where it begins as one does ("$" or "{"), or else a
 * password in the clear. A name once more takes the place of the former. 0 or
 * PL_ERR_* with *error, whose where is the given one. */
int pl_users_add(struct pl_users *users, struct pl_str name,
                 struct pl_str secret, const char *where,
                 struct pl_error *error);

/* A file: lines of "name:hash" (htpasswd) or "name = password" (Lwan), empty
 * ones, and comments behind "#". At most 8 MiB. GIVES *out, or PL_ERR_* with
 * *error saying the line. Blocks. */
int pl_users_read(const struct pl_auth_offer *auth, const char *path,
                  struct pl_users **out, struct pl_error *error);

/* The same of a text that is there; path is for errors. */
int pl_users_parse(const struct pl_auth_offer *auth, struct pl_str text,
                   const char *path, struct pl_users **out,
                   struct pl_error *error);

/* NULL: nobody of that name. Lives as long as users. */
const struct pl_login *pl_users_find(const struct pl_users *users,
                                     struct pl_str name);

/* Somebody, for those whom nobody knows: verifying against what is found here
 * takes as long as for a name that exists. NULL if the list is empty. */
const struct pl_login *pl_users_decoy(const struct pl_users *users);

#endif
