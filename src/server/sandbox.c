/* sandbox.c - the order in which the process gives up what it does not need.
 * One file for each layer does it: sandbox_priv.h. */
#include "server/sandbox.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "loop/offload.h"
#include "server/sandbox_priv.h"

#ifdef __SANITIZE_THREAD__
enum { THREADS = 2 }; /* it has one of its own */
#else
enum { THREADS = 1 };
#endif

const char *pl_layer_name(enum pl_layer layer)
{
    static const char *const names[] = {
#define NAME(name, word) [PL_LAYER_##name] = word,
        PL_LAYER_MAP(NAME)
#undef NAME
    };

    return names[layer];
}

void pl_layer_is_on(struct pl_sandbox *sandbox, enum pl_layer layer,
                    const char *fmt, ...)
{
    struct pl_layer_fact *fact = &sandbox->layers[layer];
    va_list ap;

    fact->state = PL_LAYER_ON;
    va_start(ap, fmt);
    vsnprintf(fact->note, sizeof(fact->note), fmt, ap);
    va_end(ap);
}

int pl_layer_is_missing(struct pl_sandbox *sandbox, enum pl_layer layer,
                        const char *why, struct pl_error *error)
{
    struct pl_layer_fact *fact = &sandbox->layers[layer];

    if (sandbox->wish.strict)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "sandbox: no %s: %s (strict)", pl_layer_name(layer),
                            why);
    fact->state = PL_LAYER_MISSING;
    snprintf(fact->note, sizeof(fact->note), "%s", why);
    pl_log(PL_LOG_WARN, "sandbox", "goes on without %s: %s",
           pl_layer_name(layer), why);
    return 0;
}

/* ---- alone ---- */

enum { LEAVE_MS = 1000 };

/* How many threads there are but ours: /proc counts a folder for each, and the
 * two that all folders have. */
static unsigned others(void)
{
    struct stat tasks;

    if (pl_sys_fstatat(AT_FDCWD, "/proc/self/task", &tasks, 0) < 0 ||
        tasks.st_nlink <= 2 + THREADS)
        return 0;
    return (unsigned)(tasks.st_nlink - 2 - THREADS);
}

/* What the load of the site has begun ends; a thread of its own would be
 * outside. One that was joined is still counted until the kernel has let it go.
 */
static int be_alone(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    struct pl_server *server = sandbox->server;

    pl_offload_rest(server->offload);
    if (server->background != NULL)
        pl_offload_rest(server->background);
    if (server->names != NULL)
        pl_offload_rest(server->names);
    for (int ms = 0; ms < LEAVE_MS && others() > 0; ms++)
        nanosleep(&moment, NULL);
    if (others() == 0)
        return 0;
    return pl_error_set(error, PL_ERR_STATE, "",
                        "sandbox: the site has started %u threads while it was "
                        "loaded, which would be outside of it",
                        others());
}

/* ---- the user ---- */

static int join(struct pl_sandbox *sandbox, struct pl_error *error)
{
    return pl_user_join(sandbox->entry.user, error);
}

static int become(struct pl_sandbox *sandbox, struct pl_error *error)
{
    const struct pl_user *user = sandbox->entry.user;
    int err = pl_user_become(user, error);

    if (err == 0 && user->name != NULL)
        pl_layer_is_on(sandbox, PL_LAYER_USER, "%s", user->name);
    return err;
}

/* ---- the whole ---- */

static int enter(struct pl_sandbox *sandbox, struct pl_error *error)
{
    static pl_sandbox_step *const steps[] = {
        be_alone,
        pl_sandbox_find_root,
        pl_sandbox_collect,
        pl_sandbox_compile,
        join,
        pl_sandbox_chroot,
        pl_sandbox_bound,
        become,
        pl_sandbox_drop,
        pl_sandbox_no_new_privs,
        pl_sandbox_landlock,
        pl_sandbox_filter,
    };
    int err = 0;

    for (size_t i = 0; i < PL_COUNT(steps) && err == 0; i++)
        err = steps[i](sandbox, error);
    pl_free(sandbox->entry.filter);
    sandbox->entry = (struct pl_sandbox_entry){.gen = NULL};
    sandbox->wish.seccomp = sandbox->wish.chroot = NULL; /* the site's */
    return err;
}

int pl_sandbox_enter(struct pl_server *server, const struct pl_generation *gen,
                     const struct pl_user *user, struct pl_error *error)
{
    const struct pl_sandbox_settings *wish = &gen->site->sandbox;
    struct pl_sandbox *sandbox;
    int err;

    if (!PL_WITH_SANDBOX || !wish->on) {
        err = pl_user_join(user, error);
        return err < 0 ? err : pl_user_become(user, error);
    }
    sandbox = pl_calloc(1, sizeof(*sandbox));
    if (sandbox == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    sandbox->server = server;
    sandbox->wish = *wish;
    sandbox->entry = (struct pl_sandbox_entry){.gen = gen, .user = user};
    server->sandbox = sandbox;
    return enter(sandbox, error);
}

void pl_sandbox_free(struct pl_sandbox *sandbox)
{
    struct pl_grant *next;

    if (sandbox == NULL)
        return;
    for (struct pl_grant *at = sandbox->grants; at != NULL; at = next) {
        next = at->next;
        if (at->fd >= 0)
            pl_sys_close(at->fd);
        pl_free(at);
    }
    pl_free(sandbox->root);
    pl_free(sandbox);
}

/* ---- reloads ---- */

bool pl_sandbox_stale(const struct pl_sandbox *sandbox)
{
    struct stat now;

    /* Outside of a chroot they have other names. */
    if (sandbox == NULL || sandbox->root != NULL ||
        sandbox->layers[PL_LAYER_LANDLOCK].state != PL_LAYER_ON)
        return false;
    for (const struct pl_grant *at = sandbox->grants; at != NULL; at = at->next)
        if (pl_sys_fstatat(AT_FDCWD, at->path, &now, 0) == 0 &&
            (now.st_dev != at->dev || now.st_ino != at->ino))
            return true;
    return false;
}

static bool same_paths(const struct pl_site *a, const struct pl_site *b)
{
    const struct pl_list *x = a->paths.next, *y = b->paths.next;

    for (; x != &a->paths && y != &b->paths; x = x->next, y = y->next) {
        const struct pl_site_path *of_a =
            PL_LIST_ENTRY(x, struct pl_site_path, node);
        const struct pl_site_path *of_b =
            PL_LIST_ENTRY(y, struct pl_site_path, node);

        if (of_a->access != of_b->access || strcmp(of_a->path, of_b->path) != 0)
            return false;
    }
    return x == &a->paths && y == &b->paths;
}

bool pl_sandbox_same(const struct pl_site *a, const struct pl_site *b)
{
    const struct pl_sandbox_settings *x = &a->sandbox, *y = &b->sandbox;

    if (x->on != y->on)
        return false;
    return !x->on ||
           (x->strict == y->strict && x->no_new_privs == y->no_new_privs &&
            x->drop_capabilities == y->drop_capabilities &&
            x->landlock == y->landlock && x->processes == y->processes &&
            pl_text_eq(x->seccomp, y->seccomp) &&
            pl_text_eq(x->chroot, y->chroot) && same_paths(a, b));
}
