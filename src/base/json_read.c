#include "base/json_read.h"

#include "base/json_number.h"
#include "base/json_scan.h"
#include "base/options.h"
#include "base/str.h"

enum { NODE = sizeof(struct pl_json), FIRST_ROOM = 4096 };
#define NOWHERE SIZE_MAX

/* Nothing recurses: a container that is open keeps in its nodes the place of
 * the one around it. */
struct reader {
    struct pl_json_scan scan;
    struct pl_buf *nodes, scratch;
    struct pl_arena *strings;
    size_t open;   /* the place of the innermost open container, or NOWHERE */
    size_t newest; /* that of the value that was finished last */
    size_t depth, max_depth;
    unsigned flags;
};

static struct pl_json *node(struct reader *r, size_t place)
{
    return (struct pl_json *)(void *)r->nodes->data + place;
}

static size_t count(const struct reader *r)
{
    return r->nodes->len / NODE;
}

/* Borrowed until the next one is added. NULL: nodes->err. */
static struct pl_json *add(struct reader *r, enum pl_json_type type)
{
    struct pl_json *added;

    if (pl_buf_reserve(r->nodes, NODE) < 0)
        return NULL;
    added = node(r, count(r));
    r->nodes->len += NODE;
    *added = (struct pl_json){.type = (uint8_t)type};
    return added;
}

static int add_value(struct reader *r, struct pl_json value)
{
    struct pl_json *added = add(r, (enum pl_json_type)value.type);

    if (added == NULL)
        return r->nodes->err;
    *added = value;
    added->member =
        r->open != NOWHERE && node(r, r->open)->type == PL_JSON_OBJECT;
    r->newest = count(r) - 1;
    return 0;
}

/* ---- scalars ---- */

/* The string whose quote is at r->scan.at. */
static int read_string(struct reader *r, struct pl_json *value)
{
    struct pl_str s;
    int err;

    r->scan.at++;
    err = pl_json_unquote(&r->scan.at, r->scan.end, r->flags, &r->scratch, &s,
                          &r->scan.what);
    if (err < 0)
        return err;
    if (s.data == r->scratch.data) {
        s = pl_arena_str(r->strings, s);
        if (s.data == NULL)
            return PL_ERR_NOMEM;
    }
    *value = (struct pl_json){
        .type = PL_JSON_STRING, .len = (uint32_t)s.len, .data = s.data};
    return 0;
}

static int read_number(struct reader *r, struct pl_json *value)
{
    const char *begin = r->scan.at;
    struct pl_json_number number;
    int err =
        pl_json_parse_number(&r->scan.at, r->scan.end, &number, &r->scan.what);

    *value = (struct pl_json){.type = PL_JSON_NUMBER};
    if (err < 0)
        return err;
    if (number.kind == PL_JSON_INTEGER) {
        value->i64 = number.integer;
    } else if (number.kind == PL_JSON_BIG &&
               pl_str_to_u64(pl_str(begin, (size_t)(r->scan.at - begin)),
                             &value->u64)) {
        value->form = PL_JSON_FORM_U64;
    } else {
        value->form = PL_JSON_FORM_REAL;
        value->real = number.value;
    }
    return 0;
}

static int read_word(struct reader *r, struct pl_json *value)
{
    int word = pl_json_word(&r->scan);

    *value = (struct pl_json){.type = word == 'n' ? PL_JSON_NULL : PL_JSON_BOOL,
                              .boolean = word == 't'};
    return word < 0 ? word : 0;
}

/* ---- containers ---- */

/* Finishes the innermost container. */
static void close_container(struct reader *r)
{
    size_t place = r->open;
    struct pl_json *container = node(r, place);

    if (container->len > 0)
        node(r, r->newest)->last = true;
    r->open = container->nodes;
    container->nodes = count(r) - place;
    r->newest = place;
    r->depth--;
}

/* Returns 1 if it has an item, which comes next. */
static int open_container(struct reader *r, enum pl_json_type type)
{
    struct pl_json container = {.type = (uint8_t)type, .nodes = r->open};
    int err;

    if (r->depth >= r->max_depth) {
        r->scan.what = "nesting too deep";
        return PL_ERR_LIMIT;
    }
    err = add_value(r, container);
    if (err < 0)
        return err;
    r->open = count(r) - 1;
    r->depth++;
    r->scan.at = pl_json_skip(r->scan.at + 1, r->scan.end);
    if (!pl_json_is_empty(&r->scan, type == PL_JSON_ARRAY ? ']' : '}'))
        return 1;
    close_container(r);
    return 0;
}

/* After an item: 1 if another one follows, 0 if that was the container's end.
 */
static int next_item(struct reader *r)
{
    bool array = node(r, r->open)->type == PL_JSON_ARRAY;
    int more = pl_json_next_item(&r->scan, array ? ']' : '}');

    if (more == 0)
        close_container(r);
    return more;
}

/* ---- values ---- */

static int read_name(struct reader *r)
{
    struct pl_json name;
    int err = pl_json_before_key(&r->scan);

    if (err == 0)
        err = read_string(r, &name);
    if (err == 0) {
        struct pl_json *added = add(r, PL_JSON_STRING);

        if (added == NULL)
            return r->nodes->err;
        *added = name;
        err = pl_json_after_key(&r->scan);
    }
    return err;
}

/* 1 if it is a container that is open now. */
static int read_value(struct reader *r)
{
    struct pl_json value;
    int err;

    if (r->scan.at == r->scan.end)
        return pl_json_unexpected(&r->scan, "");
    switch (*r->scan.at) {
    case '"':
        err = read_string(r, &value);
        break;
    case '{':
        return open_container(r, PL_JSON_OBJECT);
    case '[':
        return open_container(r, PL_JSON_ARRAY);
    case '-':
    case '0' ... '9':
        err = read_number(r, &value);
        break;
    default:
        err = read_word(r, &value);
    }
    return err < 0 ? err : add_value(r, value);
}

/* A value, with its name in an object. */
static int read_item(struct reader *r)
{
    struct pl_json *container;
    int err;

    if (r->open == NOWHERE)
        return read_value(r);
    container = node(r, r->open);
    container->len++;
    err = container->type == PL_JSON_OBJECT ? read_name(r) : 0;
    return err < 0 ? err : read_value(r);
}

static int read_text(struct reader *r)
{
    int err;

    pl_json_begin(&r->scan);
    do {
        err = read_item(r);
        while (err == 0 && r->open != NOWHERE)
            err = next_item(r);
    } while (err > 0);
    if (err < 0)
        return err;
    node(r, 0)->last = true;
    return pl_json_finish(&r->scan);
}

static int set_error(struct pl_json_error *error, int err,
                     const struct reader *r, const char *text)
{
    if (error == NULL || err == 0)
        return err;
    *error = (struct pl_json_error){
        .code = err,
        .offset = (size_t)(r->scan.at - text),
        .text = r->scan.what != NULL ? r->scan.what : pl_err_text(err)};
    pl_json_place(&r->scan, text, &error->line, &error->column);
    return err;
}

int pl_json_read(struct pl_str text, const struct pl_json_options *options,
                 struct pl_buf *nodes, struct pl_arena *strings,
                 struct pl_json_error *error)
{
    struct pl_json_options given;
    struct reader r = {.nodes = nodes, .strings = strings, .open = NOWHERE};
    size_t max;
    int err;

    if (text.data == NULL)
        text = PL_STR("");
    r.scan.at = text.data;
    PL_OPTIONS_READ(&given, options);
    max = given.max_size == 0 ? PL_JSON_SIZE : given.max_size;
    r.max_depth = given.max_depth == 0 ? PL_JSON_DEPTH : given.max_depth;
    r.flags = given.replace ? PL_JSON_REPLACE : 0;
    if (text.len > PL_MIN(max, (size_t)UINT32_MAX)) {
        r.scan.what = "the text is too large";
        return set_error(error, PL_ERR_LIMIT, &r, text.data);
    }
    r.scan.end = text.data + text.len;
    pl_buf_init(&r.scratch, strings->pool, strings->account, 0);
    err = pl_buf_reserve(nodes, PL_MIN(text.len, FIRST_ROOM) + NODE);
    if (err == 0)
        err = read_text(&r);
    pl_buf_fini(&r.scratch);
    return set_error(error, err, &r, text.data);
}
