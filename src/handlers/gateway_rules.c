/* gateway_rules.c - what a site says of a gateway, checked and made rules. */
#include "handlers/gateway_priv.h"

#include "base/features.h"
#include "base/options.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/uri.h"

enum {
    CONNECT_MS = 5000,
    FIRST_BYTE_MS = 60000,
    BETWEEN_MS = 60000,
    TUNNEL_MS = 3600000,
    KEEP = 32,
    KEEP_MS = 60000,
    QUEUE = 128,
    QUEUE_MS = 10000,
    RETRIES = 2,
    MAX_FAILURES = 3,
    PAUSE_MS = 5000,
    CHECK_TIMEOUT_MS = 2000,
};

static int wrong(struct pl_error *error, const char *fmt, const char *value)
{
    return pl_error_set(error, PL_ERR_INVALID, "", fmt, value);
}

/* 0 says nothing, all bits say none. */
static uint32_t choose(uint32_t said, uint32_t usual)
{
    return said == 0 ? usual : said == UINT32_MAX ? 0 : said;
}

static struct pl_str copy(struct pl_gateway *gateway, struct pl_str text)
{
    return pl_arena_str(&gateway->arena, text);
}

/* ---- servers ---- */

/* All that name a path name the same one: a request may go to any of them. */
static int take_base(struct pl_gateway *gateway, struct pl_str path,
                     struct pl_error *error)
{
    struct pl_str decoded;

    if (path.data[0] != '/' ||
        pl_uri_decode_path(path, &gateway->arena, &decoded) < 0 ||
        pl_str_chr(path, '?') >= 0 || pl_str_chr(path, '#') >= 0 ||
        pl_str_chr(path, ' ') >= 0)
        return pl_error_set(error, PL_ERR_INVALID, "", "'%.*s' is no path",
                            PL_STR_ARG(path));
    gateway->base_slash = path.data[path.len - 1] == '/';
    gateway->base = copy(gateway, path);
    while (gateway->base.len > 0 &&
           gateway->base.data[gateway->base.len - 1] == '/')
        gateway->base.len--;
    gateway->maps = true;
    return 0;
}

static int take_path(struct pl_gateway *gateway, struct pl_str path, bool first,
                     struct pl_error *error)
{
    struct pl_str old = gateway->base;
    bool slash = gateway->base_slash;
    int err;

    if (first)
        return path.data == NULL ? 0 : take_base(gateway, path, error);
    if ((path.data != NULL) != gateway->maps)
        return wrong(error, "%s: some have a path, and some have none", "to");
    if (path.data == NULL)
        return 0;
    err = take_base(gateway, path, error);
    if (err == 0 &&
        (!pl_str_eq(old, gateway->base) || slash != gateway->base_slash))
        err = wrong(error, "%s: their paths are different", "to");
    return err;
}

static void read_tls(const struct pl_proxy_options *options,
                     struct pl_origin_spec *spec)
{
    struct pl_tls_client tls;

    PL_OPTIONS_READ(&tls, options->tls);
    spec->tls = (struct pl_secure_spec){.insecure = tls.insecure,
                                        .ca = tls.ca,
                                        .cert = tls.cert,
                                        .key = tls.key};
    spec->tls_name = tls.name;
}

static enum pl_balance balance_of(const char *word, bool *bad)
{
    static const char *const words[] = {
        [PL_BALANCE_TURNS] = "round_robin",
        [PL_BALANCE_LEAST] = "least_connections",
        [PL_BALANCE_HASH] = "hash",
    };

    for (unsigned i = 0; word != NULL && i < PL_COUNT(words); i++)
        if (strcmp(word, words[i]) == 0)
            return (enum pl_balance)i;
    *bad = word != NULL;
    return PL_BALANCE_TURNS;
}

static int take_servers(struct pl_gateway *gateway,
                        const struct pl_proxy_options *options,
                        struct pl_error *error)
{
    struct pl_upstream_server servers[PL_UPSTREAM_MAX];
    struct pl_origin_spec spec;
    bool bad = false;
    enum pl_balance balance = balance_of(options->balance, &bad);
    struct pl_str path;
    int err = 0;

    if (bad)
        return wrong(error, "balance: '%s' is no way to choose",
                     options->balance);
    if (options->hash != NULL)
        balance = PL_BALANCE_HASH;
    if (options->nservers == 0 || options->nservers > PL_UPSTREAM_MAX)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "to: from 1 to %d servers are needed",
                            PL_UPSTREAM_MAX);
    read_tls(options, &spec);
    spec.fastcgi = gateway->fcgi != NULL;
    for (unsigned i = 0; err == 0 && i < options->nservers; i++) {
        const struct pl_proxy_server *given = &options->servers[i];

        if (given->weight > PL_UPSTREAM_WEIGHT_MAX)
            return pl_error_set(error, PL_ERR_INVALID, "",
                                "weight: from 1 to %d", PL_UPSTREAM_WEIGHT_MAX);
        spec.url = pl_str_c(given->url);
        servers[i] = (struct pl_upstream_server){
            .weight = (uint8_t)PL_MAX(given->weight, 1u),
            .backup = given->backup};
        err = pl_origin_get(&spec, &servers[i].origin, &path, error);
        if (err == 0)
            err = take_path(gateway, path, i == 0, error);
        if (err == 0 && !PL_WITH_TLS && servers[i].origin->secure)
            err = wrong(error, PL_WITHOUT "%s", "tls");
    }
    if (err < 0)
        return err;
    err = pl_upstream_init(&gateway->upstream, servers,
                           (unsigned)options->nservers, balance,
                           options->max_connections);
    return err < 0 ? pl_error_set(error, err, "", "out of memory") : 0;
}

/* ---- words ---- */

static int take_hash(struct pl_gateway *gateway, const char *word,
                     struct pl_error *error)
{
    struct pl_str text = pl_str_c(word);

    gateway->key = PL_KEY_ADDRESS;
    if (word == NULL || strcmp(word, "address") == 0)
        return 0;
    if (strcmp(word, "path") == 0) {
        gateway->key = PL_KEY_PATH;
        return 0;
    }
    if (pl_str_starts(text, PL_STR("header:")))
        gateway->key = PL_KEY_HEADER;
    else if (pl_str_starts(text, PL_STR("cookie:")))
        gateway->key = PL_KEY_COOKIE;
    gateway->key_name = copy(gateway, pl_str_skip(text, 7));
    if (gateway->key == PL_KEY_ADDRESS ||
        !pl_header_name_valid(gateway->key_name))
        return wrong(error,
                     "hash: '%s' is none of address, path, header:NAME and "
                     "cookie:NAME",
                     word);
    return 0;
}

static int take_forwarded(struct pl_gateway *gateway, const char *word,
                          struct pl_error *error)
{
    gateway->say = PL_SAY_X_FORWARDED;
    if (word == NULL || strcmp(word, "x-forwarded") == 0)
        return 0;
    gateway->say = PL_SAY_FORWARDED;
    if (strcmp(word, "forwarded") == 0)
        return 0;
    gateway->say = PL_SAY_FORWARDED | PL_SAY_X_FORWARDED;
    if (strcmp(word, "both") == 0)
        return 0;
    gateway->say = 0;
    if (word[0] == '\0')
        return 0;
    return wrong(error,
                 "forwarded: '%s' is none of x-forwarded, forwarded and both",
                 word);
}

static int take_host(struct pl_gateway *gateway, const char *word,
                     struct pl_error *error)
{
    struct pl_str host;
    uint16_t port;

    gateway->host = PL_HOST_KEPT;
    if (word == NULL || strcmp(word, "keep") == 0)
        return 0;
    gateway->host = PL_HOST_OF_UPSTREAM;
    if (strcmp(word, "upstream") == 0)
        return 0;
    gateway->host = PL_HOST_SAID;
    gateway->host_text = copy(gateway, pl_str_c(word));
    if (pl_uri_parse_authority(pl_str_c(word), &host, &port) < 0)
        return wrong(error, "host: '%s' is none", word);
    return 0;
}

/* ---- fields ---- */

static int take_field(struct pl_gateway *gateway, struct pl_header *out,
                      const struct pl_pair *pair, const char *option,
                      struct pl_error *error)
{
    struct pl_str name = copy(gateway, pair->name);
    struct pl_str value = copy(gateway, pair->value);
    enum pl_header_id id = pl_header_lookup(pair->name);

    if (!pl_header_name_valid(pair->name) || pair->name.len > UINT16_MAX ||
        (pair->value.data != NULL && !pl_header_value_valid(pair->value)))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s: '%.*s' is no field, or its value none", option,
                            PL_STR_ARG(pair->name));
    if (pl_header_is_framing(id) || id == PL_HEADER_CONTENT_LENGTH ||
        id == PL_HEADER_HOST || id == PL_HEADER_EXPECT)
        return pl_error_set(error, PL_ERR_DENIED, "",
                            "%s: %.*s is the connection's own", option,
                            PL_STR_ARG(pair->name));
    if (name.data == NULL || (pair->value.data != NULL && value.data == NULL))
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    *out = (struct pl_header){.name = name.data,
                              .name_len = (uint16_t)name.len,
                              .value = value.data,
                              .value_len = (uint32_t)value.len,
                              .id = (uint8_t)id};
    return 0;
}

static int take_fields(struct pl_gateway *gateway,
                       struct pl_gateway_fields *fields,
                       const struct pl_pair *pairs, size_t n,
                       const char *option, struct pl_error *error)
{
    int err = 0;

    fields->list = pl_arena_alloc(&gateway->arena, (n + 1) * sizeof(*pairs));
    if (fields->list == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (size_t i = 0; i < n && err == 0; i++)
        err = take_field(gateway, &fields->list[fields->n++], &pairs[i], option,
                         error);
    return err;
}

/* ---- checks ---- */

static int take_check(struct pl_gateway *gateway,
                      const struct pl_proxy_check *given,
                      struct pl_error *error)
{
    struct pl_gateway_check *check = &gateway->check;
    struct pl_proxy_check all;
    struct pl_str decoded;

    if (given == NULL)
        return 0;
    PL_OPTIONS_READ(&all, given);
    *check = (struct pl_gateway_check){
        .interval_ms = PL_MAX(all.interval_ms, 10u),
        .timeout_ms = choose(all.timeout_ms, CHECK_TIMEOUT_MS),
        .path = copy(gateway, pl_str_c(all.path == NULL ? "/" : all.path)),
        .host = copy(gateway, pl_str_c(all.host)),
        .status_from = all.status_from == 0 ? 200 : all.status_from,
        .status_to = all.status_to == 0 ? 399 : all.status_to,
        .rises = PL_MAX(choose(all.rises, 1), 1u),
        .falls = PL_MAX(choose(all.falls, 1), 1u),
    };
    if (all.interval_ms == 0)
        check->interval_ms = 10000;
    if (pl_uri_decode_path(check->path, &gateway->arena, &decoded) < 0 ||
        !pl_header_value_valid(check->path) ||
        pl_str_chr(check->path, ' ') >= 0)
        return wrong(error, "check: '%s' is no path", all.path);
    return all.host == NULL || pl_header_value_valid(check->host)
               ? 0
               : wrong(error, "check: '%s' is no host", all.host);
}

/* ---- all of it ---- */

static void take_limits(struct pl_gateway *gateway,
                        const struct pl_proxy_options *options)
{
    gateway->fetch = (struct pl_fetch_options){
        .connect_ms = choose(options->connect_ms, CONNECT_MS),
        .keep = choose(options->keepalive, KEEP),
        .keep_ms = choose(options->keepalive_ms, KEEP_MS),
        .limits = {.line = 8192, .head = 65536, .headers = 200},
    };
    gateway->health = (struct pl_origin_rules){
        .max_failures = choose(options->max_failures, MAX_FAILURES),
        .pause_ms = choose(options->pause_ms, PAUSE_MS),
    };
    gateway->first_byte_ms = choose(options->first_byte_ms, FIRST_BYTE_MS);
    gateway->between_ms = choose(options->between_ms, BETWEEN_MS);
    gateway->total_ms = choose(options->total_ms, 0);
    gateway->tunnel_ms = choose(options->tunnel_ms, TUNNEL_MS);
    gateway->queue = choose(options->queue, QUEUE);
    gateway->queue_ms = choose(options->queue_ms, QUEUE_MS);
    gateway->retries = choose(options->retries, RETRIES);
    gateway->tunnels = !options->no_websocket;
    gateway->rewrites_location = !options->keep_location;
    gateway->rewrites_cookies = !options->keep_cookies;
    gateway->sets_cookie_domain = options->cookie_domain != NULL;
    gateway->cookie_domain = copy(gateway, pl_str_c(options->cookie_domain));
}

static int take_texts(struct pl_gateway *gateway,
                      const struct pl_proxy_options *options,
                      struct pl_error *error)
{
    int err = 0;

    if (options->path != NULL)
        err = take_base(gateway, pl_str_c(options->path), error);
    else if (options->strip && !gateway->maps)
        err = take_base(gateway, PL_STR("/"), error);
    if (err == 0)
        err = take_hash(gateway, options->hash, error);
    if (err == 0)
        err = take_forwarded(gateway, options->forwarded, error);
    if (err == 0)
        err = take_host(gateway, options->host, error);
    if (err == 0 && options->cookie_domain != NULL &&
        (!pl_header_value_valid(pl_str_c(options->cookie_domain)) ||
         pl_str_chr(pl_str_c(options->cookie_domain), ';') >= 0))
        err =
            wrong(error, "cookie_domain: '%s' is none", options->cookie_domain);
    if (err == 0 && options->via != NULL &&
        !pl_header_name_valid(pl_str_c(options->via)))
        err = wrong(error, "via: '%s' is no name", options->via);
    gateway->via = copy(gateway, pl_str_c(options->via));
    return err;
}

static int take_all(struct pl_gateway *gateway,
                    const struct pl_proxy_options *options,
                    struct pl_error *error)
{
    int err = take_servers(gateway, options, error);

    take_limits(gateway, options);
    if (err == 0)
        err = take_texts(gateway, options, error);
    if (err == 0)
        err = take_fields(gateway, &gateway->request, options->request_headers,
                          options->nrequest_headers, "request_headers", error);
    if (err == 0)
        err =
            take_fields(gateway, &gateway->response, options->response_headers,
                        options->nresponse_headers, "response_headers", error);
    if (err == 0)
        err = take_check(gateway, options->check, error);
    for (unsigned i = 0; i < gateway->request.n; i++)
        gateway->request_size += gateway->request.list[i].name_len +
                                 gateway->request.list[i].value_len + 4u;
    return err;
}

void pl_gateway_drop(struct pl_gateway *gateway)
{
    if (--gateway->refs > 0)
        return;
    if (PL_WITH_FASTCGI && gateway->fcgi != NULL)
        pl_gateway_fcgi_free(gateway->fcgi);
    pl_upstream_fini(&gateway->upstream);
    pl_arena_fini(&gateway->arena);
    pl_pool_fini(&gateway->pool);
    pl_free(gateway);
}

struct pl_gateway *pl_gateway_make(const struct pl_proxy_options *options,
                                   struct pl_gateway_fcgi *fcgi,
                                   struct pl_error *error)
{
    struct pl_proxy_options all;
    struct pl_gateway *gateway = pl_calloc(1, sizeof(*gateway));

    if (gateway == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    PL_OPTIONS_READ(&all, options);
    pl_gateway_init(gateway);
    gateway->refs = 1;
    gateway->fcgi = fcgi;
    pl_pool_init(&gateway->pool, NULL, 0);
    pl_arena_init(&gateway->arena, &gateway->pool, NULL);
    if (take_all(gateway, &all, error) == 0)
        return gateway;
    gateway->fcgi = NULL;
    pl_gateway_drop(gateway);
    return NULL;
}

struct pl_handler *pl_gateway_new(const struct pl_proxy_options *options,
                                  struct pl_error *error)
{
    struct pl_gateway *gateway = pl_gateway_make(options, NULL, error);

    return gateway == NULL ? NULL : &gateway->handler;
}
