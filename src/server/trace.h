/* trace.h - what an error of a script says: its message, the calls that led to
 * it, and the lines of source around them. For people who develop a site; may
 * wait for the disk. */
#ifndef PL_SERVER_TRACE_H
#define PL_SERVER_TRACE_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    PL_TRACE_FRAMES = 50,    /* that are shown */
    PL_TRACE_AROUND = 4,     /* lines before and behind */
    PL_TRACE_FILE = 1 << 20, /* bytes of a file that are read */
};

struct pl_trace_line {
    uint64_t number;
    struct pl_str text;
    bool here; /* the one that the frame is about */
};

struct pl_trace_frame {
    struct pl_str place; /* "lib/users.lua:12" */
    struct pl_str what;  /* "in function 'find'"; may be empty */
    struct pl_trace_line *lines;
    size_t nlines;
    bool source; /* it has lines: the source is to be had */
    bool first;  /* of those that have */
};

struct pl_trace {
    struct pl_str text;    /* all of it, as it is in the log */
    struct pl_str message; /* without place */
    struct pl_str place;   /* "main.lua:12", or empty */
    struct pl_trace_frame *frames;
    size_t nframes;
};

/* Takes text (of the log) apart; frames of C and of the library are left out.
 * The source of files of folder is read, and of no other: text may hold what a
 * peer has sent. BORROWS text as long as trace is used; memory is the arena's.
 * Returns 0 or PL_ERR_NOMEM. */
int pl_trace_read(struct pl_trace *trace, struct pl_str text,
                  const char *folder, struct pl_arena *arena);

/* "  11 |   local x\n> 12 | ...": appends the lines of a frame. */
int pl_trace_print(const struct pl_trace_frame *frame, struct pl_buf *out);

#endif
