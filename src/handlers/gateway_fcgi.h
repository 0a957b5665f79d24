/* gateway_fcgi.h - what the files of the gateway to FastCGI share. */
#ifndef PL_HANDLERS_GATEWAY_FCGI_H
#define PL_HANDLERS_GATEWAY_FCGI_H

#include "handlers/gateway_priv.h"
#include "handlers/script.h"

/* What a gateway to FastCGI has beside; made once, and does not change. Texts
 * are in the gateway's arena. */
struct pl_gateway_fcgi {
    bool chooses; /* a script below folder; else one program has all paths */
    bool gathers; /* bodies are sent when they are there as a whole */
    struct pl_script_folder folder;
    struct pl_handler *files;     /* for what is no script; NULL: 404 */
    struct pl_str root;           /* folder, as the servers know it */
    struct pl_str constant;       /* pairs that are the same for all requests */
    struct pl_gateway_fields own; /* names that the site says itself */
    struct pl_str sendfile;       /* where files lie that scripts may name, */
    struct pl_str sendfile_prefix; /* ... and that folder as a path; absent */
};

/* ---- gateway_fcgi.c ---- */

/* Makes gateway one to FastCGI. */
void pl_gateway_fcgi_init(struct pl_gateway *gateway);

/* ---- gateway_params.c ---- */

/* relay->pairs: what a script is told of the request. 0 or PL_ERR_*. */
int pl_relay_make_params(struct pl_relay *relay);

/* fcgi->constant. 0 or PL_ERR_NOMEM. */
int pl_gateway_make_constant(struct pl_gateway *gateway,
                             const struct pl_pair *own, size_t n);

/* How much of the path belongs to the mount: without the slash behind it. */
size_t pl_gateway_prefix_len(const struct pl_request *req);

/* ---- gateway_sendfile.c ---- */

/* The answer's head has been taken in: if it names a file, that becomes the
 * answer when the relay is over. 0 or PL_ERR_NOMEM. */
int pl_relay_take_sendfile(struct pl_relay *relay);

#endif
