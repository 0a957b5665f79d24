/* script.h - `perilune run`: one Lua script with the library and a loop, but
 * without a server. */
#ifndef PL_COMMAND_SCRIPT_H
#define PL_COMMAND_SCRIPT_H

/* Runs the script to its end, with args (ends with NULL) as arg[1], ... and
 * "...". Returns its exit code: what it returned or gave to pl.stop(), or
 * PL_EXIT_SITE when it does not compile, PL_EXIT_FAILURE when it raised. */
int pl_script_run(const char *path, char **args);

#endif
