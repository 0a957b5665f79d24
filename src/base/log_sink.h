/* log_sink.h - one file of the log: makes lines of records, and writes them.
 *
 *     2026-11-22T07:14:22.123Z error net: text key=value
 *
 * Nothing in a record can forge a line: control characters, C1 ones included,
 * and bytes that are not UTF-8 become \xHH. Only the newlines of an error
 * record (a traceback) stay, and what follows them is indented. For the journal
 * a line begins with <priority> instead of the time. On a terminal it is for
 * people: the time of day, level and room in columns and colours, the facts
 * apart; and of a request what it asked for and got.
 *
 *     07:14:22.123 error  net     text key=value
 *     07:14:22.123 GET    200 /speed/10 13 bytes 0.000400 s
 *
 * Lines are collected and written when a drain ends; whole ones, as long as
 * they are not larger than half of the buffer. Used by one thread at a time. */
#ifndef PL_BASE_LOG_SINK_H
#define PL_BASE_LOG_SINK_H

#include <perilune.h>

#include "base/log_ring.h"

enum { PL_LOG_SINK_BUFFER = 64 * 1024, PL_LOG_STAMP = 24 };

enum pl_log_style { PL_LOG_PLAIN, PL_LOG_COLOUR, PL_LOG_JOURNAL };

struct pl_log_sink {
    int fd;           /* -1: nothing is kept */
    const char *path; /* owned; NULL: fd is stderr or stdout, and not ours */
    enum pl_log_style style;
    uint64_t second; /* of stamp */
    char stamp[PL_LOG_STAMP + 1];
    size_t lost; /* bytes that could not be written */
    int lost_errno;
    bool failing; /* the last write did not succeed */
    size_t len;
    char *buffer; /* PL_LOG_SINK_BUFFER bytes, the owner's */
};

/* Writes to fd from now on, which stays the caller's; finds out what it is. */
void pl_log_sink_use(struct pl_log_sink *sink, int fd);

/* Appends to the file (copies path), and creates it with mode 0640. Returns 0
 * or a PL_ERR_*; sink is unchanged then. */
int pl_log_sink_open(struct pl_log_sink *sink, const char *path);

/* The same path again. The descriptor keeps its number, so that others may use
 * it meanwhile. On failure the old file stays in use. */
int pl_log_sink_reopen(struct pl_log_sink *sink);

/* Closes what was opened, and writes nothing more. */
void pl_log_sink_close(struct pl_log_sink *sink);

/* Adds one line to the buffer. kind is that of a struct pl_log_record. */
void pl_log_sink_add(struct pl_log_sink *sink, uint64_t time, uint32_t kind,
                     struct pl_str text);

/* Writes the buffer; waits for a slow reader. What the kernel refuses is lost
 * and counted. */
void pl_log_sink_flush(struct pl_log_sink *sink);

/* Writes PL_LOG_STAMP bytes "2026-11-22T07:14:22.123Z". Async-signal-safe. */
void pl_log_stamp(char *out, uint64_t time);

#endif
