/* origin.h - a server that requests are sent on to, as the process knows it:
 * where it is, and whether it answers.
 *
 * One for each different address (and TLS identity, and protocol) that a site
 * has named, for all workers and generations; it is never freed. What changes
 * are a few atomic words: who finds out that a server is down spares all others
 * the attempt. Health is twofold:
 *
 *     passive   failures in a row; after so many the server is left alone for
 *               a while, which doubles with each further failure
 *     active    what checks have found (handlers/gateway_check.c) */
#ifndef PL_CLIENT_ORIGIN_H
#define PL_CLIENT_ORIGIN_H

#include <stdatomic.h>

#include "socket/secure.h"
#include "socket/target.h"

enum {
    PL_ORIGINS_MAX = 4096, /* of a process; they are never forgotten */
    PL_BACK_OFF_MAX = 6,   /* doublings of the pause */
};

enum pl_origin_checked {
    PL_ORIGIN_UNCHECKED,
    PL_ORIGIN_GOOD,
    PL_ORIGIN_BAD,
};

struct pl_origin {
    struct pl_origin *next; /* made before this one */
    uint32_t id;            /* from 0 */
    bool secure;            /* https */
    bool fastcgi;           /* it speaks FastCGI, not HTTP */
    struct pl_target target;
    struct pl_secure_spec tls;
    const char *tls_name; /* in its certificate; NULL: the host's */
    struct pl_str url;    /* "http://host:port", "unix:/path", for people */
    struct pl_str host;   /* for the Host field: "host:port" or "host" */
    const char *key;      /* all that makes it different from others */
    _Atomic uint32_t failures;     /* in a row */
    _Atomic uint64_t paused_until; /* monotonic ms; 0: is not */
    _Atomic uint8_t checked;       /* enum pl_origin_checked */
    _Atomic uint32_t streak;       /* equal results of checks in a row */
};

/* What an upstream's URL says. */
struct pl_origin_spec {
    struct pl_str url; /* "http://host[:port][/path]", "https://...",
                          "unix:/path", "http+unix:/path" are not URLs with a
                          path behind them */
    bool
        fastcgi; /* url is "host:port", "fastcgi://host:port" or "unix:/path" */
    struct pl_secure_spec tls;
    const char *tls_name;
};

/* Finds it, or makes it; COPIES spec. *path: what follows the authority in the
 * URL, a slice of it; absent: nothing. Any thread. Returns 0, PL_ERR_INVALID,
 * PL_ERR_LIMIT or PL_ERR_NOMEM, with *error. */
int pl_origin_get(const struct pl_origin_spec *spec, struct pl_origin **out,
                  struct pl_str *path, struct pl_error *error);

/* ---- health; ms are monotonic ---- */

struct pl_origin_rules {
    uint32_t max_failures; /* in a row; 0: failures do not count */
    uint32_t pause_ms;     /* the first pause */
};

/* May a request be sent there? */
bool pl_origin_usable(const struct pl_origin *origin, uint64_t now_ms);

/* Does it answer, as far as checks know? It may be paused. */
PL_INLINE bool pl_origin_is_bad(const struct pl_origin *origin)
{
    return atomic_load_explicit(&origin->checked, memory_order_relaxed) ==
           PL_ORIGIN_BAD;
}

/* It did not answer as it should; why is for the log. */
void pl_origin_failed(struct pl_origin *origin,
                      const struct pl_origin_rules *rules, uint64_t now_ms,
                      const char *why);

void pl_origin_recovered(struct pl_origin *origin);

/* It has answered. */
PL_INLINE void pl_origin_answered(struct pl_origin *origin)
{
    if (PL_UNLIKELY(
            atomic_load_explicit(&origin->failures, memory_order_relaxed) != 0))
        pl_origin_recovered(origin);
}

/* What a check has found; rises, falls: equal results in a row that are needed
 * to believe it. why NULL: it answers. */
void pl_origin_set_checked(struct pl_origin *origin, const char *why,
                           unsigned rises, unsigned falls);

/* "up", "paused", "down". */
const char *pl_origin_state(const struct pl_origin *origin, uint64_t now_ms);

/* The newest; NULL: there is none. */
struct pl_origin *pl_origins(void);

#endif
