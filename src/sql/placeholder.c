#include "sql/placeholder.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

enum { DIGITS = 10 }; /* that an unsigned has */

struct scan {
    const char *at, *end;
    char before; /* the last byte; a letter: a name or a number goes on */
};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 128;
}

/* Behind the closing quote, of which two are one in the text. */
static const char *skip_quoted(const char *at, const char *end, bool escapes)
{
    char quote = *at++;

    while (at < end) {
        if (escapes && *at == '\\' && end - at > 1)
            at += 2;
        else if (*at != quote)
            at++;
        else if (end - at > 1 && at[1] == quote)
            at += 2;
        else
            return at + 1;
    }
    return end;
}

static const char *skip_line(const char *at, const char *end)
{
    const char *line = memchr(at, '\n', (size_t)(end - at));

    return line == NULL ? end : line;
}

/* They may be in each other (SQL:1999). */
static const char *skip_comment(const char *at, const char *end)
{
    unsigned depth = 0;

    while (end - at > 1) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return end;
}

/* $tag$ ... $tag$; behind a single dollar if it is none. */
static const char *skip_dollars(const char *at, const char *end)
{
    const char *close = at + 1, *found;
    size_t len;

    while (close < end && is_name(*close))
        close++;
    if (close == end || *close != '$' || (at[1] >= '0' && at[1] <= '9'))
        return at + 1;
    len = (size_t)(close - at) + 1;
    found = memmem(close + 1, (size_t)(end - close) - 1, at, len);
    return found == NULL ? end : found + len;
}

/* What begins at scan->at and is not looked into; or one byte. */
static const char *next(const struct scan *scan)
{
    const char *at = scan->at, *end = scan->end;
    bool two = end - at > 1;

    switch (*at) {
    case '\'':
        return skip_quoted(at, end, scan->before == 'e' || scan->before == 'E');
    case '"':
        return skip_quoted(at, end, false);
    case '-':
        return two && at[1] == '-' ? skip_line(at, end) : at + 1;
    case '/':
        return two && at[1] == '*' ? skip_comment(at, end) : at + 1;
    case '$':
        return is_name(scan->before) ? at + 1 : skip_dollars(at, end);
    default:
        return at + 1;
    }
}

static size_t put(char *out, size_t len, const char *from, size_t n)
{
    if (out != NULL)
        memcpy(out + len, from, n);
    return len + n;
}

size_t pl_sql_number(struct pl_str text, char *out, unsigned *count)
{
    struct scan scan = {text.data, text.data + text.len, ' '};
    char number[DIGITS + 2];
    size_t len = 0;

    *count = 0;
    while (scan.at < scan.end) {
        const char *behind = next(&scan);

        if (*scan.at != '?') {
            len = put(out, len, scan.at, (size_t)(behind - scan.at));
        } else if (behind < scan.end && *behind == '?') {
            len = put(out, len, behind++, 1);
        } else {
            int n = snprintf(number, sizeof(number), "$%u", ++*count);

            len = put(out, len, number, (size_t)n);
        }
        scan.before = behind[-1];
        scan.at = behind;
    }
    if (out != NULL)
        out[len] = '\0';
    return len;
}

size_t pl_sql_number_room(struct pl_str text)
{
    size_t marks = 0;

    for (size_t i = 0; i < text.len; i++)
        marks += text.data[i] == '?';
    return text.len + marks * DIGITS + 1;
}
