/* scripted_far.c - the far end of the sockets in memory, which a test drives.
 */
#include "loop/scripted_priv.h"

#include "base/check.h"
#include "base/str.h"

enum { WINDOW = 1 << 20 };

static const char *const call_names[] = {
#define CALL_NAME(name) #name,
    PL_SCRIPT_CALLS(CALL_NAME)
#undef CALL_NAME
};

/* ---- sockets ---- */

static struct pl_script_sock *far_sock(struct pl_script *script, int far)
{
    PL_ASSERT(far >= 0 && far < script->count);
    return script->socks[far];
}

static struct pl_script_sock *new_sock(struct pl_script *script)
{
    struct pl_script_sock *sock =
        pl_pool_get_zeroed(&script->pool, sizeof(*sock));

    PL_ASSERT(sock != NULL);
    if (script->count == script->cap)
        script->socks = pl_script_grow(script->socks, &script->cap,
                                       sizeof(script->socks[0]));
    sock->far = script->count;
    script->socks[script->count++] = sock;
    sock->fd = -1;
    sock->window = WINDOW;
    pl_list_init(&sock->backlog);
    pl_list_init(&sock->waiting);
    pl_list_init(&sock->ready);
    pl_list_init(&sock->open);
    pl_buf_init(&sock->in, &script->pool, NULL, 0);
    pl_buf_init(&sock->out, &script->pool, NULL, 0);
    return sock;
}

static struct pl_script_sock *new_connection(struct pl_script *script)
{
    struct pl_script_sock *sock = new_sock(script);

    pl_list_push(&script->open, &sock->open);
    return sock;
}

/* ---- the far end ---- */

struct pl_script *pl_script_of(struct pl_loop *loop)
{
    return pl_loop_backend(loop, &pl_scripted);
}

int pl_script_listen(struct pl_script *script)
{
    struct pl_script_sock *sock = new_sock(script);

    sock->listener = true;
    return pl_script_take_fd(script, sock);
}

int pl_script_connect(struct pl_script *script, int listener)
{
    struct pl_script_sock *at = pl_script_near(script, listener), *sock;

    PL_ASSERT(at != NULL && at->listener);
    sock = new_connection(script);
    pl_list_push(&at->backlog, &sock->waiting);
    pl_script_wake(script, at);
    return sock->far;
}

int pl_script_pair(struct pl_script *script, int *far)
{
    struct pl_script_sock *sock = new_connection(script);

    *far = sock->far;
    return pl_script_take_fd(script, sock);
}

/* Was accepted, and closed since. */
static bool is_closed(const struct pl_script_sock *sock)
{
    return sock->fd < 0 && pl_list_empty(&sock->open);
}

void pl_script_send(struct pl_script *script, int far, struct pl_str bytes)
{
    struct pl_script_sock *sock = far_sock(script, far);

    PL_ASSERT(!sock->fin_sent);
    if (is_closed(sock)) {
        sock->was_reset = true;
        return;
    }
    if (sock->reset)
        return;
    PL_ASSERT(pl_buf_add(&sock->in, bytes) == 0);
    if (script->chop == 0)
        pl_script_arrive(script, sock);
}

void pl_script_finish(struct pl_script *script, int far)
{
    struct pl_script_sock *sock = far_sock(script, far);

    sock->fin_sent = true;
    if (script->chop == 0 && !sock->reset)
        pl_script_arrive(script, sock);
}

void pl_script_reset(struct pl_script *script, int far)
{
    pl_script_answer_reset(script, far_sock(script, far));
}

void pl_script_close(struct pl_script *script, int far)
{
    struct pl_script_sock *sock = far_sock(script, far);

    sock->gone = true;
    if (sock->out.len > 0)
        pl_script_answer_reset(script, sock);
    else
        pl_script_finish(script, far);
}

struct pl_str pl_script_received(struct pl_script *script, int far)
{
    return pl_buf_str(&far_sock(script, far)->out);
}

void pl_script_take(struct pl_script *script, int far, size_t n)
{
    struct pl_script_sock *sock = far_sock(script, far);

    PL_ASSERT(n <= sock->out.len);
    pl_buf_consume(&sock->out, n);
    pl_script_write_space(script, sock);
}

void pl_script_window(struct pl_script *script, int far, size_t bytes)
{
    struct pl_script_sock *sock = far_sock(script, far);

    sock->window = bytes;
    pl_script_write_space(script, sock);
}

void pl_script_chop(struct pl_script *script, size_t n)
{
    script->chop = n;
    pl_script_ration(script);
}

bool pl_script_closed(struct pl_script *script, int far)
{
    return is_closed(far_sock(script, far));
}

bool pl_script_finished(struct pl_script *script, int far)
{
    return far_sock(script, far)->finished;
}

bool pl_script_was_reset(struct pl_script *script, int far)
{
    return far_sock(script, far)->was_reset;
}

static enum pl_script_call call_of(const char *name)
{
    for (int i = 0; i < PL_SCRIPT_CALL_COUNT; i++) {
        if (strcmp(call_names[i], name) == 0)
            return (enum pl_script_call)i;
    }
    PL_ASSERT(!"a call of the backend");
    return PL_SCRIPT_CALL_COUNT;
}

unsigned pl_script_calls(struct pl_script *script, const char *name)
{
    return script->calls[call_of(name)];
}

void pl_script_fail(struct pl_script *script, const char *name, int err,
                    unsigned times)
{
    enum pl_script_call call = call_of(name);

    script->errors[call] = err;
    script->failures[call] = times;
}

uint64_t pl_fake_clock(void *ns)
{
    return *(const uint64_t *)ns;
}
