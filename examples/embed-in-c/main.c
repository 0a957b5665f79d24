/* main.c - perilune inside a C program. docs/c-api.md goes through it.
 *
 *     embed-in-c [ADDRESS [FOLDER [UPLOADS [LINES]]]]  (127.0.0.1:8080 and .)
 */
#include <perilune.h>

#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* What all workers share. Nothing here is locked: a counter is atomic, the rest
 * does not change while the application runs. */
struct state {
    atomic_ulong requests;
    const char *folder;
    const char *uploads;
    struct pl_cache *addresses;
    struct pl_shared *visits;
    const struct pl_template_set *page;
};

static struct state *state_of(struct pl_request *req)
{
    return pl_app_state(pl_request_app(req));
}

/* ---- straight-line code ---- */

/* /hello?name=moon */
static int hello(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str name = pl_request_arg(req, PL_STR("name"));

    if (name.data == NULL)
        name = PL_STR("world");
    return pl_respondf(res, 200, "text/plain", "Hello, %.*s!\n",
                       PL_STR_ARG(name));
}

/* /users/42 */
static int user(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t id;

    if (!pl_str_to_u64(pl_request_param(req, PL_STR("id")), &id))
        return 404; /* a small page says so */
    return pl_respondf(res, 200, "application/json", "{\"id\":%" PRIu64 "}\n",
                       id);
}

/* /sleep?ms=100: this request waits, its worker does not. */
static int nap(struct pl_request *req, struct pl_response *res, void *arg)
{
    uint64_t ms = 100;
    int err;

    pl_str_to_u64(pl_request_arg(req, PL_STR("ms")), &ms);
    err = pl_sleep(req, ms);
    if (err < 0)
        return err; /* the client has gone, or the server stops */
    return pl_respond(res, 200, "text/plain", PL_STR("Good morning.\n"));
}

/* ---- shared by all workers ---- */

/* A filter: around every route that is added after it. */
static int count(struct pl_request *req, struct pl_response *res,
                 const struct pl_next *next, void *arg)
{
    atomic_fetch_add(&state_of(req)->requests, 1);
    return pl_next(req, next);
}

static int counter(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respondf(res, 200, "text/plain", "%lu\n",
                       atomic_load(&state_of(req)->requests));
}

/* ---- streams and bodies ---- */

/* The first piece sends the head; a slow reader makes this wait. */
static int countdown(struct pl_request *req, struct pl_response *res, void *arg)
{
    int err = pl_response_set(res, PL_STR("Content-Type"),
                              PL_STR("text/plain; charset=utf-8"));

    for (int i = 3; i > 0 && err == 0; i--) {
        err = pl_response_write(res, pl_printf(req, "%d...\n", i));
        if (err == 0)
            err = pl_response_flush(res); /* now, not when we wait next */
        if (err == 0)
            err = pl_sleep(req, 100);
    }
    return err < 0 ? err : pl_response_write(res, PL_STR("Lift-off.\n"));
}

/* A body of any length, read as it arrives. */
static int sum(struct pl_request *req, struct pl_response *res, void *arg)
{
    unsigned long total = 0;
    unsigned char piece[4096];
    ssize_t n;

    while ((n = pl_request_read(req, (char *)piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++)
            total += piece[i];
    if (n < 0)
        return (int)n; /* broken off, too slow: the client hears why */
    return pl_respondf(res, 200, "text/plain", "%lu\n", total);
}

/* /file?name=main.c: the name comes from a stranger, so it is looked up below
 * a folder, and nothing outside of that is ever sent. */
static int file(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_response_send_file(res, state_of(req)->folder,
                                 pl_request_arg(req, PL_STR("name")));
}

/* A form with files, of any size, in flat memory. A name that a stranger gave a
 * file is none to use: the part's is safe, and this program counts on top. */
static int upload(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_builder *list = pl_builder_new(req);
    struct pl_part *part;
    int got, n = 0;

    while ((got = pl_part_next(req, &part)) == 1) {
        struct pl_str name = pl_part_filename(part);
        struct pl_str path;
        int64_t size;

        if (name.data == NULL)
            continue; /* a field of text, or no file was chosen */
        path = pl_printf(req, "%s/%d-%.*s", state_of(req)->uploads, ++n,
                         PL_STR_ARG(name));
        size = pl_part_save(part, path.data, NULL);
        if (size < 0)
            return (int)size; /* 507: the disk is full; 400: broken off */
        pl_builder_addf(list, "%.*s %" PRId64 "\n", PL_STR_ARG(name), size);
    }
    return got < 0 ? got
                   : pl_respond(res, 200, "text/plain", pl_builder_str(list));
}

/* ---- files and programs ---- */

/* /lines: of this file, by a program. */
static int lines(struct pl_request *req, struct pl_response *res, void *arg)
{
    const char *const argv[] = {"wc", "-l", NULL};
    struct pl_process_options options = {.size = sizeof(options)};
    struct pl_process_result result;
    struct pl_str path = pl_printf(req, "%s/main.c", state_of(req)->folder);
    int err = pl_fs_read(req, path.data, 1 << 20, &options.input);

    if (err == 0)
        err = pl_process_run(req, argv, &options, &result);
    return err < 0 ? err : pl_respond(res, 200, "text/plain", result.out);
}

/* GET /upload: the names of what is there. */
static int uploads(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_builder *list = pl_builder_new(req);
    struct pl_fs_entry *entries;
    size_t n;
    int err = pl_fs_list(req, state_of(req)->uploads, 1000, &entries, &n);

    for (size_t i = 0; err == 0 && i < n; i++)
        if (entries[i].type == 'f')
            err = pl_builder_addf(list, "%s\n", entries[i].name.data);
    return err < 0 ? err
                   : pl_respond(res, 200, "text/plain", pl_builder_str(list));
}

static int count_word(struct pl_request *req, struct pl_hash *counts,
                      struct pl_str word)
{
    int *count = pl_hash_get(counts, word);

    if (count != NULL) {
        ++*count;
        return 0;
    }
    count = pl_alloc(req, sizeof(*count));
    if (count == NULL)
        return PL_ERR_NOMEM;
    *count = 1;
    return pl_hash_put(counts, word, count);
}

struct page {
    struct pl_request *req;
    struct pl_builder *html;
};

static bool show_word(void *arg, struct pl_str word, void *count)
{
    struct page *page = arg;
    struct pl_str text = pl_escape(page->req, word);
    struct pl_str in_url = pl_url_encode(page->req, word);

    return pl_builder_addf(
               page->html, "<li><a href=\"?text=%.*s\">%.*s</a>: %d\n",
               PL_STR_ARG(in_url), PL_STR_ARG(text), *(int *)count) == 0;
}

/* GET /words?text=: how often each word is there. */
static int words(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str text = pl_request_arg(req, PL_STR("text"));
    struct page page = {req, pl_builder_new(req)};
    struct pl_hash *counts = pl_hash_new(req);
    int err = page.html == NULL || counts == NULL ? PL_ERR_NOMEM : 0;

    while (err == 0 && text.len > 0) {
        const char *space = memchr(text.data, ' ', text.len);
        size_t len = space != NULL ? (size_t)(space - text.data) : text.len;

        err = count_word(req, counts, (struct pl_str){text.data, len});
        len += space != NULL;
        text = (struct pl_str){text.data + len, text.len - len};
    }
    if (err < 0)
        return err;
    pl_hash_each(counts, show_word, &page);
    return pl_respond(res, 200, "text/html", pl_builder_str(page.html));
}

struct pass {
    struct pl_request *req;
    struct pl_child *child;
    int err; /* what is wrong with the body */
};

/* What the client sends goes to the program as it arrives. */
static int feed(void *arg)
{
    struct pass *pass = arg;
    char piece[4096];
    ssize_t n;
    int err = 0;

    while (err == 0 &&
           (n = pl_request_read(pass->req, piece, sizeof(piece))) > 0)
        err = pl_child_write(pass->child, (struct pl_str){piece, n});
    pass->err = err < 0 ? err : (int)n;
    pl_child_close(pass->child);
    return 0;
}

/* POST /gzip: bodies of any length, both ways at the same time. */
static int zip(struct pl_request *req, struct pl_response *res, void *arg)
{
    const char *const argv[] = {"gzip", "-c", NULL};
    struct pass *pass = pl_alloc(req, sizeof(*pass));
    char piece[4096];
    ssize_t n = 0;
    int err;

    if (pass == NULL)
        return PL_ERR_NOMEM;
    *pass = (struct pass){.req = req};
    err = pl_child_start(argv, NULL, &pass->child);
    if (err == 0)
        err = pl_spawn(req, feed, pass);
    pl_response_set(res, PL_STR("Content-Type"), PL_STR("application/gzip"));
    while (err == 0 && (n = pl_child_read(pass->child, PL_CHILD_OUT, piece,
                                          sizeof(piece))) > 0)
        err = pass->err < 0 ? pass->err
                            : pl_response_write(res, (struct pl_str){piece, n});
    return err < 0 ? err : (int)n;
}

/* ---- what blocks, and what is kept ---- */

struct lookup {
    const char *host;
    char address[INET6_ADDRSTRLEN];
};

/* getaddrinfo() blocks: this runs on a thread made for such calls. */
static int look_up(void *arg)
{
    struct lookup *lookup = arg;
    const struct addrinfo hints = {.ai_family = AF_INET,
                                   .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;

    if (getaddrinfo(lookup->host, NULL, &hints, &found) != 0)
        return PL_ERR_NOT_FOUND;
    inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr,
              lookup->address, sizeof(lookup->address));
    freeaddrinfo(found);
    return 0;
}

/* Makes the value that the cache keeps under this name. */
static int make_address(struct pl_request *req, struct pl_str name, void *arg,
                        void **value, size_t *cost)
{
    struct lookup lookup = {.host = pl_strdup(req, name).data};
    int err =
        lookup.host == NULL ? PL_ERR_NOMEM : pl_offload(req, look_up, &lookup);

    if (err < 0)
        return err;
    *value = strdup(lookup.address);
    *cost = sizeof(lookup.address);
    return *value == NULL ? PL_ERR_NOMEM : 0;
}

static void free_address(void *value, void *arg)
{
    free(value);
}

/* /resolve?host=localhost */
static int resolve(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str host = pl_request_arg(req, PL_STR("host"));
    void *address;
    int err;

    if (host.len == 0)
        return pl_respond_error(res, 400, "host is missing");
    err = pl_cache_get(req, state_of(req)->addresses, host, &address);
    if (err < 0)
        return err;
    return pl_respondf(res, 200, "text/plain", "%s\n", (char *)address);
}

/* ---- what all workers see ---- */

/* /visits/home: of all workers; a minute after the first it begins anew. */
static int visits(struct pl_request *req, struct pl_response *res, void *arg)
{
    int64_t n;
    int err = pl_shared_incr(state_of(req)->visits,
                             pl_request_param(req, PL_STR("page")), 1, 0,
                             60 * 1000, &n);

    return err < 0 ? err
                   : pl_respondf(res, 200, "text/plain", "%" PRId64 "\n", n);
}

static const char visits_page[] = "<!DOCTYPE html>\n"
                                  "<title>Visits</title>\n"
                                  "<ul>\n"
                                  "{{#visits}}\n"
                                  "<li>{{page}}: {{times}}\n"
                                  "{{/visits}}\n"
                                  "</ul>\n"
                                  "{{^visits}}\n"
                                  "<p>None yet.\n"
                                  "{{/visits}}\n";

struct visit {
    struct pl_str page;
    int64_t times;
};

/* What the page is filled from, and how it finds it there. JSON is written by
 * the same tables. */
struct report {
    struct pl_request *req;
    struct visit *visits;
    size_t nvisits;
};

PL_FIELD_TYPE(visit_type, struct visit, PL_FIELD(STR, struct visit, page),
              PL_FIELD(INT, struct visit, times));
PL_FIELD_TYPE(report_type, struct report,
              PL_FIELD_LIST("visits", struct report, visits, nvisits,
                            &visit_type));

enum { VISITS_MAX = 100 };

static bool add_page(void *arg, struct pl_str key)
{
    struct report *report = arg;

    report->visits[report->nvisits++].page = pl_strdup(report->req, key);
    return report->nvisits < VISITS_MAX;
}

static int collect_visits(struct report *report)
{
    struct pl_shared *visits = state_of(report->req)->visits;
    int err = pl_shared_keys(visits, add_page, report);

    for (size_t i = 0; i < report->nvisits; i++) /* unless it has just gone */
        pl_shared_get_integer(visits, report->visits[i].page,
                              &report->visits[i].times);
    return err;
}

/* /visits: a page of HTML, made by a template. */
static int all_visits(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    struct visit list[VISITS_MAX] = {{{NULL, 0}, 0}};
    struct report report = {req, list, 0};
    int err = collect_visits(&report);

    return err < 0 ? err
                   : pl_respond_template(res, 200, state_of(req)->page,
                                         &report_type, &report);
}

/* /visits.json: the same, by the same tables. */
static int visits_json(struct pl_request *req, struct pl_response *res,
                       void *arg)
{
    struct visit list[VISITS_MAX] = {{{NULL, 0}, 0}};
    struct report report = {req, list, 0};
    int err = collect_visits(&report);

    return err < 0 ? err : pl_respond_json(res, 200, &report_type, &report);
}

/* ---- JSON that no table describes ---- */

/* POST /total: [{"name": "...", "price": 1.5, "count": 2}, ...]; count is 1
 * unless it is given. The answer repeats what the client has ordered. */
static int total(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_json_builder *json = pl_json_builder_new(req, 0);
    const struct pl_json *order, *item;
    struct pl_json_error error;
    double sum = 0;
    int err = pl_request_json(req, NULL, &order, &error);

    if (err == PL_ERR_PROTO)
        return pl_respondf(res, 400, "text/plain", "line %zu, column %zu: %s\n",
                           error.line, error.column, error.text);
    if (err < 0)
        return err; /* too large, broken off, no memory */
    for (item = pl_json_first(order); item; item = pl_json_next(item)) {
        double price;
        int64_t count = 1;

        if (!pl_json_to_double(pl_json_get(item, PL_STR("price")), &price))
            return pl_respond_error(res, 422, "each item has a price");
        pl_json_to_i64(pl_json_get(item, PL_STR("count")), &count);
        sum += price * count;
    }
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("total"));
    pl_json_add_double(json, sum);
    pl_json_key(json, PL_STR("order"));
    pl_json_add_value(json, order);
    pl_json_end(json);
    return pl_respond_json_built(res, 200, json);
}

/* GET /events: what is posted there, until the client goes. */
static int events(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_feed *feed;
    struct pl_str event;
    int err = pl_subscribe(PL_STR("events"), NULL, &feed);

    if (err < 0)
        return err;
    pl_response_set(res, PL_STR("Content-Type"), PL_STR("text/event-stream"));
    for (err = pl_response_flush(res); err == 0; err = pl_response_flush(res)) {
        err = pl_feed_receive(req, feed, -1, &event);
        if (err < 0)
            return err;
        pl_response_write(res, PL_STR("data: "));
        pl_response_write(res, event);
        pl_response_write(res, PL_STR("\n\n"));
    }
    return err;
}

/* POST /events */
static int post_event(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    struct pl_str body;
    int n = pl_request_body(req, &body);

    if (n == 0)
        n = pl_publish(pl_request_app(req), PL_STR("events"), body);
    return n < 0 ? n : pl_respondf(res, 200, "text/plain", "%d\n", n);
}

/* Every second, on one worker: an event, for whoever listens. */
static void tick(struct pl_app *app, void *arg)
{
    struct state *state = pl_app_state(app);
    char text[40];
    int n = snprintf(text, sizeof(text), "requests: %lu",
                     atomic_load(&state->requests));

    pl_publish(app, PL_STR("events"), (struct pl_str){text, n});
}

/* ---- WebSockets ---- */

/* GET /echo */
static int echo(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_ws_message message;
    struct pl_ws *ws;
    int err = pl_ws_accept(req, NULL, &ws);

    while (err == 0 && (err = pl_ws_receive(ws, &message)) == 0)
        err = pl_ws_send(ws, message.kind, message.data);
    return err;
}

/* GET /room */
static int enter(struct pl_ws *ws, struct pl_request *req, void *arg)
{
    return pl_ws_subscribe(ws, PL_STR("room"), false);
}

static int say(struct pl_ws *ws, const struct pl_ws_message *message, void *arg)
{
    int n = pl_publish(arg, PL_STR("room"), message->data);

    return n < 0 ? n : 0;
}

static void add_room(struct pl_app *app)
{
    static const struct pl_ws_callbacks callbacks = {
        .size = sizeof(callbacks), .open = enter, .message = say};

    pl_app_websocket(app, "/room", &callbacks, NULL, app);
}

/* ---- raw connections ---- */

/* To LINES: each line comes back. */
static void repeat(struct pl_app *of, struct pl_socket *socket, void *arg)
{
    char line[200];
    ssize_t n;

    while ((n = pl_socket_read_line(NULL, socket, line, sizeof(line))) >= 0) {
        pl_socket_write(NULL, socket, (struct pl_str){line, (size_t)n});
        pl_socket_write(NULL, socket, PL_STR("\n"));
    }
}

/* ---- the application ---- */

/* Who has the cookie is shown the beta shop; old addresses go on working. */
static void add_rules(struct pl_app *app)
{
    static const struct pl_condition beta[] = {
        {.when = PL_WHEN_COOKIE, .name = "channel", .value = "beta"}};
    static const struct pl_rewrite_options to_new = {.size = sizeof(to_new),
                                                     .to = "/new/%1"};
    static const struct pl_rewrite_options to_beta = {.size = sizeof(to_beta),
                                                      .to = "/beta%0",
                                                      .last = true,
                                                      .conditions = beta,
                                                      .conditions_count = 1};

    pl_app_rewrite(app, "^/old/(%d+)$", &to_new);
    pl_app_rewrite(app, "^/shop/.*", &to_beta);
}

static void add_routes(struct pl_app *app, bool with_uploads)
{
    const struct pl_limits few = {
        .size = sizeof(few), .wall_ms = 20 * 1000, .max_upload = 8 << 20};

    pl_app_use(app, count, NULL);
    pl_app_get(app, "/hello", hello, NULL);
    pl_app_get(app, "/users/:id", user, NULL);
    pl_app_get(app, "/sleep", nap, NULL);
    pl_app_get(app, "/counter", counter, NULL);
    pl_app_get(app, "/countdown", countdown, NULL);
    pl_app_get(app, "/echo", echo, NULL);
    add_room(app);
    pl_app_post(app, "/sum", sum, NULL);
    if (with_uploads) {
        pl_app_post(app, "/upload", upload, NULL);
        pl_app_get(app, "/upload", uploads, NULL);
    }
    pl_app_group_begin(app, "/gzip");
    pl_app_limits(app, &few);
    pl_app_post(app, "", zip, NULL);
    pl_app_group_end(app);
    pl_app_get(app, "/file", file, NULL);
    pl_app_get(app, "/lines", lines, NULL);
    pl_app_get(app, "/words", words, NULL);
    pl_app_get(app, "/resolve", resolve, NULL);
    pl_app_get(app, "/visits/:page", visits, NULL);
    pl_app_get(app, "/visits", all_visits, NULL);
    pl_app_get(app, "/visits.json", visits_json, NULL);
    pl_app_post(app, "/total", total, NULL);
    pl_app_get(app, "/events", events, NULL);
    pl_app_post(app, "/events", post_event, NULL);
    add_rules(app);
    pl_app_every(app, PL_ONE_WORKER, 1000, tick, NULL);
}

/* The same over TLS, with a certificate that is made for development. */
static void listen_secure(struct pl_app *app, const char *address)
{
    const struct pl_app_tls_options tls = {.size = sizeof(tls), .dev = true};
    const struct pl_app_listen_options options = {.size = sizeof(options),
                                                  .tls = &tls};

    pl_app_listen_with(app, address, &options);
}

int main(int argc, char **argv)
{
    struct pl_cache_options kept = {.size = sizeof(kept),
                                    .ttl_ms = 60 * 1000,
                                    .limit = 64 * 1024,
                                    .create = make_address,
                                    .free_value = free_address};
    struct state state = {.folder = argc > 2 ? argv[2] : ".",
                          .uploads = argc > 3 ? argv[3] : NULL};
    struct pl_app *app = pl_app_new();
    int code;

    if (app == NULL)
        return 1;
    state.addresses = pl_cache_new(app, &kept);
    state.visits = pl_shared_open(app, "visits", NULL);
    state.page = pl_app_template_text(app, "visits", pl_str_c(visits_page));
    if (argc > 4)
        pl_app_tcp(app, argv[4], repeat, NULL);
    pl_app_set_state(app, &state, NULL);
    pl_app_set(app, "signals", "on");  /* TERM and INT end it in good order */
    pl_app_set(app, "announce", "on"); /* "listening on http://..." */
    pl_app_listen(app, argc > 1 ? argv[1] : "127.0.0.1:8080");
    if (argc > 5)
        listen_secure(app, argv[5]);
    pl_app_static(app, "/files", state.folder, NULL);
    add_routes(app, state.uploads != NULL);
    code = pl_app_run(app);
    pl_app_free(app);
    return code;
}
