/* main.c - the command: reads the command line and does what it says. */
#include "base/crash.h"
#include "base/features.h"
#include "command/client.h"
#include "command/commands.h"
#include "command/help.h"
#include "command/migrate.h"
#include "process/exit.h"
#include "process/process.h"

int main(int argc, char **argv)
{
    struct pl_error error = {.code = 0};
    struct pl_options options;

    if (PL_WITH_ADMIN && pl_client_is(argc, argv))
        return pl_client_run(argc, argv);
    if (pl_options_parse(argc, argv, &options, &error) < 0)
        return pl_exit_say(PL_EXIT_USAGE, &error);
    pl_crash_install();
    pl_crash_thread_enter(); /* without memory for it: a crash says less */
    pl_descriptors_raise();
    switch (options.command) {
    case PL_COMMAND_HELP:
        return pl_help_print();
    case PL_COMMAND_VERSION:
        return pl_command_version();
    case PL_COMMAND_CHECK:
        return pl_command_check(&options);
    case PL_COMMAND_RUN:
        return pl_command_run(&options);
#if PL_WITH_SQL
    case PL_COMMAND_MIGRATE:
        return pl_command_migrate(&options);
#endif
    default:
        return pl_command_serve(&options);
    }
}
