/* dev.c - a certificate of our own making, for localhost while a site is being
 * written: nobody vouches for it. Who keeps it, and where, is up to net. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "tls.h"

/* It is made anew a month before its end. */
enum { DAYS = 365, DAYS_LEFT = 30, DAY = 86400 };

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
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)DAYS * DAY) !=
               NULL &&
           set_name(cert) && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_alt_name,
                         "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,"
                         "IP:0:0:0:0:0:0:0:1") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* The one behind the other, as it is kept. */
static bool print(X509 *cert, EVP_PKEY *key, struct pl_str *pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL, *copy = NULL;
    long len = 0;

    if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1 &&
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1)
        len = BIO_get_mem_data(bio, &text);
    if (len > 0)
        copy = pl_tls_host()->malloc((size_t)len + 1);
    if (copy != NULL) {
        memcpy(copy, text, (size_t)len);
        copy[len] = '\0';
        *pem = pl_str(copy, (size_t)len);
    }
    if (len > 0)
        OPENSSL_cleanse(text, (size_t)len);
    BIO_free(bio);
    return copy != NULL;
}

int pl_tls_dev_make(struct pl_str *pem, struct pl_error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool made =
        key != NULL && cert != NULL && fill(cert, key) && print(cert, key, pem);

    X509_free(cert);
    EVP_PKEY_free(key);
    return made ? 0
                : pl_tls_failed(error, PL_ERR_NOMEM, "",
                                "cannot make a certificate for development");
}

bool pl_tls_dev_good(struct pl_str pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    time_t least = time(NULL) + (time_t)DAYS_LEFT * DAY;
    bool good;

    if (bio != NULL) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    }
    good = cert != NULL && key != NULL &&
           X509_check_private_key(cert, key) == 1 &&
           X509_cmp_time(X509_get0_notAfter(cert), &least) > 0;
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return good;
}
