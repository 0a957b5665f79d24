/* basic.h - a filter that lets in who says a name and its password (RFC 7617).
 *
 *     no credentials, or bad ones ------------------------------> 401
 *     seen before: HMAC(name, hash, password) is remembered ----> next
 *     else an offload thread verifies, once for all who say the
 *     same meanwhile: right (remembered for a while) ----------> next
 *                     wrong, or an unknown name (as slow) ------> 401
 *                     too many at a time -----------------------> 503
 *
 * Needs no task. A filter may be shared by workers: what one of them remembers
 * is its own (a station), made when its first request comes. A list in a file
 * is looked at once a second at most; one that changed is read on an offload
 * thread, and one that cannot be read leaves the former in force. */
#ifndef PL_FILTERS_BASIC_H
#define PL_FILTERS_BASIC_H

#include "filters/users.h"
#include "http/handler.h"
#include "http/request.h"

struct pl_basic_want {
    struct pl_str realm;    /* absent: "perilune" */
    const char *file;       /* path of the list, or */
    struct pl_users *users; /* ... the list: TAKEN, also on failure */
    uint64_t cache_ms;      /* how long a success is remembered; 0: not */
};

enum { PL_BASIC_CACHE_MS = 5 * 60 * 1000 }; /* unless somebody says more */

/* Loads the plug-in and reads the file. One reference; NULL with *error. */
struct pl_filter *pl_basic_new(const struct pl_basic_want *want,
                               struct pl_error *error);

/* The plug-in: for who makes lists or keys; NULL with *error. */
const struct pl_auth_offer *pl_auth_load(struct pl_error *error);

/* Name and password that the client says, in the request's arena. False if it
 * says none, or not as it should. */
bool pl_credentials(struct pl_request *req, struct pl_str *user,
                    struct pl_str *password);

/* Answers 401: challenge is the value of WWW-Authenticate. */
int pl_auth_refuse(struct pl_request *req, struct pl_str challenge);

/* Writes Basic realm="...", charset="UTF-8". False if realm is too long or has
 * control characters. */
enum { PL_REALM_MAX = 256, PL_CHALLENGE_MAX = 2 * PL_REALM_MAX + 40 };
bool pl_basic_challenge(char out[PL_CHALLENGE_MAX], struct pl_str realm);

/* Who it is, for the log and for handlers. COPIES. 0 or PL_ERR_NOMEM. */
int pl_auth_admit(struct pl_request *req, struct pl_str user);

#endif
