/* flood.c - attackers: many connections which all send the same bytes. One
 * thread, epoll, everything made before; what a server says is thrown away, but
 * for its last words.
 *
 *     flood [-a] [-d] [-q] [-p MS] PORT CONNECTIONS SECONDS OPENING BLOCK
 *
 *     OPENING  a file: what each connection sends first
 *     BLOCK    a file: what it sends behind that, again and again; may be empty
 *     -a       who has been ended connects anew
 *     -d       never reads, until it has been ended
 *     -q       leaves as soon as it has been answered
 *     -p MS    one byte of BLOCK at a time, every so many milliseconds
 *
 * Says "ready" when every connection has been tried, then after the end:
 * "opened N ended N reset N left N sent BYTES", and the last words of the first
 * that were ended, a line of hexadecimal digits for each ("-": none).
 *
 * Each connection comes from an address of its own (127/8), so that ports do
 * not run out. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 512, SAMPLES = 64, PIECE = 1 << 18, TICK_MS = 10 };

struct bytes {
    char *data;
    size_t len;
};

struct client {
    int fd; /* -1: is to connect with the next tick */
    bool connected;
    size_t opened, at; /* sent of the opening; place in the block */
    size_t heard;      /* of words */
    char words[WORDS];
};

static struct {
    bool again, deaf, hasty;
    int pace_ms, count;
    uint16_t port;
    double seconds;
    struct bytes opening, block;
} plan;

static struct client *clients;
static int poll_fd;
static uint64_t opened, ended, resets, left, sent;
static char samples[SAMPLES][2 * WORDS + 2];

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

static struct bytes read_file(const char *path)
{
    struct bytes bytes = {0};
    struct stat stat;
    int fd = open(path, O_RDONLY);

    if (fd < 0 || fstat(fd, &stat) < 0)
        die(path);
    bytes.len = (size_t)stat.st_size;
    bytes.data = malloc(bytes.len + 1);
    if (bytes.data == NULL ||
        read(fd, bytes.data, bytes.len) != (ssize_t)bytes.len)
        die(path);
    close(fd);
    return bytes;
}

/* ---- the life of one ---- */

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = {htonl(ip)}};
}

/* The kernel's buffer is small where nobody reads: it is not the server's
 * memory that would be filled otherwise. */
static void set_options(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    int one = 1, small = 4096;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (plan.deaf)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
}

/* One that finds no port, or no descriptor, tries again with the next tick. */
static void begin(struct client *client)
{
    uint32_t index = (uint32_t)(client - clients) % 60000;
    struct sockaddr_in to = address(INADDR_LOOPBACK, plan.port);
    struct sockaddr_in from =
        address(INADDR_LOOPBACK + 256 * (1 + index / 250) + index % 250, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP,
                                .data.ptr = client};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    *client = (struct client){.fd = -1};
    if (fd < 0)
        return;
    set_options(fd);
    if (plan.deaf)
        event.events &= ~(uint32_t)EPOLLIN;
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0 ||
        (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
         errno != EINPROGRESS)) {
        close(fd);
        return;
    }
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll");
    client->fd = fd;
}

static void keep_words(struct client *client, const char *data, size_t len)
{
    size_t keep;

    if (len >= WORDS) {
        memcpy(client->words, data + len - WORDS, WORDS);
        client->heard = WORDS;
        return;
    }
    keep = client->heard < WORDS - len ? client->heard : WORDS - len;
    memmove(client->words, client->words + client->heard - keep, keep);
    memcpy(client->words + keep, data, len);
    client->heard = keep + len;
}

static void tell_words(const struct client *client, char *out)
{
    strcpy(out, "-");
    for (size_t i = 0; i < client->heard; i++)
        sprintf(out + 2 * i, "%02x", (unsigned char)client->words[i]);
}

static void finish(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    if (plan.again)
        begin(client);
}

static void on_end(struct client *client, bool reset)
{
    if (client->connected) {
        if (ended + resets < SAMPLES)
            tell_words(client, samples[ended + resets]);
        *(reset ? &resets : &ended) += 1;
    }
    finish(client);
}

/* Returns false if that was the end of it. */
static bool hear(struct client *client)
{
    static char buffer[PIECE];

    for (;;) {
        ssize_t got = recv(client->fd, buffer, sizeof(buffer), 0);

        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0) {
            on_end(client, got < 0);
            return false;
        }
        keep_words(client, buffer, (size_t)got);
        if (plan.hasty) {
            left++;
            finish(client);
            return false;
        }
        if ((size_t)got < sizeof(buffer))
            return true;
    }
}

static ssize_t push(struct client *client, const char *data, size_t len)
{
    ssize_t put = send(client->fd, data, len, MSG_NOSIGNAL);

    sent += put > 0 ? (uint64_t)put : 0;
    return put > 0 ? put : 0; /* an error is heard of by what comes */
}

/* Nothing more to say until the next tick, or at all: only listens. */
static void rest(struct client *client)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = client};

    event.events |= plan.deaf ? 0 : (uint32_t)EPOLLIN;
    epoll_ctl(poll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

/* A piece of each turn's worth, so that all have their turn. */
static void say(struct client *client)
{
    size_t more = plan.opening.len - client->opened;

    if (!client->connected) {
        client->connected = true;
        opened++;
    }
    if (more > 0) {
        client->opened +=
            (size_t)push(client, plan.opening.data + client->opened,
                         more < PIECE ? more : PIECE);
        return;
    }
    if (plan.block.len == 0 || plan.pace_ms > 0) {
        rest(client);
        return;
    }
    more = plan.block.len - client->at;
    client->at += (size_t)push(client, plan.block.data + client->at,
                               more < PIECE ? more : PIECE);
    client->at %= plan.block.len;
}

/* ---- all of them ---- */

static void on_event(struct client *client, uint32_t events)
{
    bool over = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

    if (client->fd < 0)
        return;
    if ((events & EPOLLIN || over) && !hear(client))
        return;
    if (over && !(events & EPOLLIN)) {
        on_end(client, events & (EPOLLHUP | EPOLLERR));
        return;
    }
    if (events & EPOLLOUT)
        say(client);
}

static void connect_all(void)
{
    for (int i = 0; i < plan.count; i++)
        if (clients[i].fd < 0 && !clients[i].connected)
            begin(&clients[i]);
}

static void drip(void)
{
    for (int i = 0; i < plan.count; i++) {
        struct client *client = &clients[i];

        if (client->fd >= 0 && client->opened == plan.opening.len)
            client->at += (size_t)push(
                client, plan.block.data + client->at % plan.block.len, 1);
    }
}

static void work(void)
{
    double end = now() + plan.seconds, tick = 0;
    double next_drip = now();
    struct epoll_event events[512];

    while (now() < end) {
        int n = epoll_wait(poll_fd, events, 512, TICK_MS);

        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr, events[i].events);
        if (now() >= tick) {
            connect_all();
            tick = now() + TICK_MS / 1e3;
        }
        if (plan.pace_ms > 0 && now() >= next_drip) {
            drip();
            next_drip += plan.pace_ms / 1e3;
        }
    }
}

static void report(void)
{
    printf("opened %llu ended %llu reset %llu left %llu sent %llu\n",
           (unsigned long long)opened, (unsigned long long)ended,
           (unsigned long long)resets, (unsigned long long)left,
           (unsigned long long)sent);
    for (int i = 0; i < SAMPLES && samples[i][0] != '\0'; i++)
        puts(samples[i]);
}

static void allow_descriptors(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "adqp:")) != -1;)
        switch (c) {
        case 'a':
            plan.again = true;
            break;
        case 'd':
            plan.deaf = true;
            break;
        case 'q':
            plan.hasty = true;
            break;
        case 'p':
            plan.pace_ms = atoi(optarg);
            break;
        default:
            return 2;
        }
    if (argc - optind != 5)
        return 2;
    argv += optind;
    plan.port = (uint16_t)atoi(argv[0]);
    plan.count = atoi(argv[1]);
    plan.seconds = atof(argv[2]);
    plan.opening = read_file(argv[3]);
    plan.block = read_file(argv[4]);
    allow_descriptors();
    clients = calloc((size_t)plan.count, sizeof(*clients));
    poll_fd = epoll_create1(0);
    if (clients == NULL || poll_fd < 0)
        die("memory");
    for (int i = 0; i < plan.count; i++)
        clients[i].fd = -1;
    connect_all();
    puts("ready");
    fflush(stdout);
    work();
    report();
    return 0;
}
