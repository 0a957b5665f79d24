/* ws_topics.h - WebSockets that listen to topics.
 *
 * A worker has one subscription for each topic that sockets of it listen to.
 * What comes is made a frame once, and that is sent to all of them: some
 * hundred in a turn of the loop, so that ten thousand hold nobody up. A string
 * is sent as text if it is UTF-8, else as binary; a number or a boolean as JSON
 * has it; a table by who publishes it, as a string.
 *
 * Who reads too slowly (its connection is congested) is closed, or left out, as
 * it has chosen: what waits for it stays bounded. */
#ifndef PL_HANDLERS_WS_TOPICS_H
#define PL_HANDLERS_WS_TOPICS_H

#include "http/ws.h"
#include "share/member.h"

/* The socket gets what is published to topic from now on, until it leaves or is
 * closed. drop: leave it out when it is slow, instead of closing it with 1013.
 * Again changes that. Returns 0, PL_ERR_CLOSED, PL_ERR_NOMEM, or an error of
 * pl_bus_subscribe(). */
int pl_ws_listen(struct pl_ws *ws, struct pl_member *member,
                 struct pl_str topic, bool drop);

#endif
