/* conn.h - one connection: bytes in, bytes out, a deadline, a close.
 *
 * Knows nothing of HTTP: hands what it reads to its protocol and writes what
 * the protocol queues. A connection stays on the worker that accepted or opened
 * it: call these functions there only. None of them blocks.
 *
 * Reading is edge-triggered: PL_CONN_READABLE is set by events and cleared by
 * what recv says; pausing leaves it set. What the protocol does not consume is
 * kept (in a pooled buffer) and shown again with what follows.
 *
 * Writing gathers in the worker's outbox and leaves with the end of the input
 * burst or of the turn; what the kernel refuses is queued in segments.
 *
 * A closed connection stays valid until the end of the turn, so that callers
 * up the stack can see pl_conn_closed(). */
#ifndef PL_NET_CONN_H
#define PL_NET_CONN_H

#include "net/listener.h"

struct pl_conn;

/* Implemented by http/ and passed down: net/ never includes http/. */
struct pl_protocol {
    const char *name; /* "http/1.1" */
    const char *alpn; /* its name in TLS (RFC 7301); NULL: is not offered */
    /* A new connection; may write. Its state pointer is NULL. */
    void (*opened)(struct pl_conn *conn);
    /* Instead of it: there are too many of this address (crowd.h). Says so and
     * finishes. NULL: such a connection is closed without a word. */
    void (*busy)(struct pl_conn *conn);
    /* Returns how many of the bytes it is done with. The rest is shown again,
     * at once if the protocol calls pl_conn_resume(), else with more bytes. May
     * close the connection. */
    size_t (*input)(struct pl_conn *conn, struct pl_str bytes);
    /* The peer has finished sending. */
    void (*eof)(struct pl_conn *conn);
    /* The queue has fallen below output_low after pl_conn_congested(), or the
     * turn after pl_conn_yield() has come. */
    void (*drained)(struct pl_conn *conn);
    /* A deadline of the protocol's own classes has passed. */
    void (*timeout)(struct pl_conn *conn, enum pl_deadline_class class);
    /* The worker stops: come to an end soon. NULL: there is nothing to do. */
    void (*drain)(struct pl_conn *conn);
    /* The last call: why is 0 (closed by us) or PL_ERR_*. */
    void (*closed)(struct pl_conn *conn, int why);
    /* A connection that is dead in both directions is read to its end, and
     * closed by what reading says; else it is closed at once. */
    bool reads_on;
};

enum pl_conn_flags {
    PL_CONN_READABLE = 1,
    PL_CONN_WRITABLE = 2,
    PL_CONN_PEER_DONE = 4,   /* RDHUP: reads will end */
    PL_CONN_EOF = 8,         /* the end has been read */
    PL_CONN_PAUSED = 16,     /* the protocol does not want input */
    PL_CONN_AGAIN = 32,      /* on the loop's again list */
    PL_CONN_CONGESTED = 64,  /* above output_high, not yet below output_low */
    PL_CONN_FINISHING = 128, /* close once the output has gone */
    PL_CONN_LINGER = 256,    /* ... with a FIN first */
    PL_CONN_SHUT = 512,      /* our FIN has been sent */
    PL_CONN_CLOSED = 1024,
    PL_CONN_FRESH = 2048,    /* accepted in this turn: not watched yet */
    PL_CONN_SECURE = 4096,   /* what the socket carries is TLS (tls.h) */
    PL_CONN_HALF = 8192,     /* no more output: FIN once it has gone */
    PL_CONN_YIELDED = 16384, /* drained() is owed: pl_conn_yield() */
};

struct pl_conn {
    struct pl_source source;
    const struct pl_protocol *protocol;
    void *state; /* the protocol's, NULL while it needs none */
    struct pl_listener *listener;
    struct pl_conn_io *io; /* buffers, while there is something in them */
    struct pl_deadline deadline;
    uint16_t flags;
    uint8_t class; /* enum pl_deadline_class */
    uint8_t user;  /* the protocol's */
};

_Static_assert(sizeof(struct pl_conn) <= 64, "an idle connection is one line");

struct pl_tls;
struct pl_conn_origin;

/* What only the connections of some listeners have (listener->more): it lies
 * behind the connection and lives as long, until the end of the turn in which
 * it closes. All zero at first. */
struct pl_conn_more {
    struct pl_tls *tls;            /* NULL: what is sent is what is meant */
    struct pl_conn_origin *origin; /* NULL: the socket's own addresses */
    enum { PL_TRUST_UNSEEN, PL_TRUST_NO, PL_TRUST_YES } trust; /* in its peer */
};

/* NULL: its listener gives it none. */
PL_INLINE struct pl_conn_more *pl_conn_more(const struct pl_conn *conn)
{
    return conn->listener->more ? (struct pl_conn_more *)(conn + 1) : NULL;
}

/* TAKES fd. Tells the protocol, and reads what is there already: the peer has
 * often sent its request by now, and where it is closed behind the answer the
 * kernel need not be asked for events. 0 or PL_ERR_*. */
int pl_conn_new(struct pl_listener *listener, int fd);

/* For what stood at the door of the listener: it has seen enough, the protocol
 * of the listener takes over. The second, at the end of an input(), also shows
 * it the bytes that are left, and returns how many of them it used. */
void pl_conn_proceed(struct pl_conn *conn);
size_t pl_conn_proceed_with(struct pl_conn *conn, struct pl_str bytes);

/* The same for one that this side has opened: fd is connected. Its listener is
 * the worker's dialer, which listens to nothing; it has pl_conn_more. opened()
 * finds state where it belongs, which is TAKEN on success only. */
int pl_conn_dialed(struct pl_net *net, int fd,
                   const struct pl_protocol *protocol, void *state);

/* True when the bytes are encrypted on the way, handshake included. */
PL_INLINE bool pl_conn_secure(const struct pl_conn *conn)
{
    return (conn->flags & PL_CONN_SECURE) != 0;
}

PL_INLINE bool pl_conn_closed(const struct pl_conn *conn)
{
    return (conn->flags & PL_CONN_CLOSED) != 0;
}

/* At once; what is queued is dropped (an RST if the peer still sends). why is
 * handed to the protocol. */
void pl_conn_close(struct pl_conn *conn, int why);

/* When the output has gone. linger: FIN first and read on until the peer's FIN
 * (or linger_ms), so that the peer gets the last answer even if it still sends.
 * Input is not shown to the protocol any more. */
void pl_conn_finish(struct pl_conn *conn, bool linger);

/* No more output: FIN follows what is queued. Input goes on. */
void pl_conn_end_output(struct pl_conn *conn);

/* ---- output: 0, or PL_ERR_CLOSED, PL_ERR_LIMIT ----
 *
 * PL_ERR_LIMIT: the peer does not read, and conn_memory is used up. Nothing of
 * that call has been sent then; a connection of which a part was already on its
 * way is closed instead. */

/* COPIES. */
int pl_conn_write(struct pl_conn *conn, struct pl_str bytes);

/* Several pieces (at most PL_CONN_PIECES) as one. COPIES. */
enum { PL_CONN_PIECES = 4 };
int pl_conn_writev(struct pl_conn *conn, const struct iovec *pieces, int n);

/* Room for size (<= PL_NET_OUTBOX) bytes in the output, to be filled now and
 * then counted by pl_conn_commit(). NULL: use pl_conn_write(). */
char *pl_conn_reserve(struct pl_conn *conn, size_t size);
void pl_conn_commit(struct pl_conn *conn, size_t used);

/* BORROWS bytes until release(arg) is called (once, also on failure or close).
 * For large bodies: gathered with what is before them, never copied; and for
 * what goes to many: copied only if it can leave at once. */
int pl_conn_write_ref(struct pl_conn *conn, struct pl_str bytes,
                      void (*release)(void *arg), void *arg);

/* len bytes of the file from off; BORROWS file until release(arg). A file that
 * turns out shorter closes the connection (PL_ERR_IO). */
int pl_conn_write_file(struct pl_conn *conn, int file, uint64_t off,
                       uint64_t len, void (*release)(void *arg), void *arg);

/* The protocol has more to write, but others shall have their turn before:
 * drained() is called in the next one. */
void pl_conn_yield(struct pl_conn *conn);

/* The same for input: the protocol has dealt with its share of a turn, and what
 * is left of it waits. Many peers that send without a pause, small requests
 * most of all, then hold the worker for many small turns instead of long ones.
 * drained() resumes. */
void pl_conn_pass(struct pl_conn *conn);

/* Sends what is gathered now, if it is this connection's. */
void pl_conn_flush(struct pl_conn *conn);

/* Bytes that wait for the peer; stop producing when congested. */
size_t pl_conn_queued(const struct pl_conn *conn);
bool pl_conn_congested(struct pl_conn *conn);

/* ---- input ---- */

void pl_conn_pause(struct pl_conn *conn);
void pl_conn_resume(struct pl_conn *conn); /* input follows in the next turn */

/* Bytes that have been read and not yet consumed. */
size_t pl_conn_kept(const struct pl_conn *conn);

/* Between two inputs, a protocol that has paused may look at them, until the
 * next call for conn, and take the first n of them: when all are taken their
 * buffer is given back. */
struct pl_str pl_conn_rest(const struct pl_conn *conn);
void pl_conn_consume(struct pl_conn *conn, size_t n);

/* ---- memory ---- */

/* All that the connection may hold (conn_memory) is on this account: its input
 * and output, and what its protocol keeps for the peer beside them (heads,
 * tables, bodies that nobody reads). It is there as long as something is
 * charged to it, which the protocol has released when closed() returns. NULL:
 * no memory. */
struct pl_account *pl_conn_account(struct pl_conn *conn);

/* Gives back what was charged to it by who needs it no more. */
void pl_conn_release(struct pl_conn *conn, size_t size);

/* ---- time ---- */

/* The protocol's deadline (IDLE, HEAD, BODY, LIVE), or NONE. While output waits
 * for the peer the WRITE deadline takes its place. */
void pl_conn_deadline(struct pl_conn *conn, enum pl_deadline_class class,
                      uint32_t ms);

/* ---- who ---- */

/* As a PROXY header says; else asks the kernel. False if nobody knows (any
 * more). */
bool pl_conn_peer(const struct pl_conn *conn, struct pl_addr *addr);
bool pl_conn_local(const struct pl_conn *conn, struct pl_addr *addr);

/* Is its peer one whose word the listener takes for who the client is? Asks the
 * kernel once in its life. */
bool pl_conn_trusted(const struct pl_conn *conn);

/* Calls fn for every open connection of the worker; fn may close it. */
void pl_net_each(struct pl_net *net,
                 void (*fn)(struct pl_conn *conn, void *arg), void *arg);

PL_INLINE struct pl_net *pl_conn_net(const struct pl_conn *conn)
{
    return conn->listener->net;
}

#endif
