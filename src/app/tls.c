/* tls.c - TLS of listeners as C programs say it. */
#include "app/app.h"
#include "base/features.h"
#include "base/options.h"
#include "base/sys.h"

static int wrong(struct pl_error *error, const char *what, const char *word)
{
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "listen: tls: %s: there is no '%s'", what, word);
}

static int read_words(const struct pl_app_tls_options *given,
                      struct pl_tls_options *options, struct pl_error *error)
{
    const char *version = given->min_version;

    if (version != NULL && strcmp(version, "1.2") != 0 &&
        strcmp(version, "1.3") != 0)
        return wrong(error, "min_version", version);
    options->tls13_only = version != NULL && strcmp(version, "1.3") == 0;
    if (!pl_tls_verify_parse(given->verify, &options->verify))
        return wrong(error, "verify", given->verify);
    return 0;
}

static int read_certs(const struct pl_app_tls_options *given,
                      struct pl_tls_options *options, struct pl_error *error)
{
    struct pl_tls_pair *pairs;

    if (given->ncerts == 0 && !given->dev)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "listen: tls: a certificate is needed");
    pairs = pl_calloc(given->ncerts + 1, sizeof(*pairs));
    if (pairs == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    for (size_t i = 0; i < given->ncerts; i++)
        pairs[i] = (struct pl_tls_pair){.cert = given->certs[i].cert,
                                        .key = given->certs[i].key,
                                        .staple = given->certs[i].ocsp};
    options->pairs = pairs;
    options->npairs = (unsigned)given->ncerts;
    options->dev = given->dev && given->ncerts == 0;
    return 0;
}

int pl_app_tls_read(const struct pl_app_tls_options *from,
                    struct pl_tls_options *options, struct pl_error *error)
{
    struct pl_app_tls_options given;
    int err;

    if (!PL_WITH_TLS)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "tls: " PL_WITHOUT PL_FEATURE_TLS);
    PL_OPTIONS_READ(&given, from);
    *options = (struct pl_tls_options){
        .no_tickets = given.no_session_tickets,
        .http_redirect = given.redirect,
        .ciphers = given.ciphers,
        .suites = given.ciphersuites,
        .groups = given.curves,
        .ca = given.ca,
        .verify_depth = given.verify_depth,
        .session_s = given.session_timeout_s,
        .rotation_s = given.ticket_key_rotation_s,
        .hsts_s = given.hsts_s,
    };
    err = read_words(&given, options, error);
    return err < 0 ? err : read_certs(&given, options, error);
}

void pl_app_tls_drop(struct pl_tls_options *options)
{
    pl_free((void *)options->pairs);
}
