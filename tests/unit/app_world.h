/* app_world.h - a C program's application for a test: served by threads of this
 * process, and asked over real sockets. */
#ifndef PL_TESTS_APP_WORLD_H
#define PL_TESTS_APP_WORLD_H

#include "check.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pl_app *app;
static pthread_t runner;
static int started; /* eventfd */
static int exit_code;
static char answer[1 << 20];
static size_t answer_len;

/* ---- a running application ---- */

PL_UNUSED static void *run(void *arg)
{
    (void)arg;
    exit_code = pl_app_run(app);
    return NULL;
}

PL_UNUSED static void say_started(struct pl_app *self, void *arg)
{
    uint64_t one = 1;

    (void)self;
    CHECK_INT(8, write(*(int *)arg, &one, 8), "eventfd");
}

PL_UNUSED static void
start_app_with(const struct pl_app_listen_options *options)
{
    uint64_t count;

    started = eventfd(0, EFD_CLOEXEC);
    pl_app_on_start(app, say_started, &started);
    CHECK_INT(0, pl_app_listen_with(app, "127.0.0.1:0", options), "listen");
    CHECK_INT(0, pthread_create(&runner, NULL, run, NULL), "thread");
    CHECK_INT(8, read(started, &count, 8), "started");
    close(started);
}

PL_UNUSED static void start_app(void)
{
    start_app_with(NULL);
}

PL_UNUSED static void stop_app(void)
{
    pl_app_stop(app);
    pthread_join(runner, NULL);
    CHECK_INT(0, exit_code, "exit code");
    pl_app_free(app);
}

PL_UNUSED static int open_conn(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)pl_app_port(app)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0, "socket");
    CHECK_INT(0, connect(fd, (struct sockaddr *)&addr, sizeof(addr)),
              "connect");
    return fd;
}

PL_UNUSED static void send_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        CHECK(n > 0, "send");
        text += n;
        len -= (size_t)n;
    }
}

/* Reads up to the end of the connection, which it closes. */
PL_UNUSED static const char *read_answer(int fd)
{
    ssize_t n;

    answer_len = 0;
    while ((n = recv(fd, answer + answer_len, sizeof(answer) - answer_len - 1,
                     0)) > 0)
        answer_len += (size_t)n;
    answer[answer_len] = '\0';
    close(fd);
    return answer;
}

PL_UNUSED static const char *ask(const char *method, const char *target,
                                 const char *fields, const char *body)
{
    char head[4096];
    int fd = open_conn();
    size_t len = strlen(body);
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: a.example:80\r\n"
                     "Connection: close\r\nContent-Length: %zu\r\n%s\r\n",
                     method, target, len, fields);

    send_all(fd, head, (size_t)n);
    send_all(fd, body, len);
    return read_answer(fd);
}

PL_UNUSED static int status_of(const char *text)
{
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
}

PL_UNUSED static struct pl_str body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return pl_str_c(body == NULL ? "(no body)" : body + 4);
}

PL_UNUSED static void check_body(const char *want, const char *target)
{
    CHECK_STR(want, body_of(ask("GET", target, "", "")), target);
}

PL_UNUSED static void check_line(const char *line, const char *what)
{
    char want[300];

    snprintf(want, sizeof(want), "\r\n%s\r\n", line);
    if (strcasestr(answer, want) == NULL)
        fail_msg("%s: no line \"%s\" in\n%s", what, line, answer);
}

#endif
