/* listing_page.c - see listing_page.h. What a template can use is told by the
 * tables of fields below, and for people in docs/listing.md. */
#include "handlers/listing_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/json_text.h"
#include "base/str.h"
#include "base/utf8.h"
#include "http/uri.h"
#include "template/fields.h"

/* ---- what templates see ---- */

struct entry {
    struct pl_str name, href, size, modified, date, clock;
    const char *kind;
    uint64_t bytes;
    bool folder;
};

struct column {
    const char *name, *class, *sorted, *arrow;
    struct pl_str href;
};

struct crumb {
    struct pl_str name, href; /* href: empty for the folder itself */
    bool slash;               /* one follows, and is not in the name */
};

struct readme {
    struct pl_str name, text;
    bool cut;
};

struct page {
    struct pl_str path, summary;
    struct crumb *crumbs;
    size_t ncrumbs;
    struct column columns[3], *column;
    size_t ncolumns;
    struct entry *entries;
    size_t nentries;
    struct readme readme, *has_readme;
    uint64_t limit, folders, files, bytes;
    bool up, truncated;
};

PL_FIELD_TYPE(
    entry_type, struct entry, PL_FIELD(STR, struct entry, name),
    PL_FIELD(STR, struct entry, href), PL_FIELD(STR, struct entry, size),
    PL_FIELD(STR, struct entry, modified), PL_FIELD(STR, struct entry, date),
    PL_FIELD(STR, struct entry, clock), PL_FIELD(TEXT, struct entry, kind),
    PL_FIELD(UINT, struct entry, bytes), PL_FIELD(BOOL, struct entry, folder));

PL_FIELD_TYPE(column_type, struct column, PL_FIELD(TEXT, struct column, name),
              PL_FIELD(TEXT, struct column, class),
              PL_FIELD(TEXT, struct column, sorted),
              PL_FIELD(TEXT, struct column, arrow),
              PL_FIELD(STR, struct column, href));

PL_FIELD_TYPE(crumb_type, struct crumb, PL_FIELD(STR, struct crumb, name),
              PL_FIELD(STR, struct crumb, href),
              PL_FIELD(BOOL, struct crumb, slash));

PL_FIELD_TYPE(readme_type, struct readme, PL_FIELD(STR, struct readme, name),
              PL_FIELD(STR, struct readme, text),
              PL_FIELD(BOOL, struct readme, cut));

PL_FIELD_TYPE(
    page_type, struct page, PL_FIELD(STR, struct page, path),
    PL_FIELD(STR, struct page, summary), PL_FIELD(BOOL, struct page, up),
    PL_FIELD(BOOL, struct page, truncated), PL_FIELD(UINT, struct page, limit),
    PL_FIELD(UINT, struct page, folders), PL_FIELD(UINT, struct page, files),
    PL_FIELD(UINT, struct page, bytes),
    PL_FIELD_LIST("crumbs", struct page, crumbs, ncrumbs, &crumb_type),
    PL_FIELD_LIST("columns", struct page, column, ncolumns, &column_type),
    PL_FIELD_LIST("entries", struct page, entries, nentries, &entry_type),
    PL_FIELD_SUB(PTR, "readme", struct page, has_readme, &readme_type));

/* ---- texts: absent when out of memory ---- */

/* What is not UTF-8 in a name is shown as U+FFFD. */
static struct pl_str show(struct pl_arena *arena, struct pl_str name)
{
    struct pl_str rest = name;
    uint32_t point;
    char *out;
    size_t n = 0;

    if (pl_utf8_valid(name))
        return name;
    out = pl_arena_bytes(arena, name.len * 3);
    while (out != NULL && rest.len > 0) {
        int len = pl_utf8_decode(rest, &point);

        n += pl_utf8_encode(out + n, len < 0 ? 0xFFFD : point);
        rest = pl_str_skip(rest, len < 0 ? 1 : (size_t)len);
    }
    return pl_str(out, n);
}

static struct pl_str encode(struct pl_arena *arena, struct pl_str name,
                            bool folder)
{
    struct pl_str out = {NULL, 0};
    struct pl_buf buf;

    pl_buf_init(&buf, arena->pool, NULL, 0);
    pl_uri_encode(name, "", &buf);
    if (folder)
        pl_buf_addc(&buf, '/');
    if (buf.err == 0)
        out = pl_arena_str(arena, pl_buf_str(&buf));
    pl_buf_fini(&buf);
    return out;
}

/* "312", "4.7 KiB", "123 MiB": three digits say enough. */
static struct pl_str show_size(struct pl_arena *arena, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    size_t i = 0;

    if (bytes < 1024)
        return pl_arena_printf(arena, "%" PRIu64, bytes);
    for (; value >= 1023.5 && i + 1 < PL_COUNT(units); i++)
        value /= 1024;
    return pl_arena_printf(arena, value < 9.95 ? "%.1f %s" : "%.0f %s", value,
                           units[i]);
}

static struct pl_str show_time(struct pl_arena *arena, int64_t seconds,
                               const char *format)
{
    time_t time = (time_t)seconds;
    char text[40];
    struct tm tm;
    size_t n;

    if (gmtime_r(&time, &tm) == NULL)
        return PL_STR("");
    n = strftime(text, sizeof(text), format, &tm);
    return pl_arena_str(arena, pl_str(text, n));
}

/* ---- the parts of a page; false: out of memory ---- */

static bool fill_entry(struct pl_arena *arena,
                       const struct pl_listing_entry *from, struct entry *to)
{
    int64_t when = from->modified;

    *to = (struct entry){
        .name = show(arena, from->name),
        .href = encode(arena, from->name, from->folder),
        .size = from->folder ? PL_STR("") : show_size(arena, from->size),
        .modified = show_time(arena, when, "%Y-%m-%dT%H:%M:%SZ"),
        .date = show_time(arena, when, "%Y-%m-%d"),
        .clock = show_time(arena, when, "%H:%M"),
        .kind = from->folder ? "folder" : "file",
        .bytes = from->folder ? 0 : from->size,
        .folder = from->folder,
    };
    return to->name.data != NULL && to->href.data != NULL &&
           to->size.data != NULL && to->modified.data != NULL &&
           to->date.data != NULL && to->clock.data != NULL;
}

static bool fill_entries(struct pl_arena *arena, const struct pl_folder *folder,
                         struct page *page)
{
    page->entries =
        pl_arena_alloc(arena, folder->count * sizeof(*page->entries));
    page->nentries = folder->count;
    if (page->entries == NULL)
        return false;
    for (size_t i = 0; i < folder->count; i++) {
        const struct pl_listing_entry *entry = &folder->entries[i];

        if (!fill_entry(arena, entry, &page->entries[i]))
            return false;
        page->folders += entry->folder;
        page->files += !entry->folder;
        page->bytes += page->entries[i].bytes;
    }
    return true;
}

/* A click on the column that is sorted by turns it round. */
static bool fill_columns(struct pl_arena *arena,
                         const struct pl_listing_view *view, struct page *page)
{
    static const struct {
        const char *name, *key;
    } columns[] = {[PL_LISTING_NAME] = {"Name", "name"},
                   [PL_LISTING_SIZE] = {"Size", "size"},
                   [PL_LISTING_TIME] = {"Modified (UTC)", "time"}};

    page->column = page->columns;
    page->ncolumns = PL_COUNT(columns);
    for (unsigned i = 0; i < PL_COUNT(columns); i++) {
        bool sorted = view->sort == i;
        const char *order = sorted && !view->descending ? "desc" : "asc";

        page->columns[i] = (struct column){
            .name = columns[i].name,
            .class = columns[i].key,
            .sorted = !sorted            ? NULL
                      : view->descending ? "descending"
                                         : "ascending",
            .arrow = view->descending ? "\xe2\x86\x93" : "\xe2\x86\x91",
            .href = pl_arena_printf(arena, "?sort=%s&order=%s", columns[i].key,
                                    order),
        };
        if (page->columns[i].href.data == NULL)
            return false;
    }
    return true;
}

/* "", "../", "../../", ... */
static struct pl_str upwards(struct pl_arena *arena, size_t levels)
{
    char *out = pl_arena_bytes(arena, 3 * levels + 1);

    for (size_t i = 0; out != NULL && i < levels; i++)
        memcpy(out + 3 * i, "../", 3);
    return pl_str(out, 3 * levels);
}

static size_t count_slashes(struct pl_str path)
{
    size_t n = 0;

    for (size_t i = 0; i < path.len; i++)
        n += path.data[i] == '/';
    return n;
}

/* The folder of the mount and those below it, each with the way up to it. */
static bool fill_crumbs(struct pl_arena *arena,
                        const struct pl_listing_view *view, struct page *page)
{
    size_t levels = count_slashes(view->below);
    struct pl_str rest = view->below, part;
    struct pl_str mount =
        pl_str_first(view->path, view->path.len - view->below.len);
    struct crumb *crumbs =
        pl_arena_alloc(arena, (levels + 1) * sizeof(*crumbs));

    if (mount.len > 1)
        mount.len--;
    page->crumbs = crumbs;
    page->ncrumbs = levels + 1;
    for (size_t i = 0; crumbs != NULL && i <= levels; i++) {
        part = mount;
        if (i > 0)
            pl_str_split(&rest, '/', &part);
        crumbs[i] = (struct crumb){
            .name = show(arena, part),
            .href = upwards(arena, levels - i),
            .slash = i < levels && (i > 0 || mount.len > 1),
        };
        if (crumbs[i].name.data == NULL || crumbs[i].href.data == NULL)
            return false;
    }
    return crumbs != NULL;
}

static struct pl_str summary(struct pl_arena *arena, const struct page *page)
{
    struct pl_str size = show_size(arena, page->bytes);

    if (page->nentries == 0)
        return PL_STR("This folder is empty");
    if (size.data == NULL)
        return size;
    return pl_arena_printf(
        arena, "%" PRIu64 " folder%s, %" PRIu64 " file%s, %.*s%s",
        page->folders, page->folders == 1 ? "" : "s", page->files,
        page->files == 1 ? "" : "s", PL_STR_ARG(size),
        page->bytes < 1024 ? " bytes" : "");
}

static bool fill_page(struct pl_arena *arena, const struct pl_folder *folder,
                      const struct pl_listing_view *view, struct page *page)
{
    *page = (struct page){
        .path = show(arena, view->path),
        .up = view->below.len > 0,
        .truncated = folder->truncated,
        .limit = PL_LISTING_ENTRIES,
        .readme = {.text = folder->readme, .cut = folder->readme_cut},
    };
    if (page->path.data == NULL || !fill_crumbs(arena, view, page) ||
        !fill_columns(arena, view, page) || !fill_entries(arena, folder, page))
        return false;
    page->summary = summary(arena, page);
    if (folder->readme.len > 0) {
        page->readme.name = show(arena, folder->readme_name);
        page->has_readme = &page->readme;
        if (page->readme.name.data == NULL)
            return false;
    }
    return page->summary.data != NULL;
}

int pl_listing_html(const struct pl_folder *folder,
                    const struct pl_listing_view *view,
                    const struct pl_template_set *set, struct pl_buf *out,
                    struct pl_error *error)
{
    struct pl_data data;
    struct pl_arena arena;
    struct page page;
    int err;

    pl_arena_init(&arena, out->pool, NULL);
    if (fill_page(&arena, folder, view, &page)) {
        data = pl_fields_data(&page_type, &page);
        err = pl_template_set_render(set, &data, out, error);
    } else {
        err = pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    }
    pl_arena_fini(&arena);
    return err;
}

/* ---- JSON ---- */

static void add_member(struct pl_buf *out, const char *name,
                       struct pl_str value)
{
    pl_buf_printf(out, "\"%s\":", name);
    pl_json_quote(out, value, PL_JSON_REPLACE | PL_JSON_HTML);
}

static void add_entry(struct pl_buf *out, const struct entry *entry)
{
    pl_buf_addc(out, '{');
    add_member(out, "name", entry->name);
    pl_buf_addc(out, ',');
    add_member(out, "href", entry->href);
    pl_buf_addc(out, ',');
    add_member(out, "type", pl_str_c(entry->kind));
    if (!entry->folder)
        pl_buf_printf(out, ",\"size\":%" PRIu64, entry->bytes);
    pl_buf_addc(out, ',');
    add_member(out, "modified", entry->modified);
    pl_buf_addc(out, '}');
}

int pl_listing_json(const struct pl_folder *folder,
                    const struct pl_listing_view *view, struct pl_buf *out,
                    struct pl_error *error)
{
    struct pl_arena arena;
    struct entry entry;

    pl_arena_init(&arena, out->pool, NULL);
    pl_buf_addc(out, '{');
    add_member(out, "path", show(&arena, view->path));
    pl_buf_printf(out, ",\"truncated\":%s,\"entries\":[",
                  folder->truncated ? "true" : "false");
    for (size_t i = 0; i < folder->count && out->err == 0; i++) {
        if (i > 0)
            pl_buf_add(out, PL_STR(",\n"));
        if (fill_entry(&arena, &folder->entries[i], &entry))
            add_entry(out, &entry);
        else
            out->err = PL_ERR_NOMEM;
    }
    pl_buf_add(out, PL_STR("]}\n"));
    pl_arena_fini(&arena);
    return out->err == 0
               ? 0
               : pl_error_set(error, out->err, "", "cannot list a folder: %s",
                              pl_err_text(out->err));
}
