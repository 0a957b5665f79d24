/* ws_handshake.h - how a request becomes a WebSocket (RFC 6455, 4.2). */
#ifndef PL_HTTP_WS_HANDSHAKE_H
#define PL_HTTP_WS_HANDSHAKE_H

#include "http/ws.h"

/* Checks the request and answers it by 101: then *ws is the socket, which is
 * the request's (req->websocket) until somebody takes it, and 0 is returned. Or
 * the status of a refusal (400, 403, 426, 503), with *why saying more; nothing
 * was answered then. BORROWS settings until the socket is released. */
int pl_ws_accept_request(struct pl_request *req,
                         const struct pl_ws_settings *settings,
                         struct pl_ws **ws, const char **why);

/* The socket is no longer the request's: the caller releases it. */
struct pl_ws *pl_ws_adopt(struct pl_request *req);

/* The value of Sec-WebSocket-Accept for a key. */
enum { PL_WS_KEY = 24, PL_WS_ACCEPT = 28 };
void pl_ws_accept_key(char out[PL_WS_ACCEPT], struct pl_str key);

/* May a page of this origin connect to host:port (port 0: the scheme's)?
 * origins as in the settings. */
bool pl_ws_origin_allowed(struct pl_str origin, struct pl_str origins,
                          struct pl_str host, uint16_t port);

/* Over a connection of HTTP/1. Returns 0 or PL_ERR_*. */
int pl_ws_over_h1(struct pl_request *req, const struct pl_ws_settings *settings,
                  struct pl_ws **ws);

/* Over a stream, after an extended CONNECT. The request stays until the socket
 * has gone. Returns 0 or PL_ERR_*. */
int pl_ws_over_stream(struct pl_request *req,
                      const struct pl_ws_settings *settings, struct pl_ws **ws);

/* The same of req->ws_stream: the worker stops; the stream is gone. */
void pl_ws_stream_drain(struct pl_request *req);
void pl_ws_stream_lost(struct pl_request *req, int why);

#endif
