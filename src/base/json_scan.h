/* json_scan.h - the grammar of JSON texts (RFC 8259) between strings and
 * numbers: what both readers, into Lua tables and into nodes, have in common.
 *
 * A function that fails leaves scan->at at the fault and scan->what saying it;
 * it never looks behind the end. */
#ifndef PL_BASE_JSON_SCAN_H
#define PL_BASE_JSON_SCAN_H

#include "base/json_text.h"

/* Limits where nobody says others. */
enum { PL_JSON_DEPTH = PL_JSON_LEVELS };
#define PL_JSON_SIZE ((size_t)64 << 20)

struct pl_json_scan {
    const char *at, *end; /* the next byte, and where there is none */
    const char *what;     /* NULL: no fault */
};

/* Says what is wrong at scan->at; PL_ERR_PROTO. _unexpected: unless that is
 * where the text ends. */
int pl_json_fail(struct pl_json_scan *scan, const char *what);
int pl_json_unexpected(struct pl_json_scan *scan, const char *what);

/* Passes over a byte order mark (RFC 8259, 8.1) and white space. */
void pl_json_begin(struct pl_json_scan *scan);

/* 0 if nothing but white space follows. */
int pl_json_finish(struct pl_json_scan *scan);

/* Reads true, false or null: 't', 'f' or 'n', or PL_ERR_PROTO. */
int pl_json_word(struct pl_json_scan *scan);

/* The line and the column, in bytes, of scan->at, both from 1. */
void pl_json_place(const struct pl_json_scan *scan, const char *text,
                   size_t *line, size_t *column);

/* Behind an opening bracket and white space: true if the closing one follows,
 * and moves behind it. */
PL_INLINE bool pl_json_is_empty(struct pl_json_scan *scan, char bracket)
{
    if (scan->at == scan->end || *scan->at != bracket)
        return false;
    scan->at++;
    return true;
}

/* After an item: 1 if a comma and so another one follows, 0 at the end. */
PL_INLINE int pl_json_next_item(struct pl_json_scan *scan, char bracket)
{
    scan->at = pl_json_skip(scan->at, scan->end);
    if (scan->at < scan->end && *scan->at == ',') {
        scan->at = pl_json_skip(scan->at + 1, scan->end);
        return 1;
    }
    if (pl_json_is_empty(scan, bracket))
        return 0;
    return pl_json_unexpected(scan, bracket == ']' ? "',' or ']' was expected"
                                                   : "',' or '}' was expected");
}

/* Before a key: 0 if a quote stands there. */
PL_INLINE int pl_json_before_key(struct pl_json_scan *scan)
{
    if (PL_LIKELY(scan->at < scan->end && *scan->at == '"'))
        return 0;
    return pl_json_unexpected(scan, "a string was expected as a key");
}

/* Behind a key: moves on to its value. */
PL_INLINE int pl_json_after_key(struct pl_json_scan *scan)
{
    scan->at = pl_json_skip(scan->at, scan->end);
    if (scan->at == scan->end || *scan->at != ':')
        return pl_json_unexpected(scan, "':' was expected");
    scan->at = pl_json_skip(scan->at + 1, scan->end);
    return 0;
}

#endif
