/* fuzz_proxy.c - any bytes as a PROXY header: what is taken lies within them,
 * and does not depend on how much of what follows has come. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct pl_str part, struct pl_str whole)
{
    PL_ASSERT(part.data == NULL ||
              (part.data >= whole.data &&
               part.data + part.len <= whole.data + whole.len));
}

static void check_header(const struct pl_proxy_header *header,
                         struct pl_str bytes)
{
    char text[PL_ADDR_TEXT];

    PL_ASSERT(header->version == 1 || header->version == 2);
    PL_ASSERT(!header->local || header->peer.len == 0);
    PL_ASSERT((header->peer.len == 0) == (header->bound.len == 0));
    PL_ASSERT(header->peer.len <= sizeof(header->peer.un));
    PL_ASSERT(pl_addr_format(&header->peer, text) < sizeof(text));
    PL_ASSERT(pl_addr_format(&header->bound, text) < sizeof(text));
    check_inside(header->alpn, bytes);
    check_inside(header->authority, bytes);
    check_inside(header->unique_id, bytes);
    check_inside(header->netns, bytes);
    check_inside(header->tls.version, bytes);
    check_inside(header->tls.cipher, bytes);
    check_inside(header->tls.cn, bytes);
    check_inside(header->tls.signature, bytes);
    check_inside(header->tls.key, bytes);
    for (int type = 0; type < 256; type++)
        check_inside(pl_proxy_item(header->items, (uint8_t)type), bytes);
    PL_ASSERT(!header->tls.verified || header->tls.cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str bytes = pl_str((const char *)data, size);
    struct pl_proxy_header header;
    const char *why;
    size_t used, again;
    int err = pl_proxy_parse(bytes, &header, &used, &why);

    PL_ASSERT((err == PL_ERR_PROTO) == (why[0] != '\0'));
    if (err == 0) {
        PL_ASSERT(used > 0 && used <= size && used <= PL_PROXY_V2_MAX);
        check_header(&header, pl_str_first(bytes, used));
        PL_ASSERT(pl_proxy_parse(pl_str_first(bytes, used), &header, &again,
                                 &why) == 0 &&
                  again == used);
        PL_ASSERT(pl_proxy_parse(pl_str_first(bytes, used - 1), &header, &again,
                                 &why) == PL_ERR_AGAIN);
    } else if (err == PL_ERR_AGAIN) {
        PL_ASSERT(size < PL_PROXY_V2_MAX);
    }
    return 0;
}
