/* log.h - what happened, for the people who run the server.
 *
 * pl_log() formats one line into a ring of its thread; a writer thread drains
 * the rings, so that a slow disk or terminal never holds a worker. A full ring
 * drops lines and says how many. Each call site is limited to
 * PL_LOG_SITE_RATE lines a second per thread; what it swallowed is counted in
 * the next line that passes. Without pl_log_start() lines go straight to
 * stderr, which is what unit tests and libperilune's early errors use. */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <perilune.h>

#include "base/compiler.h"

enum pl_level {
    PL_LOG_DEBUG,
    PL_LOG_INFO,
    PL_LOG_NOTICE,
    PL_LOG_WARN,
    PL_LOG_ERROR,
    PL_LOG_LEVELS
};

enum { PL_LOG_SITE_RATE = 10, PL_LOG_LINE_MAX = 4096 };

/* One per call in the source, per thread. */
struct pl_log_site {
    uint64_t window; /* second in which count began */
    uint32_t count;
    uint32_t swallowed;
};

/* Lines below this are not formatted. Set before the workers start. */
extern enum pl_level pl_log_level;

/* pl_log(PL_LOG_WARN, "net", "accept failed: %s fd=%d", why, fd):
 * room is the folder of the caller; facts are key=value. */
#define pl_log(level, room, ...)                                               \
    do {                                                                       \
        static _Thread_local struct pl_log_site site_;                         \
        if ((level) >= pl_log_level)                                           \
            pl_log_write(&site_, level, room, __VA_ARGS__);                    \
    } while (0)

void pl_log_write(struct pl_log_site *site, enum pl_level level,
                  const char *room, const char *fmt, ...) PL_PRINTF(4, 5);

/* "debug", "info", "notice", "warn", "error"; false if unknown. */
bool pl_log_level_parse(struct pl_str name, enum pl_level *level);

/* Where lines go: NULL or "-" is stderr (error log) or nowhere (access log).
 * Starts the writer thread. Returns 0 or PL_ERR_* with *which set to the path
 * that could not be opened. */
int pl_log_start(const char *error_path, const char *access_path);

/* Opens the files again under their names (after rotation). Any thread. */
void pl_log_reopen(void);

/* Writes out what is queued and ends the writer thread. */
void pl_log_stop(void);

/* True when an access log is kept. */
bool pl_log_access_enabled(void);

/* Queues one finished access line (without line end). Copies. */
void pl_log_access(struct pl_str line);

/* Async-signal-safe: straight to the error log's descriptor. */
void pl_log_crash(const char *text);

#endif
