/* chunks.h - the files that a generation is made of, for all its workers.
 *
 * Each file of Lua is read and compiled once, by whoever meets it first and
 * off the loops that serve, and handed to the other workers as bytecode, which
 * keeps names and line numbers. So all of them run the same text, even if the
 * file changes between one worker and the next. What has not changed since the
 * generation before is taken over from it.
 *
 * Files that are not Lua, and names that were looked for in vain, are noted
 * too: who watches the files asks for all of them.
 *
 * Counted; any thread may call these functions, and none of them takes a lock:
 * entries are only added, until the last user leaves. */
#ifndef PL_LUA_CHUNKS_H
#define PL_LUA_CHUNKS_H

#include "os/stamp.h"

struct pl_bytecode;
struct pl_chunks;

/* A file that was compiled; shared by sets, and never changed. */
struct pl_chunk;

/* former may be NULL. grown(arg) (may be NULL) is called, on any thread, when
 * there is one more file. Gives one reference; NULL: out of memory. */
struct pl_chunks *pl_chunks_new(const struct pl_chunks *former,
                                void (*grown)(void *arg), void *arg);
struct pl_chunks *pl_chunks_take(struct pl_chunks *chunks); /* NULL: NULL */
void pl_chunks_drop(struct pl_chunks *chunks);              /* may be NULL */

/* What was compiled of path, if anything; anew: only if the file still is what
 * it was then. GIVES a reference, or NULL. */
struct pl_chunk *pl_chunks_find(struct pl_chunks *chunks, const char *path,
                                bool anew);

/* The same; reads and compiles the file if need be. May block, and take long.
 * GIVES *out and returns 0; or PL_ERR_NOT_FOUND, PL_ERR_SYNTAX, PL_ERR_NOMEM
 * and GIVES *message, as Lua's loadfile has it (NULL: out of memory). */
int pl_chunks_read(struct pl_chunks *chunks, const char *path, bool anew,
                   struct pl_chunk **out, char **message);

const struct pl_bytecode *pl_chunk_code(const struct pl_chunk *chunk);
void pl_chunk_drop(struct pl_chunk *chunk); /* may be NULL */

/* The generation depends on path, which is not Lua or is not there. COPIES it.
 * Without memory it is not noted. */
void pl_chunks_note(struct pl_chunks *chunks, const char *path);

/* The same for a file whose changes somebody else minds: it makes no further
 * generation, but who watches wants to know. */
void pl_chunks_note_alone(struct pl_chunks *chunks, const char *path);

/* How many files there are: grows only. */
unsigned pl_chunks_count(const struct pl_chunks *chunks);

/* All of them, each with its state when it was first met. see() must not add
 * any. */
void pl_chunks_each(const struct pl_chunks *chunks,
                    void (*see)(void *arg, const char *path,
                                const struct pl_stamp *stamp, bool alone),
                    void *arg);

#endif
