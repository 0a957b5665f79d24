/* dns.h - a resolver: questions to name servers, and answers that are kept as
 * long as they say.
 *
 * c-ares asks (perilune-dns.so, dns_plugin.h), on the loop of one worker: no
 * thread, nothing that blocks but the reading of small files (/etc/hosts,
 * /etc/resolv.conf; when the latter changes it is read anew). nsswitch.conf and
 * its plug-ins, among them mDNS, are not consulted.
 *
 * Who asks what is being asked already waits for the same answer. An answer is
 * kept for its time to live, at most an hour; that there is no such name, for
 * five seconds; a failure, not at all. */
#ifndef PL_CLIENT_DNS_H
#define PL_CLIENT_DNS_H

#include "client/dns_plugin.h"
#include "task/task.h"

enum {
    PL_DNS_KEPT = 1024,    /* answers and open questions of a resolver */
    PL_DNS_ADDRS_MAX = 16, /* of a host; more are left out */
    PL_DNS_TTL_MAX = 3600,
    PL_DNS_TTL_NONE = 5, /* of "no such name" */
    PL_DNS_NAME_MAX = 255,
};

/* Types of records (RFC 1035, 3596, 2782). */
enum {
    PL_DNS_A = 1,
    PL_DNS_NS = 2,
    PL_DNS_CNAME = 5,
    PL_DNS_PTR = 12,
    PL_DNS_MX = 15,
    PL_DNS_TXT = 16,
    PL_DNS_AAAA = 28,
    PL_DNS_SRV = 33,
};

struct pl_dns;
struct pl_dns_entry;

/* Loads the plug-in. Copies config; borrows sched. GIVES *out. Returns 0,
 * PL_ERR_NOT_FOUND, _UNSUPPORTED (the plug-in), _INVALID or _NOMEM with
 * *error. */
int pl_dns_new(struct pl_sched *sched, const struct pl_dns_config *config,
               struct pl_dns **out, struct pl_error *error);

/* Whoever waits gets PL_ERR_CANCELED. */
void pl_dns_free(struct pl_dns *dns);

/* Completes with 0 or PL_ERR_*: NOT_FOUND (no such name; of a host also: it has
 * no address), UNREACHABLE (no server can say), TIMEOUT, PROTO, INVALID (no
 * name), LIMIT, NOMEM. When it is DONE, whatever its result: pl_dns_end(). */
struct pl_dns_op {
    struct pl_op op;
    struct pl_timer timer;
    struct pl_list node;
    struct pl_dns_entry *entry; /* NULL: ended, or never begun */
};

/* The addresses of a host by name, due: monotonic ns; 0: whenever. */
void pl_dns_lookup_begin(struct pl_dns_op *op, struct pl_dns *dns,
                         struct pl_str host, uint64_t due);

/* The records of one type. */
void pl_dns_query_begin(struct pl_dns_op *op, struct pl_dns *dns,
                        struct pl_str name, unsigned type, uint64_t due);

/* What was found, until pl_dns_end(): of a lookup n addresses with port 0, of a
 * query the message (dns_answer.h), empty if the name has no such records. */
const struct pl_addr *pl_dns_addrs(const struct pl_dns_op *op, unsigned *n);
struct pl_str pl_dns_message(const struct pl_dns_op *op);
void pl_dns_end(struct pl_dns_op *op);

/* Answers that are kept now. */
unsigned pl_dns_kept(const struct pl_dns *dns);

#endif
