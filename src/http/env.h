/* env.h - fields as variables of CGI (RFC 3875, 4.1.18): how a program sees
 * them, whoever runs it. */
#ifndef PL_HTTP_ENV_H
#define PL_HTTP_ENV_H

#include <perilune.h>

enum { PL_ENV_FRONT = 5 }; /* "HTTP_" */

/* "accept-language" as HTTP_ACCEPT_LANGUAGE, into out, which has room for
 * PL_ENV_FRONT bytes more than field. Absent: it becomes none. Programs take
 * HTTP_PROXY for a setting of their own (CVE-2016-5385), and "X_User" would be
 * the same variable as "X-User". */
struct pl_str pl_env_variable(char *out, struct pl_str field);

#endif
