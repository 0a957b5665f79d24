/* parse.c - what the HTTP/1 parser costs, with field ids and framing.
 *
 *     parse      ns per request head, for each scanner of this machine
 *     parse N    parses a browser's head N times (to count instructions) */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/str.h"
#include "http/h1_parse.h"
#include "http/h1_scan.h"

static const struct {
    const char *name, *head;
} heads[] = {
    /* the request of picohttpparser's bench.c: 703 bytes, nine fields */
    {"browser",
     "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg "
     "HTTP/1.1\r\n"
     "Host: www.kittyhell.com\r\n"
     "User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; "
     "rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9\r\n"
     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
     "*/*;q=0.8\r\n"
     "Accept-Language: ja,en-us;q=0.7,en;q=0.3\r\n"
     "Accept-Encoding: gzip,deflate\r\n"
     "Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7\r\n"
     "Keep-Alive: 115\r\n"
     "Connection: keep-alive\r\n"
     "Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; "
     "__utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; "
     "__utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader."
     "livedoor.com|utmcct=/reader/|utmcmd=referral\r\n"
     "\r\n"},
    {"wrk", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"},
    {"curl", "GET /index.html HTTP/1.1\r\nHost: localhost:8080\r\n"
             "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"},
};

static double now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

/* Parses head this often; returns ns per round. */
static double measure(struct pl_str head, long rounds)
{
    static struct pl_h1_parser parser;
    double begin = now_ns();

    for (long i = 0; i < rounds; i++) {
        pl_h1_parser_init(&parser, &pl_h1_default_limits);
        if (pl_h1_parse_head(&parser, head) != 0 || parser.head_len != head.len)
            abort();
    }
    return (now_ns() - begin) / (double)rounds;
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 2000000 };
    const struct pl_h1_scanner *const *scanner;

    if (argc > 1) {
        measure(pl_str_c(heads[0].head), atol(argv[1]));
        return 0;
    }
    for (scanner = pl_h1_scanners(); *scanner != NULL; scanner++) {
        pl_h1_scan = *scanner;
        for (size_t i = 0; i < PL_COUNT(heads); i++)
            printf("parse %-7s %-7s %7.1f ns\n", heads[i].name,
                   (*scanner)->name, measure(pl_str_c(heads[i].head), ROUNDS));
    }
    return 0;
}
