/* cookies.c - a jar of cookies: libcurl's share, and a handle to look into it
 * with. One worker has it, so that nothing need be locked. */
#include "http.h"

struct jar {
    CURLSH *share;
    CURL *easy; /* asks nobody */
};

static bool fill(struct jar *jar)
{
    jar->share = curl_share_init();
    jar->easy = curl_easy_init();
    return jar->share != NULL && jar->easy != NULL &&
           curl_share_setopt(jar->share, CURLSHOPT_SHARE,
                             CURL_LOCK_DATA_COOKIE) == CURLSHE_OK &&
           curl_easy_setopt(jar->easy, CURLOPT_SHARE, jar->share) == CURLE_OK &&
           curl_easy_setopt(jar->easy, CURLOPT_COOKIEFILE, "") == CURLE_OK;
}

void *pl_http_jar_new(void)
{
    struct jar *jar = pl_http_host()->calloc(1, sizeof(*jar));

    if (jar == NULL)
        return NULL;
    if (!fill(jar)) {
        pl_http_jar_free(jar);
        return NULL;
    }
    return jar;
}

/* The handle first: the share knows who uses it. */
void pl_http_jar_free(void *arg)
{
    struct jar *jar = arg;

    curl_easy_cleanup(jar->easy);
    curl_share_cleanup(jar->share);
    pl_http_host()->free(jar);
}

CURLSH *pl_http_jar_share(void *arg)
{
    struct jar *jar = arg;

    return jar->share;
}

int pl_http_cookies(void *arg, void (*see)(void *arg, const char *line),
                    void *see_arg)
{
    struct jar *jar = arg;
    struct curl_slist *lines = NULL;

    if (curl_easy_getinfo(jar->easy, CURLINFO_COOKIELIST, &lines) != CURLE_OK)
        return PL_ERR_NOMEM;
    for (const struct curl_slist *at = lines; at != NULL; at = at->next)
        see(see_arg, at->data);
    curl_slist_free_all(lines);
    return 0;
}

int pl_http_set_cookie(void *arg, const char *line)
{
    struct jar *jar = arg;
    CURLcode code = curl_easy_setopt(jar->easy, CURLOPT_COOKIELIST,
                                     line == NULL ? "ALL" : line);

    return code == CURLE_OK ? 0 : PL_ERR_NOMEM;
}
