/* log.h - what happened, for the people who run the server.
 *
 * pl_log() formats one line into a ring of its thread; a writer thread drains
 * the rings, so that a slow disk or terminal never holds a worker. A full ring
 * drops lines and says how many. Each call site is limited to
 * PL_LOG_SITE_RATE lines a second per thread; what it swallowed is counted in
 * the next line that passes ("(7 more suppressed)").
 *
 *     2026-11-22T07:14:22.123Z error net: accept failed fd=7
 *
 * How a line looks, and why a peer cannot forge one, is in log_sink.h. Without
 * pl_log_start() lines go straight to stderr, which is what unit tests and
 * libperilune's early errors use. A fork leaves the child without a writer: its
 * lines go straight to the same files. */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <perilune.h>
#include <stdatomic.h>

#include "base/compiler.h"
#include "base/error.h"

enum {
    PL_LOG_SITE_RATE = 10,
    PL_LOG_LINE_MAX = 4096,        /* what is longer is cut and ends in "..." */
    PL_LOG_ACCESS_MAX = 16 * 1024, /* the same for a line of the access log */
};

/* One per call in the source, per thread. */
struct pl_log_site {
    uint64_t window; /* second in which count began */
    uint32_t count;
    uint32_t swallowed;
};

/* Lines below this are not formatted. Any thread may change it. */
extern _Atomic(enum pl_level) pl_log_level;

/* pl_log(PL_LOG_WARN, "net", "accept failed: %s fd=%d", why, fd):
 * room is the folder of the caller; facts are key=value. Keeps errno. */
#define pl_log(level, room, ...)                                               \
    do {                                                                       \
        static _Thread_local struct pl_log_site site_;                         \
        if ((level) >= pl_log_level)                                           \
            pl_log_write(&site_, level, room, __VA_ARGS__);                    \
    } while (0)

/* The same without the limit, for what happens only as often as somebody orders
 * it, and takes longer than its line. */
#define pl_log_each(level, room, ...)                                          \
    do {                                                                       \
        if ((level) >= pl_log_level)                                           \
            pl_log_write(NULL, level, room, __VA_ARGS__);                      \
    } while (0)

/* site may be NULL, for pl_log_each() and lines of a site's own scripts: no
 * limit then. There is none for PL_LOG_DEBUG either. */
void pl_log_write(struct pl_log_site *site, enum pl_level level,
                  const char *room, const char *fmt, ...) PL_PRINTF(4, 5);
void pl_log_vwrite(struct pl_log_site *site, enum pl_level level,
                   const char *room, const char *fmt, va_list ap)
    PL_PRINTF(4, 0);

/* "debug", "info", "notice", "warn", "error"; false if unknown. */
bool pl_log_level_parse(struct pl_str name, enum pl_level *level);
const char *pl_log_level_name(enum pl_level level);

/* True when an access log is kept. */
bool pl_log_access_enabled(void);

/* Queues one finished access line (without line end). Copies. */
void pl_log_access(struct pl_str line);

/* ---- by the thread that runs the process ---- */

/* Where lines go: error_path NULL or "-" is stderr; access_path NULL is nowhere
 * and "-" stdout. Who logs writes there itself until pl_log_run() starts the
 * writer thread. Returns 0 or PL_ERR_*, and then *error (which may be NULL)
 * names the path that could not be opened. */
int pl_log_open(const char *error_path, const char *access_path,
                struct pl_error *error);

/* Closes the files again if it fails. */
int pl_log_run(struct pl_error *error);

/* Both. */
int pl_log_start(const char *error_path, const char *access_path,
                 struct pl_error *error);

/* For a process without a writer thread: its lines go straight to fd, which
 * stays the caller's. */
void pl_log_use(int fd);

/* Where error lines go now. */
int pl_log_fd(void);

/* Returns when everything logged before has been written. */
void pl_log_flush(void);

/* Writes out what is queued and ends the writer thread. Lines go straight to
 * stderr again. */
void pl_log_stop(void);

/* ---- any thread ---- */

/* Opens the files again under their names (after rotation), soon. A file that
 * cannot be opened stays the old one, and an error line says so. */
void pl_log_reopen(void);

/* Lines lost so far because a ring was full. */
size_t pl_log_dropped(void);

/* Lines that were not written because their call site wrote too many. */
size_t pl_log_suppressed(void);

/* ---- async-signal-safe ---- */

/* The last line of a process, past all rings: gives the writer a moment to
 * write what is queued, then writes text (cut at 1000 bytes) itself. */
void pl_log_crash(const char *text);

#endif
