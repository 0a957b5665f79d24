/* keys.h - texts that come back from a client: sealed, so that it can neither
 * read nor change them, or signed, so that it cannot change them.
 *
 * Keys are made of secrets, the newest first: the first one seals and signs,
 * all of them open, so that a secret is replaced without a moment at which
 * yesterday's cookies are worth nothing. What was sealed for one purpose or
 * under one label opens for no other. A token is text for URLs and cookies:
 *
 *     sealed   base64url(version 1, nonce, XAES-256-GCM(expires, text))
 *     signed   base64url(text) "." expires "." base64url(HMAC-SHA256)
 *
 * with the end of its validity in it, in seconds since 1970 (0: none). Never
 * changes once it is made: any thread. */
#ifndef PL_FILTERS_KEYS_H
#define PL_FILTERS_KEYS_H

#include "base/auth_plugin.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    PL_KEYS_MAX = 8,
    PL_KEYS_SECRET_MIN = 32, /* bytes: 16 at random, as hexadecimal digits */
    PL_SEALED_FRONT = 1 + PL_SEAL_NONCE + 8,
    PL_SEALED_EXTRA = PL_SEALED_FRONT + PL_SEAL_TAG,
};

struct pl_keys;

/* purpose: who uses them ("session"). NULL with *error. */
struct pl_keys *pl_keys_new(const struct pl_auth_offer *auth,
                            const struct pl_str *secrets, unsigned n,
                            struct pl_str purpose, struct pl_error *error);
void pl_keys_free(struct pl_keys *keys); /* may be NULL */

/* Append a token to out. label: its name, say. 0 or PL_ERR_*. */
int pl_keys_seal(const struct pl_keys *keys, struct pl_str label,
                 struct pl_str text, uint64_t expires, struct pl_buf *out);
int pl_keys_sign(const struct pl_keys *keys, struct pl_str label,
                 struct pl_str text, uint64_t expires, struct pl_buf *out);

/* Append the text of a token to out, which must be empty. now: seconds since
 * 1970. 0, PL_ERR_DENIED (not made with these keys under this label, or
 * changed), PL_ERR_TIMEOUT (it was good once), PL_ERR_NOMEM. */
int pl_keys_unseal(const struct pl_keys *keys, struct pl_str label,
                   struct pl_str token, uint64_t now, struct pl_buf *out);
int pl_keys_verify(const struct pl_keys *keys, struct pl_str label,
                   struct pl_str token, uint64_t now, struct pl_buf *out);

#endif
