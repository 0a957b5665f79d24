#include "http/ws_extension.h"

#include <stdio.h>

#include "base/str.h"
#include "http/header.h"

enum { BITS_MAX = 15, BITS_MIN = 8, BITS_OURS = 9 /* zlib has no 8 */ };

/* An offer, as its parameters were read; bits 0: not named. */
struct offer {
    bool server_fresh, client_fresh, client_bits_known;
    unsigned server_bits, client_bits;
};

/* 8 to 15, perhaps in quotes; 0: something else. */
static unsigned parse_bits(struct pl_str text)
{
    uint64_t bits;

    if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
        text = pl_str(text.data + 1, text.len - 2);
    if (!pl_str_to_u64(text, &bits) || text.data[0] == '0' || bits < BITS_MIN ||
        bits > BITS_MAX)
        return 0;
    return (unsigned)bits;
}

static bool set_flag(bool *flag, struct pl_str value)
{
    bool good = !*flag && value.data == NULL;

    *flag = true;
    return good;
}

/* One parameter; false for what is unknown, twice there or has a bad value. */
static bool read_parameter(struct offer *offer, struct pl_str name,
                           struct pl_str value)
{
    if (pl_str_eq(name, PL_STR("server_no_context_takeover")))
        return set_flag(&offer->server_fresh, value);
    if (pl_str_eq(name, PL_STR("client_no_context_takeover")))
        return set_flag(&offer->client_fresh, value);
    if (pl_str_eq(name, PL_STR("server_max_window_bits"))) {
        if (offer->server_bits != 0 || value.data == NULL)
            return false;
        offer->server_bits = parse_bits(value);
        return offer->server_bits != 0;
    }
    if (!pl_str_eq(name, PL_STR("client_max_window_bits")) ||
        offer->client_bits_known)
        return false;
    offer->client_bits_known = true;
    offer->client_bits = value.data == NULL ? BITS_MAX : parse_bits(value);
    return offer->client_bits != 0;
}

static bool read_offer(struct offer *offer, struct pl_str text)
{
    struct pl_str part, name;

    *offer = (struct offer){.client_bits = BITS_MAX};
    if (!pl_str_split(&text, ';', &part) ||
        !pl_str_eq(pl_str_trim(part), PL_STR("permessage-deflate")))
        return false;
    while (pl_str_split(&text, ';', &part)) {
        struct pl_str value = part;

        pl_str_split(&value, '=', &name);
        if (value.data != NULL)
            value = pl_str_trim(value);
        if (!read_parameter(offer, pl_str_trim(name), value))
            return false;
    }
    return offer->server_bits == 0 || offer->server_bits >= BITS_OURS;
}

static void decide(const struct offer *offer, enum pl_ws_compress wish,
                   unsigned bits, struct pl_ws_deflate_params *params)
{
    bool fresh = wish == PL_WS_PACKED;

    if (fresh)
        bits = BITS_MAX;
    params->server_fresh = fresh || offer->server_fresh;
    params->client_fresh = fresh || offer->client_fresh;
    params->server_bits =
        (uint8_t)(offer->server_bits == 0 ? bits
                                          : PL_MIN(offer->server_bits, bits));
    params->client_bits =
        (uint8_t)(offer->client_bits_known ? PL_MIN(offer->client_bits, bits)
                                           : BITS_MAX);
}

static size_t write_answer(const struct offer *offer,
                           const struct pl_ws_deflate_params *params,
                           char answer[PL_WS_EXTENSION_MAX])
{
    char *at = stpcpy(answer, "permessage-deflate");

    if (params->server_fresh)
        at = stpcpy(at, "; server_no_context_takeover");
    if (params->client_fresh)
        at = stpcpy(at, "; client_no_context_takeover");
    if (params->server_bits < BITS_MAX)
        at += sprintf(at, "; server_max_window_bits=%u", params->server_bits);
    /* Only who has named it knows it. */
    if (offer->client_bits_known && params->client_bits < BITS_MAX)
        at += sprintf(at, "; client_max_window_bits=%u", params->client_bits);
    return (size_t)(at - answer);
}

size_t pl_ws_extension_choose(struct pl_str offers, enum pl_ws_compress wish,
                              unsigned bits,
                              struct pl_ws_deflate_params *params,
                              char answer[PL_WS_EXTENSION_MAX])
{
    struct offer offer;
    struct pl_str text;

    if (wish == PL_WS_PLAIN || offers.data == NULL)
        return 0;
    while (pl_header_list_next(&offers, &text)) {
        if (!read_offer(&offer, text))
            continue;
        decide(&offer, wish, bits, params);
        return write_answer(&offer, params, answer);
    }
    return 0;
}
