/* http_plugin.h - the two sides of perilune-http.so (base/plugin.h): what
 * transfer.c gives it, and what it does with libcurl.
 *
 * libcurl is never entered from one of its own callbacks: what the host's
 * functions below tell is only noted, and whoever waits goes on later. */
#ifndef PL_CLIENT_HTTP_PLUGIN_H
#define PL_CLIENT_HTTP_PLUGIN_H

#include "base/error.h"

struct pl_http_host {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t n, size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
    /* Of a pool, whose arg this is. watch: events of fd, none before it is
     * closed; what it gives is shown the next time for this fd. */
    void *(*watch)(void *arg, void *watch, int fd, unsigned events);
    void (*alarm)(void *arg, int64_t ms); /* for due(); -1: not */
    /* Of a transfer, whose arg this is. */
    void (*head)(void *arg); /* header() and info() have it; once */
    /* Takes all of bytes: 0; or none: PL_ERR_AGAIN, until resume(). Other
     * PL_ERR_*: the transfer ends with that. */
    int (*body)(void *arg, struct pl_str bytes);
    /* Writes up to room bytes of what is to be sent; 0: that was all;
     * PL_ERR_AGAIN: not now, until resume(). */
    ssize_t (*send)(void *arg, char *to, size_t room);
    /* All is over. text: why it failed. Once. */
    void (*done)(void *arg, int result, const char *text);
};

struct pl_http_pool_config {
    unsigned connections; /* all; more wait */
    unsigned per_host;
    unsigned kept; /* idle ones */
};

/* A request, as the plug-in wants it. Texts that are NULL: none. */
struct pl_http_spec {
    const char *method, *url;  /* whole, as url() gives it */
    const char *const *fields; /* "Name: value", "Name;" for none */
    unsigned nfields;
    const char *addresses; /* "+host:port:192.0.2.1,2001:db8::1", or several
                              of them behind each other, each with a NUL, and
                              one more at the end */
    const char *user, *password;
    struct pl_str body; /* borrowed until the end; data NULL: none */
    bool streams;       /* what is sent comes by send() */
    int64_t length;     /* of that; -1: not known */
    const char *proxy;  /* "http://host:port", "socks5h://..." */
    const char *socket; /* path of a UNIX socket, in the place of a host */
    const char *ca, *cert, *key;   /* files, PEM */
    bool insecure;                 /* believes whoever answers */
    bool decode;                   /* offers codings, and decodes them */
    unsigned version;              /* 0: the best; 1: HTTP/1.1; 2: HTTP/2 */
    uint32_t connect_ms, stall_ms; /* 0: no limit */
    uint32_t max_head;             /* bytes of all heads of the response */
    void *jar;                     /* of cookies */
};

struct pl_http_info {
    int status;
    const char *version; /* "1.1" */
    const char *peer;    /* the address that has answered; or NULL */
    bool reused;         /* a kept connection has served */
};

struct pl_http_url {
    char scheme[8]; /* "http" or "https" */
    char host[256]; /* an IPv6 address without its brackets */
    uint16_t port;
    char *whole;           /* without user, password and fragment */
    char *user, *password; /* NULL: none */
};

struct pl_http_offer {
    int (*pool_new)(const struct pl_http_pool_config *config, void *arg,
                    void **pool);
    void (*pool_free)(void *pool); /* without transfers */
    void (*ready)(void *pool, int fd, unsigned events);
    void (*due)(void *pool);
    /* A descriptor could not be watched: all transfers end with err. */
    void (*fail)(void *pool, int err);
    /* NULL: no memory. */
    void *(*jar_new)(void);
    void (*jar_free)(void *jar); /* no transfer has it */
    /* Shows each cookie as a line of Netscape's file of cookies. Returns 0 or
     * PL_ERR_NOMEM. */
    int (*cookies)(void *jar, void (*see)(void *arg, const char *line),
                   void *arg);
    /* line: "Set-Cookie: name=value; domain=..."; NULL: all go. */
    int (*set_cookie)(void *jar, const char *line);
    /* GIVES the parts of text, which may be relative to base (NULL: none), see
     * url_fini(). PL_ERR_INVALID (with *error), PL_ERR_NOMEM. */
    int (*url)(const char *base, const char *text, struct pl_http_url *out,
               struct pl_error *error);
    void (*url_fini)(struct pl_http_url *url);
    /* Borrows what spec says it does. */
    int (*begin)(void *pool, const struct pl_http_spec *spec, void *arg,
                 void **transfer, struct pl_error *error);
    void (*resume)(void *transfer, bool receive, bool send);
    void (*info)(void *transfer, struct pl_http_info *info);
    /* The field after *at, which is NULL at first; false: there is none. */
    bool (*header)(void *transfer, void **at, struct pl_str *name,
                   struct pl_str *value);
    /* Ends it if it goes on; done() is not called any more. */
    void (*end)(void *transfer);
};

#endif
