#include "server/trace.h"

#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>

#include "base/str.h"
#include "base/sys.h"
#include "base/utf8.h"
#include "handlers/file.h"

struct reader {
    struct pl_trace *trace;
    struct pl_arena *arena;
    struct pl_str folder;
    int root; /* of folder; -1: no source is shown */
    bool any; /* some frame has lines */
};

/* ---- places ---- */

/* Takes "file:12" apart. */
static bool split_place(struct pl_str place, struct pl_str *file,
                        uint64_t *line)
{
    ptrdiff_t at = pl_str_rchr(place, ':');

    if (at <= 0 || !pl_str_to_u64(pl_str_skip(place, (size_t)at + 1), line))
        return false;
    *file = pl_str_first(place, (size_t)at);
    return true;
}

/* The length of the "file:12" at the front of "file:12: text", or 0. */
static size_t place_length(struct pl_str text)
{
    struct pl_str file, rest = text;
    uint64_t line;
    ptrdiff_t at;

    while ((at = pl_str_find(rest, PL_STR(": "))) >= 0) {
        size_t len = (size_t)(rest.data - text.data) + (size_t)at;

        if (split_place(pl_str_first(text, len), &file, &line))
            return len;
        rest = pl_str_skip(rest, (size_t)at + 1);
    }
    return 0;
}

/* ---- source ---- */

/* Files of code, by their names: text may name any other. */
static bool is_code(struct pl_str path)
{
    static const struct pl_str ends[] = {
        {".lua", 4}, {".mustache", 9}, {".lsp", 4}, {".lp", 3}};
    struct pl_str name =
        pl_str_skip(path, (size_t)(pl_str_rchr(path, '/') + 1));

    for (size_t i = 0; i < PL_COUNT(ends); i++)
        if (pl_str_ends(name, ends[i]))
            return true;
    return pl_str_find(name, PL_STR(".dyn.")) >= 0 ||
           pl_str_find(name, PL_STR(".priv.")) >= 0;
}

static int open_below(const struct reader *reader, struct pl_str path,
                      size_t *size)
{
    const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    char text[PATH_MAX];
    struct stat st;
    int fd;

    while (pl_str_starts(path, PL_STR("./")) ||
           pl_str_starts(path, PL_STR("/")))
        path = pl_str_skip(path, path.data[0] == '/' ? 1 : 2);
    if (path.len == 0 || path.len >= sizeof(text) ||
        !pl_file_path_ok(path, true) || !is_code(path))
        return -1;
    memcpy(text, path.data, path.len);
    text[path.len] = '\0';
    fd = pl_sys_openat2(reader->root, text, O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                        resolve);
    if (fd < 0)
        return -1;
    if (pl_sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        pl_sys_close(fd);
        return -1;
    }
    *size = (size_t)PL_MIN(st.st_size, PL_TRACE_FILE);
    return fd;
}

/* Lua cuts long names at their front: "...site/lib/users.lua". Some end of the
 * folder's name is the front of what is left. */
static int open_cut(const struct reader *reader, struct pl_str rest,
                    size_t *size)
{
    for (size_t n = PL_MIN(rest.len, reader->folder.len); n > 0; n--) {
        struct pl_str common = pl_str_first(rest, n);
        int fd = -1;

        if (pl_str_ends(reader->folder, common) &&
            (n == rest.len || rest.data[n] == '/'))
            fd = open_below(reader, pl_str_skip(rest, n), size);
        if (fd >= 0)
            return fd;
    }
    return open_below(reader, rest, size);
}

static int open_source(const struct reader *reader, struct pl_str file,
                       size_t *size)
{
    if (reader->root < 0)
        return -1;
    if (pl_str_starts(file, PL_STR("...")))
        return open_cut(reader, pl_str_skip(file, 3), size);
    if (pl_str_eq(reader->folder, PL_STR(".")))
        return open_below(reader, file, size);
    if (!pl_str_starts(file, reader->folder))
        return -1;
    return open_below(reader, pl_str_skip(file, reader->folder.len), size);
}

/* Absent: it cannot be read, or is no text. */
static struct pl_str read_source(const struct reader *reader,
                                 struct pl_str file)
{
    size_t size = 0, len = 0;
    int fd = open_source(reader, file, &size);
    char *text = fd < 0 ? NULL : pl_arena_bytes(reader->arena, size);
    ssize_t n = 1;

    while (text != NULL && n != 0 && len < size) {
        n = pl_sys_read(fd, text + len, size - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    if (fd >= 0)
        pl_sys_close(fd);
    if (text == NULL || !pl_utf8_valid(pl_str(text, len)))
        return pl_str(NULL, 0);
    return pl_str(text, len);
}

static int add_lines(struct reader *reader, struct pl_trace_frame *frame)
{
    struct pl_str file, source, text;
    uint64_t line, number = 0;

    if (!split_place(frame->place, &file, &line))
        return 0;
    source = read_source(reader, file);
    if (source.data == NULL)
        return 0;
    frame->lines = pl_arena_alloc(reader->arena, (2 * PL_TRACE_AROUND + 1) *
                                                     sizeof(*frame->lines));
    if (frame->lines == NULL)
        return PL_ERR_NOMEM;
    while (number < line + PL_TRACE_AROUND &&
           pl_str_split(&source, '\n', &text)) {
        if (++number + PL_TRACE_AROUND < line ||
            (source.data == NULL && text.len == 0)) /* behind the last line */
            continue;
        if (text.len > 0 && text.data[text.len - 1] == '\r')
            text.len--;
        frame->lines[frame->nlines++] =
            (struct pl_trace_line){number, text, number == line};
    }
    frame->source = frame->nlines > 0;
    frame->first = frame->source && !reader->any;
    reader->any = reader->any || frame->source;
    return 0;
}

/* ---- frames ---- */

static int add_frame(struct reader *reader, struct pl_str place,
                     struct pl_str what)
{
    struct pl_trace *trace = reader->trace;
    struct pl_trace_frame *frame;

    /* LuaJIT does not know any more in which line its newest function died. */
    if (trace->nframes == 0 && trace->place.len > place.len &&
        pl_str_starts(trace->place, place) &&
        trace->place.data[place.len] == ':')
        place = trace->place;
    if (trace->nframes == PL_TRACE_FRAMES || pl_str_eq(place, PL_STR("[C]")) ||
        pl_str_starts(place, PL_STR("perilune/core/")) ||
        pl_str_starts(place, PL_STR("perilune/lib/")))
        return 0;
    frame = &trace->frames[trace->nframes++];
    *frame = (struct pl_trace_frame){.place = place, .what = what};
    return add_lines(reader, frame);
}

/* "main.lua:12: in function 'f'"; what is not of this form is passed over. */
static int read_frame(struct reader *reader, struct pl_str line)
{
    ptrdiff_t at;

    line = pl_str_trim(line);
    at = pl_str_find(line, PL_STR(": in "));
    if (at <= 0)
        return 0;
    return add_frame(reader, pl_str_first(line, (size_t)at),
                     pl_str_skip(line, (size_t)at + 2));
}

static bool has_frame(const struct pl_trace *trace, struct pl_str place)
{
    for (size_t i = 0; i < trace->nframes; i++)
        if (pl_str_eq(trace->frames[i].place, place))
            return true;
    return false;
}

/* Where the error says that it is comes first, if no call does: a syntax error
 * in a module has no frame of its own. */
static int add_place(struct reader *reader)
{
    struct pl_trace *trace = reader->trace;
    struct pl_trace_frame frame;
    int err;

    if (trace->place.len == 0 || has_frame(trace, trace->place))
        return 0;
    if (trace->nframes == PL_TRACE_FRAMES)
        trace->nframes--;
    err = add_frame(reader, trace->place, pl_str("", 0));
    if (err < 0 || !has_frame(trace, trace->place))
        return err;
    frame = trace->frames[trace->nframes - 1];
    memmove(trace->frames + 1, trace->frames,
            (trace->nframes - 1) * sizeof(frame));
    trace->frames[0] = frame;
    for (size_t i = 1; trace->frames[0].source && i < trace->nframes; i++)
        trace->frames[i].first = false;
    trace->frames[0].first = trace->frames[0].source;
    return 0;
}

static int read_text(struct reader *reader)
{
    struct pl_trace *trace = reader->trace;
    struct pl_str rest = trace->text, line;
    ptrdiff_t end = pl_str_find(rest, PL_STR("\nstack traceback:"));
    size_t place;
    int err = 0;

    trace->message = end < 0 ? rest : pl_str_first(rest, (size_t)end);
    place = place_length(trace->message);
    if (place > 0) {
        trace->place = pl_str_first(trace->message, place);
        trace->message = pl_str_skip(trace->message, place + 2);
    }
    rest = pl_str_skip(rest, end < 0 ? rest.len : (size_t)end + 1);
    while (err == 0 && pl_str_split(&rest, '\n', &line))
        if (pl_str_starts(line, PL_STR("\t")))
            err = read_frame(reader, line);
    return err == 0 ? add_place(reader) : err;
}

int pl_trace_read(struct pl_trace *trace, struct pl_str text,
                  const char *folder, struct pl_arena *arena)
{
    struct reader reader = {
        .trace = trace, .arena = arena, .folder = pl_str_c(folder)};
    int err;

    *trace = (struct pl_trace){.text = text};
    while (pl_str_ends(reader.folder, PL_STR("/")) && reader.folder.len > 1)
        reader.folder.len--;
    trace->frames =
        pl_arena_alloc(arena, PL_TRACE_FRAMES * sizeof(*trace->frames));
    if (trace->frames == NULL)
        return PL_ERR_NOMEM;
    reader.root = pl_sys_open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    err = read_text(&reader);
    if (reader.root >= 0)
        pl_sys_close(reader.root);
    return err;
}

int pl_trace_print(const struct pl_trace_frame *frame, struct pl_buf *out)
{
    for (size_t i = 0; i < frame->nlines; i++) {
        const struct pl_trace_line *line = &frame->lines[i];

        pl_buf_printf(out, "%c %5" PRIu64 " | %.*s\n", line->here ? '>' : ' ',
                      line->number, PL_STR_ARG(line->text));
    }
    return out->err;
}
