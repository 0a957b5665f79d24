/* sendfile.h - answers whose file the web server is told to send itself:
 * X-Sendfile (lighttpd, Apache) and X-Accel-Redirect (nginx). */
#ifndef PL_FCGI_SENDFILE_H
#define PL_FCGI_SENDFILE_H

#include "http/request.h"

/* Puts the name of the file in the place of the content, if that is a whole
 * file which has a name. how: of the listener's options. Else nothing changes.
 */
void pl_fcgi_hand_over(struct pl_request *req, const char *how);

#endif
