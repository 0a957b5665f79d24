/* log.c - who queues lines, who writes them, and who wakes whom.
 *
 *     thread ---> its ring ---+                      +---> error log
 *     thread ---> its ring ---+--- drain (by time) --+
 *     thread ---> its ring ---+                      +---> access log
 *
 * A drain is done by whoever holds `draining`: the writer thread, or in DIRECT
 * the thread that logs. Producers never take it while the writer runs.
 *
 *     DIRECT -start-> AWAKE -> LINGERING -> ASLEEP      any -stop-> DIRECT
 *                       ^         |  an urgent |  any line
 *                       +---------+------------+
 *
 * After a drain that found something the writer lingers, so that under load it
 * takes a batch and producers make no system call; after one that found nothing
 * it sleeps until a producer writes the eventfd. No line is left behind: a
 * producer publishes its line and then reads `state`, the writer stores `state`
 * and then looks for lines, all sequentially consistent.
 *
 * The log is one per process and so the one place where globals change. */
#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log_ring.h"
#include "base/log_sink.h"
#include "base/str.h"
#include "base/sys.h"

enum { DIRECT, AWAKE, LINGERING, ASLEEP };
enum { REOPEN = 1, FLUSH = 2, STOP = 4 };
enum { LINGER_MS = 30, HURRY_MS = 200 };

/* The larger one holds some thousand access lines: a scheduler's tick. */
enum { RING = 64 * 1024, RING_WITH_ACCESS = 512 * 1024 };

/* "room: " and " (4294967295 more suppressed)" come on top of a line. */
enum { MARGIN = 64 };

_Atomic(enum pl_level) pl_log_level = PL_LOG_INFO;
static _Atomic size_t suppressed;

static atomic_int state = DIRECT;
static atomic_uint asked; /* of the writer: REOPEN, FLUSH, STOP */
static int wake_fd = -1;  /* never closed: a producer may be about to write */
static pthread_t writer;
static sem_t flushed;

static pthread_mutex_t draining = PTHREAD_MUTEX_INITIALIZER;
/* Apart from the sinks, so that they take no room in the program's file. */
static char error_buffer[PL_LOG_SINK_BUFFER], access_buffer[PL_LOG_SINK_BUFFER];
static struct pl_log_sink errors = {.fd = -1, .buffer = error_buffer};
static struct pl_log_sink accesses = {.fd = -1, .buffer = access_buffer};
static atomic_bool access_enabled;

/* All rings there ever were; none is freed, since one whose thread ended is
 * adopted by the next new thread. */
static _Atomic(struct pl_log_ring *) rings;
static _Thread_local struct pl_log_ring *my_ring;
static atomic_size_t ringless; /* lines lost without a ring to count them */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_exit;

/* ---- draining ---------------------------------------------------------- */

static struct pl_log_ring *oldest_of_all(void)
{
    struct pl_log_ring *ring, *oldest = NULL;
    const struct pl_log_record *record;
    uint64_t time = UINT64_MAX;

    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next) {
        record = pl_log_ring_peek(ring);
        if (record != NULL && record->time <= time) {
            time = record->time;
            oldest = ring;
        }
    }
    return oldest;
}

/* A line of the writer's own, past the rings. */
PL_PRINTF(2, 3)
static void add_own(enum pl_level level, const char *fmt, ...)
{
    char text[256 + PATH_MAX];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pl_log_sink_add(&errors, pl_clock_wall(), level,
                    pl_str(text, PL_MIN((size_t)len, sizeof(text) - 1)));
}

static void report_dropped(void)
{
    struct pl_log_ring *ring;
    size_t now, lost = 0;

    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next) {
        now = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
        lost += now - ring->reported;
        ring->reported = now;
    }
    if (lost > 0)
        add_own(PL_LOG_WARN, "log: lines were dropped count=%zu", lost);
}

/* Only once the file takes lines again: a report would be lost, too. */
static void report_lost(struct pl_log_sink *sink)
{
    if (sink->lost == 0 || sink->failing)
        return;
    add_own(PL_LOG_ERROR, "log: could not write: %s bytes=%zu path=%s",
            strerror(sink->lost_errno), sink->lost,
            sink->path == NULL ? "-" : sink->path);
    sink->lost = 0;
}

/* Lines may have left their ring and not yet reached the file. */
static atomic_bool on_the_way;

/* Writes what is in the rings when it begins, and no more: it ends. True if
 * there was anything. The caller holds `draining`. */
static bool drain(void)
{
    struct pl_log_ring *ring;
    bool any = false;

    atomic_store(&on_the_way, true);
    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next)
        pl_log_ring_mark(ring);
    while ((ring = oldest_of_all()) != NULL) {
        const struct pl_log_record *record = pl_log_ring_peek(ring);

        pl_log_sink_add(
            record->kind == PL_LOG_RECORD_ACCESS ? &accesses : &errors,
            record->time, record->kind, pl_str(record->text, record->len));
        pl_log_ring_pop(ring);
        any = true;
    }
    report_dropped();
    report_lost(&accesses);
    report_lost(&errors);
    pl_log_sink_flush(&errors);
    pl_log_sink_flush(&accesses);
    atomic_store(&on_the_way, false);
    return any;
}

static bool nothing_queued(void)
{
    struct pl_log_ring *ring;

    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next)
        if (!pl_log_ring_empty(ring))
            return false;
    return true;
}

/* ---- the writer thread ------------------------------------------------- */

static void wake_writer(void)
{
    eventfd_write(wake_fd, 1); /* full means woken; nothing else can fail */
}

static void ask(unsigned what)
{
    atomic_fetch_or(&asked, what);
    wake_writer();
}

static void reopen(struct pl_log_sink *sink)
{
    int err = pl_log_sink_reopen(sink);

    if (err < 0)
        add_own(PL_LOG_ERROR, "log: cannot reopen: %s path=%s",
                pl_err_text(err), sink->path);
}

/* Returns when a line or a question is there, or it lingered long enough. */
static void wait_for_lines(bool linger)
{
    struct pollfd event = {.fd = wake_fd, .events = POLLIN};
    eventfd_t ignored;

    atomic_store(&state, linger ? LINGERING : ASLEEP);
    if (linger || nothing_queued())
        poll(&event, 1, linger ? LINGER_MS : -1);
    atomic_store(&state, AWAKE);
    eventfd_read(wake_fd, &ignored);
}

static void *run_writer(void *arg)
{
    unsigned questions;
    bool any;

    pthread_setname_np(pthread_self(), "pl-log");
    do {
        questions = atomic_exchange(&asked, 0);
        pthread_mutex_lock(&draining);
        any = drain();
        if (questions & REOPEN) {
            reopen(&errors);
            reopen(&accesses);
            pl_log_sink_flush(&errors);
        }
        pthread_mutex_unlock(&draining);
        if (questions & FLUSH)
            sem_post(&flushed);
        if (!(questions & STOP))
            wait_for_lines(any);
    } while (!(questions & STOP));
    return NULL;
}

/* ---- producers --------------------------------------------------------- */

/* What each thread does after it has published a line. */
static void tell_writer(struct pl_log_ring *ring, bool urgent)
{
    int seen = atomic_load(&state);

    if (seen == DIRECT) {
        pthread_mutex_lock(&draining);
        drain();
        pthread_mutex_unlock(&draining);
        return;
    }
    if (seen == ASLEEP ||
        (seen == LINGERING && (urgent || pl_log_ring_half_full(ring)))) {
        /* Whoever changes the state writes the eventfd; the others need not. */
        if (atomic_compare_exchange_strong(&state, &seen, AWAKE))
            wake_writer();
    }
}

static void hand_over(void *ring)
{
    my_ring = NULL;
    atomic_store(&((struct pl_log_ring *)ring)->owned, false);
}

static struct pl_log_ring *adopt(void)
{
    struct pl_log_ring *ring;

    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next) {
        bool owned = false;

        if (atomic_compare_exchange_strong(&ring->owned, &owned, true))
            return ring;
    }
    return NULL;
}

static void set_up(void);

static struct pl_log_ring *ring_of_thread(void)
{
    struct pl_log_ring *ring = my_ring;

    if (PL_LIKELY(ring != NULL))
        return ring;
    pthread_once(&once, set_up);
    ring = adopt();
    if (ring == NULL) {
        ring =
            pl_log_ring_new(pl_log_access_enabled() ? RING_WITH_ACCESS : RING);
        if (ring == NULL) {
            atomic_fetch_add(&ringless, 1);
            return NULL;
        }
        atomic_store(&ring->owned, true);
        ring->next = atomic_load(&rings);
        while (!atomic_compare_exchange_weak(&rings, &ring->next, ring))
            ;
    }
    my_ring = ring;
    pthread_setspecific(at_thread_exit, ring);
    return ring;
}

/* True if the line must not pass; *more is how many did not before it. */
static bool over_rate(struct pl_log_site *site, uint64_t now, uint32_t *more)
{
    uint64_t second = now / 1000000000u;

    if (site->window != second) {
        site->window = second;
        site->count = 0;
    }
    if (site->count >= PL_LOG_SITE_RATE) {
        site->swallowed++;
        atomic_fetch_add_explicit(&suppressed, 1, memory_order_relaxed);
        return true;
    }
    site->count++;
    *more = site->swallowed;
    site->swallowed = 0;
    return false;
}

/* Returns the length of the line; out has PL_LOG_LINE_MAX + MARGIN bytes. */
static size_t format(char *out, const char *room, uint32_t more,
                     const char *fmt, va_list ap)
{
    size_t len =
        (size_t)snprintf(out, MARGIN / 2, "%.*s: ", MARGIN / 2 - 3, room);
    int n = vsnprintf(out + len, PL_LOG_LINE_MAX, fmt, ap);

    if (n >= PL_LOG_LINE_MAX) {
        n = PL_LOG_LINE_MAX - 1;
        memcpy(out + len + n - 3, "...", 3);
    }
    len += n < 0 ? 0 : (size_t)n;
    while (len > 0 && out[len - 1] == '\n')
        len--;
    if (more > 0)
        len += (size_t)snprintf(out + len, MARGIN / 2, " (%u more suppressed)",
                                more);
    return len;
}

void pl_log_vwrite(struct pl_log_site *site, enum pl_level level,
                   const char *room, const char *fmt, va_list ap)
{
    uint64_t now = pl_clock_wall();
    struct pl_log_ring *ring;
    int saved = errno;
    uint32_t more = 0;
    char *text;

    if (site != NULL && level > PL_LOG_DEBUG && over_rate(site, now, &more))
        return;
    ring = ring_of_thread();
    text = ring == NULL ? NULL
                        : pl_log_ring_reserve(ring, PL_LOG_LINE_MAX + MARGIN);
    errno = saved; /* for %m, and below for the caller */
    if (text != NULL) {
        pl_log_ring_commit(ring, now, level, format(text, room, more, fmt, ap));
        tell_writer(ring, level >= PL_LOG_ERROR);
    }
    errno = saved;
}

void pl_log_write(struct pl_log_site *site, enum pl_level level,
                  const char *room, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    pl_log_vwrite(site, level, room, fmt, ap);
    va_end(ap);
}

bool pl_log_access_enabled(void)
{
    return atomic_load_explicit(&access_enabled, memory_order_relaxed);
}

void pl_log_access(struct pl_str line)
{
    size_t len = PL_MIN(line.len, (size_t)PL_LOG_ACCESS_MAX);
    struct pl_log_ring *ring;
    char *text;

    if (!pl_log_access_enabled())
        return;
    ring = ring_of_thread();
    text = ring == NULL ? NULL : pl_log_ring_reserve(ring, len);
    if (text == NULL)
        return;
    memcpy(text, line.data, len);
    if (len < line.len)
        memcpy(text + len - 3, "...", 3);
    pl_log_ring_commit(ring, pl_clock_wall(), PL_LOG_RECORD_ACCESS, len);
    tell_writer(ring, false);
}

size_t pl_log_dropped(void)
{
    size_t sum = atomic_load(&ringless);

    for (struct pl_log_ring *ring = atomic_load(&rings); ring != NULL;
         ring = ring->next)
        sum += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    return sum;
}

size_t pl_log_suppressed(void)
{
    return atomic_load_explicit(&suppressed, memory_order_relaxed);
}

/* ---- start, stop, fork ------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&draining);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&draining);
}

/* The child has this thread only: no writer, and the lines of the others are
 * the parent's to write. */
static void after_fork_in_child(void)
{
    struct pl_log_ring *ring;

    for (ring = atomic_load(&rings); ring != NULL; ring = ring->next) {
        atomic_store(&ring->tail, atomic_load(&ring->head));
        atomic_store(&ring->owned, ring == my_ring);
    }
    errors.len = accesses.len = 0;
    atomic_store(&state, DIRECT);
    pthread_mutex_unlock(&draining);
}

static void set_up(void)
{
    pthread_key_create(&at_thread_exit, hand_over);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    pl_log_sink_use(&errors, STDERR_FILENO);
}

static int open_sink(struct pl_log_sink *sink, const char *path, int standard,
                     struct pl_error *error)
{
    int err = 0;

    if (path == NULL || strcmp(path, "-") == 0)
        pl_log_sink_use(sink, standard);
    else
        err = pl_log_sink_open(sink, path);
    if (err < 0)
        pl_error_set(error, err, path, "cannot open: %s", pl_err_text(err));
    return err;
}

static void close_sinks(void)
{
    atomic_store(&access_enabled, false);
    pl_log_sink_close(&accesses);
    pl_log_sink_close(&errors);
    pl_log_sink_use(&errors, STDERR_FILENO);
}

static int open_sinks(const char *error_path, const char *access_path,
                      struct pl_error *error)
{
    int err = open_sink(&errors, error_path, STDERR_FILENO, error);

    if (err == 0 && access_path != NULL)
        err = open_sink(&accesses, access_path, STDOUT_FILENO, error);
    if (err < 0)
        close_sinks();
    else
        atomic_store(&access_enabled, access_path != NULL);
    return err;
}

void pl_log_use(int fd)
{
    PL_ASSERT(atomic_load(&state) == DIRECT);
    pthread_once(&once, set_up);
    pthread_mutex_lock(&draining);
    pl_log_sink_use(&errors, fd);
    pthread_mutex_unlock(&draining);
}

int pl_log_fd(void)
{
    pthread_once(&once, set_up);
    return errors.fd;
}

static int start_writer(void)
{
    int err;

    if (wake_fd < 0)
        wake_fd = pl_sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return pl_err_from_errno(errno);
    sem_init(&flushed, 0, 0);
    atomic_store(&asked, 0);
    atomic_store(&state, AWAKE);
    err = pl_sys_thread(&writer, run_writer, NULL);
    if (err == 0)
        return 0;
    err = pl_err_from_errno(errno);
    atomic_store(&state, DIRECT);
    return err;
}

int pl_log_open(const char *error_path, const char *access_path,
                struct pl_error *error)
{
    int err;

    PL_ASSERT(atomic_load(&state) == DIRECT);
    pthread_once(&once, set_up);
    pthread_mutex_lock(&draining);
    err = open_sinks(error_path, access_path, error);
    pthread_mutex_unlock(&draining);
    return err;
}

int pl_log_run(struct pl_error *error)
{
    int err = start_writer();

    if (err < 0) {
        pl_log_stop();
        pl_error_set(error, err, "", "cannot start the log's writer: %s",
                     pl_err_text(err));
    }
    return err;
}

int pl_log_start(const char *error_path, const char *access_path,
                 struct pl_error *error)
{
    int err = pl_log_open(error_path, access_path, error);

    return err < 0 ? err : pl_log_run(error);
}

void pl_log_flush(void)
{
    if (atomic_load(&state) == DIRECT)
        return;
    ask(FLUSH);
    while (sem_wait(&flushed) < 0)
        ; /* EINTR */
}

void pl_log_stop(void)
{
    if (atomic_load(&state) != DIRECT) {
        ask(STOP);
        pthread_join(writer, NULL);
    }
    /* From here on each thread drains; what was published before is ours. */
    atomic_store(&state, DIRECT);
    pthread_mutex_lock(&draining);
    drain();
    close_sinks();
    pthread_mutex_unlock(&draining);
}

void pl_log_reopen(void)
{
    if (atomic_load(&state) != DIRECT)
        ask(REOPEN);
}

/* ---- from a signal handler --------------------------------------------- */

static void hurry(void)
{
    if (atomic_load(&state) == DIRECT || pthread_equal(pthread_self(), writer))
        return;
    wake_writer();
    for (int ms = 0; ms < HURRY_MS; ms += 5) {
        if (nothing_queued() && !atomic_load(&on_the_way))
            return;
        poll(NULL, 0, 5);
    }
}

void pl_log_crash(const char *text)
{
    char line[PL_LOG_STAMP + 1024], *at = line;
    size_t len = PL_MIN(strlen(text), (size_t)1000);

    hurry();
    if (errors.style == PL_LOG_JOURNAL) {
        at = stpcpy(at, "<2>");
    } else {
        pl_log_stamp(at, pl_clock_wall());
        at = stpcpy(at + PL_LOG_STAMP, " fatal ");
    }
    at = (char *)mempcpy(at, text, len);
    *at++ = '\n';
    /* door: the last call of a process is not one to fail on purpose */
    (void)!write(errors.fd < 0 ? STDERR_FILENO : errors.fd, line,
                 (size_t)(at - line));
}
