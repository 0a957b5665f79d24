#include "process/systemd.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/sys.h"

/* Half of what it waits, as sd_watchdog_enabled(3) advises. */
static unsigned watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t usec, number;

    if (!pl_str_to_u64(pl_str_c(getenv("WATCHDOG_USEC")), &usec) || usec == 0 ||
        (pid != NULL && (!pl_str_to_u64(pl_str_c(pid), &number) ||
                         number != (uint64_t)getpid())))
        return 0;
    return (unsigned)PL_MIN(PL_MAX(usec / 2000, (uint64_t)1),
                            (uint64_t)INT32_MAX);
}

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
    else
        systemd->watchdog_ms = watchdog_ms();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
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

void pl_systemd_reloading(const struct pl_systemd *systemd)
{
    char text[64];

    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(pl_clock_monotonic() / 1000));
    say(systemd, text);
}

void pl_systemd_alive(const struct pl_systemd *systemd)
{
    say(systemd, "WATCHDOG=1");
}

void pl_systemd_stopping(struct pl_systemd *systemd)
{
    if (!systemd->stopping)
        say(systemd, "STOPPING=1");
    systemd->stopping = true;
}
