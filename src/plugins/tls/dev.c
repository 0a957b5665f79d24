/* dev.c - a certificate of our own making, for localhost while a site is being
 * written: nobody vouches for it, and it lives as long as the process. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls.h"

enum { DAYS = 90 };

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *cert)
{
    uint64_t serial;

    pl_tls_host()->random(&serial, sizeof(serial));
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) ==
           1;
}

static bool set_name(X509 *cert)
{
    static const unsigned char text[] = "perilune (development)";
    X509_NAME *name = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, text,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *key)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), DAYS * 86400L) != NULL &&
           set_name(cert) && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_alt_name,
                         "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,"
                         "IP:0:0:0:0:0:0:0:1") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

int pl_tls_dev(EVP_PKEY **key, X509 **cert, struct pl_error *error)
{
    *key = EVP_EC_gen("P-256");
    *cert = X509_new();
    if (*key != NULL && *cert != NULL && fill(*cert, *key))
        return 0;
    return pl_tls_failed(error, PL_ERR_NOMEM, "",
                         "cannot make a certificate for development");
}
