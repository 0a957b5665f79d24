#include "command/migrate.h"

#include <stdio.h>

#include "app/site_file.h"
#include "base/str.h"
#include "lua/vm.h"
#include "server/worker.h"

/* As the site itself would do it. */
static const char text[] =
    "local count, err = require('perilune').sql.migrate(function(name, db)\n"
    "  print(db.name .. ': ' .. name)\n"
    "end)\n"
    "if not count then error(err, 0) end\n"
    "if count == 0 then print 'nothing to do' end\n";

static int migrate(void *arg, const struct pl_generation *gen)
{
    struct pl_vm_load load;

    (void)arg;
    if (gen->vm == NULL)
        return pl_exit_text(PL_EXIT_SITE, "migrate: this site has no script");
    pl_vm_load_text_begin(&load, gen->vm, "=migrate", PL_STR(text));
    while (load.op.state != PL_OP_DONE)
        pl_loop_step(gen->worker->loop, -1);
    return load.op.result == 0 ? PL_EXIT_OK
                               : pl_exit_say(PL_EXIT_FAILURE, &load.error);
}

int pl_command_migrate(struct pl_options *options)
{
    struct pl_error error = {.code = 0};
    struct pl_site_file file;
    struct pl_server server;
    int code = PL_EXIT_FAILURE;

    if (pl_site_file_init(&file, options->path, options->server.dialect,
                          &error) < 0)
        return pl_exit_say(PL_EXIT_SITE, &error);
    if (pl_server_init(&server, &options->server, &file.loader) == 0) {
        code = pl_server_look(&server, migrate, NULL);
        pl_server_fini(&server);
    }
    pl_site_file_fini(&file);
    return code;
}
