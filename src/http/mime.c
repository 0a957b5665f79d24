/* mime.c - one block of text (types and extensions), entries that point into it
 * by offsets, and an open hash of their numbers: about 70 KiB and 0.3 ms for
 * the 1500 extensions of Debian. A site that serves no files need not pay for
 * it: the system's table is read at the start, when it can still be opened, and
 * taken apart by the first worker that asks. */
#include "http/mime.h"

#include <stdatomic.h>

#include "base/error.h"
#include "base/str.h"
#include "base/sys.h"
#include "http/header.h"
#include "http/mime_types.h"

enum { FILE_MAX = 1 << 20, EXT_MAX = 32, TYPE_MAX = 200 };

/* ---- the built-in table ---- */

/* Extensions, type, extensions, ... each with its NUL: pointers to them would
 * be as large, and the loader would have to set them. */
static const char builtins[] =
#define ROW(exts, type) exts "\0" type "\0"
    PL_MIME_MAP(ROW);
#undef ROW

static bool next_builtin(const char **at, struct pl_str *exts,
                         struct pl_str *type)
{
    *exts = pl_str_c(*at);
    if (exts->len == 0)
        return false;
    *type = pl_str_c(*at + exts->len + 1);
    *at = type->data + type->len + 1;
    return true;
}

/* Seldom: what the system's table lacks, and of a file only once. */
static struct pl_str find_builtin(struct pl_str wanted)
{
    const char *at = builtins;
    struct pl_str exts, ext, type;

    while (next_builtin(&at, &exts, &type)) {
        while (pl_str_split(&exts, ' ', &ext))
            if (pl_str_eq(ext, wanted))
                return type;
    }
    return PL_MIME_DEFAULT;
}

/* ---- the loaded table ---- */

struct entry {
    uint32_t ext, type; /* offsets into text */
    uint8_t ext_len, type_len;
};

struct table {
    char *text;
    struct entry *entries;
    uint16_t *slots; /* 1 + the number of an entry; 0 is a free slot */
    size_t text_len, count, cap, nslots;
};

static struct pl_str source; /* as read; does not change while workers run */
static _Atomic(struct table *) loaded; /* made of it */

/* The slot with ext, or the free one where it belongs. */
static uint16_t *find_slot(const struct table *table, struct pl_str ext)
{
    size_t at = pl_str_hash(ext, 0) & (table->nslots - 1);

    while (table->slots[at] != 0) {
        const struct entry *entry = &table->entries[table->slots[at] - 1];

        if (pl_str_eq(ext, pl_str(table->text + entry->ext, entry->ext_len)))
            break;
        at = (at + 1) & (table->nslots - 1);
    }
    return &table->slots[at];
}

/* ---- making it ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off a line. */
static bool next_word(struct pl_str *line, struct pl_str *word)
{
    size_t from = 0, to;

    while (from < line->len && is_space(line->data[from]))
        from++;
    for (to = from; to < line->len && !is_space(line->data[to]); to++)
        continue;
    *word = pl_str(line->data + from, to - from);
    *line = pl_str_skip(*line, to);
    return word->len > 0;
}

static uint32_t add_text(struct table *table, struct pl_str s)
{
    uint32_t at = (uint32_t)table->text_len;

    memcpy(table->text + at, s.data, s.len);
    table->text_len += s.len;
    return at;
}

static void add_ext(struct table *table, struct pl_str ext,
                    const struct entry *type)
{
    struct entry *entry = &table->entries[table->count];

    if (ext.len > EXT_MAX || table->count == table->cap)
        return;
    *entry = *type;
    entry->ext = add_text(table, ext);
    entry->ext_len = (uint8_t)ext.len;
    pl_str_lower(table->text + entry->ext, ext);
    table->count++;
}

static void add_line(struct table *table, struct pl_str line)
{
    struct pl_str type, ext;
    struct entry entry = {0};

    if (!next_word(&line, &type) || type.data[0] == '#' ||
        type.len > TYPE_MAX || !pl_header_value_valid(type))
        return;
    while (next_word(&line, &ext)) {
        if (entry.type_len == 0) { /* most types name no extension */
            entry.type = add_text(table, type);
            if (pl_str_istarts(type, PL_STR("text/")))
                add_text(table, PL_STR(PL_MIME_CHARSET));
            entry.type_len = (uint8_t)(table->text_len - entry.type);
        }
        add_ext(table, ext, &entry);
    }
}

static void release(struct table *table)
{
    if (table == NULL)
        return;
    pl_free(table->text);
    pl_free(table->entries);
    pl_free(table->slots);
    pl_free(table);
}

/* Reads the lines into text and entries. Room is taken for the worst: every
 * second byte an extension, every "text/x y" longer by a charset. What is not
 * touched costs nothing, and the rest is given back. */
static int read_lines(struct table *table, struct pl_str file)
{
    struct pl_str line;
    void *smaller;

    table->cap = PL_MIN(file.len / 2 + 1, UINT16_MAX);
    table->text = pl_malloc(file.len * 3 + 1);
    table->entries = pl_malloc(table->cap * sizeof(*table->entries));
    if (table->text == NULL || table->entries == NULL)
        return PL_ERR_NOMEM;
    while (pl_str_split(&file, '\n', &line))
        add_line(table, line);
    smaller = pl_realloc(table->text, table->text_len + 1);
    table->text = smaller != NULL ? smaller : table->text;
    smaller =
        pl_realloc(table->entries, (table->count + 1) * sizeof(struct entry));
    table->entries = smaller != NULL ? smaller : table->entries;
    return 0;
}

/* The first line that names an extension has it. */
static int fill_slots(struct table *table)
{
    for (table->nslots = 2; table->nslots < table->count * 2;)
        table->nslots *= 2;
    table->slots = pl_calloc(table->nslots, sizeof(*table->slots));
    if (table->slots == NULL)
        return PL_ERR_NOMEM;
    for (size_t i = 0; i < table->count; i++) {
        const struct entry *entry = &table->entries[i];
        uint16_t *slot =
            find_slot(table, pl_str(table->text + entry->ext, entry->ext_len));

        if (*slot == 0)
            *slot = (uint16_t)(i + 1);
    }
    return 0;
}

static struct table *build(struct pl_str file)
{
    struct table *table = pl_calloc(1, sizeof(*table));

    if (table != NULL && read_lines(table, file) == 0 && fill_slots(table) == 0)
        return table;
    release(table);
    return NULL;
}

/* ---- looking up ---- */

/* Two workers may make one at a time: the second throws its own away. NULL: no
 * table was read, or there is no memory for it now. */
static const struct table *table_of_source(void)
{
    struct table *table = atomic_load_explicit(&loaded, memory_order_acquire);
    struct table *other = NULL;

    if (table != NULL || source.len == 0)
        return table;
    table = build(source);
    if (table == NULL ||
        atomic_compare_exchange_strong_explicit(
            &loaded, &other, table, memory_order_acq_rel, memory_order_acquire))
        return table;
    release(table);
    return other;
}

static struct pl_str find(struct pl_str ext)
{
    const struct table *table = table_of_source();
    uint16_t number = table == NULL ? 0 : *find_slot(table, ext);
    const struct entry *entry;

    if (number == 0)
        return find_builtin(ext);
    entry = &table->entries[number - 1];
    return pl_str(table->text + entry->type, entry->type_len);
}

struct pl_str pl_mime_of(struct pl_str path)
{
    struct pl_str name =
        pl_str_skip(path, (size_t)(pl_str_rchr(path, '/') + 1));
    ptrdiff_t dot = pl_str_rchr(name, '.');
    struct pl_str ext = pl_str_skip(name, (size_t)(dot + 1));
    char lower[EXT_MAX];

    if (dot < 0 || ext.len == 0 || ext.len > EXT_MAX)
        return PL_MIME_DEFAULT;
    pl_str_lower(lower, ext);
    return find(pl_str(lower, ext.len));
}

/* ---- the other way round ---- */

/* Of types that have several extensions, the one that people expect. */
static const char *const usual[] = {
    "html", "txt", "js",  "md",  "jpg", "tif", "mp3", "mp4", "mid",
    "ogg",  "mpg", "mov", "svg", "ps",  "xml", "zip", "gz",  "bin",
};

/* Is given, perhaps with a charset, type? */
static bool is_type(struct pl_str given, struct pl_str type)
{
    return pl_str_istarts(given, type) &&
           (given.len == type.len || given.data[type.len] == ';');
}

struct pl_str pl_mime_extension(struct pl_str type)
{
    const struct table *table = table_of_source();
    const char *at = builtins;
    struct pl_str exts, ext, other;

    if (type.len == 0)
        return pl_str(NULL, 0);
    for (size_t i = 0; i < PL_COUNT(usual); i++)
        if (is_type(find(pl_str_c(usual[i])), type))
            return pl_str_c(usual[i]);
    while (next_builtin(&at, &exts, &other))
        if (is_type(other, type) && pl_str_split(&exts, ' ', &ext))
            return ext;
    for (size_t i = 0; table != NULL && i < table->count; i++) {
        const struct entry *entry = &table->entries[i];

        if (is_type(pl_str(table->text + entry->type, entry->type_len), type))
            return pl_str(table->text + entry->ext, entry->ext_len);
    }
    return pl_str(NULL, 0);
}

/* ---- reading ---- */

/* Gives the content of a file, to be freed by the caller. */
static int read_file(const char *path, struct pl_str *out)
{
    int fd = pl_sys_open(path, O_RDONLY | O_CLOEXEC, 0), err = 0;
    size_t len = 0;
    ssize_t n = 1;
    char *data;

    if (fd < 0)
        return pl_err_from_errno(errno);
    data = pl_malloc(FILE_MAX);
    if (data == NULL)
        err = PL_ERR_NOMEM;
    while (err == 0 && n > 0 && len < FILE_MAX) {
        n = pl_sys_read(fd, data + len, FILE_MAX - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            err = pl_err_from_errno(errno);
        else if (n < 0)
            n = 1;
    }
    if (err == 0 && len == FILE_MAX)
        err = PL_ERR_LIMIT;
    pl_sys_close(fd);
    if (err < 0)
        pl_free(data);
    else
        *out = pl_str(data, len);
    return err;
}

int pl_mime_load(const char *path)
{
    pl_mime_unload();
    return read_file(path, &source);
}

void pl_mime_unload(void)
{
    release(atomic_exchange(&loaded, NULL));
    pl_free((char *)source.data);
    source = pl_str(NULL, 0);
}
