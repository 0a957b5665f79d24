/* dns_plugin.h - the two sides of perilune-dns.so (base/plugin.h): what dns.c
 * gives it, and what it does with c-ares.
 *
 * The plug-in asks; what to do with the answers, and how long they are good
 * for, is decided in dns.c. */
#ifndef PL_CLIENT_DNS_PLUGIN_H
#define PL_CLIENT_DNS_PLUGIN_H

#include "net/addr.h"

struct pl_dns_host {
    void *(*malloc)(size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
    /* channel->watch(): events of fd, none before it is closed. arg is that of
     * open(). */
    void (*watch)(void *arg, int fd, unsigned events);
    /* An answer to lookup() or query(), once, perhaps before these return:
     * result is 0 or PL_ERR_*; data are `struct pl_addr`s, best first, or the
     * message of the server; its caller's until this returns. */
    void (*answer)(void *ask, int result, struct pl_str data, uint32_t ttl);
};

struct pl_dns_config {
    const char *servers; /* "192.0.2.1,[2001:db8::1]:53"; NULL: the system's */
    const char *file;    /* in the place of /etc/resolv.conf; NULL */
    uint32_t timeout_ms; /* of the first try */
    unsigned tries;
};

struct pl_dns_offer {
    /* Reads the system's files. Returns 0, PL_ERR_INVALID (servers) or
     * PL_ERR_NOMEM. */
    int (*open)(const struct pl_dns_config *config, void *arg, void **channel);
    /* Answers all that is asked with PL_ERR_CANCELED. Not inside answer(). */
    void (*close)(void *channel);
    void (*ready)(void *channel, int fd, unsigned events);
    void (*due)(void *channel);
    int64_t (*next_ms)(void *channel); /* until due(); -1: never */
    /* The addresses of a host: the file of hosts, search domains, both
     * families, sorted by RFC 6724. */
    void (*lookup)(void *channel, const char *host, void *ask);
    /* One type of records of exactly this name. */
    void (*query)(void *channel, const char *name, unsigned type, void *ask);
};

#endif
