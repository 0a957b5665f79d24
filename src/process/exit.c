#include "process/exit.h"

#include <stdio.h>

/* Lua's messages may have several lines: "module 'x' not found:" and where it
 * was looked for. */
static void join_lines(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at >= ' ')
            *to++ = *at;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    }
    *to = '\0';
}

int pl_exit_say(int code, const struct pl_error *error)
{
    struct pl_error line = *error;

    join_lines(line.where);
    join_lines(line.text);
    fprintf(stderr, "perilune: %s%s%s\n", line.where,
            line.where[0] != '\0' ? ": " : "", line.text);
    return code;
}

int pl_exit_text(int code, const char *text)
{
    struct pl_error error;

    pl_error_set(&error, 0, "", "%s", text);
    return pl_exit_say(code, &error);
}
