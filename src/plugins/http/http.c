/* http.c - what the plug-in offers: libcurl's multi interface, driven by a loop
 * of others.
 *
 * libcurl calls us while it is at work; what the host does then is to take
 * notes. Transfers that are over are reported when it is through. */
#include "http.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/plugin.h"
#include "loop/loop.h"

static _Atomic(const struct pl_http_host *) host;

const struct pl_http_host *pl_http_host(void)
{
    return atomic_load_explicit(&host, memory_order_relaxed);
}

/* ---- why a transfer has failed ---- */

static int code_of_connect(CURL *easy)
{
    long number = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    switch (number) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
        return PL_ERR_UNREACHABLE;
    case ENOENT: /* a UNIX socket */
        return PL_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return PL_ERR_DENIED;
    default:
        return PL_ERR_REFUSED;
    }
}

static int code_of(CURL *easy, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return PL_ERR_NOMEM;
    case CURLE_OPERATION_TIMEDOUT:
        return PL_ERR_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return PL_ERR_NOT_FOUND;
    case CURLE_COULDNT_CONNECT:
        return code_of_connect(easy);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND: /* it had a kept connection, and no other */
        return PL_ERR_CLOSED;
    case CURLE_URL_MALFORMAT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return PL_ERR_INVALID;
    case CURLE_PROXY:
        return PL_ERR_REFUSED;
    default: /* TLS, framing, codings: what has come is not right */
        return PL_ERR_PROTO;
    }
}

static void tell(struct pl_http_transfer *transfer, CURLcode code)
{
    int result = code_of(transfer->easy, code);
    const char *text =
        transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);

    if (transfer->over)
        return;
    transfer->over = true;
    if (transfer->reason < 0) {
        result = transfer->reason;
        text = transfer->why;
    }
    pl_http_host()->done(transfer->arg, result, text);
}

/* ---- libcurl at work ---- */

/* Transfers that have ended since. */
static void tell_ends(struct pl_http_pool *pool)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *transfer = NULL;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        tell((struct pl_http_transfer *)(void *)transfer, code);
    }
}

static void work(struct pl_http_pool *pool, curl_socket_t fd, int bits)
{
    int running;

    curl_multi_socket_action(pool->multi, fd, bits, &running);
    tell_ends(pool);
}

static void ready(void *arg, int fd, unsigned events)
{
    int bits = 0;

    if (events & PL_READABLE)
        bits |= CURL_CSELECT_IN;
    if (events & PL_WRITABLE)
        bits |= CURL_CSELECT_OUT;
    work(arg, fd, bits);
}

static void due(void *arg)
{
    work(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void fail(void *arg, int err)
{
    struct pl_http_pool *pool = arg;
    struct pl_http_transfer *transfer;

    for (transfer = pool->all; transfer != NULL; transfer = transfer->next) {
        transfer->reason = err;
        tell(transfer, CURLE_OUT_OF_MEMORY);
    }
}

/* ---- its callbacks ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                     void *known)
{
    static const unsigned events[] = {
        [CURL_POLL_IN] = PL_READABLE,
        [CURL_POLL_OUT] = PL_WRITABLE,
        [CURL_POLL_INOUT] = PL_READABLE | PL_WRITABLE,
        [CURL_POLL_REMOVE] = 0,
    };
    struct pl_http_pool *pool = arg;
    void *watch = pl_http_host()->watch(pool->arg, known, fd, events[what]);

    if (watch != known && what != CURL_POLL_REMOVE)
        curl_multi_assign(pool->multi, fd, watch);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct pl_http_pool *pool = arg;

    pl_http_host()->alarm(pool->arg, ms);
    return 0;
}

/* A line of the head; an empty one ends it, unless it is that of an interim
 * response. What follows the body are trailers. */
static size_t on_line(char *line, size_t one, size_t len, void *arg)
{
    struct pl_http_transfer *transfer = arg;
    long status = 0;

    transfer->head += len;
    if (transfer->head > transfer->max_head) {
        transfer->reason = PL_ERR_LIMIT;
        snprintf(transfer->why, sizeof(transfer->why),
                 "the head of the response is longer than %zu bytes",
                 transfer->max_head);
        return 0;
    }
    if (transfer->headed || (line[0] != '\r' && line[0] != '\n'))
        return len;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200) {
        transfer->headed = true;
        pl_http_host()->head(transfer->arg);
    }
    return len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    struct pl_http_transfer *transfer = arg;
    const struct pl_str piece = {bytes, len};
    int err = pl_http_host()->body(transfer->arg, piece);

    if (err == 0)
        return len;
    if (err == PL_ERR_AGAIN)
        return CURL_WRITEFUNC_PAUSE;
    transfer->reason = err;
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_send(char *to, size_t one, size_t room, void *arg)
{
    struct pl_http_transfer *transfer = arg;
    ssize_t n = pl_http_host()->send(transfer->arg, to, one * room);

    if (n >= 0)
        return (size_t)n;
    if (n == PL_ERR_AGAIN)
        return CURL_READFUNC_PAUSE;
    transfer->reason = (int)n;
    return CURL_READFUNC_ABORT;
}

/* ---- pools ---- */

#define SET_POOL(pool, option, value)                                          \
    (curl_multi_setopt((pool)->multi, option, value) == CURLM_OK)

static bool set_pool(struct pl_http_pool *pool,
                     const struct pl_http_pool_config *config)
{
    return SET_POOL(pool, CURLMOPT_SOCKETFUNCTION, on_socket) &&
           SET_POOL(pool, CURLMOPT_SOCKETDATA, pool) &&
           SET_POOL(pool, CURLMOPT_TIMERFUNCTION, on_timer) &&
           SET_POOL(pool, CURLMOPT_TIMERDATA, pool) &&
           SET_POOL(pool, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                    (long)config->connections) &&
           SET_POOL(pool, CURLMOPT_MAX_HOST_CONNECTIONS,
                    (long)config->per_host) &&
           SET_POOL(pool, CURLMOPT_MAXCONNECTS, (long)config->kept);
}

static void pool_free(void *arg)
{
    struct pl_http_pool *pool = arg;

    if (pool->multi != NULL)
        curl_multi_cleanup(pool->multi);
    pl_http_host()->free(pool);
}

static int pool_new(const struct pl_http_pool_config *config, void *arg,
                    void **out)
{
    struct pl_http_pool *pool = pl_http_host()->calloc(1, sizeof(*pool));

    if (pool == NULL)
        return PL_ERR_NOMEM;
    pool->arg = arg;
    pool->multi = curl_multi_init();
    if (pool->multi == NULL || !set_pool(pool, config)) {
        pool_free(pool);
        return PL_ERR_NOMEM;
    }
    *out = pool;
    return 0;
}

/* ---- transfers ---- */

#define SET(transfer, option, value)                                           \
    (curl_easy_setopt((transfer)->easy, option, value) == CURLE_OK)

static bool set_callbacks(struct pl_http_transfer *transfer)
{
    return SET(transfer, CURLOPT_PRIVATE, transfer) &&
           SET(transfer, CURLOPT_ERRORBUFFER, transfer->error) &&
           SET(transfer, CURLOPT_NOSIGNAL, 1L) &&
           SET(transfer, CURLOPT_HEADERFUNCTION, on_line) &&
           SET(transfer, CURLOPT_HEADERDATA, transfer) &&
           SET(transfer, CURLOPT_WRITEFUNCTION, on_body) &&
           SET(transfer, CURLOPT_WRITEDATA, transfer) &&
           SET(transfer, CURLOPT_READFUNCTION, on_send) &&
           SET(transfer, CURLOPT_READDATA, transfer);
}

static void release(struct pl_http_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->fields);
    curl_slist_free_all(transfer->addresses);
    pl_http_host()->free(transfer);
}

static void link_in(struct pl_http_pool *pool,
                    struct pl_http_transfer *transfer)
{
    transfer->pool = pool;
    transfer->next = pool->all;
    transfer->at = &pool->all;
    if (pool->all != NULL)
        pool->all->at = &transfer->next;
    pool->all = transfer;
}

static void end(void *arg)
{
    struct pl_http_transfer *transfer = arg;
    struct pl_http_pool *pool = transfer->pool;

    transfer->over = true;
    curl_multi_remove_handle(pool->multi, transfer->easy);
    *transfer->at = transfer->next;
    if (transfer->next != NULL)
        transfer->next->at = transfer->at;
    release(transfer);
}

static int no_memory(struct pl_error *error)
{
    error->code = PL_ERR_NOMEM;
    error->where[0] = '\0';
    strcpy(error->text, "out of memory");
    return PL_ERR_NOMEM;
}

static int begin(void *arg, const struct pl_http_spec *spec, void *of,
                 void **out, struct pl_error *error)
{
    struct pl_http_pool *pool = arg;
    struct pl_http_transfer *transfer =
        pl_http_host()->calloc(1, sizeof(*transfer));

    if (transfer == NULL)
        return no_memory(error);
    transfer->arg = of;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || !set_callbacks(transfer) ||
        pl_http_set_request(transfer, spec) < 0 ||
        curl_multi_add_handle(pool->multi, transfer->easy) != CURLM_OK) {
        release(transfer);
        return no_memory(error);
    }
    link_in(pool, transfer);
    *out = transfer;
    return 0;
}

/* Going on, libcurl may hand over what it has kept; and what has ended since is
 * told in the next turn, whose timer it starts. */
static void resume(void *arg, bool receive, bool send)
{
    struct pl_http_transfer *transfer = arg;
    int bits = 0;

    if (!receive)
        bits |= CURLPAUSE_RECV;
    if (!send)
        bits |= CURLPAUSE_SEND;
    curl_easy_pause(transfer->easy, bits);
}

static const char *version_name(long version)
{
    switch (version) {
    case CURL_HTTP_VERSION_1_0:
        return "1.0";
    case CURL_HTTP_VERSION_1_1:
        return "1.1";
    case CURL_HTTP_VERSION_2_0:
        return "2";
    default:
        return "";
    }
}

static void info(void *arg, struct pl_http_info *out)
{
    struct pl_http_transfer *transfer = arg;
    long status = 0, version = 0, connects = 1;
    char *peer = NULL;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &peer);
    *out = (struct pl_http_info){
        .status = (int)status,
        .version = version_name(version),
        .peer = peer == NULL || peer[0] == '\0' ? NULL : peer,
        .reused = connects == 0,
    };
}

static bool header(void *arg, void **at, struct pl_str *name,
                   struct pl_str *value)
{
    struct pl_http_transfer *transfer = arg;
    struct curl_header *field =
        curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, *at);

    *at = field;
    if (field == NULL)
        return false;
    *name = (struct pl_str){field->name, strlen(field->name)};
    *value = (struct pl_str){field->value, strlen(field->value)};
    if (value->len > 0 && value->data[value->len - 1] == '\r')
        value->len--; /* libcurl leaves it where nothing else is */
    return true;
}

/* ---- what is offered ---- */

static const struct pl_http_offer offer = {
    .pool_new = pool_new,
    .pool_free = pool_free,
    .ready = ready,
    .due = due,
    .fail = fail,
    .jar_new = pl_http_jar_new,
    .jar_free = pl_http_jar_free,
    .cookies = pl_http_cookies,
    .set_cookie = pl_http_set_cookie,
    .url = pl_http_url,
    .url_fini = pl_http_url_fini,
    .begin = begin,
    .resume = resume,
    .info = info,
    .header = header,
    .end = end,
};

/* libcurl wants a function of its own for this. */
static char *duplicate(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = pl_http_host()->malloc(size);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

/* One at a time: base/plugin.c holds a lock. */
static void open_host(const void *table)
{
    const struct pl_http_host *given = table;

    if (atomic_exchange(&host, given) == NULL)
        curl_global_init_mem(CURL_GLOBAL_ALL, given->malloc, given->free,
                             given->realloc, duplicate, given->calloc);
}

static void name_libraries(char *out, size_t size)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    snprintf(out, size, "libcurl %s, %s", version->version,
             version->ssl_version == NULL ? "no TLS" : version->ssl_version);
}

PL_PLUGIN_EXPORT const struct pl_plugin pl_plugin;
const struct pl_plugin pl_plugin = {
    .magic = PL_PLUGIN_MAGIC,
    .size = sizeof(pl_plugin),
    .build = PL_PLUGIN_BUILD,
    .host_size = sizeof(struct pl_http_host),
    .offer_size = sizeof(struct pl_http_offer),
    .offer = &offer,
    .libraries = name_libraries,
    .open = open_host,
};
