/* client_show.c - answers of the admin socket as tables for people. */
#include <stdio.h>
#include <time.h>

#include "base/features.h"
#include "base/str.h"
#include "command/client.h"
#include "command/figures.h"
#include "server/sandbox.h"

static const struct pl_json *find(const struct pl_json *value,
                                  const char *pointer)
{
    return pl_json_find(value, pl_str_c(pointer));
}

/* ---- the process ---- */

static void print_head(const struct pl_json *now)
{
    char age[32], memory[32];

    pl_figure_time(age, sizeof(age), pl_client_double(now, "/uptime_s"));
    pl_figure_bytes(memory, sizeof(memory),
                    (double)pl_client_u64(now, "/resident_bytes"));
    printf("perilune %.*s  %.*s  pid %llu  %.*s  up %s  %s\n",
           PL_STR_ARG(pl_client_str(now, "/version")),
           PL_STR_ARG(pl_client_str(now, "/site")),
           (unsigned long long)pl_client_u64(now, "/pid"),
           PL_STR_ARG(pl_client_str(now, "/state")), age, memory);
    if (pl_client_u64(now, "/starts") > 0)
        printf("server process %llu, after %llu others; %llu have crashed\n",
               (unsigned long long)pl_client_u64(now, "/process"),
               (unsigned long long)pl_client_u64(now, "/starts"),
               (unsigned long long)pl_client_u64(now, "/crashes"));
}

static void print_listener(const struct pl_json *listener)
{
    printf("listen  %-24.*s %.*s%s",
           PL_STR_ARG(pl_client_str(listener, "/address")),
           PL_STR_ARG(pl_client_str(listener, "/protocol")),
           pl_figure_true(find(listener, "/tls")) ? " tls" : "");
    if (find(listener, "/backlog") != NULL)
        printf("  queue %llu of %llu",
               (unsigned long long)pl_client_u64(listener, "/queued"),
               (unsigned long long)pl_client_u64(listener, "/backlog"));
    printf("\n");
}

/* ---- reloads ---- */

static const char *verb_of(struct pl_str result)
{
    return pl_str_eq(result, PL_STR("reloaded"))   ? "reloaded"
           : pl_str_eq(result, PL_STR("replaced")) ? "a new process was started"
                                                   : "not reloaded";
}

void pl_client_describe_reload(char *out, size_t size,
                               const struct pl_json *now)
{
    const struct pl_json *reload = find(now, "/reload");
    struct pl_str error = pl_client_str(reload, "/error");
    uint64_t generation = pl_client_u64(now, "/generation");
    int64_t age =
        (int64_t)(time(NULL) - (time_t)pl_client_u64(reload, "/when"));
    char ago[32];

    pl_figure_time(ago, sizeof(ago), (double)PL_MAX(age, 0));
    if (pl_client_u64(reload, "/count") == 0)
        snprintf(out, size, "generation %llu  not reloaded yet",
                 (unsigned long long)generation);
    else
        snprintf(out, size,
                 "generation %llu  %s %s ago by %.*s in %llu ms  failed %llu "
                 "of %llu%s%.*s",
                 (unsigned long long)generation,
                 verb_of(pl_client_str(reload, "/result")), ago,
                 PL_STR_ARG(pl_client_str(reload, "/why")),
                 (unsigned long long)pl_client_u64(reload, "/took_ms"),
                 (unsigned long long)pl_client_u64(reload, "/failed"),
                 (unsigned long long)pl_client_u64(reload, "/count"),
                 error.len > 0 ? ": " : "", PL_STR_ARG(error));
}

static void print_reload(const struct pl_json *now)
{
    char text[2048];

    pl_client_describe_reload(text, sizeof(text), now);
    printf("reload  %s\n", text);
}

static void print_module(const struct pl_json *module)
{
    uint64_t used = pl_client_u64(module, "/used");

    printf("module  %-24.*s copy %llu  ",
           PL_STR_ARG(pl_client_str(module, "/path")),
           (unsigned long long)pl_client_u64(module, "/copy"));
    if (used > 0)
        printf("used %llu\n", (unsigned long long)used);
    else
        printf("not used, but it cannot be unloaded\n");
}

/* ---- old generations ---- */

bool pl_client_describe_old(char *out, size_t size, uint64_t worker,
                            const struct pl_json *gen)
{
    struct pl_str stage = pl_client_str(gen, "/stage");
    double left = pl_client_double(gen, "/left_s");
    char age[32], limit[64] = "";

    if (pl_str_eq(stage, PL_STR("serving")))
        return false;
    pl_figure_time(age, sizeof(age), pl_client_double(gen, "/age_s"));
    if (left > 0)
        snprintf(limit, sizeof(limit), "  cut off in %.0f s", left);
    snprintf(out, size,
             "generation %llu  worker %llu  %.*s  %s old  requests %llu  "
             "tasks %llu%s",
             (unsigned long long)pl_client_u64(gen, "/generation"),
             (unsigned long long)worker, PL_STR_ARG(stage), age,
             (unsigned long long)pl_client_u64(gen, "/requests"),
             (unsigned long long)pl_client_u64(gen, "/tasks"), limit);
    return true;
}

void pl_client_describe_keeper(char *out, size_t size,
                               const struct pl_json *req)
{
    snprintf(out, size, "%.*s %.*s  %.1f s  connection %llu",
             PL_STR_ARG(pl_client_str(req, "/method")),
             PL_STR_ARG(pl_client_str(req, "/path")),
             pl_client_double(req, "/age_s"),
             (unsigned long long)pl_client_u64(req, "/connection"));
}

static void print_old(uint64_t worker, const struct pl_json *gen)
{
    const struct pl_json *req = pl_json_first(find(gen, "/kept_by"));
    uint64_t more = pl_client_u64(gen, "/requests");
    char text[512];

    if (!pl_client_describe_old(text, sizeof(text), worker, gen))
        return;
    printf("old     %s\n", text);
    for (; req != NULL; req = pl_json_next(req), more -= more > 0) {
        pl_client_describe_keeper(text, sizeof(text), req);
        printf("          kept by %s\n", text);
    }
    if (more > 0)
        printf("          kept by %llu more\n", (unsigned long long)more);
}

static void print_dict(const struct pl_json *dict)
{
    char used[32], limit[32];

    pl_figure_bytes(used, sizeof(used), pl_client_double(dict, "/bytes"));
    pl_figure_bytes(limit, sizeof(limit), pl_client_double(dict, "/limit"));
    printf("shared  %-24.*s %llu keys  %s of %s\n",
           PL_STR_ARG(pl_client_str(dict, "/name")),
           (unsigned long long)pl_client_u64(dict, "/keys"), used, limit);
}

static void print_log(const struct pl_json *now)
{
    printf("log     %.*s  dropped %llu  suppressed %llu\n",
           PL_STR_ARG(pl_client_str(now, "/log/level")),
           (unsigned long long)pl_client_u64(now, "/log/dropped"),
           (unsigned long long)pl_client_u64(now, "/log/suppressed"));
}

/* "sandbox user www-data  capabilities none  landlock ABI 7, 31 paths" */
static void print_sandbox(const struct pl_json *now)
{
    static const char *const layers[] = {
#define WORD(name, word) word,
        PL_LAYER_MAP(WORD)
#undef WORD
    };
    const struct pl_json *sandbox = find(now, "/sandbox");

    if (!pl_figure_true(find(sandbox, "/on")))
        return;
    printf("sandbox");
    for (size_t i = 0; i < PL_COUNT(layers); i++) {
        char state[48], note[48];

        snprintf(state, sizeof(state), "/%s/state", layers[i]);
        snprintf(note, sizeof(note), "/%s/note", layers[i]);
        printf("  %s %.*s", layers[i],
               PL_STR_ARG(pl_client_str(sandbox, state)));
        if (pl_client_str(sandbox, note).len > 0)
            printf(" (%.*s)", PL_STR_ARG(pl_client_str(sandbox, note)));
    }
    if (pl_client_u64(sandbox, "/refused") > 0)
        printf("  refused %llu",
               (unsigned long long)pl_client_u64(sandbox, "/refused"));
    printf("\n");
}

/* ---- workers ---- */

static void print_held(const struct pl_json *worker)
{
    const struct pl_json *held = find(worker, "/held");

    if (pl_figure_true(find(worker, "/answers")))
        return;
    printf("        worker %llu does not answer: busy for %.1f s",
           (unsigned long long)pl_client_u64(worker, "/worker"),
           pl_client_double(worker, "/busy_s"));
    if (pl_client_str(held, "/method").len > 0)
        printf(" with %.*s %.*s", PL_STR_ARG(pl_client_str(held, "/method")),
               PL_STR_ARG(pl_client_str(held, "/path")));
    if (held != NULL)
        printf(" %.*s", PL_STR_ARG(pl_client_str(held, "/where")));
    printf("\n");
}

static void print_worker(const struct pl_json *before,
                         const struct pl_json *worker, double seconds)
{
    struct pl_figures figures = {.requests = 0};
    char lua[32], p50[32], p99[32];

    pl_figures_add(&figures, worker);
    pl_figure_bytes(lua, sizeof(lua), pl_client_double(worker, "/lua/bytes"));
    pl_figure_percentile(p50, sizeof(p50), &figures, 0.5);
    pl_figure_percentile(p99, sizeof(p99), &figures, 0.99);
    printf("%6llu  %-9.*s %6llu %11llu %9.0f %6llu %9s %9s %9s\n",
           (unsigned long long)pl_client_u64(worker, "/worker"),
           PL_STR_ARG(pl_client_str(worker, "/stage")),
           (unsigned long long)pl_client_u64(worker, "/connections/open"),
           (unsigned long long)figures.requests,
           pl_figure_rate(before, worker, "/requests/total", seconds),
           (unsigned long long)pl_client_u64(worker, "/requests/open"), p50,
           p99, lua);
    print_held(worker);
}

static void print_each(const struct pl_json *list,
                       void (*print)(const struct pl_json *item))
{
    const struct pl_json *item;

    for (item = pl_json_first(list); item != NULL; item = pl_json_next(item))
        print(item);
}

static void print_old_generations(const struct pl_json *workers)
{
    const struct pl_json *worker, *gen;

    for (worker = pl_json_first(workers); worker != NULL;
         worker = pl_json_next(worker))
        for (gen = pl_json_first(find(worker, "/generations")); gen != NULL;
             gen = pl_json_next(gen))
            print_old(pl_client_u64(worker, "/worker"), gen);
}

/* ---- upstreams ---- */

static const struct pl_json *find_upstream(const struct pl_json *worker,
                                           struct pl_str server)
{
    const struct pl_json *item = pl_json_first(find(worker, "/upstreams"));

    while (item != NULL && !pl_str_eq(pl_client_str(item, "/server"), server))
        item = pl_json_next(item);
    return item;
}

static uint64_t sum(const struct pl_json *workers, struct pl_str server,
                    const char *what)
{
    const struct pl_json *worker, *item;
    uint64_t total = 0;

    for (worker = pl_json_first(workers); worker != NULL;
         worker = pl_json_next(worker)) {
        item = find_upstream(worker, server);
        total += item == NULL ? 0 : pl_client_u64(item, what);
    }
    return total;
}

static void print_upstream(const struct pl_json *workers,
                           const struct pl_json *item)
{
    struct pl_str server = pl_client_str(item, "/server");

    printf("upstream %-30.*s %-6.*s  active %llu  idle %llu  requests %llu  "
           "failed %llu  connects %llu\n",
           PL_STR_ARG(server), PL_STR_ARG(pl_client_str(item, "/state")),
           (unsigned long long)sum(workers, server, "/active"),
           (unsigned long long)sum(workers, server, "/idle"),
           (unsigned long long)sum(workers, server, "/requests"),
           (unsigned long long)sum(workers, server, "/failed"),
           (unsigned long long)sum(workers, server, "/connects"));
}

/* Each once, with the sums of the workers: where the first one names it. */
static void print_upstreams(const struct pl_json *workers)
{
    const struct pl_json *worker, *item, *first;

    for (worker = pl_json_first(workers); worker != NULL;
         worker = pl_json_next(worker)) {
        for (item = pl_json_first(find(worker, "/upstreams")); item != NULL;
             item = pl_json_next(item)) {
            first = pl_json_first(workers);
            while (find_upstream(first, pl_client_str(item, "/server")) == NULL)
                first = pl_json_next(first);
            if (first == worker)
                print_upstream(workers, item);
        }
    }
}

void pl_client_show_status(const struct pl_json *before,
                           const struct pl_json *now, double seconds)
{
    const struct pl_json *item, *was = find(before, "/workers");

    print_head(now);
    print_each(find(now, "/listeners"), print_listener);
    print_reload(now);
    print_old_generations(find(now, "/workers"));
    print_each(find(now, "/modules"), print_module);
    print_each(find(now, "/shared"), print_dict);
    print_log(now);
    if (PL_WITH_SANDBOX)
        print_sandbox(now);
    if (PL_WITH_UPSTREAM)
        print_upstreams(find(now, "/workers"));
    printf("worker  stage      conns    requests       r/s   open       p50"
           "       p99       lua\n");
    for (item = pl_json_first(find(now, "/workers")); item != NULL;
         item = pl_json_next(item))
        print_worker(pl_json_at(was, pl_client_u64(item, "/worker")), item,
                     seconds);
}

/* ---- lists ---- */

/* Where it waits: said with it if that is Lua, else in a list of its own. */
static struct pl_str where_of(const struct pl_json *answer,
                              const struct pl_json *req)
{
    struct pl_str where = pl_client_str(req, "/where");

    return where.len > 0 ? where
                         : pl_client_str(pl_json_get(find(answer, "/stacks"),
                                                     pl_client_str(req, "/id")),
                                         "");
}

static void print_request(const struct pl_json *answer, uint64_t worker,
                          const struct pl_json *req)
{
    struct pl_str where = where_of(answer, req);

    printf("%6llu %9.1fs  %.*s  %.*s %.*s", (unsigned long long)worker,
           pl_client_double(req, "/age_s"),
           PL_STR_ARG(pl_client_str(req, "/id")),
           PL_STR_ARG(pl_client_str(req, "/method")),
           PL_STR_ARG(pl_client_str(req, "/path")));
    if (pl_client_str(req, "/route").len > 0)
        printf("  route %.*s", PL_STR_ARG(pl_client_str(req, "/route")));
    if (where.len > 0)
        printf("\n%18s%.*s", "", PL_STR_ARG(where));
    printf("\n");
}

static void print_conn(const struct pl_json *answer, uint64_t worker,
                       const struct pl_json *conn)
{
    (void)answer;
    printf("%6llu  %-28.*s %-10.*s%s  kept %llu  queued %llu\n",
           (unsigned long long)worker, PL_STR_ARG(pl_client_str(conn, "/peer")),
           PL_STR_ARG(pl_client_str(conn, "/protocol")),
           pl_figure_true(find(conn, "/tls")) ? " tls" : "",
           (unsigned long long)pl_client_u64(conn, "/kept"),
           (unsigned long long)pl_client_u64(conn, "/queued"));
}

static void print_lists(const struct pl_json *answer, const char *list,
                        void (*print)(const struct pl_json *answer,
                                      uint64_t worker,
                                      const struct pl_json *item))
{
    const struct pl_json *worker, *item;

    for (worker = pl_json_first(find(answer, "/workers")); worker != NULL;
         worker = pl_json_next(worker)) {
        uint64_t id = pl_client_u64(worker, "/worker");

        print_held(worker);
        for (item = pl_json_first(find(worker, list)); item != NULL;
             item = pl_json_next(item))
            print(answer, id, item);
        if (pl_client_u64(worker, "/more") > 0)
            printf("%6llu  ... and %llu more\n", (unsigned long long)id,
                   (unsigned long long)pl_client_u64(worker, "/more"));
    }
}

void pl_client_show_requests(const struct pl_json *answer)
{
    printf("worker       age  id                request\n");
    print_lists(answer, "/requests", print_request);
}

void pl_client_show_connections(const struct pl_json *answer)
{
    printf("worker  peer                         protocol\n");
    print_lists(answer, "/connections", print_conn);
}
