/* session.c - one connection's TLS: records in, records out.
 *
 * All sessions of a worker have one BIO, which reads from and appends to the
 * worker's buffers: OpenSSL gives its own back as soon as they are empty, and
 * they are, since it is fed whole records only. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls.h"

enum {
    HEADER = 5,
    LEAST_OUT = 72 * 1024, /* four full records */
    MOST_OUT = 1 << 20,
    MOST_RECORD = 16 * 1024 + 2048, /* RFC 5246, 6.2.3 */
};

/* ---- the worker's BIO ---- */

static int bio_read(BIO *bio, char *to, size_t room, size_t *got)
{
    struct pl_tls_io *io = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (io->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    *got = PL_MIN(room, io->in_len);
    memcpy(to, io->in, *got);
    io->in += *got;
    io->in_len -= *got;
    return 1;
}

static bool make_room(struct pl_tls_io *io, size_t len)
{
    size_t room = io->out_room;
    char *out;

    if (len <= room - io->out_len)
        return true;
    while (room - io->out_len < len && room < MOST_OUT)
        room *= 2;
    if (room - io->out_len < len)
        return false;
    out = pl_tls_host()->realloc(io->out, room);
    if (out == NULL)
        return false;
    io->out = out;
    io->out_room = room;
    return true;
}

static int bio_write(BIO *bio, const char *from, size_t len, size_t *put)
{
    struct pl_tls_io *io = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!make_room(io, len))
        return -1;
    memcpy(io->out + io->out_len, from, len);
    io->out_len += len;
    *put = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio, (void)number, (void)arg;
    return command == BIO_CTRL_FLUSH;
}

/* Of the process: OpenSSL has no constant ones. */
static BIO_METHOD *bio_method(void)
{
    static _Atomic(BIO_METHOD *) shared;
    BIO_METHOD *method = atomic_load(&shared), *other = NULL;

    if (method != NULL)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                          "a worker's buffers");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    if (atomic_compare_exchange_strong(&shared, &other, method))
        return method;
    BIO_meth_free(method);
    return other;
}

int pl_tls_io_open(struct pl_tls_io *io)
{
    BIO_METHOD *method = bio_method();
    BIO *bio = method == NULL ? NULL : BIO_new(method);

    *io = (struct pl_tls_io){.out_room = LEAST_OUT};
    io->out = pl_tls_host()->malloc(LEAST_OUT);
    if (bio == NULL || io->out == NULL) {
        pl_tls_host()->free(io->out);
        BIO_free(bio);
        ERR_clear_error();
        return PL_ERR_NOMEM;
    }
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    io->bio = bio;
    return 0;
}

void pl_tls_io_close(struct pl_tls_io *io)
{
    BIO_free(io->bio);
    pl_tls_host()->free(io->out);
}

/* ---- records ---- */

size_t pl_tls_whole(struct pl_str bytes)
{
    size_t at = 0;

    while (bytes.len - at >= HEADER) {
        const unsigned char *head = (const unsigned char *)bytes.data + at;
        size_t len = HEADER + (size_t)(head[3] << 8 | head[4]);

        if (head[0] < SSL3_RT_CHANGE_CIPHER_SPEC ||
            head[0] > SSL3_RT_APPLICATION_DATA || len > HEADER + MOST_RECORD)
            return bytes.len; /* let OpenSSL say what is wrong */
        if (len > bytes.len - at)
            break;
        at += len;
    }
    return at;
}

/* ---- life ---- */

struct session *pl_tls_session_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* Who is to answer: its name or address is to be found in its certificate. */
static bool expect(SSL *ssl, const char *name)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, name))
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static bool prepare(struct session *session, const char *name)
{
    SSL *ssl = session->ssl;
    struct set *set = session->set;
    BIO *bio = session->io->bio;

    if (!set->client) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        if (name != NULL && !expect(ssl, name))
            return false;
        if (set->nalpn > 0 &&
            SSL_set_alpn_protos(ssl, set->alpn, set->alpn_size) != 0)
            return false;
    }
    BIO_up_ref(bio);
    SSL_set_bio(ssl, bio, bio);
    return SSL_set_app_data(ssl, session) != 0;
}

void *pl_tls_session_new(void *arg, struct pl_tls_io *io, const char *name)
{
    struct set *set = arg;
    struct session *session = pl_tls_host()->malloc(sizeof(*session));

    if (session == NULL)
        return NULL;
    atomic_fetch_add(&set->refs, 1);
    *session = (struct session){.ssl = SSL_new(set->first),
                                .set = set,
                                .io = io,
                                .alpn = PL_TLS_NO_ALPN};
    if (session->ssl != NULL && prepare(session, name))
        return session;
    ERR_clear_error();
    pl_tls_session_free(session);
    return NULL;
}

void pl_tls_session_free(void *arg)
{
    struct session *session = arg;

    SSL_free(session->ssl);
    pl_tls_set_drop(session->set);
    pl_tls_host()->free(session);
}

/* ---- steps ---- */

/* Why OpenSSL returned less than success: PL_ERR_AGAIN, or another one with
 * io->reason. */
static int why(struct session *session)
{
    unsigned long code;

    if (SSL_want_read(session->ssl))
        return PL_ERR_AGAIN;
    code = ERR_peek_error();
    session->io->reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? PL_ERR_NOMEM
                                                        : PL_ERR_PROTO;
}

static void find_alpn(struct session *session)
{
    const unsigned char *name, *at = session->set->alpn;
    unsigned len;

    if (!session->set->client)
        return; /* we have chosen it */
    SSL_get0_alpn_selected(session->ssl, &name, &len);
    for (unsigned i = 0; len > 0 && i < session->set->nalpn; i++) {
        if (at[0] == len && memcmp(at + 1, name, len) == 0)
            session->alpn = (int)i;
        at += 1 + at[0];
    }
}

int pl_tls_handshake(void *arg)
{
    struct session *session = arg;

    ERR_clear_error(); /* others may have left something */
    session->io->reason = NULL;
    if (SSL_do_handshake(session->ssl) != 1)
        return why(session);
    find_alpn(session);
    return 0;
}

ssize_t pl_tls_read(void *arg, char *to, size_t room)
{
    struct session *session = arg;
    size_t got;
    int result = SSL_read_ex(session->ssl, to, room, &got);

    if (result == 1)
        return (ssize_t)got;
    if (SSL_get_error(session->ssl, result) == SSL_ERROR_ZERO_RETURN)
        return 0;
    return why(session);
}

int pl_tls_write(void *arg, const char *bytes, size_t len)
{
    struct session *session = arg;
    size_t put;
    int err;

    if (SSL_write_ex(session->ssl, bytes, len, &put) == 1)
        return 0;
    err = why(session);
    return err == PL_ERR_AGAIN ? PL_ERR_PROTO : err;
}

void pl_tls_finish(void *arg)
{
    struct session *session = arg;

    if (SSL_shutdown(session->ssl) < 0)
        ERR_clear_error();
}

int pl_tls_alpn(void *arg)
{
    struct session *session = arg;

    return session->alpn;
}

bool pl_tls_is_13(void *arg)
{
    const struct session *session = arg;

    return SSL_version(session->ssl) == TLS1_3_VERSION;
}

bool pl_tls_resumed(void *arg)
{
    struct session *session = arg;

    return SSL_session_reused(session->ssl) == 1;
}
