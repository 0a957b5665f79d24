/* options.h - the command line. */
#ifndef PL_COMMAND_OPTIONS_H
#define PL_COMMAND_OPTIONS_H

#include "lua/vm.h"
#include "server/server.h"

enum pl_command {
    PL_COMMAND_SERVE,   /* SITE.lua | FOLDER */
    PL_COMMAND_CHECK,   /* check SITE.lua */
    PL_COMMAND_RUN,     /* run SCRIPT.lua ARGS... */
    PL_COMMAND_MIGRATE, /* migrate SITE.lua */
    PL_COMMAND_HELP,    /* --help, -h alone */
    PL_COMMAND_VERSION, /* --version */
};

struct pl_options {
    enum pl_command command;
    struct pl_server_options server;
    struct pl_dialect dialect; /* server.dialect, if one was given */
    bool foreign;              /* there are options of it */
    const char *path; /* site, folder or script; "." if none is given */
    char **args;      /* of a script; ends with NULL */
    char **argv;      /* the whole command line */
    bool alone;       /* without a supervisor */
};

/* Reads argv into *options, which borrows from it and stays where it is.
 * Options may stand before and after the path ("--" ends them). Returns 0, or
 * PL_ERR_INVALID with *error. */
int pl_options_parse(int argc, char **argv, struct pl_options *options,
                     struct pl_error *error);

#endif
