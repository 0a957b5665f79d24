/* rewrite.h - rules that make other paths of some paths, or send clients
 * elsewhere (docs/rewrite.md).
 *
 * A set of rules is a handler: the one in front of the router, or one that is
 * mounted. It decides without a task where it can; what must wait (a body, a
 * disk, a function of the site) is a step of its own:
 *
 *     MATCH -> TEST -> ASK -> MAKE -> ACT      no: the next rule
 *
 * Rules are added while the site is loaded and never change afterwards; each
 * request has a struct pl_rewrite_run in its arena. */
#ifndef PL_HANDLERS_REWRITE_H
#define PL_HANDLERS_REWRITE_H

#include "base/luapat.h"
#include "http/handler.h"
#include "route/site.h"

struct pl_rewrites;
struct pl_rewrite_rule;
struct pl_rewrite_run;

/* The rules in front of the site's routes: made when they are first asked for,
 * and freed with its router. NULL: out of memory. */
struct pl_rewrites *pl_rewrites_front(struct pl_site *site);

/* Rules that are mounted below prefix, in the current scope. NULL with *error.
 */
struct pl_rewrites *pl_rewrites_mount(struct pl_site *site,
                                      struct pl_str prefix, const char *where,
                                      struct pl_error *error);

/* Called when the path of a request has changed: for who keeps what it was. */
void pl_rewrites_tell(struct pl_rewrites *rewrites,
                      void (*moved)(struct pl_request *req));

/* Adds a rule, and COPIES its texts. Without options->to and ->fn a handler
 * makes the URL: see below. Returns 0 or PL_ERR_* with *error, whose where is
 * the given one; *rule (may be NULL) lives as long as the set. */
int pl_rewrites_add(struct pl_rewrites *rewrites, struct pl_site *site,
                    const char *pattern,
                    const struct pl_rewrite_options *options, const char *where,
                    struct pl_error *error, struct pl_rewrite_rule **rule);

/* ---- functions of a site, in another language ----
 *
 * Each is a handler that builds no response, but says one of the two below
 * before its end. One that does not ends the request, with what it has built or
 * what its result means. TAKE handler. */

/* The last condition. */
void pl_rewrite_rule_ask(struct pl_rewrite_rule *rule,
                         struct pl_handler *handler);

/* In the place of options->to. */
void pl_rewrite_rule_make(struct pl_rewrite_rule *rule,
                          struct pl_handler *handler);

/* The run that has started a handler with then. */
struct pl_rewrite_run *pl_rewrite_run_of(struct pl_then *then);

/* What the rule's pattern has matched, and in which text. */
const struct pl_luapat_match *pl_rewrite_match(const struct pl_rewrite_run *run,
                                               struct pl_str *text);
const struct pl_luapat *pl_rewrite_pattern(const struct pl_rewrite_run *run);

/* "site.lua:12": where the rule was added. */
const char *pl_rewrite_where(const struct pl_rewrite_run *run);

/* Is the rule for this request? */
void pl_rewrite_say(struct pl_rewrite_run *run, bool yes);

/* It is, and this is its URL; status: a redirect, or 0: as the rule says.
 * COPIES. Returns 0 or PL_ERR_NOMEM. */
int pl_rewrite_say_url(struct pl_rewrite_run *run, struct pl_str url,
                       int status);

#endif
