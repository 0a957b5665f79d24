/* systemd.h - tells systemd how far the service is (sd_notify(3)): a datagram
 * to the socket that $NOTIFY_SOCKET names. Without one, and when it cannot be
 * sent, nothing happens: nobody waits for it. */
#ifndef PL_PROCESS_SYSTEMD_H
#define PL_PROCESS_SYSTEMD_H

#include "net/addr.h"

struct pl_systemd {
    struct pl_addr to;    /* len 0: nobody wants to know */
    bool stopping;        /* that was said */
    unsigned watchdog_ms; /* it wants to hear that we live as often; 0: no */
};

/* Looks at $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and takes them
 * away from programs that we start. */
void pl_systemd_open(struct pl_systemd *systemd);

/* It serves; something else is to serve soon, until it says that it does; it
 * lives; it has been asked to stop (is said once). */
void pl_systemd_ready(const struct pl_systemd *systemd);
void pl_systemd_reloading(const struct pl_systemd *systemd);
void pl_systemd_alive(const struct pl_systemd *systemd);
void pl_systemd_stopping(struct pl_systemd *systemd);

#endif
