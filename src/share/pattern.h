/* pattern.h - names of topics as tokens, and patterns of them.
 *
 * Tokens are what stands between dots: "chat.room.7" has three. In a pattern
 * "*" stands for any one token, and ">" at the end for one or more. So it is in
 * NATS, too. Pure functions; time linear in the names. */
#ifndef PL_SHARE_PATTERN_H
#define PL_SHARE_PATTERN_H

#include <perilune.h>

/* Patterns are found by the tokens before their first wildcard: as many as
 * this, and publishing looks for no more. */
enum { PL_PATTERN_PREFIX = 16 };

/* Has it a token "*", or ">" for the last one? */
bool pl_is_pattern(struct pl_str name);

bool pl_pattern_matches(struct pl_str pattern, struct pl_str topic);

/* The first n tokens of name, without the dot behind them; fewer if there are
 * not so many. */
struct pl_str pl_topic_prefix(struct pl_str name, unsigned n);

/* The number of tokens; of those before the first wildcard. */
unsigned pl_topic_tokens(struct pl_str name);
unsigned pl_pattern_literals(struct pl_str pattern);

#endif
