/* commands.h - what the sub-commands do; each returns an enum pl_exit. */
#ifndef PL_COMMAND_COMMANDS_H
#define PL_COMMAND_COMMANDS_H

#include "command/options.h"

int pl_command_serve(const struct pl_options *options);
int pl_command_check(const struct pl_options *options);
int pl_command_run(const struct pl_options *options);
int pl_command_version(void);

#endif
