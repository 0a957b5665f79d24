/* info.c - what a session has agreed on, in words. */
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "tls.h"

static void put_name(char *to, size_t size, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int len = 0;

    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0,
                           XN_FLAG_RFC2253 &
                               ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0)
        len = BIO_read(bio, to, (int)size - 1);
    to[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

static void put_hex(char *to, size_t size, const unsigned char *bytes,
                    size_t len)
{
    for (size_t i = 0; i < len && 2 * i + 2 < size; i++)
        sprintf(to + 2 * i, "%02x", bytes[i]);
}

static void put_serial(char *to, size_t size, X509 *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);

    put_hex(to, size, ASN1_STRING_get0_data(serial),
            (size_t)ASN1_STRING_length(serial));
}

static int64_t seconds(const ASN1_TIME *time)
{
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void put_peer(struct pl_tls_info *info, const struct session *session,
                     X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    long verdict = SSL_get_verify_result(session->ssl);
    unsigned len = 0;

    info->has_peer = true;
    info->verified = session->set->verify && verdict == X509_V_OK;
    if (!info->verified)
        snprintf(info->why, sizeof(info->why), "%s",
                 X509_verify_cert_error_string(verdict));
    put_name(info->subject, sizeof(info->subject), X509_get_subject_name(cert));
    put_name(info->issuer, sizeof(info->issuer), X509_get_issuer_name(cert));
    put_serial(info->serial, sizeof(info->serial), cert);
    X509_digest(cert, EVP_sha256(), digest, &len);
    put_hex(info->fingerprint, sizeof(info->fingerprint) + 1, digest, len);
    info->not_before = seconds(X509_get0_notBefore(cert));
    info->not_after = seconds(X509_get0_notAfter(cert));
}

void pl_tls_session_info(void *arg, struct pl_tls_info *info)
{
    struct session *session = arg;
    SSL *ssl = session->ssl;
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    X509 *cert = SSL_get0_peer_certificate(ssl);

    info->version = SSL_get_version(ssl);
    info->cipher = SSL_get_cipher_name(ssl);
    info->resumed = SSL_session_reused(ssl) == 1;
    if (sni != NULL)
        snprintf(info->sni, sizeof(info->sni), "%s", sni);
    for (char *c = info->sni; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (cert != NULL)
        put_peer(info, session, cert);
    ERR_clear_error();
}
