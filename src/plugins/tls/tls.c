/* tls.c - what the plug-in offers, and how OpenSSL is started.
 *
 * openssl.cnf is not read: what is offered is decided here and by the site, the
 * same on every machine, and no engine or provider of others is loaded. */
#include "tls.h"

#include <openssl/err.h>
#include <stdio.h>

#include "base/plugin.h"

static _Atomic(const struct pl_tls_host *) host;

const struct pl_tls_host *pl_tls_host(void)
{
    return atomic_load_explicit(&host, memory_order_relaxed);
}

/* Through pl_malloc(), which tests make fail. */
static void *allocate(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return pl_tls_host()->malloc(size);
}

static void *reallocate(void *ptr, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return pl_tls_host()->realloc(ptr, size);
}

static void release(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    pl_tls_host()->free(ptr);
}

static void open_host(const void *table)
{
    if (atomic_exchange(&host, table) != NULL)
        return;
    /* Too late if another library has used OpenSSL: then it is malloc(), which
     * is the same but for tests. */
    CRYPTO_set_mem_functions(allocate, reallocate, release);
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

int pl_tls_failed(struct pl_error *error, int code, const char *where,
                  const char *what)
{
    unsigned long reason = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(reason);

    if (ERR_GET_REASON(reason) == ERR_R_MALLOC_FAILURE)
        code = PL_ERR_NOMEM;
    ERR_clear_error();
    return pl_tls_host()->error(error, code, where, "%s%s%s", what,
                                text == NULL ? "" : ": ",
                                text == NULL ? "" : text);
}

static void name_libraries(char *out, size_t size)
{
    snprintf(out, size, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
}

static const struct pl_tls_offer offer = {
    .tickets_new = pl_tls_tickets_new,
    .tickets_free = pl_tls_tickets_free,
    .set_new = pl_tls_set_new,
    .set_drop = pl_tls_set_drop,
    .dev_make = pl_tls_dev_make,
    .dev_good = pl_tls_dev_good,
    .io_open = pl_tls_io_open,
    .io_close = pl_tls_io_close,
    .whole = pl_tls_whole,
    .session_new = pl_tls_session_new,
    .session_free = pl_tls_session_free,
    .handshake = pl_tls_handshake,
    .read = pl_tls_read,
    .write = pl_tls_write,
    .finish = pl_tls_finish,
    .alpn = pl_tls_alpn,
    .resumed = pl_tls_resumed,
    .is_13 = pl_tls_is_13,
    .info = pl_tls_session_info,
};

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_tls_host),
    .offer_size = sizeof(struct pl_tls_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
