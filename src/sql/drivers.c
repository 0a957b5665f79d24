#include "sql/drivers.h"

#include "base/plugin.h"
#include "base/sys.h"

static const struct {
    const char *scheme, *plugin;
} schemes[] = {
    {"sqlite", "sqlite"},
    {"postgres", "postgres"},
    {"postgresql", "postgres"},
};

static const char *plugin_of(const char *url, size_t len)
{
    for (size_t i = 0; i < PL_COUNT(schemes); i++)
        if (strlen(schemes[i].scheme) == len &&
            memcmp(schemes[i].scheme, url, len) == 0)
            return schemes[i].plugin;
    return NULL;
}

/* Inline functions have no addresses of their own. */
static void *allocate(size_t size)
{
    return pl_malloc(size);
}

static ssize_t read_at(int fd, const struct iovec *iov, int n, off_t at,
                       int flags)
{
    return pl_sys_preadv2(fd, iov, n, at, flags);
}

static const struct pl_sql_host host = {{allocate, pl_free}, read_at};

const struct pl_sql_driver *pl_sql_driver_load(const char *url,
                                               struct pl_error *error)
{
    const char *colon = strchr(url, ':');
    struct pl_plugin_want want = {
        .host = &host,
        .host_size = sizeof(host),
        .offer_size = sizeof(struct pl_sql_driver),
    };
    const void *offer;

    want.name = colon == NULL ? NULL : plugin_of(url, (size_t)(colon - url));
    if (want.name == NULL) {
        pl_error_set(error, PL_ERR_INVALID, "",
                     "the URL must be like \"sqlite:site.db\" or "
                     "\"postgres://user@host/name\"");
        return NULL;
    }
    if (pl_plugin_load(&want, &offer, error) < 0)
        return NULL;
    return offer;
}
