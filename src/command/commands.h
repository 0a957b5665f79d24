/* commands.h - what the sub-commands do; each returns an enum pl_exit. */
#ifndef PL_COMMAND_COMMANDS_H
#define PL_COMMAND_COMMANDS_H

#include "command/options.h"

/* Add to options->server what the site and its surroundings say. */
int pl_command_serve(struct pl_options *options);
int pl_command_check(struct pl_options *options);
int pl_command_run(const struct pl_options *options);
int pl_command_version(void);

#endif
