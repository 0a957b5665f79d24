/* luapat.c - a pattern is a row of items. Most are sets of bytes with a
 * repetition; a search walks along the row, and where an item cannot go on,
 * back to the nearest repeated one before it that can be longer or shorter.
 *
 * Whether a capture is open, closed or not begun at an item depends on the row
 * alone. So captures need no undoing: items that are walked over again write
 * them again. */
#include "base/luapat.h"

#include "base/str.h"
#include "base/sys.h"

enum kind {
    SET,
    OPEN,     /* capture n begins */
    CLOSE,    /* ... and ends */
    POSITION, /* capture n is here */
    BALANCE,  /* from a to its b */
    FRONTIER, /* from outside of the set into it */
    BACK,     /* what capture n was */
    END,
};

struct item {
    uint8_t kind;
    char repeat;  /* SET: one of "*+-?", or 0 */
    uint8_t a, b; /* BALANCE */
    uint8_t n;    /* of the capture, from 1 */
    uint32_t set[8];
};

struct pl_luapat {
    bool anchored;
    uint8_t captures;
    uint32_t positions; /* a bit for each capture */
    unsigned count;
    struct item items[];
};

/* ---- sets ---- */

static void add_byte(struct item *item, unsigned c)
{
    item->set[c / 32] |= 1u << c % 32;
}

PL_INLINE bool has(const struct item *item, unsigned char c)
{
    return item->set[c / 32] >> c % 32 & 1;
}

static bool is_between(unsigned c, unsigned low, unsigned high)
{
    return c >= low && c <= high;
}

static bool is_alpha(unsigned c)
{
    return is_between(c | 32, 'a', 'z');
}

static bool is_alnum(unsigned c)
{
    return is_alpha(c) || is_between(c, '0', '9');
}

/* The class that a lower-case letter names; *known is false for none. */
static bool in_class(char name, unsigned c, bool *known)
{
    *known = true;
    switch (name) {
    case 'a':
        return is_alpha(c);
    case 'c':
        return c < 32 || c == 127;
    case 'd':
        return is_between(c, '0', '9');
    case 'g':
        return is_between(c, 33, 126);
    case 'l':
        return is_between(c, 'a', 'z');
    case 'p':
        return is_between(c, 33, 126) && !is_alnum(c);
    case 's':
        return c == ' ' || is_between(c, 9, 13);
    case 'u':
        return is_between(c, 'A', 'Z');
    case 'w':
        return is_alnum(c);
    case 'x':
        return is_between(c, '0', '9') || is_between(c | 32, 'a', 'f');
    case 'z':
        return c == 0;
    default:
        *known = false;
        return false;
    }
}

/* What "%name" stands for: a class, for a capital all but the class, or the
 * character itself. */
static void add_escaped(struct item *item, char name)
{
    bool capital = is_between((unsigned char)name, 'A', 'Z'), known;
    char small = (char)pl_ascii_lower((unsigned char)name);

    in_class(small, 0, &known);
    if (!known) {
        add_byte(item, (unsigned char)name);
        return;
    }
    for (unsigned c = 0; c < 256; c++)
        if (in_class(small, c, &known) != capital)
            add_byte(item, c);
}

/* ---- reading a pattern ---- */

struct reader {
    struct pl_str text;
    size_t at;
    struct pl_luapat *out;
    uint8_t open[PL_LUAPAT_CAPTURES]; /* captures without an end yet */
    unsigned depth;
    int code; /* what is wrong, and why */
    const char *wrong;
};

static bool refuse(struct reader *reader, int code, const char *why)
{
    reader->code = code;
    reader->wrong = why;
    return false;
}

static bool fail(struct reader *reader, const char *why)
{
    return refuse(reader, PL_ERR_SYNTAX, why);
}

static bool at_end(const struct reader *reader)
{
    return reader->at == reader->text.len;
}

static char peek(const struct reader *reader, size_t ahead)
{
    size_t at = reader->at + ahead;

    return at < reader->text.len ? reader->text.data[at] : '\0';
}

static void complement(struct item *item)
{
    for (size_t i = 0; i < PL_COUNT(item->set); i++)
        item->set[i] = ~item->set[i];
}

/* The place of the "]" that ends a set which begins at reader->at, behind "["
 * and "^". The first character is never the end. */
static bool find_set_end(const struct reader *reader, size_t *end)
{
    struct pl_str text = reader->text;
    size_t at = reader->at;

    do {
        if (at == text.len)
            return false;
        if (text.data[at++] == '%' && at < text.len)
            at++;
    } while (at < text.len && text.data[at] != ']');
    *end = at;
    return at < text.len;
}

/* Behind "[". */
static bool read_set(struct reader *reader, struct item *item)
{
    bool negative = peek(reader, 0) == '^';
    size_t end;

    reader->at += negative;
    if (!find_set_end(reader, &end))
        return fail(reader, "a \"[\" lacks its \"]\"");
    while (reader->at < end) {
        unsigned char c = (unsigned char)reader->text.data[reader->at++];

        if (c == '%') {
            add_escaped(item, reader->text.data[reader->at++]);
        } else if (peek(reader, 0) == '-' && reader->at + 1 < end) {
            unsigned char last = (unsigned char)peek(reader, 1);

            reader->at += 2;
            for (unsigned i = c; i <= last; i++)
                add_byte(item, i);
        } else {
            add_byte(item, c);
        }
    }
    if (negative)
        complement(item);
    reader->at = end + 1;
    return true;
}

static bool begin_capture(struct reader *reader, struct item *item)
{
    struct pl_luapat *out = reader->out;

    if (out->captures == PL_LUAPAT_CAPTURES)
        return refuse(reader, PL_ERR_LIMIT, "there are more than 32 captures");
    item->n = ++out->captures;
    item->kind = OPEN;
    if (peek(reader, 0) == ')') {
        reader->at++;
        item->kind = POSITION;
        out->positions |= 1u << (item->n - 1);
    } else {
        reader->open[reader->depth++] = item->n;
    }
    return true;
}

static bool end_capture(struct reader *reader, struct item *item)
{
    if (reader->depth == 0)
        return fail(reader, "a \")\" ends nothing");
    item->kind = CLOSE;
    item->n = reader->open[--reader->depth];
    return true;
}

static bool is_open(const struct reader *reader, unsigned n)
{
    for (unsigned i = 0; i < reader->depth; i++)
        if (reader->open[i] == n)
            return true;
    return false;
}

static bool read_back(struct reader *reader, struct item *item, unsigned n)
{
    if (n == 0 || n > reader->out->captures || is_open(reader, n))
        return fail(reader, "\"%n\" names no capture that has ended before");
    if (pl_luapat_is_position(reader->out, n))
        return fail(reader, "\"%n\" names a position, which is no text");
    item->kind = BACK;
    item->n = (uint8_t)n;
    return true;
}

static bool read_balance(struct reader *reader, struct item *item)
{
    if (reader->text.len - reader->at < 2)
        return fail(reader, "\"%b\" lacks its two characters");
    item->kind = BALANCE;
    item->a = (uint8_t)peek(reader, 0);
    item->b = (uint8_t)peek(reader, 1);
    reader->at += 2;
    return true;
}

static bool read_frontier(struct reader *reader, struct item *item)
{
    if (peek(reader, 0) != '[')
        return fail(reader, "\"%f\" lacks its \"[\"");
    reader->at++;
    item->kind = FRONTIER;
    return read_set(reader, item);
}

/* One of what may be repeated has been read. */
static bool read_repeat(struct reader *reader, struct item *item)
{
    char c = peek(reader, 0);

    if (c == '*' || c == '+' || c == '-' || c == '?') {
        item->repeat = c;
        reader->at++;
    }
    return true;
}

/* Behind "%". */
static bool read_escape(struct reader *reader, struct item *item)
{
    char c;

    if (at_end(reader))
        return fail(reader, "it ends with a \"%\"");
    c = reader->text.data[reader->at++];
    if (pl_ascii_digit(c))
        return read_back(reader, item, (unsigned)(c - '0'));
    if (c == 'b')
        return read_balance(reader, item);
    if (c == 'f')
        return read_frontier(reader, item);
    add_escaped(item, c);
    return read_repeat(reader, item);
}

static bool read_item(struct reader *reader, struct item *item)
{
    char c = reader->text.data[reader->at++];

    switch (c) {
    case '(':
        return begin_capture(reader, item);
    case ')':
        return end_capture(reader, item);
    case '%':
        return read_escape(reader, item);
    case '[':
        return read_set(reader, item) && read_repeat(reader, item);
    case '.':
        complement(item);
        return read_repeat(reader, item);
    case '$':
        if (at_end(reader)) {
            item->kind = END;
            return true;
        }
        break;
    default:
        break;
    }
    add_byte(item, (unsigned char)c);
    return read_repeat(reader, item);
}

static bool read_items(struct reader *reader)
{
    struct pl_luapat *out = reader->out;

    out->anchored = peek(reader, 0) == '^';
    reader->at = out->anchored;
    while (!at_end(reader)) {
        if (out->count == PL_LUAPAT_ITEMS)
            return refuse(reader, PL_ERR_LIMIT, "it is too long");
        if (!read_item(reader, &out->items[out->count++]))
            return false;
    }
    if (reader->depth > 0)
        return fail(reader, "a \"(\" lacks its \")\"");
    return true;
}

struct pl_luapat *pl_luapat_new(struct pl_str text, struct pl_error *error)
{
    size_t most = PL_MIN(text.len, (size_t)PL_LUAPAT_ITEMS);
    struct pl_luapat *out =
        pl_calloc(1, sizeof(*out) + most * sizeof(struct item));
    struct reader reader = {.text = text, .out = out};

    if (out == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    if (!read_items(&reader)) {
        pl_error_set(error, reader.code, "", "pattern '%.*s': %s",
                     (int)PL_MIN(text.len, 128), text.data, reader.wrong);
        pl_free(out);
        return NULL;
    }
    return out;
}

void pl_luapat_free(struct pl_luapat *pattern)
{
    pl_free(pattern);
}

unsigned pl_luapat_captures(const struct pl_luapat *pattern)
{
    return pattern->captures;
}

bool pl_luapat_is_position(const struct pl_luapat *pattern, unsigned n)
{
    return pattern->positions >> (n - 1) & 1;
}

/* ---- matching ---- */

/* Where a repeated item has come to, and how far back it may go. */
struct turn {
    const char *at, *least;
};

struct search {
    const struct pl_luapat *pattern;
    const char *text, *end;
    uint64_t steps;
    const char *from[1 + PL_LUAPAT_CAPTURES], *to[1 + PL_LUAPAT_CAPTURES];
    unsigned turning; /* repeated items that can still do something else */
    uint8_t turns[PL_LUAPAT_ITEMS]; /* ... by their index, in order */
    struct turn state[PL_LUAPAT_ITEMS];
};

_Static_assert(PL_LUAPAT_ITEMS <= 256, "indices are bytes");

PL_INLINE bool spend(struct search *search, size_t n)
{
    if (search->steps < n) {
        search->steps = 0;
        return false;
    }
    search->steps -= n;
    return true;
}

static bool is_at(const struct search *search, const struct item *item,
                  const char *at)
{
    return at < search->end && has(item, (unsigned char)*at);
}

/* Each of these goes on from at by its item: where it ends, or NULL. */

static const char *walk_repeat(struct search *search, unsigned index,
                               const char *at)
{
    const struct item *item = &search->pattern->items[index];
    struct turn *turn = &search->state[index];

    *turn = (struct turn){at, at};
    if (item->repeat == '+' && !is_at(search, item, at))
        return NULL;
    if (item->repeat == '+')
        turn->least = ++turn->at;
    if (item->repeat == '?')
        turn->at += is_at(search, item, at);
    else if (item->repeat != '-')
        while (is_at(search, item, turn->at))
            turn->at++;
    if (!spend(search, (size_t)(turn->at - at)))
        return NULL;
    if (turn->at > turn->least || item->repeat == '-')
        search->turns[search->turning++] = (uint8_t)index;
    return turn->at;
}

static const char *walk_balance(struct search *search, const struct item *item,
                                const char *at)
{
    size_t depth = 1;

    if (at == search->end || (uint8_t)*at != item->a)
        return NULL;
    while (++at < search->end) {
        if (!spend(search, 1))
            return NULL;
        if ((uint8_t)*at == item->b) {
            if (--depth == 0)
                return at + 1;
        } else if ((uint8_t)*at == item->a) {
            depth++;
        }
    }
    return NULL;
}

/* Both ends of the text count as NUL. */
static const char *walk_frontier(const struct search *search,
                                 const struct item *item, const char *at)
{
    char before = at == search->text ? '\0' : at[-1];
    char here = at == search->end ? '\0' : *at;

    return !has(item, (unsigned char)before) && has(item, (unsigned char)here)
               ? at
               : NULL;
}

static const char *walk_back(struct search *search, const struct item *item,
                             const char *at)
{
    size_t len = (size_t)(search->to[item->n] - search->from[item->n]);

    if (len > (size_t)(search->end - at) || !spend(search, len) ||
        memcmp(search->from[item->n], at, len) != 0)
        return NULL;
    return at + len;
}

static const char *walk_item(struct search *search, unsigned index,
                             const char *at)
{
    const struct item *item = &search->pattern->items[index];

    switch ((enum kind)item->kind) {
    case SET:
        if (item->repeat != '\0')
            return walk_repeat(search, index, at);
        return is_at(search, item, at) ? at + 1 : NULL;
    case OPEN:
        search->from[item->n] = at;
        return at;
    case CLOSE:
        search->to[item->n] = at;
        return at;
    case POSITION:
        search->from[item->n] = search->to[item->n] = at;
        return at;
    case BALANCE:
        return walk_balance(search, item, at);
    case FRONTIER:
        return walk_frontier(search, item, at);
    case BACK:
        return walk_back(search, item, at);
    case END:
        break;
    }
    return at == search->end ? at : NULL;
}

/* The nearest repeated item that can, takes one more or one less. Returns where
 * it has come to, and the item to go on with; or NULL: there is none. */
static const char *turn_back(struct search *search, unsigned *index)
{
    while (search->turning > 0) {
        unsigned i = search->turns[search->turning - 1];
        const struct item *item = &search->pattern->items[i];
        struct turn *turn = &search->state[i];

        *index = i + 1;
        if (item->repeat == '-') {
            if (is_at(search, item, turn->at))
                return ++turn->at;
            search->turning--;
            continue;
        }
        turn->at--;
        if (turn->at == turn->least)
            search->turning--;
        return turn->at;
    }
    return NULL;
}

/* 1: it matches at from, and *end is where that ends. */
static int match_at(struct search *search, const char *from, const char **end)
{
    const char *at = from;
    unsigned index = 0;

    search->turning = 0;
    while (index < search->pattern->count) {
        at = walk_item(search, index, at);
        index++;
        if (!spend(search, 1) || (at == NULL && search->steps == 0))
            return PL_ERR_LIMIT;
        if (at == NULL)
            at = turn_back(search, &index);
        if (at == NULL)
            return 0;
    }
    *end = at;
    return 1;
}

static void report(const struct search *search, const char *from,
                   const char *end, struct pl_luapat_match *match)
{
    match->count = search->pattern->captures;
    match->parts[0] = pl_str(from, (size_t)(end - from));
    for (unsigned n = 1; n <= match->count; n++)
        match->parts[n] =
            pl_str(search->from[n], (size_t)(search->to[n] - search->from[n]));
}

int pl_luapat_find(const struct pl_luapat *pattern, struct pl_str text,
                   size_t init, uint64_t *steps, struct pl_luapat_match *match)
{
    struct search search;
    const char *from, *end = NULL;
    int result = 0;

    if (init > text.len)
        return 0;
    search.pattern = pattern;
    search.text = text.data != NULL ? text.data : "";
    search.end = search.text + text.len;
    search.steps = *steps;
    for (from = search.text + init; from <= search.end; from++) {
        result = match_at(&search, from, &end);
        if (result != 0 || pattern->anchored)
            break;
    }
    *steps = search.steps;
    if (result > 0)
        report(&search, from, end, match);
    return result;
}
