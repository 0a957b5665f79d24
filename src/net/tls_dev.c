/* tls_dev.c - the certificate for development, and where it is kept: with the
 * data of the user, as mkcert and Caddy keep theirs, so that a browser is to be
 * told once to trust it, and not at each start.
 *
 * Where there is no such place the certificate lives as long as the process:
 * that is no reason not to start. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/conn_tls.h"

/* $XDG_DATA_HOME/perilune/dev.pem; that is in ~/.local/share unless it is said.
 * False: there is none. */
static bool find_place(char path[PATH_MAX])
{
    const char *data = secure_getenv("XDG_DATA_HOME");
    const char *home = secure_getenv("HOME");
    int len = 0;

    if (data != NULL && data[0] == '/')
        len = snprintf(path, PATH_MAX, "%s/perilune/dev.pem", data);
    else if (home != NULL && home[0] == '/')
        len =
            snprintf(path, PATH_MAX, "%s/.local/share/perilune/dev.pem", home);
    return len > 0 && len < PATH_MAX;
}

/* The folders above path, for the user alone; one that is there is no error.
 * Whether they are is seen when the file is made. */
static void make_folders(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)pl_sys_mkdirat(AT_FDCWD, path, 0700);
        *at = '/';
    }
}

/* Under another name first: nobody sees half of it. */
static int keep(char path[PATH_MAX], struct pl_str pem)
{
    char fresh[PATH_MAX + 32];
    int fd, err = 0;

    make_folders(path);
    snprintf(fresh, sizeof(fresh), "%s.%ld", path, (long)getpid());
    fd = pl_sys_open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (pl_sys_write(fd, pem.data, pem.len) != (ssize_t)pem.len ||
        pl_sys_renameat(AT_FDCWD, fresh, AT_FDCWD, path) < 0) {
        err = -1;
        (void)pl_sys_unlink(fresh);
    }
    pl_sys_close(fd);
    return err;
}

static bool read_kept(const struct pl_tls_offer *offer, const char *path,
                      struct pl_str *pem)
{
    struct pl_error error;

    if (pl_tls_read_file(path, pem, &error) < 0)
        return false;
    if (offer->dev_good(*pem))
        return true;
    pl_tls_wipe(*pem);
    *pem = pl_str(NULL, 0);
    return false;
}

int pl_tls_dev_read(const struct pl_tls_offer *offer, struct pl_tls_file *file,
                    struct pl_error *error)
{
    char path[PATH_MAX];
    bool place = find_place(path);
    struct pl_str pem = pl_str(NULL, 0);
    int err = 0;

    if (!place || !read_kept(offer, path, &pem)) {
        err = offer->dev_make(&pem, error);
        if (err < 0)
            return err;
        if (place && keep(path, pem) == 0)
            pl_log(PL_LOG_NOTICE, "tls",
                   "a certificate for development was made: %s", path);
        else
            pl_log(PL_LOG_WARN, "tls",
                   "the certificate for development cannot be kept: it is "
                   "another one at the next start");
    }
    file->cert = file->key = pem;
    file->cert_name = file->key_name = "the certificate for development";
    return 0;
}
