/* h2_flow.h - flow control (RFC 9113, 5.2 and 6.9): how much may be sent, and
 * how much the peer may send, of a stream or of the connection. Pure. */
#ifndef PL_HTTP_H2_FLOW_H
#define PL_HTTP_H2_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum {
    PL_H2_WINDOW =
        65535, /* of a stream or connection that nothing was said of */
    PL_H2_WINDOW_MAX = INT32_MAX,
};

/* Bytes that may still be sent to one side. A peer's SETTINGS can make it
 * negative (6.9.2). */
struct pl_h2_window {
    int32_t left;
};

/* Adds delta; false if that is more than a window can hold. */
PL_INLINE bool pl_h2_window_move(struct pl_h2_window *window, int64_t delta)
{
    int64_t left = window->left + delta;

    if (left > PL_H2_WINDOW_MAX || left < -(int64_t)PL_H2_WINDOW_MAX)
        return false;
    window->left = (int32_t)left;
    return true;
}

/* n bytes have been sent, or have come; false if there was no room for them. */
PL_INLINE bool pl_h2_window_use(struct pl_h2_window *window, uint32_t n)
{
    if ((int64_t)n > window->left)
        return false;
    window->left -= (int32_t)n;
    return true;
}

PL_INLINE uint32_t pl_h2_window_room(const struct pl_h2_window *window)
{
    return window->left > 0 ? (uint32_t)window->left : 0;
}

/* Of a window that the peer sends into and that should be open by want bytes:
 * what to say in a WINDOW_UPDATE, 0 for none. Small steps are saved up, but
 * never while the peer cannot send at all. Opens the window by that much. */
PL_INLINE uint32_t pl_h2_window_open(struct pl_h2_window *window, uint32_t want)
{
    uint32_t room = pl_h2_window_room(window), more;

    if (want <= room || (room > 0 && room > want / 2))
        return 0;
    more = (uint32_t)((int64_t)want - window->left);
    window->left = (int32_t)want;
    return more;
}

#endif
