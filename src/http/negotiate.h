/* negotiate.h - what a client likes best (RFC 9110, 12.5).
 *
 * A quality is 0 (not acceptable) to 1000. Elements of a field that are
 * malformed are passed over. Fields that occur several times are joined with
 * ", " by the caller; one that is absent is an absent string. */
#ifndef PL_HTTP_NEGOTIATE_H
#define PL_HTTP_NEGOTIATE_H

#include <perilune.h>

enum { PL_QUALITY_MAX = 1000 };

/* For a media type, "text/html" or with parameters. The most specific range
 * that includes it counts: "text/html;level=1", "text/html", "text/" "*",
 * "*" "/" "*" (12.5.1). Without the field, or when it is empty, everything is
 * welcome. */
int pl_accept_quality(struct pl_str accept, struct pl_str type);

/* For a content coding, "gzip", or "identity" for none (12.5.3). "*" stands
 * for what is not named. Identity that is not named is acceptable, but liked
 * least, unless "*;q=0" excludes it.
 *
 * Without the field the RFC would allow every coding; but clients that decode
 * say so, and those that do not show the bytes to people: identity only. */
int pl_accept_encoding_quality(struct pl_str field, struct pl_str coding);

/* For a language tag, "de-AT" (12.5.4; RFC 4647, 3.3.1): the longest range that
 * is the tag or a prefix of it counts. If there is none, a range that is
 * narrower than the tag does ("de" pleases a reader of "de-AT" more than
 * another language), and then "*". Without the field, or when it is empty, all
 * are welcome. */
int pl_accept_language_quality(struct pl_str field, struct pl_str tag);

enum pl_negotiation {
    PL_NEGOTIATE_TYPE,
    PL_NEGOTIATE_ENCODING,
    PL_NEGOTIATE_LANGUAGE
};

/* The index of the best of n offers, the first of equals: list them in the
 * order the server prefers. PL_ERR_NOT_FOUND if none is acceptable: 406, or the
 * first one anyway, as the caller likes. */
int pl_negotiate(enum pl_negotiation kind, struct pl_str field,
                 const struct pl_str *offers, size_t n);

#endif
