/* ws_load.c - WebSocket clients that do little but keep a server busy: one
 * thread, epoll, fixed messages.
 *
 *     ws_load echo PORT PATH CONNECTIONS SECONDS     each sends, waits, again
 *     ws_load spread PORT PATH CONNECTIONS SECONDS   one sends, all receive
 *     ws_load idle PORT PATH CONNECTIONS SECONDS     nobody says anything
 *
 * Prints "ready" when all are connected, waits for a line, works for so many
 * seconds (idle: for another line), and prints the messages that were received.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAYLOAD = 32, FRAME_IN = 2 + PAYLOAD, FRAME_OUT = 6 + PAYLOAD };

static char message[FRAME_OUT] = {(char)0x82, (char)(0x80 | PAYLOAD)};
static int *sockets, poll_fd, count;
static uint64_t received;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- connecting ---- */

/* Reads the head of the answer, which nothing follows. */
static void read_head(int fd)
{
    char head[4096];
    size_t len = 0;

    while (len < 4 || memcmp(head + len - 4, "\r\n\r\n", 4) != 0)
        if (len == sizeof(head) || read(fd, head + len, 1) != 1)
            die("handshake");
        else
            len++;
    if (strncmp(head, "HTTP/1.1 101", 12) != 0)
        die("no websocket");
}

static int connect_one(int port, const char *path)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       path);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (write(fd, text, (size_t)len) != len)
        die("write");
    read_head(fd);
    return fd;
}

static void connect_all(int port, const char *path)
{
    sockets = calloc((size_t)count, sizeof(*sockets));
    poll_fd = epoll_create1(0);
    if (sockets == NULL || poll_fd < 0)
        die("memory");
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};

        sockets[i] = connect_one(port, path);
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, sockets[i], &event) < 0)
            die("epoll");
    }
}

/* ---- working ---- */

static void say(int i)
{
    if (write(sockets[i], message, sizeof(message)) != sizeof(message))
        die("write");
}

/* Whole messages come at once: they are small, and the peer is near. */
static uint64_t hear(int i)
{
    char bytes[FRAME_IN * 64];
    ssize_t got = recv(sockets[i], bytes, sizeof(bytes), MSG_DONTWAIT);

    if (got <= 0 || got % FRAME_IN != 0)
        die("recv");
    return (uint64_t)got / FRAME_IN;
}

/* One who has sent hears of all that was sent before the next message. */
static void work(bool echo, double seconds)
{
    double end = now() + seconds;
    uint64_t round = 0;

    for (int i = 0; i < (echo ? count : 1); i++)
        say(i);
    while (now() < end) {
        struct epoll_event events[256];
        int n = epoll_wait(poll_fd, events, 256, 1000);

        if (n <= 0)
            die("silence");
        for (int i = 0; i < n; i++) {
            uint64_t heard = hear((int)events[i].data.u32);

            received += heard;
            round += heard;
            if (echo)
                say((int)events[i].data.u32);
        }
        if (!echo && round == (uint64_t)count) {
            round = 0;
            say(0);
        }
    }
}

static void wait_line(void)
{
    char line[16];

    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL)
        exit(0);
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 6)
        return 2;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    memset(message + 6, 'x', PAYLOAD); /* the mask is 0: nothing to undo */
    count = atoi(argv[4]);
    connect_all(atoi(argv[2]), argv[3]);
    wait_line();
    if (strcmp(argv[1], "idle") == 0)
        wait_line();
    else
        work(strcmp(argv[1], "echo") == 0, atof(argv[5]));
    printf("%llu\n", (unsigned long long)received);
    return 0;
}
