#include "lua/chunks.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "lua/bytecode.h"

struct pl_chunk {
    atomic_int refs;
    struct pl_stamp stamp; /* of the file that was read */
    struct pl_bytecode *code;
    char path[];
};

struct entry {
    struct entry *next;
    struct pl_stamp stamp;            /* when it was met */
    _Atomic(struct pl_chunk *) chunk; /* NULL: it is only noted, so far */
    bool alone;                       /* pl_chunks_note_alone() */
    char path[];
};

struct pl_chunks {
    atomic_int refs;
    _Atomic unsigned count;
    _Atomic(struct entry *) first; /* the newest */
    void (*grown)(void *arg);
    void *arg;
    struct pl_chunk **former; /* of the generation before; ends with NULL */
};

/* ---- compiled files ---- */

const struct pl_bytecode *pl_chunk_code(const struct pl_chunk *chunk)
{
    return chunk->code;
}

static struct pl_chunk *take(struct pl_chunk *chunk)
{
    if (chunk != NULL)
        atomic_fetch_add(&chunk->refs, 1);
    return chunk;
}

void pl_chunk_drop(struct pl_chunk *chunk)
{
    if (chunk == NULL || atomic_fetch_sub(&chunk->refs, 1) > 1)
        return;
    pl_free(chunk->code);
    pl_free(chunk);
}

/* TAKES code; NULL: out of memory. */
static struct pl_chunk *new_chunk(const char *path,
                                  const struct pl_stamp *stamp,
                                  struct pl_bytecode *code)
{
    size_t size = strlen(path) + 1;
    struct pl_chunk *chunk =
        code == NULL ? NULL : pl_malloc(sizeof(*chunk) + size);

    if (chunk == NULL) {
        pl_free(code);
        return NULL;
    }
    atomic_init(&chunk->refs, 1);
    chunk->stamp = *stamp;
    chunk->code = code;
    memcpy(chunk->path, path, size);
    return chunk;
}

/* ---- sets of them ---- */

/* What it was made of will hardly be compiled again. */
static struct pl_chunk **copy_former(const struct pl_chunks *former)
{
    struct pl_chunk **list;
    size_t n = 0;

    if (former == NULL)
        return NULL;
    list = pl_calloc(pl_chunks_count(former) + 1, sizeof(struct pl_chunk *));
    for (struct entry *entry = former->first; list != NULL && entry != NULL;
         entry = entry->next) {
        struct pl_chunk *chunk = entry->chunk;

        if (chunk != NULL && !chunk->stamp.recent)
            list[n++] = take(chunk);
    }
    return list;
}

struct pl_chunks *pl_chunks_new(const struct pl_chunks *former,
                                void (*grown)(void *arg), void *arg)
{
    struct pl_chunks *chunks = pl_calloc(1, sizeof(*chunks));

    if (chunks == NULL)
        return NULL;
    atomic_init(&chunks->refs, 1);
    chunks->grown = grown;
    chunks->arg = arg;
    chunks->former = copy_former(former);
    return chunks;
}

struct pl_chunks *pl_chunks_take(struct pl_chunks *chunks)
{
    if (chunks != NULL)
        atomic_fetch_add(&chunks->refs, 1);
    return chunks;
}

void pl_chunks_drop(struct pl_chunks *chunks)
{
    struct entry *entry, *next;

    if (chunks == NULL || atomic_fetch_sub(&chunks->refs, 1) > 1)
        return;
    for (entry = chunks->first; entry != NULL; entry = next) {
        next = entry->next;
        pl_chunk_drop(entry->chunk);
        pl_free(entry);
    }
    for (size_t i = 0; chunks->former != NULL && chunks->former[i] != NULL; i++)
        pl_chunk_drop(chunks->former[i]);
    pl_free(chunks->former);
    pl_free(chunks);
}

unsigned pl_chunks_count(const struct pl_chunks *chunks)
{
    return atomic_load(&chunks->count);
}

void pl_chunks_each(const struct pl_chunks *chunks,
                    void (*see)(void *arg, const char *path,
                                const struct pl_stamp *stamp, bool alone),
                    void *arg)
{
    struct entry *entry;

    for (entry = chunks->first; entry != NULL; entry = entry->next)
        see(arg, entry->path, &entry->stamp, entry->alone);
}

static struct entry *find_entry(struct pl_chunks *chunks, const char *path)
{
    struct entry *entry = chunks->first;

    while (entry != NULL && strcmp(entry->path, path) != 0)
        entry = entry->next;
    return entry;
}

/* Takes a reference if the entry is there, or becomes, one of chunk. */
static void set_chunk(struct entry *entry, struct pl_chunk *chunk)
{
    struct pl_chunk *none = NULL;

    if (chunk != NULL &&
        atomic_compare_exchange_strong(&entry->chunk, &none, chunk))
        take(chunk);
}

/* Two threads may meet the same file: who comes second finds the entry of the
 * first. chunk may be NULL. */
static void add(struct pl_chunks *chunks, const char *path,
                const struct pl_stamp *stamp, struct pl_chunk *chunk,
                bool alone)
{
    size_t size = strlen(path) + 1;
    struct entry *entry = find_entry(chunks, path), *fresh;

    if (entry != NULL) {
        set_chunk(entry, chunk);
        return;
    }
    fresh = pl_calloc(1, sizeof(*fresh) + size);
    if (fresh == NULL)
        return;
    fresh->stamp = *stamp;
    fresh->alone = alone;
    memcpy(fresh->path, path, size);
    fresh->next = chunks->first;
    do
        entry = find_entry(chunks, path);
    while (entry == NULL &&
           !atomic_compare_exchange_weak(&chunks->first, &fresh->next, fresh));
    set_chunk(entry != NULL ? entry : fresh, chunk);
    if (entry != NULL) {
        pl_free(fresh);
        return;
    }
    atomic_fetch_add(&chunks->count, 1);
    if (chunks->grown != NULL)
        chunks->grown(chunks->arg);
}

static void note(struct pl_chunks *chunks, const char *path, bool alone)
{
    struct pl_stamp stamp;

    if (chunks == NULL || find_entry(chunks, path) != NULL)
        return;
    stamp = pl_stamp_read(path);
    add(chunks, path, &stamp, NULL, alone);
}

void pl_chunks_note(struct pl_chunks *chunks, const char *path)
{
    note(chunks, path, false);
}

void pl_chunks_note_alone(struct pl_chunks *chunks, const char *path)
{
    note(chunks, path, true);
}

/* Of the generation before, if its file is still the same. */
static struct pl_chunk *find_former(struct pl_chunks *chunks, const char *path)
{
    struct pl_stamp now;

    for (size_t i = 0; chunks->former != NULL && chunks->former[i] != NULL;
         i++) {
        struct pl_chunk *chunk = chunks->former[i];

        if (strcmp(chunk->path, path) != 0)
            continue;
        now = pl_stamp_read(path);
        return pl_stamp_eq(&now, &chunk->stamp) ? chunk : NULL;
    }
    return NULL;
}

struct pl_chunk *pl_chunks_find(struct pl_chunks *chunks, const char *path,
                                bool anew)
{
    struct entry *entry = find_entry(chunks, path);
    struct pl_chunk *chunk = entry == NULL ? NULL : atomic_load(&entry->chunk);
    struct pl_stamp now;

    if (chunk == NULL) {
        chunk = find_former(chunks, path);
        if (chunk != NULL)
            add(chunks, path, &chunk->stamp, chunk, false);
    } else if (anew) {
        now = pl_stamp_read(path);
        if (chunk->stamp.recent || !pl_stamp_eq(&now, &chunk->stamp))
            chunk = NULL;
    }
    return take(chunk);
}

/* ---- reading and compiling ---- */

static char *say(const char *fmt, ...) PL_PRINTF(1, 2);

static char *say(const char *fmt, ...)
{
    va_list ap, again;
    char *text;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    text = len < 0 ? NULL : pl_malloc((size_t)len + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}

struct text {
    char *bytes;
    size_t len, room;
};

/* Reads all of fd: 0 or PL_ERR_NOMEM, or -errno. */
static int read_all(int fd, size_t guess, struct text *text)
{
    ssize_t n = 1;

    text->len = 0;
    text->room = guess + 1; /* so that its end is seen without another room */
    text->bytes = pl_malloc(text->room);
    while (text->bytes != NULL && n > 0) {
        if (text->len == text->room) {
            char *more = pl_realloc(text->bytes, 2 * text->room);

            if (more == NULL)
                break;
            text->bytes = more;
            text->room *= 2;
        }
        n = pl_sys_read(fd, text->bytes + text->len, text->room - text->len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            text->len += (size_t)n;
    }
    return n == 0 ? 0 : n < 0 ? errno : ENOMEM;
}

/* What luaL_loadfile passes over: a mark of UTF-8, and a first line that tells
 * the system what to run it with. Its line end stays, to be counted, unless
 * bytecode follows. */
static struct pl_str skip_head(struct pl_str text)
{
    ptrdiff_t end;

    if (pl_str_starts(text, PL_STR("\xEF\xBB\xBF")))
        text = pl_str_skip(text, 3);
    if (!pl_str_starts(text, PL_STR("#")))
        return text;
    end = pl_str_chr(text, '\n');
    text = pl_str_skip(text, end < 0 ? text.len : (size_t)end);
    if (text.len > 1 && text.data[1] == LUA_SIGNATURE[0])
        text = pl_str_skip(text, 1);
    return text;
}

/* In a state of its own, which knows no library and runs nothing. */
static int compile(const char *path, struct pl_str text,
                   struct pl_bytecode **out, char **message)
{
    char *name = say("@%s", path);
    lua_State *L = name == NULL ? NULL : luaL_newstate();
    int status, err = PL_ERR_NOMEM;

    if (L == NULL) {
        pl_free(name);
        return err;
    }
    status = luaL_loadbuffer(L, text.data, text.len, name);
    if (status == LUA_ERRSYNTAX) {
        *message = say("%s", lua_tostring(L, -1));
        err = PL_ERR_SYNTAX;
    } else if (status == 0) {
        *out = pl_bytecode_dump(L, text.len);
        err = *out == NULL ? PL_ERR_NOMEM : 0;
    }
    lua_close(L);
    pl_free(name);
    return err;
}

static int refuse(const char *what, const char *path, int error, char **message)
{
    *message = say("cannot %s %s: %s", what, path, strerrordesc_np(error));
    return error == ENOMEM ? PL_ERR_NOMEM : PL_ERR_NOT_FOUND;
}

/* Gives *chunk. */
static int read_open(const char *path, int fd, struct pl_stamp *stamp,
                     struct pl_chunk **chunk, char **message)
{
    struct text text = {NULL, 0, 0};
    struct pl_bytecode *code = NULL;
    struct stat st;
    int err;

    if (pl_sys_fstat(fd, &st) < 0)
        return refuse("read", path, errno, message);
    *stamp = pl_stamp_of(&st);
    err = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0, &text);
    err = err != 0 ? refuse("read", path, err, message)
                   : compile(path, skip_head(pl_str(text.bytes, text.len)),
                             &code, message);
    pl_free(text.bytes);
    if (err < 0)
        return err;
    *chunk = new_chunk(path, stamp, code);
    return *chunk == NULL ? PL_ERR_NOMEM : 0;
}

int pl_chunks_read(struct pl_chunks *chunks, const char *path, bool anew,
                   struct pl_chunk **out, char **message)
{
    struct pl_chunk *chunk = pl_chunks_find(chunks, path, anew);
    struct pl_stamp stamp = {.there = false};
    int fd, err = 0;

    *message = NULL;
    if (chunk == NULL) {
        fd = pl_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
        err = fd < 0 ? refuse("open", path, errno, message)
                     : read_open(path, fd, &stamp, &chunk, message);
        if (fd >= 0)
            pl_sys_close(fd);
        add(chunks, path, &stamp, chunk,
            false); /* also what is wrong is watched */
    }
    *out = chunk;
    return err;
}
