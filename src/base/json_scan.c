#include "base/json_scan.h"

#include "base/str.h"

int pl_json_fail(struct pl_json_scan *scan, const char *what)
{
    scan->what = what;
    return PL_ERR_PROTO;
}

int pl_json_unexpected(struct pl_json_scan *scan, const char *what)
{
    return pl_json_fail(scan, scan->at == scan->end ? "unexpected end" : what);
}

/* True if the text goes on with word, and moves behind it. */
static bool skip_word(struct pl_json_scan *scan, struct pl_str word)
{
    if (!pl_str_starts(pl_str(scan->at, (size_t)(scan->end - scan->at)), word))
        return false;
    scan->at += word.len;
    return true;
}

void pl_json_begin(struct pl_json_scan *scan)
{
    skip_word(scan, PL_STR("\xef\xbb\xbf"));
    scan->at = pl_json_skip(scan->at, scan->end);
}

int pl_json_finish(struct pl_json_scan *scan)
{
    scan->at = pl_json_skip(scan->at, scan->end);
    return scan->at == scan->end
               ? 0
               : pl_json_fail(scan, "nothing more was expected");
}

int pl_json_word(struct pl_json_scan *scan)
{
    if (skip_word(scan, PL_STR("true")))
        return 't';
    if (skip_word(scan, PL_STR("false")))
        return 'f';
    if (skip_word(scan, PL_STR("null")))
        return 'n';
    return pl_json_unexpected(scan, "a value was expected");
}

void pl_json_place(const struct pl_json_scan *scan, const char *text,
                   size_t *line, size_t *column)
{
    const char *begin = text;

    *line = 1;
    for (const char *p = text; p < scan->at; p++) {
        if (*p == '\n') {
            begin = p + 1;
            ++*line;
        }
    }
    *column = (size_t)(scan->at - begin) + 1;
}
