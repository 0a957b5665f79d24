#include "socket/secure.h"

#include "base/check.h"
#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"

struct pl_secure {
    struct pl_list node;
    struct pl_list waiting; /* pl_secure_op.node, while it is being made */
    struct pl_sockets *sockets;
    struct pl_offload_op load;
    struct pl_error error;
    struct pl_tls_context *context; /* NULL: not made yet */
    struct pl_pool pool;            /* of the texts */
    struct pl_arena arena;
    struct pl_secure_spec spec;
    struct pl_tls_pair pair;
    struct pl_tls_options options;
    struct pl_protocol protocols[PL_SECURE_ALPN_MAX];
    const struct pl_protocol *offers[PL_SECURE_ALPN_MAX + 1];
};

/* ---- the texts ---- */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is(const struct pl_secure *secure,
               const struct pl_secure_spec *spec)
{
    const struct pl_secure_spec *has = &secure->spec;

    return has->server == spec->server && has->insecure == spec->insecure &&
           same(has->ca, spec->ca) && same(has->cert, spec->cert) &&
           same(has->key, spec->key) && same(has->alpn, spec->alpn);
}

static int copy(struct pl_secure *secure, const char *from, const char **to)
{
    *to = NULL;
    if (from == NULL)
        return 0;
    *to = pl_arena_str(&secure->arena, pl_str_c(from)).data;
    return *to == NULL ? PL_ERR_NOMEM : 0;
}

/* Each protocol is ours under another name: the socket's, whatever is agreed
 * on.
 */
static int set_offers(struct pl_secure *secure)
{
    struct pl_str rest = pl_str_c(secure->spec.alpn), word;
    unsigned n = 0;

    while (pl_str_split(&rest, ' ', &word)) {
        struct pl_protocol *protocol = &secure->protocols[n];

        if (word.len == 0)
            continue;
        if (n == PL_SECURE_ALPN_MAX || word.len > 255)
            return pl_error_set(&secure->error, PL_ERR_INVALID, "",
                                "alpn: at most %d protocols",
                                PL_SECURE_ALPN_MAX);
        *protocol = pl_socket_protocol;
        protocol->alpn = pl_arena_str(&secure->arena, word).data;
        if (protocol->alpn == NULL)
            return PL_ERR_NOMEM;
        secure->offers[n++] = protocol;
    }
    return 0;
}

static int set_spec(struct pl_secure *secure, const struct pl_secure_spec *spec)
{
    secure->spec = *spec;
    if (copy(secure, spec->ca, &secure->spec.ca) < 0 ||
        copy(secure, spec->cert, &secure->spec.cert) < 0 ||
        copy(secure, spec->key, &secure->spec.key) < 0 ||
        copy(secure, spec->alpn, &secure->spec.alpn) < 0)
        return PL_ERR_NOMEM;
    secure->pair = (struct pl_tls_pair){.cert = secure->spec.cert,
                                        .key = secure->spec.key};
    secure->options = (struct pl_tls_options){
        .pairs = &secure->pair,
        .npairs = secure->spec.cert != NULL,
        .insecure = spec->insecure,
        .ca = secure->spec.ca,
        .no_tickets = true,
        .verify = spec->server && spec->ca != NULL ? PL_TLS_VERIFY_REQUIRED
                                                   : PL_TLS_VERIFY_NONE};
    return set_offers(secure);
}

/* ---- making one ---- */

static struct pl_secure *make(struct pl_sockets *sockets)
{
    struct pl_secure *secure = pl_calloc(1, sizeof(*secure));

    if (secure == NULL)
        return NULL;
    secure->sockets = sockets;
    pl_list_init(&secure->waiting);
    pl_pool_init(&secure->pool, NULL, 0);
    pl_arena_init(&secure->arena, &secure->pool, NULL);
    pl_list_push(&sockets->secures, &secure->node);
    sockets->nsecures++;
    return secure;
}

static void drop(struct pl_secure *secure)
{
    pl_list_remove(&secure->node);
    secure->sockets->nsecures--;
    if (PL_WITH_TLS)
        pl_tls_context_free(secure->context);
    pl_arena_fini(&secure->arena);
    pl_pool_fini(&secure->pool);
    pl_free(secure);
}

static int load(void *arg)
{
    struct pl_secure *secure = arg;

    if (!PL_WITH_TLS)
        return PL_ERR_UNSUPPORTED;
    return pl_tls_context_new(&secure->options, !secure->spec.server,
                              secure->offers[0] != NULL ? secure->offers : NULL,
                              &secure->context, &secure->error);
}

static void on_loaded(struct pl_op *op)
{
    struct pl_secure *secure = op->arg;
    struct pl_list *node;

    pl_offload_end(&secure->load);
    while ((node = pl_list_pop(&secure->waiting)) != NULL) {
        struct pl_secure_op *waiter =
            PL_LIST_ENTRY(node, struct pl_secure_op, node);

        waiter->secure = op->result == 0 ? secure : NULL;
        waiter->error = secure->error;
        if (op->result < 0 && secure->error.code == 0)
            pl_error_set(&waiter->error, op->result, "", "%s",
                         pl_err_text(op->result));
        pl_op_complete(&waiter->op, op->result);
    }
    if (op->result < 0)
        drop(secure); /* the next one tries again */
}

static void begin_load(struct pl_secure *secure)
{
    struct pl_sched *sched = secure->sockets->sched;

    pl_offload_begin(&secure->load, sched, load, secure, NULL);
    secure->load.op.cancel = NULL; /* its memory is ours */
    secure->load.op.arg = secure;
    pl_op_then(&secure->load.op, on_loaded);
}

static void cancel(struct pl_op *op)
{
    struct pl_secure_op *waiter = PL_CONTAINER_OF(op, struct pl_secure_op, op);

    pl_list_remove(&waiter->node);
    pl_op_complete(op, PL_ERR_CANCELED);
}

static void refuse(struct pl_secure_op *op, int err, const char *text)
{
    pl_error_set(&op->error, err, "", "%s", text);
    pl_op_complete(&op->op, err);
}

static struct pl_secure *find(struct pl_sockets *sockets,
                              const struct pl_secure_spec *spec)
{
    struct pl_list *node;

    PL_LIST_FOREACH (node, &sockets->secures) {
        struct pl_secure *secure = PL_LIST_ENTRY(node, struct pl_secure, node);

        if (is(secure, spec))
            return secure;
    }
    return NULL;
}

void pl_secure_begin(struct pl_secure_op *op, struct pl_sockets *sockets,
                     const struct pl_secure_spec *spec)
{
    struct pl_secure *secure;
    int err;

    pl_op_init(&op->op, sockets->sched, cancel);
    pl_op_begin(&op->op);
    pl_list_init(&op->node);
    op->error.code = 0;
    op->secure = secure = find(sockets, spec);
    if (!PL_WITH_TLS || sockets->sched->offload == NULL) {
        refuse(op, PL_ERR_UNSUPPORTED, PL_WITHOUT "tls");
        return;
    }
    if (secure != NULL && secure->context != NULL) {
        pl_op_complete(&op->op, 0);
        return;
    }
    if (secure == NULL) {
        if (sockets->nsecures >= PL_SECURE_MAX) {
            refuse(op, PL_ERR_LIMIT, "too many different options of TLS");
            return;
        }
        secure = make(sockets);
        err = secure == NULL ? PL_ERR_NOMEM : set_spec(secure, spec);
        if (err < 0) {
            refuse(op, err,
                   secure != NULL && secure->error.code != 0
                       ? secure->error.text
                       : pl_err_text(err));
            if (secure != NULL)
                drop(secure);
            return;
        }
        begin_load(secure);
    }
    pl_list_push(&secure->waiting, &op->node);
}

void pl_secure_free_all(struct pl_sockets *sockets)
{
    struct pl_list *node, *tmp;

    PL_LIST_FOREACH_SAFE (node, tmp, &sockets->secures) {
        struct pl_secure *secure = PL_LIST_ENTRY(node, struct pl_secure, node);

        PL_ASSERT(pl_list_empty(&secure->waiting));
        drop(secure);
    }
}

/* ---- connections ---- */

int pl_secure_start(const struct pl_secure *secure, struct pl_conn *conn,
                    const char *name)
{
    if (!PL_WITH_TLS)
        return PL_ERR_UNSUPPORTED;
    if (secure->spec.server)
        return pl_conn_tls_accept(conn, secure->context, &pl_socket_protocol);
    return pl_conn_tls_connect(conn, secure->context, name,
                               &pl_socket_protocol);
}

const char *pl_secure_reason(const struct pl_sockets *sockets)
{
    const char *reason = PL_WITH_TLS ? pl_net_tls_reason(sockets->net) : NULL;

    return reason == NULL ? "the other side broke it off" : reason;
}
