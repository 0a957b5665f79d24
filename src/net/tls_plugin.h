/* tls_plugin.h - the two sides of perilune-tls.so (base/plugin.h): what net
 * gives it, and what it does with OpenSSL.
 *
 * The plug-in has no sockets, files and clocks of others: it is given whole
 * files, whole records and the time, and gives back records and bytes. */
#ifndef PL_NET_TLS_PLUGIN_H
#define PL_NET_TLS_PLUGIN_H

#include <stdarg.h>

#include "net/tls.h"

struct pl_tls_host {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
    void (*random)(void *out, size_t len); /* never fails */
    int (*error)(struct pl_error *error, int code, const char *where,
                 const char *fmt, ...) PL_PRINTF(4, 5);
};

/* What a worker lends the session whose turn it is: a session reads and writes
 * here, and keeps nothing of it. */
struct pl_tls_io {
    const char *in; /* records that have come */
    size_t in_len;
    char *out; /* records to be sent: grown by host->realloc() */
    size_t out_len, out_room;
    const char *reason; /* of the last failure, in OpenSSL's words; or NULL */
    void *bio;
};

/* The files of a context, in memory. */
struct pl_tls_files {
    struct pl_str ca; /* absent: none */
    const struct pl_tls_file {
        struct pl_str cert, key, staple;
        const char *cert_name, *key_name; /* for messages */
    } * pairs;
    unsigned npairs;
};

struct pl_tls_setup {
    const struct pl_tls_options *options;
    const struct pl_tls_files *files;
    const char *const *alpn; /* names that are offered, best first */
    unsigned nalpn;
    bool client;
    void *tickets; /* of the context; NULL: none */
};

enum { PL_TLS_NO_ALPN = -1 };

/* Functions that return an int: 0, or PL_ERR_*. */
struct pl_tls_offer {
    /* The keys of tickets: of a context, whatever set it uses; lock-free. */
    void *(*tickets_new)(uint32_t rotation_s);
    void (*tickets_free)(void *tickets);
    /* A set of certificates; any thread. Each session holds it, too. */
    int (*set_new)(const struct pl_tls_setup *setup, void **out,
                   struct pl_error *error);
    void (*set_drop)(void *set);
    /* A certificate and its key for localhost, as one text in PEM form: GIVES
     * (host->free()) a new one; is this one of use for some weeks more? */
    int (*dev_make)(struct pl_str *pem, struct pl_error *error);
    bool (*dev_good)(struct pl_str pem);
    /* Of a worker. */
    int (*io_open)(struct pl_tls_io *io);
    void (*io_close)(struct pl_tls_io *io);
    /* How many of the bytes are whole records, or no TLS at all. */
    size_t (*whole)(struct pl_str bytes);
    /* name: of the server, for clients. NULL: out of memory. */
    void *(*session_new)(void *set, struct pl_tls_io *io, const char *name);
    void (*session_free)(void *session);
    /* PL_ERR_AGAIN: more records are needed. What is in io->out is to be sent
     * in any case. */
    int (*handshake)(void *session);
    /* Bytes; 0: the peer has said that no more follow. */
    ssize_t (*read)(void *session, char *to, size_t room);
    int (*write)(void *session, const char *bytes, size_t len);
    /* Says that no more follow. */
    void (*finish)(void *session);
    int (*alpn)(void *session); /* index in setup->alpn, or PL_TLS_NO_ALPN */
    bool (*resumed)(void *session);
    bool (*is_13)(void *session); /* else 1.2 */
    void (*info)(void *session, struct pl_tls_info *info);
};

#endif
