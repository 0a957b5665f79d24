/* scripted_priv.h - a socket in memory, shared by scripted.c (our side: the
 * backend) and scripted_far.c (the other side: the test). */
#ifndef PL_LOOP_SCRIPTED_PRIV_H
#define PL_LOOP_SCRIPTED_PRIV_H

#include "base/buf.h"
#include "loop/scripted.h"

/* The calls of the backend that are counted and may be made to fail. */
/* clang-format off */
#define PL_SCRIPT_CALLS(X) \
    X(recv) \
    X(send) \
    X(sendfile) \
    X(accept) \
    X(shutdown) \
    X(unsent)   \
    X(close) \
    X(add) \
    X(modify) \
    X(remove) \
    X(wait)
/* clang-format on */

enum pl_script_call {
#define CALL_ENUM(name) PL_SCRIPT_##name,
    PL_SCRIPT_CALLS(CALL_ENUM)
#undef CALL_ENUM
        PL_SCRIPT_CALL_COUNT
};

enum { PL_SCRIPT_BATCH = 256 }; /* events of one wait */

struct pl_script_sock {
    int far; /* index in the script; never re-used */
    int fd;  /* -1: closed, or not accepted yet */
    bool listener;
    struct pl_list backlog; /* listener: who waits to be accepted */
    struct pl_list waiting; /* in a backlog */
    struct pl_list ready;   /* on the ready list */
    struct pl_list open;    /* in the list of connections */

    struct pl_buf in; /* sent by the far end, */
    size_t in_read;   /* of which so much was read: moved away now and then, */
    size_t arrived;   /* and so much more can be read */
    bool fin_sent, fin_arrived;
    bool gone;         /* the far end has closed */
    bool reset, error; /* error: the reset was not reported yet */

    struct pl_buf out;   /* not taken by the far end yet */
    size_t window, sent; /* sent: in this turn (see chop) */
    bool nospace, finished, was_reset;

    bool watched;
    unsigned events;
    enum pl_watch_mode mode;
    uint64_t token;
};

struct pl_script {
    struct pl_script_sock **socks; /* by far number */
    int count, cap;
    struct pl_script_sock **fds; /* by fd - FD_BASE; NULL: free */
    int fd_cap;
    struct pl_list open, ready;
    struct {
        uint64_t token;
        unsigned events;
    } batch[PL_SCRIPT_BATCH];
    int collected;
    size_t chop;
    unsigned calls[PL_SCRIPT_CALL_COUNT], failures[PL_SCRIPT_CALL_COUNT];
    int errors[PL_SCRIPT_CALL_COUNT];
    struct pl_pool pool;
};

/* The socket of a descriptor, or NULL. */
struct pl_script_sock *pl_script_near(struct pl_script *script, int fd);

/* Gives sock a descriptor. */
int pl_script_take_fd(struct pl_script *script, struct pl_script_sock *sock);

/* A larger, cleared array; *cap is its new length. */
void *pl_script_grow(void *array, int *cap, size_t size);

/* Something happened to sock: the next wait asks it for its state. */
void pl_script_wake(struct pl_script *script, struct pl_script_sock *sock);

/* What was sent becomes readable: all of it, or the next piece. */
void pl_script_arrive(struct pl_script *script, struct pl_script_sock *sock);

/* Space has been freed. */
void pl_script_write_space(struct pl_script *script,
                           struct pl_script_sock *sock);

/* The far end answers with a reset. */
void pl_script_answer_reset(struct pl_script *script,
                            struct pl_script_sock *sock);

/* A turn's worth of pieces and of space, when they are rationed. */
void pl_script_ration(struct pl_script *script);

#endif
