/* http.h - what the files of this plug-in share. */
#ifndef PL_PLUGINS_HTTP_HTTP_H
#define PL_PLUGINS_HTTP_HTTP_H

#include <curl/curl.h>

#include "client/http_plugin.h"

/* What the plug-in was given. */
const struct pl_http_host *pl_http_host(void);

struct pl_http_pool {
    CURLM *multi;
    void *arg;
    struct pl_http_transfer *all;
};

struct pl_http_transfer {
    struct pl_http_pool *pool;
    struct pl_http_transfer *next, **at; /* in pool->all */
    CURL *easy;
    void *arg;
    struct curl_slist *fields, *addresses;
    size_t head, max_head; /* bytes */
    bool headed;           /* the head is complete: what follows are trailers */
    bool over;             /* the host was told so */
    int reason;            /* why we have broken it off; 0: we have not */
    char why[80];
    char error[CURL_ERROR_SIZE]; /* libcurl's words */
    char version[8];
};

/* request.c: tells libcurl of a request. Returns 0 or PL_ERR_*. */
int pl_http_set_request(struct pl_http_transfer *transfer,
                        const struct pl_http_spec *spec);

/* cookies.c, url.c: as in struct pl_http_offer. */
void *pl_http_jar_new(void);
void pl_http_jar_free(void *jar);
int pl_http_cookies(void *jar, void (*see)(void *arg, const char *line),
                    void *arg);
int pl_http_set_cookie(void *jar, const char *line);
CURLSH *pl_http_jar_share(void *jar);
int pl_http_url(const char *base, const char *text, struct pl_http_url *out,
                struct pl_error *error);
void pl_http_url_fini(struct pl_http_url *url);

#endif
