/* fuzz_dns_answer.c - any bytes as the message of a name server. The first byte
 * chooses the type that was asked for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/str.h"
#include "client/dns.h"
#include "client/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(unsigned type, const struct pl_dns_record *record)
{
    char *text = malloc(record->data.len + 1); /* ASan sees one byte more */

    if (type == PL_DNS_TXT)
        PL_ASSERT(pl_dns_record_text(record, text) <= record->data.len);
    PL_ASSERT(strlen(record->name) < sizeof(record->name));
    PL_ASSERT(record->ttl <= INT32_MAX);
    if (type == PL_DNS_A)
        PL_ASSERT(record->data.len == 4);
    if (type == PL_DNS_AAAA)
        PL_ASSERT(record->data.len == 16);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned types[] = {PL_DNS_A,   PL_DNS_AAAA, PL_DNS_CNAME,
                                     PL_DNS_MX,  PL_DNS_TXT,  PL_DNS_SRV,
                                     PL_DNS_PTR, PL_DNS_NS};
    struct pl_dns_answer answer;
    struct pl_dns_record record;
    struct pl_str bytes;
    unsigned type, n = 0;
    int more;

    if (size == 0)
        return 0;
    type = types[data[0] % PL_COUNT(types)];
    bytes = pl_str((const char *)data + 1, size - 1);
    more = pl_dns_answer_open(&answer, bytes, type);
    while (more >= 0 && (more = pl_dns_answer_next(&answer, &record)) > 0) {
        check_record(type, &record);
        PL_ASSERT(++n <= UINT16_MAX);
    }
    /* Who has read all of it once knows whether it can be read. */
    PL_ASSERT((more < 0) == (pl_dns_answer_ttl(bytes, type) == PL_ERR_PROTO));
    return 0;
}
