/* condition.h - what a rule asks of a request, beside its path: a cookie, a
 * file that is there, the method (struct pl_condition of perilune.h). */
#ifndef PL_HANDLERS_CONDITION_H
#define PL_HANDLERS_CONDITION_H

#include "handlers/expansion.h"
#include "http/request.h"

/* A struct pl_condition that has been read; in the arena, and constant. */
struct pl_test {
    enum pl_when when;
    bool unless; /* it holds if that is not so */
    struct pl_str name;
    struct pl_expansion value; /* absent: any will do */
    unsigned n;                /* bits of methods; a capture */
};

/* COPIES. Names and values are checked as far as they can be before there is a
 * request. Returns 0 or PL_ERR_* with *error. */
int pl_test_read(struct pl_test *out, struct pl_arena *arena,
                 const struct pl_condition *condition,
                 const struct pl_luapat *pattern, struct pl_error *error);

/* Does it hold? 1, 0, PL_ERR_NOMEM or PL_ERR_TOO_LONG; or PL_ERR_AGAIN: a disk
 * or the body has to be waited for. With wait it WAITS (on a fiber). */
int pl_test_holds(const struct pl_test *test, struct pl_request *req,
                  const struct pl_luapat_match *match, bool wait);

#endif
