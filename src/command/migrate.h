/* migrate.h - `perilune migrate`: the files of SQL that a site names for its
 * databases (option `migrations` of pl.sql.open) are run, those that have not
 * been. */
#ifndef PL_COMMAND_MIGRATE_H
#define PL_COMMAND_MIGRATE_H

#include "command/options.h"

/* Loads the site, migrates, says what was done. Returns an enum pl_exit. */
int pl_command_migrate(struct pl_options *options);

#endif
