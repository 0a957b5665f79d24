/* seccomp.c - what the plug-in offers. */
#include "seccomp.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plugin.h"

static void name_call(int number, char *out, size_t size)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);

    snprintf(out, size, "%s", name == NULL ? "" : name);
    free(name);
}

static void name_libraries(char *out, size_t size)
{
    const struct scmp_version *version = seccomp_version();

    snprintf(out, size, "libseccomp %u.%u.%u", version->major, version->minor,
             version->micro);
}

static void open_host(const void *table)
{
    (void)table;
}

static const struct pl_seccomp_offer offer = {
    .compile = pl_seccomp_compile,
    .name = name_call,
};

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = 0,
    .offer_size = sizeof(struct pl_seccomp_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
