/* site.h - the part of `pl` that makes a web site: routes, listeners, settings,
 * and the request and response objects of its handlers. */
#ifndef PL_LUA_SITE_H
#define PL_LUA_SITE_H

#include "lua/vm.h"
#include "route/site.h"

/* Gives vm the functions that record into site. Borrows both; site is freed
 * before vm. Returns 0 or PL_ERR_* with *error. */
int pl_lua_site_open(struct pl_vm *vm, struct pl_site *site,
                     struct pl_error *error);

/* The site is about to be freed: nothing of vm looks at it any more. */
void pl_lua_site_close(struct pl_vm *vm);

#endif
