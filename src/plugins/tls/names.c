/* names.c - which certificate for which name: those in its subjectAltName, or
 * its common name where there are none. "*.example" is for one label. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <strings.h>

#include "tls.h"

struct name {
    SSL_CTX *ctx;
    char *text; /* in lower case */
};

/* Sorted by text. */
struct names {
    struct name *list;
    unsigned count, room;
};

struct names *pl_tls_names_new(void)
{
    struct names *names = pl_tls_host()->malloc(sizeof(*names));

    if (names != NULL)
        *names = (struct names){.list = NULL};
    return names;
}

void pl_tls_names_free(struct names *names)
{
    if (names == NULL)
        return;
    for (unsigned i = 0; i < names->count; i++) {
        SSL_CTX_free(names->list[i].ctx);
        pl_tls_host()->free(names->list[i].text);
    }
    pl_tls_host()->free(names->list);
    pl_tls_host()->free(names);
}

/* The place of text, or the one where it belongs. */
static unsigned place_of(const struct names *names, const char *text,
                         bool *found)
{
    unsigned low = 0, high = names->count;

    *found = false;
    while (low < high && !*found) {
        unsigned middle = (low + high) / 2;
        int order = strcasecmp(names->list[middle].text, text);

        *found = order == 0;
        if (order == 0)
            low = middle;
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool grow(struct names *names)
{
    unsigned room = names->room == 0 ? 8 : names->room * 2;
    struct name *list;

    if (names->count < names->room)
        return true;
    list = pl_tls_host()->realloc(names->list, room * sizeof(*list));
    if (list == NULL)
        return false;
    names->list = list;
    names->room = room;
    return true;
}

static bool add(struct names *names, const char *text, size_t len, SSL_CTX *ctx)
{
    bool found;
    unsigned at;
    char *copy;

    if (memchr(text, '\0', len) != NULL)
        return true; /* "good.example\0.evil": for nobody */
    copy = pl_tls_host()->malloc(len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    at = place_of(names, copy, &found);
    if (found || !grow(names)) {
        pl_tls_host()->free(copy);
        return found;
    }
    memmove(names->list + at + 1, names->list + at,
            (names->count - at) * sizeof(*names->list));
    SSL_CTX_up_ref(ctx);
    names->list[at] = (struct name){ctx, copy};
    names->count++;
    return true;
}

static bool add_common_name(struct names *names, X509 *cert, SSL_CTX *ctx)
{
    char text[256];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
                                        NID_commonName, text, sizeof(text));

    return len <= 0 || add(names, text, (size_t)len, ctx);
}

bool pl_tls_names_add(struct names *names, X509 *cert, SSL_CTX *ctx)
{
    GENERAL_NAMES *all =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool ok = true, any = false;

    for (int i = 0; ok && i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

        if (name->type != GEN_DNS)
            continue;
        any = true;
        ok = add(names, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                 (size_t)ASN1_STRING_length(name->d.dNSName), ctx);
    }
    GENERAL_NAMES_free(all);
    ERR_clear_error();
    return ok && (any || add_common_name(names, cert, ctx));
}

SSL_CTX *pl_tls_names_same(const struct names *names, X509 *cert)
{
    for (unsigned i = 0; i < names->count; i++) {
        X509 *other = SSL_CTX_get0_certificate(names->list[i].ctx);
        int a = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
        int b = other == NULL
                    ? -1
                    : X509_get_ext_by_NID(other, NID_subject_alt_name, -1);

        if (a >= 0 && b >= 0 &&
            ASN1_OCTET_STRING_cmp(
                X509_EXTENSION_get_data(X509_get_ext(cert, a)),
                X509_EXTENSION_get_data(X509_get_ext(other, b))) == 0)
            return names->list[i].ctx;
    }
    return NULL;
}

SSL_CTX *pl_tls_names_find(const struct names *names, const char *name)
{
    const char *dot = strchr(name, '.');
    char wildcard[256];
    bool found;
    unsigned at = place_of(names, name, &found);

    if (!found && dot != NULL && dot != name && strlen(dot) < 254) {
        wildcard[0] = '*';
        memcpy(wildcard + 1, dot, strlen(dot) + 1);
        at = place_of(names, wildcard, &found);
    }
    return found ? names->list[at].ctx : NULL;
}
