/* client.h - the commands that talk to a running server by its admin socket:
 * status, stop, drain, log, ... (docs/command.md). They block, and know nothing
 * of the server but what it says. */
#ifndef PL_COMMAND_CLIENT_H
#define PL_COMMAND_CLIENT_H

#include <perilune.h>

#include "base/buf.h"
#include "base/error.h"
#include "server/admin.h"

struct pl_client {
    const char *admin, *pid_file; /* how the server was named; NULL */
    bool json, flag;          /* --json; the option that only its command has */
    const char *word;         /* behind the command; NULL */
    char path[PL_ADMIN_PATH]; /* of the socket */
};

/* Is argv[1] one of these commands? */
bool pl_client_is(int argc, char **argv);

/* Does what argv says. Returns an enum pl_exit. */
int pl_client_run(int argc, char **argv);

/* ---- client_call.c ---- */

/* Fills client->path. Returns 0 or PL_ERR_* with *error. */
int pl_client_find(struct pl_client *client, struct pl_error *error);

struct pl_client_answer {
    int status;
    struct pl_pool pool;
    struct pl_buf text; /* all that came */
    struct pl_str body;
    const struct pl_json *json; /* of body */
};

/* Fills *answer, which must not be moved, to be given back by
 * pl_client_answer_fini() also after a failure. A status of 400 and above is
 * PL_ERR_INVALID, and *error what the server says. */
int pl_client_call(const struct pl_client *client, const char *method,
                   const char *target, struct pl_client_answer *answer,
                   struct pl_error *error);
void pl_client_answer_fini(struct pl_client_answer *answer);

/* ---- client_show.c ---- */

/* For people; before: what was said `seconds` earlier, for rates. */
void pl_client_show_status(const struct pl_json *before,
                           const struct pl_json *now, double seconds);
void pl_client_show_requests(const struct pl_json *answer);
void pl_client_show_connections(const struct pl_json *answer);

/* Of the status, in one line: the generation that serves, and the last reload;
 * an old generation of a worker (false: it is the one that serves); a request
 * that keeps it alive. */
void pl_client_describe_reload(char *out, size_t size,
                               const struct pl_json *now);
bool pl_client_describe_old(char *out, size_t size, uint64_t worker,
                            const struct pl_json *gen);
void pl_client_describe_keeper(char *out, size_t size,
                               const struct pl_json *req);

/* ---- reading answers: what is not there is 0, or "" ---- */

uint64_t pl_client_u64(const struct pl_json *value, const char *pointer);
double pl_client_double(const struct pl_json *value, const char *pointer);
struct pl_str pl_client_str(const struct pl_json *value, const char *pointer);

#endif
