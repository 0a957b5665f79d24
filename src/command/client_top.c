/* client_top.c - the live view of a server.
 *
 *     look, wait, look -> the difference -> a frame -> wait for a key -> look
 *
 * A frame is written in one go, from the top left, each line up to the right
 * edge of the terminal as it is then: a new size is that of the next frame. */
#include "command/client_top.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/str.h"
#include "base/sys.h"
#include "command/figures.h"
#include "process/exit.h"

enum {
    EVERY_MS = 1000,
    ONCE_MS = 500, /* between the looks of the only frame */
    CTRL_C = 3,
    WIDE = 400, /* most columns of a line */
};

/* ---- what is looked at ---- */

struct sample {
    struct pl_client_answer status, routes;
    uint64_t at; /* ns */
};

static int take_sample(const struct pl_client *client, struct sample *sample,
                       struct pl_error *error)
{
    int err = pl_client_call(client, "GET", "/status", &sample->status, error);

    sample->routes = (struct pl_client_answer){.status = 0};
    sample->at = pl_clock_monotonic();
    if (err == 0)
        err = pl_client_call(client, "GET", "/routes", &sample->routes, error);
    return err;
}

static void drop_sample(struct sample *sample)
{
    pl_client_answer_fini(&sample->status);
    pl_client_answer_fini(&sample->routes);
}

static const struct pl_json *workers(const struct pl_client_answer *answer)
{
    return pl_json_get(answer->json, PL_STR("workers"));
}

/* ---- the frame ---- */

struct frame {
    struct pl_buf *out;
    bool terminal;
    unsigned columns, rows; /* that are left */
    double seconds;         /* between the samples */
};

PL_PRINTF(2, 3) static void line(struct frame *frame, const char *fmt, ...)
{
    char text[WIDE + 1];
    va_list ap;
    int n;

    if (frame->rows == 0)
        return;
    frame->rows--;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    n = PL_MIN(PL_MAX(n, 0), (int)PL_MIN(frame->columns, (unsigned)WIDE));
    pl_buf_add(frame->out, pl_str(text, (size_t)n));
    pl_buf_add(frame->out, frame->terminal ? PL_STR("\033[K\n") : PL_STR("\n"));
}

static void sum_up(const struct sample *sample, struct pl_figures *figures,
                   uint64_t *failed, uint64_t *open, uint64_t *conns)
{
    const struct pl_json *worker = pl_json_first(workers(&sample->status));

    for (; worker != NULL; worker = pl_json_next(worker)) {
        pl_figures_add(figures, worker);
        *failed += pl_client_u64(worker, "/requests/5xx");
        *open += pl_client_u64(worker, "/requests/open");
        *conns += pl_client_u64(worker, "/connections/open");
    }
}

static void show_head(struct frame *frame, const struct pl_json *status)
{
    char age[32], memory[32];

    pl_figure_time(age, sizeof(age), pl_client_double(status, "/uptime_s"));
    pl_figure_bytes(memory, sizeof(memory),
                    pl_client_double(status, "/resident_bytes"));
    line(frame, "perilune %.*s  %.*s  pid %llu  %.*s  up %s  %s",
         PL_STR_ARG(pl_client_str(status, "/version")),
         PL_STR_ARG(pl_client_str(status, "/site")),
         (unsigned long long)pl_client_u64(status, "/pid"),
         PL_STR_ARG(pl_client_str(status, "/state")), age, memory);
}

static void show_sums(struct frame *frame, const struct sample *before,
                      const struct sample *now)
{
    struct pl_figures was = {.requests = 0}, figures = {.requests = 0};
    uint64_t failed = 0, had_failed = 0, open = 0, conns = 0, unused = 0;
    char p50[32], p90[32], p99[32];

    sum_up(before, &was, &had_failed, &unused, &unused);
    sum_up(now, &figures, &failed, &open, &conns);
    pl_figures_since(&figures, &was);
    pl_figure_percentile(p50, sizeof(p50), &figures, 0.5);
    pl_figure_percentile(p90, sizeof(p90), &figures, 0.9);
    pl_figure_percentile(p99, sizeof(p99), &figures, 0.99);
    line(frame,
         "requests/s %.0f  failed/s %.0f  p50 %s  p90 %s  p99 %s  open %llu  "
         "connections %llu",
         (double)figures.requests / frame->seconds,
         (double)(failed - PL_MIN(failed, had_failed)) / frame->seconds, p50,
         p90, p99, (unsigned long long)open, (unsigned long long)conns);
}

/* ---- workers ---- */

static void show_worker(struct frame *frame, const struct pl_json *before,
                        const struct pl_json *worker)
{
    struct pl_figures was = {.requests = 0}, figures = {.requests = 0};
    char p50[32], p99[32], lua[32], note[WIDE] = "";

    pl_figures_add(&was, before);
    pl_figures_add(&figures, worker);
    pl_figures_since(&figures, &was);
    pl_figure_percentile(p50, sizeof(p50), &figures, 0.5);
    pl_figure_percentile(p99, sizeof(p99), &figures, 0.99);
    pl_figure_bytes(lua, sizeof(lua), pl_client_double(worker, "/lua/bytes"));
    if (!pl_figure_true(pl_json_get(worker, PL_STR("answers"))))
        snprintf(note, sizeof(note), "  busy for %.1f s %.*s",
                 pl_client_double(worker, "/busy_s"),
                 PL_STR_ARG(pl_client_str(worker, "/held/where")));
    line(frame, "%6llu  %-9.*s %9.0f %10s %10s %6llu %7llu %10s%s",
         (unsigned long long)pl_client_u64(worker, "/worker"),
         PL_STR_ARG(pl_client_str(worker, "/stage")),
         (double)figures.requests / frame->seconds, p50, p99,
         (unsigned long long)pl_client_u64(worker, "/requests/open"),
         (unsigned long long)pl_client_u64(worker, "/connections/open"), lua,
         note);
}

static void show_workers(struct frame *frame, const struct sample *before,
                         const struct sample *now)
{
    const struct pl_json *was = workers(&before->status);
    const struct pl_json *worker = pl_json_first(workers(&now->status));

    line(frame, "%s", "");
    line(frame, "worker  stage           r/s        p50        p99   open   "
                "conns        lua");
    for (; worker != NULL; worker = pl_json_next(worker))
        show_worker(frame, pl_json_at(was, pl_client_u64(worker, "/worker")),
                    worker);
}

/* ---- generations ---- */

static void show_old(struct frame *frame, uint64_t worker,
                     const struct pl_json *gen)
{
    const struct pl_json *req =
        pl_json_first(pl_json_get(gen, PL_STR("kept_by")));
    char text[WIDE];

    if (!pl_client_describe_old(text, sizeof(text), worker, gen))
        return;
    line(frame, "%s", text);
    for (; req != NULL; req = pl_json_next(req)) {
        pl_client_describe_keeper(text, sizeof(text), req);
        line(frame, "    kept by %s", text);
    }
}

static void show_generations(struct frame *frame, const struct sample *now)
{
    const struct pl_json *worker = pl_json_first(workers(&now->status)), *gen;
    char text[WIDE];

    pl_client_describe_reload(text, sizeof(text), now->status.json);
    line(frame, "%s", text);
    for (; worker != NULL; worker = pl_json_next(worker))
        for (gen = pl_json_first(pl_json_get(worker, PL_STR("generations")));
             gen != NULL; gen = pl_json_next(gen))
            show_old(frame, pl_client_u64(worker, "/worker"), gen);
}

/* ---- routes ----
 *
 * Of all workers together. Routes are known by their generation and place: the
 * n-th route of one generation is the same in each worker, and has nothing to
 * do with the n-th of another. */

struct row {
    uint64_t generation, index;
    const struct pl_json *route;
    struct pl_figures figures;
    uint64_t failed;
};

struct rows {
    struct row *list;
    size_t n;
};

static struct row *row_of(struct rows *rows, uint64_t generation,
                          uint64_t index)
{
    struct row *row = rows->list;

    while (row < rows->list + rows->n &&
           (row->generation != generation || row->index != index))
        row++;
    if (row == rows->list + rows->n) {
        *row = (struct row){.generation = generation, .index = index};
        rows->n++;
    }
    return row;
}

static void add_routes(const struct sample *sample, struct rows *rows)
{
    const struct pl_json *worker = pl_json_first(workers(&sample->routes));
    const struct pl_json *route;

    for (; worker != NULL; worker = pl_json_next(worker)) {
        uint64_t generation = pl_client_u64(worker, "/generation");

        route = pl_json_first(pl_json_get(worker, PL_STR("routes")));
        for (; route != NULL; route = pl_json_next(route)) {
            struct row *row =
                row_of(rows, generation, pl_client_u64(route, "/index"));

            row->route = route;
            row->failed += pl_client_u64(route, "/failed");
            pl_figures_add(&row->figures, route);
        }
    }
}

static size_t count_routes(const struct sample *sample)
{
    const struct pl_json *worker = pl_json_first(workers(&sample->routes));
    size_t n = 0;

    for (; worker != NULL; worker = pl_json_next(worker))
        n += pl_json_count(pl_json_get(worker, PL_STR("routes")));
    return n;
}

static int busier(const void *a, const void *b)
{
    uint64_t n = ((const struct row *)a)->figures.requests;
    uint64_t m = ((const struct row *)b)->figures.requests;

    return (n < m) - (n > m);
}

static void show_route(struct frame *frame, const struct row *row)
{
    char p50[32], p99[32];

    if (row->route == NULL || row->figures.requests == 0)
        return;
    pl_figure_percentile(p50, sizeof(p50), &row->figures, 0.5);
    pl_figure_percentile(p99, sizeof(p99), &row->figures, 0.99);
    line(frame, "%9.0f %8.0f %10s %10s  %.*s%.*s",
         (double)row->figures.requests / frame->seconds,
         (double)row->failed / frame->seconds, p50, p99,
         PL_STR_ARG(pl_client_str(row->route, "/host")),
         PL_STR_ARG(pl_client_str(row->route, "/route")));
}

/* was has room for those of rows, too. */
static void since(struct rows *rows, struct rows *was)
{
    for (size_t i = 0; i < rows->n; i++) {
        struct row *row = &rows->list[i];
        const struct row *before = row_of(was, row->generation, row->index);

        pl_figures_since(&row->figures, &before->figures);
        row->failed -= PL_MIN(row->failed, before->failed);
    }
}

static void show_routes(struct frame *frame, const struct sample *before,
                        const struct sample *now)
{
    size_t n = count_routes(now), m = count_routes(before);
    struct row *list = n == 0 ? NULL : pl_calloc(n + n + m, sizeof(*list));
    struct rows rows = {.list = list}, was = {.list = list + n};

    if (list == NULL)
        return;
    add_routes(now, &rows);
    add_routes(before, &was);
    since(&rows, &was);
    qsort(rows.list, rows.n, sizeof(*rows.list), busier);
    line(frame, "%s", "");
    line(frame, "      r/s failed/s        p50        p99  route");
    for (size_t i = 0; i < rows.n; i++)
        show_route(frame, &rows.list[i]);
    pl_free(list);
}

static void show(struct frame *frame, const struct sample *before,
                 const struct sample *now)
{
    frame->seconds = PL_MAX((double)(now->at - before->at), 1.0) / 1e9;
    show_head(frame, now->status.json);
    show_generations(frame, now);
    show_sums(frame, before, now);
    show_workers(frame, before, now);
    show_routes(frame, before, now);
}

/* ---- the terminal ---- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number != SIGWINCH;
}

static void measure(struct frame *frame)
{
    struct winsize size = {.ws_row = 0};

    frame->columns = WIDE;
    frame->rows = UINT32_MAX;
    if (!frame->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ||
        size.ws_row == 0)
        return;
    frame->columns = size.ws_col;
    frame->rows = size.ws_row - 1u; /* the last one stays empty */
}

static void write_out(struct pl_str text)
{
    while (text.len > 0) {
        ssize_t n = pl_sys_write(STDOUT_FILENO, text.data, text.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text = pl_str_skip(text, (size_t)n);
    }
}

static void draw(bool terminal, const struct sample *before,
                 const struct sample *now)
{
    struct frame frame = {.terminal = terminal};
    struct pl_pool pool;
    struct pl_buf out;

    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    frame.out = &out;
    measure(&frame);
    if (terminal)
        pl_buf_add(&out, PL_STR("\033[H"));
    show(&frame, before, now);
    if (terminal)
        pl_buf_add(&out, PL_STR("\033[J"));
    write_out(pl_buf_str(&out));
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
}

/* Returns true when it is time to go. A new size ends the wait early. */
static bool wait_for_key(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;

    if (poll(&keys, 1, EVERY_MS) <= 0)
        return interrupted;
    if (pl_sys_read(STDIN_FILENO, &key, 1) <= 0)
        return true;
    return key == 'q' || key == 'Q' || key == CTRL_C;
}

static void watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < PL_COUNT(signals); i++)
        sigaction(signals[i], &action, NULL);
}

/* ---- the whole ---- */

static int run_once(const struct pl_client *client)
{
    struct pl_error error = {.code = 0};
    struct sample before, now;
    int err = take_sample(client, &before, &error);

    if (err == 0) {
        poll(NULL, 0, ONCE_MS);
        err = take_sample(client, &now, &error);
        if (err == 0)
            draw(false, &before, &now);
        drop_sample(&now);
    }
    drop_sample(&before);
    return err < 0 ? pl_exit_say(PL_EXIT_FAILURE, &error) : PL_EXIT_OK;
}

/* A sample stays where it is: its buffers know where. */
static int run_live(const struct pl_client *client, struct pl_error *error)
{
    struct sample samples[2];
    unsigned last = 0;
    int err = take_sample(client, &samples[0], error);

    if (err == 0)
        draw(true, &samples[0], &samples[0]); /* something, at once */
    while (err == 0 && !wait_for_key()) {
        err = take_sample(client, &samples[!last], error);
        if (err == 0)
            draw(true, &samples[last], &samples[!last]);
        drop_sample(&samples[last]);
        last = !last;
    }
    drop_sample(&samples[last]);
    return err;
}

int pl_client_top(const struct pl_client *client)
{
    struct pl_error error = {.code = 0};
    struct termios was, raw;
    int err;

    if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &was) < 0)
        return run_once(client);
    watch_signals();
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    write_out(PL_STR("\033[?1049h\033[?25l")); /* a screen of its own */
    err = run_live(client, &error);
    write_out(PL_STR("\033[?25h\033[?1049l"));
    tcsetattr(STDIN_FILENO, TCSANOW, &was);
    return err < 0 ? pl_exit_say(PL_EXIT_FAILURE, &error) : PL_EXIT_OK;
}
