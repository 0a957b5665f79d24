/* drivers.h - which driver (driver.h) a URL asks for. */
#ifndef PL_SQL_DRIVERS_H
#define PL_SQL_DRIVERS_H

#include "base/error.h"
#include "sql/driver.h"

/* Loads the plug-in for the scheme of "sqlite:site.db". Reads files, the first
 * time: sites open databases while they load. NULL: *error says why. */
const struct pl_sql_driver *pl_sql_driver_load(const char *url,
                                               struct pl_error *error);

#endif
