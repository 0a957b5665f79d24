#include "server/systemd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/sys.h"

void pl_systemd_open(struct pl_systemd *systemd)
{
    const char *path = getenv("NOTIFY_SOCKET");
    char text[PL_ADDR_TEXT];

    *systemd = (struct pl_systemd){.to = {.len = 0}};
    if (path == NULL)
        return;
    snprintf(text, sizeof(text), "unix:%s", path);
    if (pl_addr_parse(pl_str_c(text), false, &systemd->to, NULL) < 0)
        systemd->to.len = 0;
    unsetenv("NOTIFY_SOCKET");
}

static void say(const struct pl_systemd *systemd, const char *state)
{
    int fd;

    if (systemd->to.len == 0)
        return;
    fd = pl_sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    pl_sys_sendto(fd, state, strlen(state), MSG_NOSIGNAL, &systemd->to.sa,
                  systemd->to.len);
    pl_sys_close(fd);
}

void pl_systemd_ready(const struct pl_systemd *systemd)
{
    say(systemd, "READY=1");
}

void pl_systemd_stopping(struct pl_systemd *systemd)
{
    if (!systemd->stopping)
        say(systemd, "STOPPING=1");
    systemd->stopping = true;
}
