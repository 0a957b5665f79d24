/* scripted.h - a backend without a kernel: sockets in memory, time by hand.
 *
 * Runs connections, protocols, time-outs and cancellation in unit tests, on one
 * thread, the same way every time. A test makes pairs of descriptors; the far
 * end is driven by these calls. A far end keeps its number, also after both
 * sides have closed. A wait never sleeps. Nothing here is part of the server.
 *
 * The sockets behave as Linux's TCP does under epoll; test_scripted.c runs the
 * same scenes on both. In edge mode there is one event for each arrival (bytes,
 * FIN, RST, our own shutdown), and one for space after a send that met a full
 * window; it reports the whole state, and nothing follows until something new
 * happens: bytes and FIN that arrive together are one event, then silence. */
#ifndef PL_LOOP_SCRIPTED_H
#define PL_LOOP_SCRIPTED_H

#include "loop/loop.h"

extern const struct pl_backend pl_scripted;

struct pl_script; /* the state of the backend of one loop */

struct pl_script *pl_script_of(struct pl_loop *loop);

/* A listening descriptor of which accept gives what pl_script_connect made. */
int pl_script_listen(struct pl_script *script);

/* A new connection, waiting to be accepted; returns the far end (>= 0). */
int pl_script_connect(struct pl_script *script, int listener);

/* A connected descriptor for the loop's side, without a listener; its far end
 * in *far. */
int pl_script_pair(struct pl_script *script, int *far);

/* The far end sends, closes its writing side, or resets. */
void pl_script_send(struct pl_script *script, int far, struct pl_str bytes);
void pl_script_finish(struct pl_script *script, int far);
void pl_script_reset(struct pl_script *script, int far);

/* The far end closes both sides. If it has not taken everything this is a
 * reset; else a FIN, and the first send that follows is answered by a reset. */
void pl_script_close(struct pl_script *script, int far);

/* What the loop's side has sent so far and the far end has not taken yet;
 * take drops n bytes of it. */
struct pl_str pl_script_received(struct pl_script *script, int far);
void pl_script_take(struct pl_script *script, int far, size_t n);

/* How much the far end accepts before send says AGAIN (default: 1 MiB). */
void pl_script_window(struct pl_script *script, int far, size_t bytes);

/* Bytes arrive n at a time, the next piece in the turn after the last one was
 * read (a FIN comes with the last piece); and n bytes of space per turn. 0: no
 * limit. */
void pl_script_chop(struct pl_script *script, size_t n);

/* Has the loop's side closed, or shut down its writing side? */
bool pl_script_closed(struct pl_script *script, int far);
bool pl_script_finished(struct pl_script *script, int far);

/* Has the loop's side closed with bytes unread, or before some arrived? The
 * kernel then sends a reset, and the far end may lose what was on its way. */
bool pl_script_was_reset(struct pl_script *script, int far);

/* Counts of calls since the start: "recv", "send", "sendfile", "accept",
 * "shutdown", "unsent", "close", "add", "modify", "remove", "wait". */
unsigned pl_script_calls(struct pl_script *script, const char *name);

/* The next times calls of that name fail with err and do nothing. */
void pl_script_fail(struct pl_script *script, const char *name, int err,
                    unsigned times);

/* For options.clock (and wall), with the address of a uint64_t of nanoseconds
 * as clock_arg; the test moves it. */
uint64_t pl_fake_clock(void *ns);

#endif
