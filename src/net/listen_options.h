/* listen_options.h - what a site says of an address: one record, from pl.listen
 * or perilune.h to the sockets and to each connection that they accept.
 *
 * Shared by all workers and never changed: whoever reads it (a protocol, a
 * layer below one) finds it at conn->listener->options. Zeroes are the
 * defaults. */
#ifndef PL_NET_LISTEN_OPTIONS_H
#define PL_NET_LISTEN_OPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "net/trust.h"

struct pl_tls_options; /* net/tls.h */

/* What is spoken, in the words of a site. What speaks it is passed down. */
#define PL_SPEAK_MAP(X) /* name, word */                                       \
    X(HTTP, "http")     /* ALPN and the first bytes say which version */       \
    X(HTTP1, "http/1.1")                                                       \
    X(H2, "h2")                                                                \
    X(AUTO, "auto") /* the same without TLS, and a PROXY header before it */   \
    X(FASTCGI, "fastcgi")

enum pl_speak {
#define PL_SPEAK(name, word) PL_SPEAK_##name,
    PL_SPEAK_MAP(PL_SPEAK)
#undef PL_SPEAK
};

const char *pl_speak_name(enum pl_speak speak);

/* NULL means the first one. Returns 0 or PL_ERR_INVALID with *error. */
int pl_speak_parse(const char *word, enum pl_speak *out,
                   struct pl_error *error);

/* May connections begin with a PROXY header (proxy.h)? */
enum pl_proxy_use { PL_PROXY_OFF, PL_PROXY_OPTIONAL, PL_PROXY_REQUIRED };

/* NULL: off; "required", "optional". 0 or PL_ERR_* with *error. */
int pl_proxy_use_parse(const char *word, enum pl_proxy_use *out,
                       struct pl_error *error);

struct pl_listen_options {
    unsigned sockets;          /* of a TCP group; 0: as many as CPUs */
    int backlog;               /* 0: SOMAXCONN */
    unsigned mode;             /* of a UNIX socket's file; 0: as umask says */
    const char *owner, *group; /* of it: names or numbers; NULL: ours */
    enum pl_speak speak;
    bool v6only;
    bool eager; /* TCP: accept before the peer has sent something */
    enum pl_proxy_use proxy;
    const struct pl_trust *trusted; /* who may say who the client is; NULL: the
                                       site's list, and then nobody */
    unsigned service;               /* of the site's, raw; 0: HTTP is spoken */
    uint16_t https_port; /* clients are sent there; 0: are served here */
    unsigned forwarded;  /* fields of theirs that are believed: a set of
                            http/forwarded.h; 0: the usual ones */
    const struct pl_tls_options *tls; /* NULL: clear text */
    const char *sendfile; /* FASTCGI: the web server sends files: "x-sendfile",
                             or what its internal paths of theirs begin with;
                             NULL: we do */
};

extern const struct pl_listen_options pl_listen_defaults;

/* What cannot be asked for such an address, for people; NULL: nothing. */
const char *pl_listen_options_fault(struct pl_str address,
                                    const struct pl_listen_options *options);

/* Do they say the same, with all that they lead to? */
bool pl_listen_options_eq(const struct pl_listen_options *a,
                          const struct pl_listen_options *b);

/* COPIES from, with all that it leads to, into arena. 0 or PL_ERR_NOMEM. */
int pl_listen_options_copy(struct pl_arena *arena,
                           const struct pl_listen_options *from,
                           struct pl_listen_options *to);

#endif
