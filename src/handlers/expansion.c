#include "handlers/expansion.h"

#include "base/str.h"
#include "http/uri.h"

/* Where in a URL a piece stands. */
enum part { PLAIN, HOST, PATH, QUERY, FRAGMENT };

struct pl_expansion_piece {
    struct pl_str text; /* absent: a capture */
    uint8_t capture;
    uint8_t part;
};

/* What a capture may bring with it as it is (RFC 3986, 3.2.2 to 3.5). */
static const char *const kept[] = {
    [HOST] = "",
    [PATH] = "/!$&'()*+,;=:@",
    [QUERY] = "/!$'()*,;:@",
    [FRAGMENT] = "/!$'()*,;:@",
};

/* ---- reading ---- */

/* Is it no character of a URL (RFC 3986, 2)? */
static bool is_foreign(unsigned char c)
{
    return c <= ' ' || c >= 127 ||
           (strchr("\"<>\\^`{|}", c) != NULL && c != '\0');
}

struct pl_str pl_expansion_tidy(struct pl_str text, struct pl_arena *arena)
{
    char *out = pl_arena_bytes(arena, 3 * text.len), *end = out;

    if (out == NULL)
        return pl_str(NULL, 0);
    for (size_t i = 0; i < text.len; i++) {
        if (is_foreign((unsigned char)text.data[i]))
            end += pl_uri_encode_to(end, pl_str(text.data + i, 1), "");
        else
            *end++ = text.data[i];
    }
    pl_arena_shrink(arena, out, 3 * text.len, (size_t)(end - out));
    return pl_str(out, (size_t)(end - out));
}

static bool is_scheme(struct pl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = pl_ascii_lower((unsigned char)text.data[i]);

        if ((c < 'a' || c > 'z') &&
            (i == 0 || (!pl_ascii_digit((char)c) && strchr("+-.", c) == NULL)))
            return false;
    }
    return text.len > 0;
}

/* The length of "https://" or "//" at the beginning, or 0. */
static size_t authority_begins(struct pl_str text)
{
    ptrdiff_t at = pl_str_find(text, PL_STR("://"));

    if (pl_str_starts(text, PL_STR("//")))
        return 2;
    return at > 0 && is_scheme(pl_str_first(text, (size_t)at)) ? (size_t)at + 3
                                                               : 0;
}

struct reader {
    struct pl_expansion *out;
    struct pl_expansion_piece *pieces; /* as many as the text has bytes */
    struct pl_arena *arena;
    const struct pl_luapat *pattern;
    enum part part;
};

static enum part after(enum part part, char c)
{
    if (part == PLAIN || part == FRAGMENT)
        return part;
    if (c == '#')
        return FRAGMENT;
    if (c == '?' && part != QUERY)
        return QUERY;
    return c == '/' && part == HOST ? PATH : part;
}

static struct pl_expansion_piece *add_piece(struct reader *reader)
{
    struct pl_expansion_piece *piece = &reader->pieces[reader->out->count++];

    *piece = (struct pl_expansion_piece){.part = (uint8_t)reader->part};
    return piece;
}

static int add_text(struct reader *reader, struct pl_str text)
{
    struct pl_expansion_piece *piece = add_piece(reader);

    for (size_t i = 0; i < text.len; i++)
        reader->part = after(reader->part, text.data[i]);
    piece->text = reader->out->url ? pl_expansion_tidy(text, reader->arena)
                                   : pl_arena_str(reader->arena, text);
    return piece->text.data == NULL ? PL_ERR_NOMEM : 0;
}

/* Behind "%": how many bytes name the capture; 0: none. */
static size_t read_number(const struct reader *reader, struct pl_str text,
                          unsigned *n)
{
    unsigned most = pl_luapat_captures(reader->pattern), two;

    if (text.len == 0 || !pl_ascii_digit(text.data[0]))
        return 0;
    *n = (unsigned)(text.data[0] - '0');
    if (text.len == 1 || !pl_ascii_digit(text.data[1]) || *n == 0)
        return 1;
    two = 10 * *n + (unsigned)(text.data[1] - '0');
    if (two > most)
        return 1;
    *n = two;
    return 2;
}

/* *rest begins behind a "%". */
static int read_escape(struct reader *reader, struct pl_str *rest,
                       struct pl_error *error)
{
    unsigned n, most = pl_luapat_captures(reader->pattern);
    size_t used = read_number(reader, *rest, &n);

    if (used == 0 && pl_str_starts(*rest, PL_STR("%"))) {
        *rest = pl_str_skip(*rest, 1);
        return add_text(reader, PL_STR("%"));
    }
    if (used == 0)
        return pl_error_set(error, PL_ERR_SYNTAX, "",
                            "a \"%%\" is followed by the number of a capture, "
                            "or by another \"%%\"");
    if (n > most)
        return pl_error_set(error, PL_ERR_SYNTAX, "",
                            "\"%%%u\": the pattern has %u capture%s (a percent "
                            "sign is \"%%%%\")",
                            n, most, most == 1 ? "" : "s");
    if (n > 0 && pl_luapat_is_position(reader->pattern, n))
        return pl_error_set(error, PL_ERR_SYNTAX, "",
                            "\"%%%u\" is a position, which is no text", n);
    add_piece(reader)->capture = (uint8_t)n;
    *rest = pl_str_skip(*rest, used);
    return 0;
}

static int read_pieces(struct reader *reader, struct pl_str text,
                       struct pl_error *error)
{
    struct pl_str rest = text, part;
    int err = 0;

    while (err == 0 && pl_str_split(&rest, '%', &part)) {
        if (part.len > 0)
            err = add_text(reader, part);
        if (err == 0 && rest.data != NULL)
            err = read_escape(reader, &rest, error);
    }
    return err == PL_ERR_NOMEM ? pl_error_set(error, err, "", "out of memory")
                               : err;
}

int pl_expansion_read(struct pl_expansion *out, struct pl_arena *arena,
                      struct pl_str text, bool url,
                      const struct pl_luapat *pattern, struct pl_error *error)
{
    size_t authority = url ? authority_begins(text) : 0;
    struct reader reader = {.out = out,
                            .arena = arena,
                            .pattern = pattern,
                            .part = url ? PATH : PLAIN};
    int err = 0;

    *out = (struct pl_expansion){.url = url, .absolute = authority > 0};
    if (url && authority == 0 && !pl_str_starts(text, PL_STR("/")) &&
        !pl_str_starts(text, PL_STR("%")))
        return pl_error_set(error, PL_ERR_SYNTAX, "",
                            "'%.*s' must begin with \"/\" or a scheme like "
                            "\"https://\"",
                            (int)PL_MIN(text.len, 128), text.data);
    reader.pieces =
        pl_arena_alloc(arena, (text.len + 1) * sizeof(*reader.pieces));
    out->pieces = reader.pieces;
    if (out->pieces == NULL)
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    if (authority > 0) {
        add_piece(&reader)->text =
            pl_arena_str(arena, pl_str_first(text, authority));
        reader.part = HOST;
    }
    if (err == 0)
        err = read_pieces(&reader, pl_str_skip(text, authority), error);
    return err;
}

/* ---- making ---- */

/* An encoded slash is "%2F" in a decoded path (http/uri.h): it stays one. */
static size_t encode(char *out, struct pl_str text, const char *keep)
{
    const struct pl_str slash = PL_STR("%2F");
    size_t len = 0;

    while (text.len > 0) {
        ptrdiff_t at = pl_str_find(text, slash);
        struct pl_str part = at < 0 ? text : pl_str_first(text, (size_t)at);

        len += pl_uri_encode_to(out + len, part, keep);
        text = pl_str_skip(text, part.len);
        if (text.len > 0) {
            memcpy(out + len, slash.data, slash.len);
            len += slash.len;
            text = pl_str_skip(text, slash.len);
        }
    }
    return len;
}

size_t pl_expansion_encode_path(char *out, struct pl_str text)
{
    return encode(out, text, kept[PATH]);
}

static size_t most_bytes(const struct pl_expansion *expansion,
                         const struct pl_luapat_match *match)
{
    size_t most = 1;

    for (unsigned i = 0; i < expansion->count; i++) {
        const struct pl_expansion_piece *piece = &expansion->pieces[i];

        most += piece->text.data != NULL ? piece->text.len
                                         : 3 * match->parts[piece->capture].len;
    }
    return most;
}

static size_t fill(char *out, const struct pl_expansion *expansion,
                   const struct pl_luapat_match *match)
{
    size_t len = 0;

    for (unsigned i = 0; i < expansion->count; i++) {
        const struct pl_expansion_piece *piece = &expansion->pieces[i];
        struct pl_str text = piece->text;

        if (text.data == NULL && expansion->url) {
            len += encode(out + len, match->parts[piece->capture],
                          kept[piece->part]);
            continue;
        }
        if (text.data == NULL)
            text = match->parts[piece->capture];
        if (text.len > 0)
            memcpy(out + len, text.data, text.len);
        len += text.len;
    }
    return len;
}

int pl_expansion_make(const struct pl_expansion *expansion,
                      const struct pl_luapat_match *match,
                      struct pl_arena *arena, struct pl_str *out)
{
    size_t most = most_bytes(expansion, match);
    char *text = pl_arena_bytes(arena, most + 1);

    if (text == NULL)
        return PL_ERR_NOMEM;
    *out = pl_str(text + 1, fill(text + 1, expansion, match));
    text[1 + out->len] = '\0';
    if (expansion->url && !expansion->absolute) {
        while (pl_str_starts(*out, PL_STR("/")))
            *out = pl_str_skip(*out, 1);
        *out = pl_str(out->data - 1, out->len + 1); /* text has one in front */
        text[out->data - text] = '/';
    }
    return out->len > PL_EXPANSION_MAX ? PL_ERR_TOO_LONG : 0;
}
