/* answer.h - a file as the content of a response. */
#ifndef PL_HANDLERS_ANSWER_H
#define PL_HANDLERS_ANSWER_H

#include "handlers/files.h"
#include "http/request.h"

/* Chooses the version that the client likes best, and makes it the content of
 * req's response, with its type unless the response has one. status 200 (or 0)
 * comes with validators; any other is said as it is. TAKES file, which is no
 * folder. 0, or PL_ERR_* with the response as it was. */
int pl_file_answer(struct pl_request *req, struct pl_file *file, int status);

/* What was asked for is a folder: leads the client to the path with a slash at
 * its end. 0 or PL_ERR_NOMEM. */
int pl_file_redirect(struct pl_request *req);

#endif
