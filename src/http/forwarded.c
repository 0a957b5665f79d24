#include "http/forwarded.h"

#include <arpa/inet.h>

#include "base/error.h"
#include "base/str.h"
#include "http/chars.h"

/* ---- which fields ---- */

static const struct pl_str names[PL_FORWARDED_COUNT] = {
#define ROW(name, field) [PL_FORWARDED_##name] = {field, sizeof(field) - 1},
    PL_FORWARDED_MAP(ROW)
#undef ROW
};

static bool find(struct pl_str word, unsigned *out)
{
    for (unsigned i = 0; i < PL_FORWARDED_COUNT; i++)
        if (pl_str_ieq(word, names[i])) {
            *out |= 1u << i;
            return true;
        }
    return false;
}

int pl_forwarded_fields(struct pl_str words, unsigned *out,
                        struct pl_error *error)
{
    const unsigned who = PL_FORWARDED_BIT(FORWARDED) | PL_FORWARDED_BIT(FOR) |
                         PL_FORWARDED_BIT(REAL_IP);
    struct pl_str word;
    unsigned bits = 0;

    while (pl_str_split(&words, ' ', &word))
        if (word.len > 0 && !find(word, &bits))
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "forwarded: '%.*s' is no field like "
                                "\"forwarded\" or \"x-forwarded-for\"",
                                PL_STR_ARG(word));
    if (__builtin_popcount(bits & who) > 1)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "forwarded: of \"forwarded\", \"x-forwarded-for\" "
                            "and \"x-real-ip\" only one can be believed");
    *out = bits == 0 ? PL_FORWARDED_NONE : bits;
    return 0;
}

bool pl_forwarded_valid(struct pl_str words)
{
    unsigned bits;

    return pl_forwarded_fields(words, &bits, NULL) == 0;
}

/* ---- nodes ---- */

static bool set_v4(struct pl_str host, struct pl_hop *out)
{
    char text[INET_ADDRSTRLEN];

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    out->addr = (struct pl_addr){.v4 = {.sin_family = AF_INET},
                                 .len = sizeof(out->addr.v4)};
    return inet_pton(AF_INET, text, &out->addr.v4.sin_addr) == 1;
}

static bool set_v6(struct pl_str host, struct pl_hop *out)
{
    char text[INET6_ADDRSTRLEN];

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    out->addr = (struct pl_addr){.v6 = {.sin6_family = AF_INET6},
                                 .len = sizeof(out->addr.v6)};
    return inet_pton(AF_INET6, text, &out->addr.v6.sin6_addr) == 1;
}

/* "_" and letters, digits, ".", "_", "-" (RFC 7239, 6.3). */
static bool is_obfuscated(struct pl_str text)
{
    if (text.len < 2 || text.data[0] != '_')
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (!pl_char_is(text.data[i], PL_CHAR_TOKEN) ||
            strchr("!#$%&'*+^`|~", text.data[i]) != NULL)
            return false;
    return true;
}

/* Absent: none. An obfuscated one says nothing. */
static bool set_port(struct pl_str text, struct pl_hop *out)
{
    uint64_t number;

    if (text.data == NULL || is_obfuscated(text))
        return true;
    if (text.len > 5 || !pl_str_to_u64(text, &number) || number > UINT16_MAX)
        return false;
    out->port = (uint16_t)number;
    return true;
}

/* "[v6]" or "[v6]:port" */
static bool parse_bracketed(struct pl_str text, struct pl_hop *out)
{
    ptrdiff_t end = pl_str_chr(text, ']');
    struct pl_str port = {NULL, 0};

    if (end < 0)
        return false;
    out->node = pl_str(text.data + 1, (size_t)end - 1);
    text = pl_str_skip(text, (size_t)end + 1);
    if (text.len > 0 && text.data[0] != ':')
        return false;
    if (text.len > 0)
        port = pl_str_skip(text, 1);
    return set_v6(out->node, out) && set_port(port, out);
}

static struct pl_hop no_hop(void)
{
    return (struct pl_hop){.addr = {.len = 0}};
}

/* The value of for= (RFC 7239, 6). */
static bool parse_node(struct pl_str text, struct pl_hop *out)
{
    struct pl_str port = text;

    if (text.len > 0 && text.data[0] == '[')
        return parse_bracketed(text, out);
    pl_str_split(&port, ':', &out->node);
    if (!set_port(port, out))
        return false;
    if (set_v4(out->node, out))
        return true;
    out->addr.len = 0;
    return pl_str_ieq(out->node, PL_STR("unknown")) || is_obfuscated(out->node);
}

bool pl_hop_parse(struct pl_str text, struct pl_hop *out)
{
    struct pl_str port = text;

    *out = no_hop();
    if (text.len > 0 && text.data[0] == '[')
        return parse_bracketed(text, out);
    out->node = text;
    if (set_v6(text, out))
        return true;
    pl_str_split(&port, ':', &out->node);
    return set_v4(out->node, out) && set_port(port, out);
}

/* ---- elements of Forwarded ---- */

static void skip_space(struct pl_str *rest)
{
    while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        *rest = pl_str_skip(*rest, 1);
}

static struct pl_str take_token(struct pl_str *rest)
{
    size_t n = 0;
    struct pl_str token;

    while (n < rest->len && pl_char_is(rest->data[n], PL_CHAR_TOKEN))
        n++;
    token = pl_str(rest->data, n);
    *rest = pl_str_skip(*rest, n);
    return token;
}

/* Without the backslashes; data is NULL if out of memory. */
static struct pl_str unescape(struct pl_str text, struct pl_arena *arena)
{
    char *out = pl_arena_bytes(arena, text.len);
    size_t n = 0;

    for (size_t i = 0; out != NULL && i < text.len; i++) {
        i += text.data[i] == '\\';
        out[n++] = text.data[i];
    }
    return pl_str(out, n);
}

/* Behind the quote that opens it (RFC 9110, 5.6.4). */
static int take_quoted(struct pl_str *rest, struct pl_arena *arena,
                       struct pl_str *out)
{
    bool escaped = false;
    size_t n = 0;

    while (n < rest->len && rest->data[n] != '"') {
        if (rest->data[n] == '\\') {
            escaped = true;
            n++;
        }
        if (n == rest->len || !pl_char_is(rest->data[n], PL_CHAR_VALUE))
            return PL_ERR_PROTO;
        n++;
    }
    if (n == rest->len)
        return PL_ERR_PROTO;
    *out = pl_str(rest->data, n);
    *rest = pl_str_skip(*rest, n + 1);
    if (escaped)
        *out = unescape(*out, arena);
    return out->data == NULL ? PL_ERR_NOMEM : 0;
}

/* What one element has said; each parameter once. */
struct pairs {
    struct pl_str node, by, proto, host;
};

static int keep_pair(struct pairs *pairs, struct pl_str name,
                     struct pl_str value)
{
    struct pl_str *place = pl_str_ieq(name, PL_STR("for"))     ? &pairs->node
                           : pl_str_ieq(name, PL_STR("by"))    ? &pairs->by
                           : pl_str_ieq(name, PL_STR("proto")) ? &pairs->proto
                           : pl_str_ieq(name, PL_STR("host"))  ? &pairs->host
                                                               : NULL;

    if (place == NULL)
        return 0; /* an extension (5.5) */
    if (place->data != NULL)
        return PL_ERR_PROTO;
    *place = value;
    return 0;
}

/* name=value, or nothing at all. */
static int take_pair(struct pl_str *rest, struct pl_arena *arena,
                     struct pairs *pairs)
{
    struct pl_str name = take_token(rest), value;
    int err;

    if (name.len == 0)
        return 0;
    if (rest->len < 2 || rest->data[0] != '=')
        return PL_ERR_PROTO;
    *rest = pl_str_skip(*rest, 1);
    if (rest->data[0] == '"') {
        *rest = pl_str_skip(*rest, 1);
        err = take_quoted(rest, arena, &value);
        if (err < 0)
            return err;
    } else {
        value = take_token(rest);
        if (value.len == 0)
            return PL_ERR_PROTO;
    }
    return keep_pair(pairs, name, value);
}

/* Up to the comma, which goes too. White space around ";" is not in the
 * grammar, but some send it. */
static int take_element(struct pl_str *rest, struct pl_arena *arena,
                        struct pairs *pairs)
{
    for (;;) {
        char sep;
        int err;

        skip_space(rest);
        err = take_pair(rest, arena, pairs);
        if (err < 0)
            return err;
        skip_space(rest);
        if (rest->len == 0)
            return 0;
        sep = rest->data[0];
        if (sep != ',' && sep != ';')
            return PL_ERR_PROTO;
        *rest = pl_str_skip(*rest, 1);
        if (sep == ',')
            return 0;
    }
}

static bool is_empty(const struct pairs *pairs)
{
    return pairs->node.data == NULL && pairs->by.data == NULL &&
           pairs->proto.data == NULL && pairs->host.data == NULL;
}

int pl_forwarded_next(struct pl_str *rest, struct pl_arena *arena,
                      struct pl_hop *out)
{
    struct pairs pairs;

    *out = no_hop();
    do {
        int err;

        if (rest->len == 0)
            return 0;
        pairs = (struct pairs){{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
        err = take_element(rest, arena, &pairs);
        if (err < 0)
            return err;
    } while (is_empty(&pairs)); /* lists may have empty elements */
    out->proto = pairs.proto;
    out->host = pairs.host;
    out->node = PL_STR("unknown");
    return pairs.node.data == NULL || parse_node(pairs.node, out)
               ? 1
               : PL_ERR_PROTO;
}

/* ---- who it is ---- */

static bool is_trusted(const struct pl_hop *hop, const struct pl_trust *trust)
{
    return hop->addr.len > 0 && pl_trust_has(trust, &hop->addr);
}

/* From the left, in one pass: every hop that is not trusted takes the place of
 * those before it. */
int pl_forwarded_client(struct pl_str field, const struct pl_trust *trust,
                        struct pl_arena *arena, struct pl_hop *out)
{
    unsigned seen = 0;
    struct pl_hop hop;
    int got;

    while ((got = pl_forwarded_next(&field, arena, &hop)) > 0)
        if (seen++ == 0 || !is_trusted(&hop, trust))
            *out = hop;
    return got < 0 ? got : seen > 0;
}

int pl_forwarded_for_client(struct pl_str field, const struct pl_trust *trust,
                            struct pl_hop *out, unsigned *hops)
{
    unsigned seen = 0;
    struct pl_str word;
    bool good = false;

    *hops = 0;
    while (pl_str_split(&field, ',', &word)) {
        struct pl_hop hop;
        bool is_hop;

        word = pl_str_trim(word);
        if (word.len == 0)
            continue;
        is_hop = pl_hop_parse(word, &hop);
        ++*hops;
        if (seen++ > 0 && is_hop && is_trusted(&hop, trust))
            continue;
        *out = hop;
        good = is_hop;
        *hops = 0;
    }
    if (seen == 0)
        return 0;
    return good ? 1 : PL_ERR_PROTO;
}

struct pl_str pl_forwarded_from_right(struct pl_str list, unsigned hops)
{
    struct pl_str word = {NULL, 0};

    for (unsigned i = 0; i <= hops && list.data != NULL; i++) {
        ptrdiff_t comma = pl_str_rchr(list, ',');

        word =
            pl_str_trim(pl_str_skip(list, comma < 0 ? 0 : (size_t)comma + 1));
        list = comma < 0 ? pl_str(NULL, 0) : pl_str_first(list, (size_t)comma);
    }
    return word;
}
