/* admin_path.c - where the admin socket of a server is to be found. */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/sys.h"
#include "server/admin.h"

static bool fits(int n, size_t size)
{
    return n > 0 && (size_t)n < size;
}

bool pl_admin_folder(char *out, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return fits(snprintf(out, size, "/run/perilune"), size);
    if (runtime != NULL && runtime[0] == '/')
        return fits(snprintf(out, size, "%s/perilune", runtime), size);
    return fits(
        snprintf(out, size, "/tmp/perilune-%lu", (unsigned long)geteuid()),
        size);
}

bool pl_admin_beside(const char *pid_file, char *out, size_t size)
{
    struct pl_str path = pl_str_c(pid_file);

    if (pl_str_ends(path, PL_STR(".pid")))
        path.len -= 4;
    return fits(snprintf(out, size, "%.*s.admin", PL_STR_ARG(path)), size);
}

/* In /tmp anybody may have made it before us. */
bool pl_admin_folder_safe(const char *folder)
{
    struct stat st;

    return pl_sys_fstatat(AT_FDCWD, folder, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}
