/* dns_answer.h - messages of name servers, read (RFC 1035, 4.1).
 *
 * Pure: bytes to records. What the question was is skipped; records of other
 * types than the one that is asked for (the CNAMEs on the way to it) too. */
#ifndef PL_CLIENT_DNS_ANSWER_H
#define PL_CLIENT_DNS_ANSWER_H

#include <netinet/in.h>
#include <perilune.h>

/* Room for a name as text: what is no letter, digit, '-' or '_' may need four
 * bytes ("\046"). */
enum { PL_DNS_NAME_TEXT = 1024 };

struct pl_dns_answer {
    const unsigned char *bytes;
    size_t len, at;
    unsigned left; /* records */
    unsigned type;
};

struct pl_dns_record {
    uint32_t ttl;                    /* seconds */
    struct pl_str data;              /* as it is; of A and AAAA the address */
    char name[PL_DNS_NAME_TEXT];     /* of CNAME, NS, PTR, MX, SRV; else "" */
    uint16_t priority, weight, port; /* of MX, SRV; else 0 */
};

/* Borrows bytes. Returns 0 or PL_ERR_PROTO. */
int pl_dns_answer_open(struct pl_dns_answer *answer, struct pl_str bytes,
                       unsigned type);

/* Returns 1 and the next record, 0 at the end, or PL_ERR_PROTO. */
int pl_dns_answer_next(struct pl_dns_answer *answer,
                       struct pl_dns_record *record);

/* The text of a TXT record that pl_dns_answer_next() has given: its pieces
 * without what is between them. out has data.len bytes. Returns the length. */
size_t pl_dns_record_text(const struct pl_dns_record *record, char *out);

/* Reads all of a message: the smallest ttl of its records, of any type (those
 * on the way included); PL_ERR_NOT_FOUND: it has none; PL_ERR_PROTO. */
int64_t pl_dns_answer_ttl(struct pl_str bytes, unsigned type);

#endif
