/* floor.c - the least that a server on epoll can cost: what `make bench`
 * divides by.
 *
 *     floor PORT RESPONSE_FILE [close]
 *
 * Answers every request with the bytes of the file, whatever was asked: one
 * recv and one send a request, none of them for EAGAIN's sake, and the answers
 * to all requests of one read in one send. With close, a connection is accepted
 * when its first bytes are there, read at once, and closed after its answer. It
 * parses nothing but the ends of the heads, knows no time-outs, and keeps no
 * state for a connection: heads cut in two, bodies and peers that do not read
 * are beyond it. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, READ_MAX = 65536, BATCH = 64, RESPONSE_MAX = 65536 };

static char response[RESPONSE_MAX * BATCH]; /* BATCH copies, end to end */
static size_t response_len;
static bool closes;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        die(path);
    response_len = fread(response, 1, RESPONSE_MAX, file);
    if (response_len == 0)
        die(path);
    fclose(file);
    for (int i = 1; i < BATCH; i++)
        memcpy(response + (size_t)i * response_len, response, response_len);
}

static int open_listener(const char *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)atoi(port)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(fd, 4096) < 0 ||
        (closes &&
         setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one)) < 0))
        die("listen");
    return fd;
}

static void watch(int ep, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* How many heads end in bytes. */
static int count_requests(const char *bytes, size_t len)
{
    const char *at = bytes, *end = bytes + len;
    int count = 0;

    while ((at = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL) {
        at += 4;
        count++;
    }
    return count;
}

/* Returns whether more may come. */
static bool serve(int fd)
{
    static char bytes[READ_MAX];
    ssize_t len = recv(fd, bytes, sizeof(bytes), 0);
    int count;

    if (len < 0 && errno == EAGAIN)
        return true;
    if (len <= 0) {
        close(fd);
        return false;
    }
    for (count = count_requests(bytes, (size_t)len); count > 0;
         count -= BATCH) {
        size_t n = (size_t)(count < BATCH ? count : BATCH) * response_len;

        if (send(fd, response, n, MSG_NOSIGNAL) < 0 || closes) {
            close(fd);
            return false;
        }
    }
    return true;
}

static void accept_all(int ep, int listener)
{
    int one = 1, fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (closes && !serve(fd))
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        watch(ep, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(0), listener;

    if (argc < 3 || ep < 0) {
        fprintf(stderr, "usage: floor PORT RESPONSE_FILE [close]\n");
        return 2;
    }
    closes = argc > 3;
    load(argv[2]);
    listener = open_listener(argv[1]);
    watch(ep, listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                accept_all(ep, listener);
            else
                serve(events[i].data.fd);
    }
}
