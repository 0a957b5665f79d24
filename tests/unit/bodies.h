/* bodies.h - what handlers of tests and fuzz targets do with a body. */
#ifndef PL_TESTS_BODIES_H
#define PL_TESTS_BODIES_H

#include "http/request.h"
#include "task/fiber.h"

static int wait_body(struct pl_request *req)
{
    struct pl_body_op wait;

    pl_body_wait_begin(&wait, req);
    return pl_op_wait(&wait.op);
}

/* Answers with the body, within the limit of the request. */
static int echo_whole(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    int err;

    while ((err = pl_body_whole(req)) == PL_ERR_AGAIN)
        if ((err = wait_body(req)) < 0)
            break;
    if (err < 0)
        return err;
    return pl_response_bytes(res, pl_body_text(req), NULL, NULL);
}

#endif
