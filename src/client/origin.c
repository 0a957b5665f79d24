#include "client/origin.h"

#include <stdio.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/url.h"

/* Grows at its front only, by whoever loads a site. */
static struct pl_origin *_Atomic newest;

struct pl_origin *pl_origins(void)
{
    return atomic_load_explicit(&newest, memory_order_acquire);
}

/* ---- URLs ---- */

static int bad(const struct pl_origin_spec *spec, struct pl_error *error,
               const char *why)
{
    return pl_error_set(error, PL_ERR_INVALID, "", "'%.*s': %s",
                        PL_STR_ARG(spec->url), why);
}

/* Where it is, as target.h has it. */
struct place {
    bool secure;
    struct pl_str host; /* as in the Host field */
    struct pl_str path;
    char text[PL_HOST_MAX + 16];
};

/* A target as it is: an address without scheme, host field or path. */
static int take_target(const struct pl_origin_spec *spec, struct pl_str target,
                       struct place *place, struct pl_error *error)
{
    if (target.len >= sizeof(place->text))
        return bad(spec, error, "is too long");
    memcpy(place->text, target.data, target.len);
    place->text[target.len] = '\0';
    place->host = PL_STR("localhost");
    return 0;
}

static int take_fastcgi(const struct pl_origin_spec *spec, struct place *place,
                        struct pl_error *error)
{
    static const struct pl_str scheme = PL_STR("fastcgi://");
    struct pl_str target = spec->url;

    if (pl_str_istarts(target, scheme))
        target = pl_str_skip(target, scheme.len);
    if (target.len == 0 || pl_str_find(target, PL_STR("://")) >= 0)
        return bad(spec, error, "is none of host:port and unix:/path");
    return take_target(spec, target, place, error);
}

static int take_apart(const struct pl_origin_spec *spec, struct place *place,
                      struct pl_error *error)
{
    struct pl_url url;
    const char *end;

    *place = (struct place){.path = {NULL, 0}};
    if (spec->fastcgi)
        return take_fastcgi(spec, place, error);
    if (pl_str_starts(spec->url, PL_STR("unix:")))
        return take_target(spec, spec->url, place, error);
    if (pl_url_parse(spec->url, &url) < 0)
        return bad(spec, error, "is no URL");
    place->secure = pl_str_ieq(url.scheme, PL_STR("https"));
    if (!place->secure && !pl_str_ieq(url.scheme, PL_STR("http")))
        return bad(spec, error,
                   "begins with none of http://, https:// and unix:");
    if (url.host.len == 0 || url.user.data != NULL)
        return bad(spec, error, "a host is needed, and no user");
    if (url.query.data != NULL || url.fragment.data != NULL)
        return bad(spec, error, "a query or fragment has no meaning here");
    if (url.host.len > PL_HOST_MAX)
        return bad(spec, error, "the host is too long");
    end = url.port.len > 0 ? url.port.data + url.port.len
                           : url.host.data + url.host.len;
    place->host = pl_str(url.host.data, (size_t)(end - url.host.data));
    if (url.path.len > 0)
        place->path = url.path;
    snprintf(place->text, sizeof(place->text), "%.*s:%.*s",
             PL_STR_ARG(url.host),
             PL_STR_ARG(url.port.len > 0 ? url.port
                        : place->secure  ? PL_STR("443")
                                         : PL_STR("80")));
    return 0;
}

/* ---- finding and making ---- */

static const char *or_none(const char *text)
{
    return text == NULL ? "" : text;
}

/* GIVES the key, or NULL. */
static char *make_key(const struct pl_origin_spec *spec,
                      const struct place *place)
{
    const struct pl_secure_spec *tls = &spec->tls;
    char *key = NULL;
    int n = 0;

    for (int round = 0; round < 2; round++) {
        n = snprintf(key, (size_t)n, "%s\n%.*s\n%d%d%d\n%s\n%s\n%s\n%s",
                     place->text, PL_STR_ARG(place->host), place->secure,
                     spec->fastcgi, tls->insecure, or_none(tls->ca),
                     or_none(tls->cert), or_none(tls->key),
                     or_none(spec->tls_name)) +
            1;
        if (round == 0 && (key = pl_malloc((size_t)n)) == NULL)
            return NULL;
    }
    return key;
}

static struct pl_origin *find(struct pl_origin *from, const char *key)
{
    while (from != NULL && strcmp(from->key, key) != 0)
        from = from->next;
    return from;
}

/* Texts behind the struct: one block, for the life of the process. */
static const char *keep(char **at, const char *text)
{
    const char *kept = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(*at, text) + 1;
    return kept;
}

static struct pl_str keep_str(char **at, const char *text)
{
    return pl_str_c(keep(at, text));
}

static size_t size_of(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static const char *scheme_of(const struct pl_origin_spec *spec,
                             const struct place *place)
{
    if (pl_str_starts(pl_str_c(place->text), PL_STR("unix:")))
        return "";
    if (spec->fastcgi)
        return "fastcgi://";
    return place->secure ? "https://" : "http://";
}

/* TAKES nothing; NULL when out of memory. */
static struct pl_origin *make(const struct pl_origin_spec *spec,
                              const struct place *place, const char *key)
{
    const struct pl_secure_spec *tls = &spec->tls;
    struct pl_origin *made;
    char url[PL_HOST_MAX + 32], host[PL_HOST_MAX + 16], *at;

    snprintf(host, sizeof(host), "%.*s", PL_STR_ARG(place->host));
    snprintf(url, sizeof(url), "%s%s", scheme_of(spec, place), place->text);
    made = pl_malloc(sizeof(*made) + size_of(key) + size_of(url) +
                     size_of(host) + size_of(tls->ca) + size_of(tls->cert) +
                     size_of(tls->key) + size_of(spec->tls_name));
    if (made == NULL)
        return NULL;
    at = (char *)(made + 1);
    memset(made, 0, sizeof(*made));
    made->secure = place->secure;
    made->fastcgi = spec->fastcgi;
    made->tls = *tls;
    made->tls.alpn = "http/1.1";
    made->tls.ca = keep(&at, tls->ca);
    made->tls.cert = keep(&at, tls->cert);
    made->tls.key = keep(&at, tls->key);
    made->tls_name = keep(&at, spec->tls_name);
    made->key = keep(&at, key);
    made->url = keep_str(&at, url);
    made->host = keep_str(&at, host);
    return made;
}

/* Somebody else may add the same at the same time. TAKES made. */
static int enter(struct pl_origin *made, struct pl_origin **out)
{
    struct pl_origin *head = pl_origins();

    do {
        *out = find(head, made->key);
        if (*out != NULL) {
            pl_free(made);
            return 0;
        }
        made->next = head;
        made->id = head == NULL ? 0 : head->id + 1;
        if (made->id >= PL_ORIGINS_MAX) {
            pl_free(made);
            return PL_ERR_LIMIT;
        }
    } while (!atomic_compare_exchange_weak_explicit(
        &newest, &head, made, memory_order_release, memory_order_acquire));
    *out = made;
    return 0;
}

int pl_origin_get(const struct pl_origin_spec *spec, struct pl_origin **out,
                  struct pl_str *path, struct pl_error *error)
{
    struct pl_origin *made = NULL;
    struct place place;
    char *key;
    int err = take_apart(spec, &place, error);

    if (err < 0)
        return err;
    *path = place.path;
    key = make_key(spec, &place);
    *out = key == NULL ? NULL : find(pl_origins(), key);
    if (key != NULL && *out == NULL)
        made = make(spec, &place, key);
    pl_free(key);
    if (*out != NULL)
        return 0;
    if (made == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    err = pl_target_parse(pl_str_c(place.text), PL_TARGET_TCP, &made->target,
                          error);
    if (err < 0) {
        pl_free(made);
        return err;
    }
    err = enter(made, out);
    return err < 0
               ? pl_error_set(error, err, "", "more than %d different servers",
                              PL_ORIGINS_MAX)
               : 0;
}

/* ---- health ---- */

bool pl_origin_usable(const struct pl_origin *origin, uint64_t now_ms)
{
    return !pl_origin_is_bad(origin) &&
           atomic_load_explicit(&origin->paused_until, memory_order_relaxed) <=
               now_ms;
}

void pl_origin_failed(struct pl_origin *origin,
                      const struct pl_origin_rules *rules, uint64_t now_ms,
                      const char *why)
{
    uint32_t failures = 1 + atomic_fetch_add_explicit(&origin->failures, 1,
                                                      memory_order_relaxed);
    unsigned more;
    uint64_t pause;

    if (rules->max_failures == 0 || failures < rules->max_failures ||
        atomic_load(&origin->paused_until) > now_ms)
        return; /* those that were on their way count as one */
    more = PL_MIN(failures - rules->max_failures, (unsigned)PL_BACK_OFF_MAX);
    pause = (uint64_t)rules->pause_ms << more;
    atomic_store(&origin->paused_until, now_ms + pause);
    pl_log(PL_LOG_WARN, "client",
           "upstream is left alone for a while: %s server=%.*s failures=%u "
           "ms=%llu",
           why, PL_STR_ARG(origin->url), failures, (unsigned long long)pause);
}

PL_COLD void pl_origin_recovered(struct pl_origin *origin)
{
    atomic_store(&origin->failures, 0);
    if (atomic_exchange(&origin->paused_until, 0) != 0)
        pl_log(PL_LOG_NOTICE, "client", "upstream answers again: server=%.*s",
               PL_STR_ARG(origin->url));
}

PL_COLD void pl_origin_set_checked(struct pl_origin *origin, const char *why,
                                   unsigned rises, unsigned falls)
{
    uint8_t found = why == NULL ? PL_ORIGIN_GOOD : PL_ORIGIN_BAD;
    uint8_t was = atomic_load(&origin->checked);
    unsigned need = why == NULL ? rises : falls;

    if (was == found) {
        atomic_store(&origin->streak, 0);
        return;
    }
    /* One that nobody has looked at counts as up. */
    if (was == PL_ORIGIN_UNCHECKED && why == NULL)
        need = 1;
    if (1 + atomic_fetch_add(&origin->streak, 1) < need)
        return;
    atomic_store(&origin->streak, 0);
    atomic_store(&origin->checked, found);
    if (why != NULL)
        pl_log(PL_LOG_WARN, "client", "upstream is down: %s server=%.*s", why,
               PL_STR_ARG(origin->url));
    else if (was == PL_ORIGIN_BAD)
        pl_log(PL_LOG_NOTICE, "client", "upstream is up again: server=%.*s",
               PL_STR_ARG(origin->url));
}

const char *pl_origin_state(const struct pl_origin *origin, uint64_t now_ms)
{
    if (pl_origin_is_bad(origin))
        return "down";
    return pl_origin_usable(origin, now_ms) ? "up" : "paused";
}
