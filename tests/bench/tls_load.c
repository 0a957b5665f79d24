/* tls_load.c - TLS clients that come again: each connection asks once, is
 * closed by the server, and the next one resumes its session.
 *
 *     tls_load PORT PATH CONNECTIONS SECONDS     so many at a time
 *
 * wrk and h2load begin with a whole handshake each time. Prints
 * "requests N resumed N us N": the first of each client cannot be resumed. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
    pthread_t thread;
    unsigned char ticket[4096]; /* the last one, as bytes */
    int len;                    /* 0: none yet */
    uint64_t requests, resumed;
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static SSL_CTX *context;
static char request[512];
static int request_len;
static double end;

static void die(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The last one that comes is kept: servers send several, or none to who has
 * come with one. As bytes, because OpenSSL uses a session of TLS 1.3 once. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct client *client = SSL_get_app_data(ssl);
    unsigned char *to = client->ticket;

    if (i2d_SSL_SESSION(session, NULL) > (int)sizeof(client->ticket))
        die("a large ticket");
    client->len = i2d_SSL_SESSION(session, &to);
    return 0;
}

static void resume(SSL *ssl, const struct client *client)
{
    const unsigned char *from = client->ticket;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &from, client->len);

    if (session == NULL || !SSL_set_session(ssl, session))
        die("ticket");
    SSL_SESSION_free(session);
}

static int connect_now(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* Reads until the server closes. */
static void read_answer(SSL *ssl)
{
    char answer[4096];
    int n = SSL_read(ssl, answer, sizeof(answer));

    if (n < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0)
        die("no answer");
    while (n > 0)
        n = SSL_read(ssl, answer, sizeof(answer));
    ERR_clear_error(); /* an end without a goodbye is one, too */
}

static void ask(struct client *client)
{
    SSL *ssl = SSL_new(context);
    int fd = connect_now();

    if (ssl == NULL || !SSL_set_fd(ssl, fd) || !SSL_set_app_data(ssl, client))
        die("session");
    if (client->len > 0)
        resume(ssl, client);
    if (SSL_connect(ssl) != 1 ||
        SSL_write(ssl, request, request_len) != request_len)
        die("handshake");
    read_answer(ssl);
    client->requests++;
    client->resumed += SSL_session_reused(ssl) == 1;
    SSL_free(ssl);
    close(fd);
}

static void *work(void *client)
{
    while (now() < end)
        ask(client);
    return NULL;
}

static void make_context(void)
{
    context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        die("context");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
}

int main(int argc, char **argv)
{
    int count = argc == 5 ? atoi(argv[3]) : 0;
    struct client *clients = calloc((size_t)count + 1, sizeof(*clients));
    uint64_t requests = 0, resumed = 0;
    double began;

    if (count <= 0 || clients == NULL)
        return 2;
    server.sin_port = htons((uint16_t)atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    request_len = snprintf(
        request, sizeof(request),
        "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", argv[2]);
    make_context();
    began = now();
    end = began + atof(argv[4]);
    for (int i = 0; i < count; i++)
        if (pthread_create(&clients[i].thread, NULL, work, &clients[i]) != 0)
            die("thread");
    for (int i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        requests += clients[i].requests;
        resumed += clients[i].resumed;
    }
    printf("requests %llu resumed %llu us %.0f\n", (unsigned long long)requests,
           (unsigned long long)resumed, (now() - began) * 1e6);
    SSL_CTX_free(context);
    free(clients);
    return 0;
}
