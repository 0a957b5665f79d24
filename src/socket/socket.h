/* socket.h - a connection without a protocol: bytes in straight lines.
 *
 * One form for all: connections that were accepted for this, opened by us
 * (connect.h), or taken over from HTTP. Below it is a struct pl_conn, with its
 * buffers, limits and back-pressure; here are the operations that wait.
 *
 * Nothing is read until somebody asks, so that who sends faster than we read
 * has to wait. Reading is two steps: an operation waits until what is wanted is
 * there and tells how long it is; pl_socket_take() takes it, without waiting.
 *
 * A socket belongs to one place, its home (a pointer, which becomes NULL when
 * the socket goes), and to a task: when that ends, the socket is closed. One
 * task may read and one write at the same time. */
#ifndef PL_SOCKET_SOCKET_H
#define PL_SOCKET_SOCKET_H

#include "net/conn.h"
#include "task/task.h"

enum {
    PL_SOCKET_BUFFER = 256 * 1024, /* most that one read can wait for */
    PL_SOCKET_SLICE = 256 * 1024,  /* most that one write takes */
    PL_SOCKET_TIMEOUT_MS = 60000,
    PL_SOCKETS_SCRATCH = 65536,
};

/* Those of one worker. */
struct pl_sockets {
    struct pl_net *net;
    struct pl_sched *sched;
    struct pl_offload *names; /* looks up hosts; NULL: only addresses */
    struct pl_list all;       /* pl_socket.node */
    struct pl_list datagrams; /* pl_udp.node (udp.h) */
    char *scratch;            /* PL_SOCKETS_SCRATCH; NULL: not needed yet */
    struct pl_list secures;   /* pl_secure.node (secure.h) */
    unsigned nsecures;
    struct pl_clients *clients; /* client/pool.h; NULL: none has been needed */
    void (*end_clients)(struct pl_clients *clients);
    unsigned leaving; /* of them: detached, output is on its way */
    bool stopping;
};

/* The operation of one who reads or writes; his memory until it is DONE. */
struct pl_socket_op {
    struct pl_op op;
    struct pl_socket *socket;
    struct pl_timer timer;
    enum pl_socket_want {
        PL_SOCKET_SOME,    /* a byte or more */
        PL_SOCKET_EXACTLY, /* n bytes */
        PL_SOCKET_UNTIL,   /* up to mark and with it, at most n bytes */
        PL_SOCKET_ROOM,    /* for more output */
        PL_SOCKET_SECRECY, /* the end of a handshake */
    } want;
    size_t n, seen;
    struct pl_str mark;
};

struct pl_socket {
    uint32_t magic;
    bool eof;      /* the peer has finished sending */
    bool served;   /* the peer has come to us: told when the server stops */
    bool detached; /* nobody has it any more: what is queued still leaves */
    int why;       /* conn is NULL: 0 or PL_ERR_* */
    struct pl_sockets *sockets;
    struct pl_conn *conn;    /* NULL: closed */
    struct pl_socket **home; /* NULL: C has it */
    struct pl_socket_op *reader, *writer;
    size_t taken;        /* of what conn keeps */
    uint32_t timeout_ms; /* of each read or write; 0: none */
    struct pl_list node;
    struct pl_task *owner; /* NULL: none */
    struct pl_task_defer defer;
};

/* ---- a worker's ---- */

/* Borrows all three; names may be NULL. They are those of this thread then. */
void pl_sockets_init(struct pl_sockets *sockets, struct pl_net *net,
                     struct pl_sched *sched, struct pl_offload *names);

/* Closes what is left. No task is left. Also by the thread that has joined the
 * worker's own. */
void pl_sockets_fini(struct pl_sockets *sockets);

/* The server stops: who reads from a peer that has come to us gets what is
 * there, and then PL_ERR_STOPPING. */
void pl_sockets_drain(struct pl_sockets *sockets);

/* Those of this thread; NULL: none. */
struct pl_sockets *pl_sockets_current(void);

/* Room for a while: until the next call of anything that waits. NULL: no
 * memory.
 */
char *pl_sockets_scratch(struct pl_sockets *sockets);

/* ---- life ---- */

extern const struct pl_protocol pl_socket_protocol;

/* For a connection, which is told of by protocol->opened() then; NULL: no
 * memory. */
struct pl_socket *pl_socket_new(struct pl_sockets *sockets);

/* It has no connection yet, and will have none. */
void pl_socket_free(struct pl_socket *socket);

/* Takes over a connection that another protocol has let go of, but not while
 * that is being shown something. */
void pl_socket_attach(struct pl_socket *socket, struct pl_conn *conn);

/* The other way round: gives the connection, paused, whose protocol and state
 * are the caller's to set at once; or NULL if it is closed by now. Nobody reads
 * or writes, and all that was read has been taken. Frees the socket. */
struct pl_conn *pl_socket_detach(struct pl_socket *socket);

/* Who has it from now on. owner: NULL for none. */
void pl_socket_set_home(struct pl_socket *socket, struct pl_socket **home);
void pl_socket_set_owner(struct pl_socket *socket, struct pl_task *owner);

/* pl_socket_close(), _flush(), _shutdown(), _nodelay() and _keepalive() are
 * those of perilune.h. Closing makes *home NULL. */

/* ---- reading ---- */

/* Waits until what is wanted is there: completes with its length (> 0), or with
 * 0 at the end of the stream, PL_ERR_EOF when that comes in the middle,
 * PL_ERR_LIMIT (no mark in n bytes), PL_ERR_TIMEOUT, PL_ERR_STOPPING, or why
 * the connection was closed. PL_ERR_BUSY: another task reads. n is at most
 * PL_SOCKET_BUFFER. BORROWS mark. */
void pl_socket_read_begin(struct pl_socket_op *op, struct pl_socket *socket,
                          enum pl_socket_want want, size_t n,
                          struct pl_str mark);

/* What is there, until the next call for socket; and its first n bytes are
 * taken. */
struct pl_str pl_socket_peek(const struct pl_socket *socket);
void pl_socket_take(struct pl_socket *socket, size_t n);

/* ---- writing ---- */

/* COPIES as much of bytes as there is room for and returns how much that was;
 * PL_ERR_AGAIN: none, wait for room. Or PL_ERR_CLOSED, ... */
ssize_t pl_socket_write_some(struct pl_socket *socket, struct pl_str bytes);

/* Waits for room: 0 or PL_ERR_*. PL_ERR_BUSY: another task does. */
void pl_socket_room_begin(struct pl_socket_op *op, struct pl_socket *socket);

/* ---- who; false: it is closed ---- */

bool pl_socket_peer_addr(const struct pl_socket *socket, struct pl_addr *addr);
bool pl_socket_own_addr(const struct pl_socket *socket, struct pl_addr *addr);

#endif
