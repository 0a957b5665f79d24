/* conditional.h - preconditions (RFC 9110, 13).
 *
 * To be asked when the representation is chosen and its validators are known,
 * and only if the answer without conditions would be a 2xx or 412 (13.2.1). */
#ifndef PL_HTTP_CONDITIONAL_H
#define PL_HTTP_CONDITIONAL_H

#include "http/method.h"

enum pl_precondition {
    PL_PROCEED,
    PL_NOT_MODIFIED,       /* 304 */
    PL_PRECONDITION_FAILED /* 412 */
};

/* Fields that the request lacks are absent; a repeated one is joined with ", "
 * first (RFC 9110, 5.3). */
struct pl_conditional {
    enum pl_method method;
    struct pl_str if_match, if_unmodified_since;
    struct pl_str if_none_match, if_modified_since;
    /* of the representation that would be sent or changed */
    bool missing;          /* there is none (yet): a PUT may create it */
    struct pl_str etag;    /* may be absent */
    int64_t last_modified; /* seconds since 1970; -1: not known */
};

/* Evaluates the four fields in the order of RFC 9110, 13.2.2. */
enum pl_precondition pl_conditional_evaluate(const struct pl_conditional *in);

/* May Range be obeyed? True without If-Range. A tag has to match strongly; a
 * date has to be last_modified exactly, and the second it names has to be over
 * (now: seconds since 1970), or the file might have changed twice within it
 * (RFC 9110, 13.1.5 and 8.8.2.2). */
bool pl_if_range_matches(struct pl_str if_range, struct pl_str etag,
                         int64_t last_modified, int64_t now);

#endif
