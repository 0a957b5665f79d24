/* tls.c - contexts: the certificates of a listener, and how they change.
 *
 *     files --look, once a second--> changed, and quiet since --offload-->
 *     new set --swap--> current; the old one goes with its last session
 *
 * Whoever begins a session takes the current set in an epoch section and holds
 * it by a count from then on: no locks, and nobody waits for the files. */
#include "net/tls.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/epoch.h"
#include "base/log.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "loop/offload.h"
#include "net/conn_tls.h"

enum {
    FILE_MAX = 1 << 20,
    QUIET_S = 1, /* files that are being written are left alone for so long */
    OFFERS_MAX = 8, /* protocols */
    CA = 0,         /* index of its stamp; then three for each pair */
};

/* How a file was when it was last looked at. */
struct stamp {
    int64_t changed; /* ns since 1970; 0: there is none */
    uint64_t inode, size;
};

/* A set, as sections of the epoch find it. */
struct set {
    struct pl_retired retired;
    const struct pl_tls_offer *offer;
    void *set;
};

struct pl_tls_context {
    const struct pl_tls_options *options;
    const struct pl_tls_offer *offer;
    const struct pl_protocol *offers[OFFERS_MAX];
    const char *names[OFFERS_MAX];
    unsigned noffers;
    bool client;
    void *tickets;
    struct pl_epoch *epoch;
    _Atomic(struct set *) current;
    _Atomic int64_t looked; /* the second */
    atomic_bool loading;    /* job is on its way */
    struct pl_job job;
    struct pl_net *net;   /* of who has sent it */
    struct stamp *stamps; /* of what was last read, or tried */
    struct stamp *fresh;  /* while they are being looked at */
    unsigned nstamps;
    bool unread; /* the last try failed; by who has set loading */
};

/* ---- the plug-in ---- */

static void *allocate(size_t size)
{
    return pl_malloc(size);
}

static void *reallocate(void *ptr, size_t size)
{
    return pl_realloc(ptr, size);
}

static const struct pl_tls_host host = {
    .malloc = allocate,
    .realloc = reallocate,
    .free = pl_free,
    .random = pl_random,
    .error = pl_error_set,
};

static int load_plugin(const struct pl_tls_offer **offer,
                       struct pl_error *error)
{
    const struct pl_plugin_want want = {
        .name = "tls",
        .host = &host,
        .host_size = sizeof(host),
        .offer_size = sizeof(struct pl_tls_offer),
    };
    const void *table;
    int err = pl_plugin_load(&want, &table, error);

    if (err == 0)
        *offer = table;
    return err;
}

/* ---- files ---- */

static void take_stamp(const char *path, struct stamp *stamp)
{
    struct stat st;

    *stamp = (struct stamp){.changed = 0};
    if (path == NULL || pl_sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
        return;
    stamp->changed =
        (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    stamp->inode = st.st_ino;
    stamp->size = (uint64_t)st.st_size;
}

static void take_stamps(const struct pl_tls_context *context,
                        struct stamp *stamps)
{
    const struct pl_tls_options *options = context->options;

    take_stamp(options->ca, stamps++);
    for (unsigned i = 0; i < options->npairs; i++, stamps += 3) {
        take_stamp(options->pairs[i].cert, stamps);
        take_stamp(options->pairs[i].key, stamps + 1);
        take_stamp(options->pairs[i].staple, stamps + 2);
    }
}

/* Returns the length, FILE_MAX if there is more, or -1 with errno. */
static ssize_t read_all(int fd, char *to)
{
    size_t len = 0;
    ssize_t n = 1;

    while (n != 0 && len < FILE_MAX) {
        n = pl_sys_read(fd, to + len, FILE_MAX - len);
        if (n < 0 && errno != EINTR)
            return -1;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

static int unreadable(struct pl_error *error, const char *path)
{
    return pl_error_set(error, pl_err_from_errno(errno), path,
                        "cannot read %s: %s", path, strerror(errno));
}

int pl_tls_read_file(const char *path, struct pl_str *out,
                     struct pl_error *error)
{
    int fd = pl_sys_open(path, O_RDONLY | O_CLOEXEC, 0), err = 0;
    char *data;
    ssize_t len;

    if (fd < 0)
        return unreadable(error, path);
    data = pl_malloc(FILE_MAX + 1);
    len = data == NULL ? 0 : read_all(fd, data);
    if (data == NULL)
        err = pl_error_set(error, PL_ERR_NOMEM, path, "out of memory");
    else if (len < 0)
        err = unreadable(error, path);
    else if (len == FILE_MAX)
        err = pl_error_set(error, PL_ERR_LIMIT, path, "%s is too large", path);
    pl_sys_close(fd);
    if (err < 0) {
        pl_free(data);
        return err;
    }
    data[len] = '\0';
    *out = pl_str(data, (size_t)len);
    return 0;
}

void pl_tls_wipe(struct pl_str secret)
{
    if (secret.data == NULL)
        return;
    explicit_bzero((char *)secret.data, secret.len);
    pl_free((char *)secret.data);
}

static void drop_files(struct pl_tls_file *files, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (files[i].key.data != files[i].cert.data)
            pl_tls_wipe(files[i].key);
        pl_tls_wipe(files[i].cert);
        pl_tls_wipe(files[i].staple);
    }
    pl_free(files);
}

static int read_pair(const struct pl_tls_pair *pair, struct pl_tls_file *file,
                     struct pl_error *error)
{
    int err = pl_tls_read_file(pair->cert, &file->cert, error);

    file->cert_name = pair->cert;
    file->key_name = pair->key == NULL ? pair->cert : pair->key;
    if (err == 0 && pair->key == NULL)
        file->key = file->cert;
    else if (err == 0)
        err = pl_tls_read_file(pair->key, &file->key, error);
    if (err == 0 && pair->staple != NULL)
        err = pl_tls_read_file(pair->staple, &file->staple, error);
    return err;
}

/* How many of them there are. */
static unsigned count_pairs(const struct pl_tls_options *options)
{
    return options->dev ? 1 : options->npairs;
}

static int read_pairs(const struct pl_tls_context *context,
                      struct pl_tls_file **out, struct pl_error *error)
{
    const struct pl_tls_options *options = context->options;
    struct pl_tls_file *files =
        pl_calloc(PL_MAX(options->npairs, 1u), sizeof(*files));
    int err = 0;

    if (files == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    if (options->dev)
        err = pl_tls_dev_read(context->offer, files, error);
    else
        for (unsigned i = 0; i < options->npairs && err == 0; i++)
            err = read_pair(&options->pairs[i], &files[i], error);
    if (err < 0)
        drop_files(files, count_pairs(options));
    else
        *out = files;
    return err;
}

/* ---- sets ---- */

static void drop_set(struct pl_retired *retired)
{
    struct set *set = PL_CONTAINER_OF(retired, struct set, retired);

    set->offer->set_drop(set->set);
    pl_free(set);
}

/* Reads the files and makes a set of them. Any thread. */
static int load_set(struct pl_tls_context *context, struct set **out,
                    struct pl_error *error)
{
    struct pl_tls_file *pairs = NULL;
    struct pl_tls_files files = {.npairs = count_pairs(context->options)};
    const struct pl_tls_setup setup = {.options = context->options,
                                       .files = &files,
                                       .alpn = context->names,
                                       .nalpn = context->noffers,
                                       .client = context->client,
                                       .tickets = context->tickets};
    struct set *set = pl_calloc(1, sizeof(*set));
    int err;

    if (set == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    set->offer = context->offer;
    err = read_pairs(context, &pairs, error);
    files.pairs = pairs;
    if (err == 0 && context->options->ca != NULL)
        err = pl_tls_read_file(context->options->ca, &files.ca, error);
    if (err == 0)
        err = context->offer->set_new(&setup, &set->set, error);
    if (pairs != NULL)
        drop_files(pairs, files.npairs);
    pl_tls_wipe(files.ca);
    if (err < 0)
        pl_free(set);
    else
        *out = set;
    return err;
}

/* By the one that has set loading. */
static int replace_set(struct pl_tls_context *context, struct pl_error *error)
{
    struct pl_reader *reader = pl_epoch_join(context->epoch);
    struct set *set = NULL, *old;
    int err;

    if (reader == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    err = load_set(context, &set, error);
    if (err == 0) {
        old = atomic_exchange(&context->current, set);
        pl_epoch_retire(reader, &old->retired, drop_set, sizeof(*old));
        pl_epoch_collect(reader);
        pl_log(PL_LOG_NOTICE, "tls", "new certificates are in use");
    }
    pl_epoch_part(reader);
    return err;
}

/* On an offload thread, or where there is none on the worker. */
static void reload(struct pl_job *job)
{
    struct pl_tls_context *context =
        PL_CONTAINER_OF(job, struct pl_tls_context, job);
    struct pl_error error;

    context->unread = replace_set(context, &error) < 0;
    if (context->unread)
        pl_log(PL_LOG_ERROR, "tls", "the certificates stay the old ones: %s",
               error.text);
}

static void on_reloaded(struct pl_job *job)
{
    struct pl_tls_context *context =
        PL_CONTAINER_OF(job, struct pl_tls_context, job);

    context->net->reads--;
    atomic_store(&context->loading, false);
}

/* Have the files changed, and come to rest? Then they are read. Only by the one
 * that has set loading. */
static bool look(struct pl_tls_context *context, int64_t now)
{
    size_t size = context->nstamps * sizeof(struct stamp);
    int64_t newest = 0;

    take_stamps(context, context->fresh);
    if (memcmp(context->fresh, context->stamps, size) == 0)
        return false;
    for (unsigned i = 0; i < context->nstamps; i++)
        newest = PL_MAX(newest, context->fresh[i].changed);
    if (now - newest / 1000000000 <= QUIET_S && now >= newest / 1000000000)
        return false;
    memcpy(context->stamps, context->fresh, size);
    return true;
}

static void look_at_files(struct pl_net *net, struct pl_tls_context *context)
{
    int64_t now = pl_loop_wall(net->loop);

    if (atomic_load_explicit(&context->looked, memory_order_relaxed) == now ||
        context->nstamps == 0 || atomic_exchange(&context->loading, true))
        return;
    atomic_store(&context->looked, now);
    if (!look(context, now)) {
        atomic_store(&context->loading, false);
        return;
    }
    context->net = net;
    context->job = (struct pl_job){.work = reload,
                                   .done = on_reloaded,
                                   .reply = pl_loop_mailbox(net->loop)};
    net->reads++;
    if (net->offload != NULL &&
        pl_offload_submit(net->offload, &context->job) == 0)
        return;
    reload(&context->job);
    on_reloaded(&context->job);
}

PL_COLD int pl_tls_context_refresh(struct pl_tls_context *context,
                                   struct pl_error *error)
{
    size_t size = context->nstamps * sizeof(struct stamp);
    int err = 0;

    if (context->nstamps == 0 || atomic_exchange(&context->loading, true))
        return 0;
    take_stamps(context, context->fresh);
    if (context->unread || memcmp(context->fresh, context->stamps, size) != 0)
        err = replace_set(context, error);
    context->unread = err < 0;
    if (err == 0)
        memcpy(context->stamps, context->fresh, size);
    atomic_store(&context->loading, false);
    return err;
}

PL_COLD bool pl_tls_context_busy(const struct pl_tls_context *context)
{
    return atomic_load(&context->loading);
}

void *pl_tls_session(struct pl_conn *conn, struct pl_tls_context *context,
                     const char *name)
{
    struct pl_net *net = pl_conn_net(conn);
    struct pl_reader *reader = conn->listener->reader;
    bool own = reader == NULL; /* an outgoing connection */
    void *session;

    look_at_files(net, context);
    if (own)
        reader = pl_epoch_join(context->epoch);
    if (reader == NULL)
        return NULL;
    pl_epoch_enter(reader);
    session = context->offer->session_new(atomic_load(&context->current)->set,
                                          &net->tls->io, name);
    pl_epoch_leave(reader);
    if (own)
        pl_epoch_part(reader);
    return session;
}

/* ---- contexts ---- */

static int make_stamps(struct pl_tls_context *context)
{
    if (context->options->dev || context->client)
        return 0; /* nothing that is looked at */
    context->nstamps = 1 + 3 * context->options->npairs;
    context->stamps = pl_calloc(2 * context->nstamps, sizeof(struct stamp));
    if (context->stamps == NULL)
        return PL_ERR_NOMEM;
    context->fresh = context->stamps + context->nstamps;
    take_stamps(context, context->stamps);
    return 0;
}

static int make_parts(struct pl_tls_context *context)
{
    const struct pl_tls_options *options = context->options;

    if (!context->client && !options->no_tickets) {
        context->tickets = context->offer->tickets_new(
            options->rotation_s ? options->rotation_s : PL_TLS_ROTATION_S);
        if (context->tickets == NULL)
            return PL_ERR_NOMEM;
    }
    return make_stamps(context) < 0 ? PL_ERR_NOMEM
                                    : pl_epoch_new(&context->epoch);
}

PL_COLD int pl_tls_context_make(const struct pl_tls_offer *offer,
                                const struct pl_tls_options *options,
                                bool client,
                                const struct pl_protocol *const *offers,
                                struct pl_tls_context **out,
                                struct pl_error *error)
{
    struct pl_tls_context *context = pl_calloc(1, sizeof(*context));
    struct set *set = NULL;
    int err;

    if (context == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    context->offer = offer;
    context->options = options;
    context->client = client;
    for (; offers != NULL && offers[context->noffers] != NULL;
         context->noffers++) {
        PL_ASSERT(context->noffers < OFFERS_MAX);
        context->offers[context->noffers] = offers[context->noffers];
        context->names[context->noffers] = offers[context->noffers]->alpn;
    }
    err = make_parts(context) < 0
              ? pl_error_set(error, PL_ERR_NOMEM, "", "out of memory")
              : load_set(context, &set, error);
    if (err < 0) {
        pl_tls_context_free(context);
        return err;
    }
    atomic_store(&context->current, set);
    *out = context;
    return 0;
}

int pl_tls_context_new(const struct pl_tls_options *options, bool client,
                       const struct pl_protocol *const *offers,
                       struct pl_tls_context **out, struct pl_error *error)
{
    const struct pl_tls_offer *offer = NULL;
    int err = load_plugin(&offer, error);

    return err < 0 ? err
                   : pl_tls_context_make(offer, options, client, offers, out,
                                         error);
}

PL_COLD void pl_tls_context_free(struct pl_tls_context *context)
{
    struct set *set;

    if (context == NULL)
        return;
    PL_ASSERT(!atomic_load(&context->loading));
    set = atomic_load(&context->current);
    if (set != NULL)
        drop_set(&set->retired);
    if (context->epoch != NULL)
        pl_epoch_free(context->epoch);
    if (context->tickets != NULL)
        context->offer->tickets_free(context->tickets);
    pl_free(context->stamps);
    pl_free(context);
}

const struct pl_tls_options *
pl_tls_context_options(const struct pl_tls_context *context)
{
    return context->options;
}

const struct pl_tls_offer *
pl_tls_context_offer(const struct pl_tls_context *context)
{
    return context->offer;
}

const struct pl_protocol *pl_tls_offered(const struct pl_tls_context *context,
                                         int choice)
{
    PL_ASSERT(choice >= 0 && (unsigned)choice < context->noffers);
    return context->offers[choice];
}

/* ---- listeners ---- */

PL_COLD int pl_listener_secure(struct pl_listener *listener,
                               struct pl_tls_context *context)
{
    listener->reader = pl_epoch_join(context->epoch);
    if (listener->reader == NULL)
        return PL_ERR_NOMEM;
    listener->tls = context;
    listener->more = true;
    if (listener->door == listener->protocol)
        listener->door = &pl_tls_protocol;
    return 0;
}

/* ---- options ---- */

PL_COLD bool pl_tls_verify_parse(const char *word, enum pl_tls_verify *out)
{
    static const char *const words[] = {
        [PL_TLS_VERIFY_NONE] = "none",
        [PL_TLS_VERIFY_OPTIONAL] = "optional",
        [PL_TLS_VERIFY_REQUIRED] = "required",
        [PL_TLS_VERIFY_ANY] = "any",
    };

    *out = PL_TLS_VERIFY_NONE;
    for (size_t i = 0; word != NULL && i < PL_COUNT(words); i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (enum pl_tls_verify)i;
            return true;
        }
    }
    return word == NULL;
}

static int copy_text(struct pl_arena *arena, const char **text)
{
    if (*text == NULL)
        return 0;
    *text = pl_arena_str(arena, pl_str_c(*text)).data;
    return *text == NULL ? PL_ERR_NOMEM : 0;
}

static int copy_pairs(struct pl_arena *arena, struct pl_tls_options *options)
{
    struct pl_tls_pair *pairs =
        pl_arena_alloc(arena, options->npairs * sizeof(*pairs));

    for (unsigned i = 0; pairs != NULL && i < options->npairs; i++) {
        pairs[i] = options->pairs[i];
        if (copy_text(arena, &pairs[i].cert) < 0 ||
            copy_text(arena, &pairs[i].key) < 0 ||
            copy_text(arena, &pairs[i].staple) < 0)
            return PL_ERR_NOMEM;
    }
    options->pairs = pairs;
    return pairs == NULL ? PL_ERR_NOMEM : 0;
}

static bool same_pairs(const struct pl_tls_options *a,
                       const struct pl_tls_options *b)
{
    for (unsigned i = 0; i < a->npairs; i++)
        if (!pl_text_eq(a->pairs[i].cert, b->pairs[i].cert) ||
            !pl_text_eq(a->pairs[i].key, b->pairs[i].key) ||
            !pl_text_eq(a->pairs[i].staple, b->pairs[i].staple))
            return false;
    return true;
}

static bool same_words(const struct pl_tls_options *a,
                       const struct pl_tls_options *b)
{
    return pl_text_eq(a->ciphers, b->ciphers) &&
           pl_text_eq(a->suites, b->suites) &&
           pl_text_eq(a->groups, b->groups) && pl_text_eq(a->ca, b->ca);
}

static bool same_figures(const struct pl_tls_options *a,
                         const struct pl_tls_options *b)
{
    return a->verify == b->verify && a->verify_depth == b->verify_depth &&
           a->session_s == b->session_s && a->rotation_s == b->rotation_s &&
           a->hsts_s == b->hsts_s;
}

static bool same_flags(const struct pl_tls_options *a,
                       const struct pl_tls_options *b)
{
    return a->dev == b->dev && a->insecure == b->insecure &&
           a->tls13_only == b->tls13_only && a->no_tickets == b->no_tickets &&
           a->http_redirect == b->http_redirect;
}

PL_COLD bool pl_tls_options_eq(const struct pl_tls_options *a,
                               const struct pl_tls_options *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->npairs == b->npairs && same_pairs(a, b) && same_words(a, b) &&
           same_figures(a, b) && same_flags(a, b);
}

PL_COLD int pl_tls_options_copy(struct pl_arena *arena,
                                const struct pl_tls_options *from,
                                const struct pl_tls_options **to)
{
    struct pl_tls_options *copy;

    *to = NULL;
    if (from == NULL)
        return 0;
    copy = pl_arena_alloc(arena, sizeof(*copy));
    if (copy == NULL)
        return PL_ERR_NOMEM;
    *copy = *from;
    if (copy_pairs(arena, copy) < 0 || copy_text(arena, &copy->ciphers) < 0 ||
        copy_text(arena, &copy->suites) < 0 ||
        copy_text(arena, &copy->groups) < 0 || copy_text(arena, &copy->ca) < 0)
        return PL_ERR_NOMEM;
    *to = copy;
    return 0;
}
