/* exit.h - how a command ends: its exit code, and one line that says why. */
#ifndef PL_PROCESS_EXIT_H
#define PL_PROCESS_EXIT_H

#include "base/error.h"

enum pl_exit {
    PL_EXIT_OK = 0,
    PL_EXIT_FAILURE = 1, /* at run time */
    PL_EXIT_USAGE = 2,   /* command line */
    PL_EXIT_SITE = 3,    /* the site does not load */
    PL_EXIT_LISTEN = 4,  /* an address cannot be listened on */
};

/* "perilune: site.lua:3: what is wrong" on stderr, in one line whatever the
 * text holds. Returns code. */
int pl_exit_say(int code, const struct pl_error *error);
int pl_exit_text(int code, const char *text);

#endif
