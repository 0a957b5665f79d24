/* form_data.c - the parser of multipart/form-data.
 *
 *     START ----> DELIMITED --"--"--> DONE
 *       |          ^  |   ^
 *       v          |  v   |
 *     PREAMBLE ----+ HEAD +---- DATA      any state --refused--> REFUSED
 *                     |          ^
 *                     +----------+
 *
 * Data are only searched for their delimiter. That begins with the only CR in
 * it, so after a false start the search goes on behind what was compared. */
#include "http/form_data.h"

#include "base/error.h"
#include "base/str.h"
#include "http/chars.h"
#include "http/header.h"

enum state { START, PREAMBLE, DELIMITED, HEAD, DATA, DONE, REFUSED };

enum {
    HEAD_MAX = 8 * 1024,
    PADDING_MAX = 256, /* spaces behind a boundary */
};

PL_COLD static int refuse(struct pl_form_data *form, int err, const char *why)
{
    form->state = REFUSED;
    form->err = err;
    form->wrong = why;
    return err;
}

int pl_form_data_init(struct pl_form_data *form, struct pl_str content_type,
                      struct pl_pool *pool, struct pl_account *account)
{
    struct pl_str boundary;
    int err = pl_form_boundary(content_type, &boundary);

    if (err < 0)
        return err;
    *form = (struct pl_form_data){.state = START, .max_head = HEAD_MAX};
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary.data, boundary.len);
    form->delimiter_len = (uint8_t)(4 + boundary.len);
    pl_buf_init(&form->head, pool, account, 0);
    return 0;
}

void pl_form_data_fini(struct pl_form_data *form)
{
    pl_buf_fini(&form->head);
}

static struct pl_str delimiter_of(const struct pl_form_data *form)
{
    return pl_str(form->delimiter, form->delimiter_len);
}

/* ---- the search ---- */

/* Blocks of 16 bytes, in the vectors that gcc and clang make of any machine's
 * instructions. */
typedef uint8_t block_t __attribute__((vector_size(16)));
enum { BLOCK = sizeof(block_t) };

PL_INLINE block_t load(const char *from)
{
    block_t block;

    memcpy(&block, from, sizeof(block));
    return block;
}

PL_INLINE block_t fill(char c)
{
    return (block_t){0} + (uint8_t)c;
}

PL_INLINE bool any(block_t block)
{
    uint64_t halves[2];

    memcpy(halves, &block, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

/* The first place from at on, at most last, where needle may begin: its first
 * and last byte are there. Beyond last: nowhere. */
static size_t next_place(struct pl_str in, size_t at, size_t last,
                         struct pl_str needle)
{
    char end = needle.data[needle.len - 1];
    block_t firsts = fill('\r'), ends = fill(end);

    while (at + BLOCK <= last + 1) {
        const char *here = in.data + at;

        if (any((block_t)(load(here) == firsts) &
                (block_t)(load(here + needle.len - 1) == ends)))
            break;
        at += BLOCK;
    }
    while (at <= last &&
           (in.data[at] != '\r' || in.data[at + needle.len - 1] != end))
        at++;
    return at;
}

/* Where the end of in may be the beginning of needle, of which it does not hold
 * all: from its last CR on, or nowhere. */
static size_t cut_off(struct pl_str in, size_t from, struct pl_str needle)
{
    const char *cr = memrchr(in.data + from, '\r', in.len - from);
    size_t rest = cr == NULL ? 0 : (size_t)(in.data + in.len - cr);

    return rest > 0 && rest < needle.len && memcmp(cr, needle.data, rest) == 0
               ? in.len - rest
               : in.len;
}

size_t pl_form_data_find(struct pl_str in, struct pl_str needle, bool *found)
{
    size_t at = 0, last;

    *found = false;
    if (in.len >= needle.len) {
        last = in.len - needle.len;
        while ((at = next_place(in, at, last, needle)) <= last) {
            if (memcmp(in.data + at, needle.data, needle.len) == 0) {
                *found = true;
                return at;
            }
            at++;
        }
    }
    return in.len == 0 ? 0 : cut_off(in, at, needle);
}

/* ---- delimiters ---- */

/* The very first delimiter needs no line end before it. */
static int step_start(struct pl_form_data *form, struct pl_str in, size_t *used)
{
    struct pl_str first = pl_str_skip(delimiter_of(form), 2);
    size_t part = PL_MIN(in.len, first.len);

    if (part > 0 && memcmp(in.data, first.data, part) != 0) {
        form->state = PREAMBLE;
    } else if (part == first.len) {
        *used = part;
        form->state = DELIMITED;
    } else {
        return PL_ERR_AGAIN;
    }
    return 0;
}

/* Text before the first part means nothing (RFC 2046, 5.1.1). */
static int step_preamble(struct pl_form_data *form, struct pl_str in,
                         size_t *used)
{
    struct pl_str delimiter = delimiter_of(form);
    bool found;

    *used = pl_form_data_find(in, delimiter, &found);
    form->head_len += *used;
    if (form->head_len > form->max_head)
        return refuse(form, PL_ERR_PROTO, "no boundary at its beginning");
    if (!found)
        return PL_ERR_AGAIN;
    *used += delimiter.len;
    form->state = DELIMITED;
    return 0;
}

static int begin_head(struct pl_form_data *form)
{
    if (form->max_parts != 0 && form->parts >= form->max_parts)
        return refuse(form, PL_ERR_LIMIT, "too many parts");
    form->parts++;
    form->head_len = 0;
    form->seen = 0;
    form->nfields = 0;
    form->head.len = 0;
    form->type = pl_str(NULL, 0);
    form->state = HEAD;
    return 0;
}

/* Behind a boundary: "--" ends it all; spaces and the line's end begin a part.
 */
static int step_delimited(struct pl_form_data *form, struct pl_str in,
                          size_t *used)
{
    size_t at = 0;

    if (in.len >= 2 && in.data[0] == '-' && in.data[1] == '-') {
        *used = 2;
        form->state = DONE;
        return 0;
    }
    if (in.len == 1 && in.data[0] == '-')
        return PL_ERR_AGAIN;
    while (at < in.len && (in.data[at] == ' ' || in.data[at] == '\t'))
        at++;
    if (at > PADDING_MAX || (at < in.len && in.data[at] != '\r') ||
        (at + 1 < in.len && in.data[at + 1] != '\n'))
        return refuse(form, PL_ERR_PROTO, "text behind a boundary");
    if (at + 1 >= in.len)
        return PL_ERR_AGAIN;
    *used = at + 2;
    return begin_head(form);
}

/* ---- the header of a part ---- */

static int add_field(struct pl_form_data *form, struct pl_str line)
{
    struct pl_form_data_field *field = &form->fields[form->nfields];
    struct pl_str name, value = line;
    size_t at = form->head.len;

    pl_str_split(&value, ':', &name);
    if (value.data == NULL || !pl_header_name_valid(name))
        return refuse(form, PL_ERR_PROTO, "a malformed field in a part");
    value = pl_str_trim(value);
    if (!pl_header_value_valid(value))
        return refuse(form, PL_ERR_PROTO,
                      "control characters in a field of a part");
    if (form->nfields == PL_PART_FIELDS)
        return refuse(form, PL_ERR_LIMIT, "too many fields in a part");
    if (pl_buf_add(&form->head, name) < 0 || pl_buf_add(&form->head, value) < 0)
        return refuse(form, form->head.err, "out of memory");
    *field = (struct pl_form_data_field){(uint16_t)at, (uint16_t)name.len,
                                         (uint16_t)value.len};
    form->nfields++;
    return 0;
}

bool pl_form_data_field(const struct pl_form_data *form, unsigned index,
                        struct pl_str *name, struct pl_str *value)
{
    const struct pl_form_data_field *field = &form->fields[index];

    if (index >= form->nfields)
        return false;
    *name = pl_str(form->head.data + field->at, field->name_len);
    *value = pl_str(name->data + field->name_len, field->value_len);
    return true;
}

/* The field of that name, which may be there once. */
static int find_field(struct pl_form_data *form, struct pl_str name,
                      struct pl_str *value)
{
    struct pl_str found, its_value;

    *value = pl_str(NULL, 0);
    for (unsigned i = 0; pl_form_data_field(form, i, &found, &its_value); i++) {
        if (!pl_str_ieq(found, name))
            continue;
        if (value->data != NULL)
            return refuse(form, PL_ERR_PROTO, "the same field twice in a part");
        *value = its_value;
    }
    return 0;
}

/* RFC 7578, 4.7: not to be used; and what says nothing does no harm. */
static bool is_identity(struct pl_str encoding)
{
    return encoding.data == NULL || pl_str_ieq(encoding, PL_STR("binary")) ||
           pl_str_ieq(encoding, PL_STR("8bit")) ||
           pl_str_ieq(encoding, PL_STR("7bit"));
}

static int take_names(struct pl_form_data *form)
{
    struct pl_str disposition, encoding;
    int err;

    if (find_field(form, PL_STR("Content-Disposition"), &disposition) < 0 ||
        find_field(form, PL_STR("Content-Transfer-Encoding"), &encoding) < 0 ||
        find_field(form, PL_STR("Content-Type"), &form->type) < 0)
        return PL_ERR_PROTO;
    if (!is_identity(encoding))
        return refuse(form, PL_ERR_PROTO,
                      "a part with a Content-Transfer-Encoding");
    if (disposition.data == NULL)
        return refuse(form, PL_ERR_PROTO, "a part without Content-Disposition");
    err = pl_disposition_parse(disposition, &form->head, &form->names);
    if (err < 0)
        return refuse(form, err,
                      err == PL_ERR_LIMIT ? "too long a name of a part"
                                          : "a malformed Content-Disposition");
    return 0;
}

/* All fields are there. With room for the names nothing in head moves any more.
 */
static int end_head(struct pl_form_data *form)
{
    struct pl_buf *head = &form->head;
    int err;

    if (pl_buf_reserve(head, 2 * form->head_len + 1) < 0)
        return refuse(form, head->err, "out of memory");
    err = take_names(form);
    if (err < 0)
        return err;
    form->state = DATA;
    return PL_FORM_PART;
}

/* One line, or less if that is not complete yet. */
static int step_head(struct pl_form_data *form, struct pl_str in, size_t *used)
{
    struct pl_str rest = pl_str_skip(in, form->seen);
    ptrdiff_t end = pl_str_chr(rest, '\n');
    size_t len = end < 0 ? in.len : form->seen + (size_t)end + 1;

    if (form->head_len + len > form->max_head)
        return refuse(form, PL_ERR_LIMIT, "too long a header of a part");
    if (end < 0) {
        form->seen = in.len;
        return PL_ERR_AGAIN;
    }
    if (len < 2 || in.data[len - 2] != '\r')
        return refuse(form, PL_ERR_PROTO,
                      "a line of a part's header does not end in CRLF");
    *used = len;
    form->seen = 0;
    form->head_len += len;
    return len == 2 ? end_head(form)
                    : add_field(form, pl_str_first(in, len - 2));
}

/* ---- data ---- */

static int step_data(struct pl_form_data *form, struct pl_str in, size_t *used)
{
    struct pl_str delimiter = delimiter_of(form);
    bool found;

    *used = pl_form_data_find(in, delimiter, &found);
    if (*used > 0)
        return PL_FORM_DATA;
    if (!found)
        return PL_ERR_AGAIN;
    *used = delimiter.len;
    form->state = DELIMITED;
    return PL_FORM_PART_END;
}

/* One step in one state: an event, an error, or 0. */
static int step_once(struct pl_form_data *form, struct pl_str in, size_t *used)
{
    switch ((enum state)form->state) {
    case START:
        return step_start(form, in, used);
    case PREAMBLE:
        return step_preamble(form, in, used);
    case DELIMITED:
        return step_delimited(form, in, used);
    case HEAD:
        return step_head(form, in, used);
    case DATA:
        return step_data(form, in, used);
    case DONE:
        *used = in.len;
        return PL_FORM_END;
    case REFUSED:
        break;
    }
    return form->err;
}

int pl_form_data_step(struct pl_form_data *form, struct pl_str in, size_t *used)
{
    size_t n;
    int event;

    *used = 0;
    do {
        n = 0;
        event = step_once(form, pl_str_skip(in, *used), &n);
        *used += n;
    } while (event == 0);
    return event;
}
