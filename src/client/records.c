/* records.c - an exchange over FastCGI: the records of its request, and an
 * answer out of records.
 *
 *     STDOUT  a head, as CGI has it (RFC 3875, 6), and the body behind it
 *     STDERR  for the log
 *     END     the answer is complete, or the request was turned away
 *
 * The head is gathered as one of HTTP: a status line in front, LF made CRLF.
 * The parser of HTTP then reads it as strictly as all others, and what a caller
 * is shown is the same for both protocols.
 *
 * Invariant: each call of pl_link_take_records() makes one callback at most. */
#include "client/records.h"

#include "base/error.h"
#include "base/str.h"
#include "client/link.h"
#include "http/status.h"

enum { ID = 1 };

/* ---- the request ---- */

static int write_stream(struct pl_fetch *fetch, enum pl_fcgi_type type,
                        struct pl_str bytes)
{
    while (bytes.len > 0) {
        size_t n = PL_MIN(bytes.len, (size_t)PL_FCGI_CONTENT_MAX);
        char head[PL_FCGI_HEAD];
        struct iovec pieces[] = {{head, sizeof(head)}, {(char *)bytes.data, n}};
        int err;

        pl_fcgi_put_head(head, type, ID, n);
        err = pl_fetch_writev(fetch, pieces, PL_COUNT(pieces));
        if (err < 0)
            return err;
        bytes = pl_str_skip(bytes, n);
    }
    return 0;
}

static int end_stream(struct pl_fetch *fetch, enum pl_fcgi_type type)
{
    char head[PL_FCGI_HEAD];

    pl_fcgi_put_head(head, type, ID, 0);
    return pl_fetch_write(fetch, pl_str(head, sizeof(head)));
}

int pl_fetch_begin_records(struct pl_fetch *fetch, struct pl_str pairs)
{
    unsigned flags = fetch->options->keep > 0 ? PL_FCGI_KEEP_CONN : 0;
    char begin[PL_FCGI_SMALL];
    int err;

    pl_fcgi_put_begin(begin, ID, PL_FCGI_RESPONDER, flags);
    err = pl_fetch_write(fetch, pl_str(begin, sizeof(begin)));
    if (err == 0)
        err = write_stream(fetch, PL_FCGI_PARAMS, pairs);
    return err < 0 ? err : end_stream(fetch, PL_FCGI_PARAMS);
}

int pl_fetch_write_input(struct pl_fetch *fetch, struct pl_str bytes)
{
    return write_stream(fetch, PL_FCGI_STDIN, bytes);
}

int pl_fetch_end_input(struct pl_fetch *fetch)
{
    return end_stream(fetch, PL_FCGI_STDIN);
}

/* ---- the head of the answer ---- */

#define STATUS_LINE "HTTP/1.1 200 OK\r\n"

void pl_link_begin_records(struct pl_link *link)
{
    struct pl_link_records *records = &link->records;

    memset(records, 0, sizeof(*records));
    pl_buf_init(&records->head, link->stock->clients->pool, NULL, 0);
    link->state = PL_LINK_RECORDS;
}

void pl_link_drop_records(struct pl_link *link)
{
    if (link->records.head.data != NULL)
        pl_buf_fini(&link->records.head);
}

/* Adds a line, or a part of one, up to its LF. Returns true if it is the empty
 * one. */
static bool add_line(struct pl_link_records *records, struct pl_str part)
{
    struct pl_buf *head = &records->head;
    bool ends = part.len > 0 && part.data[part.len - 1] == '\n';
    bool empty;

    if (!ends) {
        pl_buf_add(head, part);
        return false;
    }
    pl_buf_add(head, pl_str_first(part, part.len - 1));
    if (head->len > records->line && head->data[head->len - 1] == '\r')
        head->len--;
    empty = head->len == records->line;
    pl_buf_add(head, PL_STR("\r\n"));
    records->line = head->len;
    return empty;
}

/* Takes lines up to the empty one: how many bytes they are; *whole: it has
 * come. */
static size_t add_lines(struct pl_link_records *records, struct pl_str bytes,
                        bool *whole)
{
    size_t used = 0;

    *whole = false;
    if (records->head.len == 0) {
        pl_buf_add(&records->head, PL_STR(STATUS_LINE));
        records->line = records->head.len;
    }
    while (used < bytes.len && !*whole && records->head.err == 0) {
        struct pl_str rest = pl_str_skip(bytes, used);
        ptrdiff_t end = pl_str_chr(rest, '\n');
        struct pl_str part =
            end < 0 ? rest : pl_str_first(rest, (size_t)end + 1);

        *whole = add_line(records, part);
        used += part.len;
    }
    return used;
}

/* The field of that name; NULL: there is none. */
static struct pl_h1_field *find(struct pl_h1_parser *parser, const char *head,
                                struct pl_str name)
{
    for (unsigned i = 0; i < parser->nfields; i++) {
        struct pl_h1_field *field = &parser->fields[i];

        if (pl_header_word_is(pl_str(head + field->name, field->name_len),
                              name))
            return field;
    }
    return NULL;
}

static void remove_field(struct pl_h1_parser *parser, struct pl_h1_field *field)
{
    size_t at = (size_t)(field - parser->fields);

    parser->nfields--;
    memmove(field, field + 1,
            (parser->nfields - at) * sizeof(struct pl_h1_field));
}

/* "404 Not Found", and nothing below 200: what CGI says is the answer. */
static bool read_status(struct pl_str text, uint16_t *status)
{
    uint64_t number;

    if (text.len < 3 || (text.len > 3 && text.data[3] != ' ') ||
        !pl_str_to_u64(pl_str_first(text, 3), &number) || number < 200 ||
        number > 599)
        return false;
    *status = (uint16_t)number;
    return true;
}

/* RFC 3875, 6.3: without a status a Location is a redirect. */
static const char *take_status(struct pl_h1_parser *parser, const char *head)
{
    struct pl_h1_field *field = find(parser, head, PL_STR("status"));

    if (field == NULL) {
        if (find(parser, head, PL_STR("location")) != NULL)
            parser->status = 302;
        return parser->nfields > 0 ? NULL : "an answer without a field";
    }
    if (!read_status(pl_str(head + field->value, field->value_len),
                     &parser->status))
        return "a Status that is none";
    remove_field(parser, field);
    return find(parser, head, PL_STR("status")) == NULL
               ? NULL
               : "more than one Status";
}

/* What is wrong with the head that has come as a whole; NULL: nothing. */
static const char *read_head(struct pl_link *link, struct pl_h1_parser *parser)
{
    struct pl_str head = pl_buf_str(&link->records.head);
    struct pl_fetch *fetch = link->fetch;
    struct pl_h1_limits limits = fetch->options->limits;
    const char *wrong;

    pl_h1_parser_init(parser, &limits);
    if (pl_h1_parse_answer(parser, head) < 0)
        return parser->refusal.text == NULL ? "a malformed head"
                                            : parser->refusal.text;
    wrong = take_status(parser, head.data);
    fetch->parser = parser;
    fetch->head = head;
    fetch->length = parser->has_length ? (int64_t)parser->content_length : -1;
    link->left = parser->content_length;
    link->records.bodyless =
        fetch->bodyless || !pl_status_has_body(parser->status);
    return wrong;
}

static ssize_t take_head(struct pl_link *link, struct pl_str bytes)
{
    struct pl_link_records *records = &link->records;
    struct pl_h1_parser *parser = &link->stock->clients->parser;
    struct pl_fetch *fetch = link->fetch;
    struct pl_conn *conn = link->conn;
    const char *wrong = NULL;
    bool whole;
    size_t used = add_lines(records, bytes, &whole);

    if (records->head.err < 0) {
        pl_link_fail(link, PL_ERR_NOMEM, "out of memory");
        return PL_ERR_NOMEM;
    }
    if (records->head.len > sizeof(STATUS_LINE) + fetch->options->limits.head)
        wrong = "header fields too large";
    else if (whole)
        wrong = read_head(link, parser);
    if (wrong != NULL) {
        pl_link_fail(link, PL_ERR_PROTO, wrong);
        return PL_ERR_PROTO;
    }
    records->left -= used;
    if (!whole)
        return (ssize_t)used;
    records->headed = true;
    fetch->ops->head(fetch);
    if (!pl_link_gone(conn, link, fetch))
        pl_buf_fini(&records->head);
    return pl_conn_closed(conn) ? PL_ERR_CLOSED : (ssize_t)used;
}

/* ---- what follows ---- */

/* A body is as long as its head says; what is more belongs to nobody. */
static struct pl_str clip(struct pl_link *link, struct pl_str bytes)
{
    if (link->records.bodyless)
        return pl_str(NULL, 0);
    if (link->fetch->length < 0)
        return bytes;
    bytes = pl_str_first(bytes, (size_t)PL_MIN(link->left, bytes.len));
    link->left -= bytes.len;
    return bytes;
}

static ssize_t take_output(struct pl_link *link, struct pl_str bytes)
{
    struct pl_fetch *fetch = link->fetch;
    struct pl_str data;

    fetch->answered = true;
    if (!link->records.headed)
        return take_head(link, bytes);
    link->records.left -= bytes.len;
    data = clip(link, bytes);
    if (data.len > 0)
        fetch->ops->data(fetch, data);
    return (ssize_t)bytes.len;
}

static ssize_t take_content(struct pl_link *link, struct pl_str bytes)
{
    struct pl_link_records *records = &link->records;
    struct pl_fetch *fetch = link->fetch;

    bytes = pl_str_first(bytes, records->left);
    if (records->record.type == PL_FCGI_STDOUT)
        return take_output(link, bytes);
    records->left -= bytes.len;
    if (records->record.type == PL_FCGI_STDERR) {
        fetch->answered = true;
        if (fetch->ops->errors != NULL)
            fetch->ops->errors(fetch, bytes);
    }
    return (ssize_t)bytes.len;
}

/* What END says against the answer; NULL: nothing. */
static const char *judge_end(const struct pl_link *link,
                             const struct pl_fcgi_end *end, int *err)
{
    *err = PL_ERR_PROTO;
    switch (end->status) {
    case PL_FCGI_REQUEST_COMPLETE:
        break;
    case PL_FCGI_OVERLOADED:
    case PL_FCGI_CANT_MPX_CONN:
        *err = PL_ERR_BUSY;
        return "it has too much to do";
    case PL_FCGI_UNKNOWN_ROLE:
        return "it is no responder";
    default:
        return "an unknown end of a request";
    }
    if (!link->records.headed)
        return "an answer without a head";
    if (link->fetch->length < 0 || link->records.bodyless || link->left == 0)
        return NULL;
    *err = PL_ERR_CLOSED;
    return "it broke off its answer";
}

static ssize_t take_end(struct pl_link *link, struct pl_str bytes)
{
    const struct pl_fcgi_record *record = &link->records.record;
    size_t size = PL_FCGI_SMALL + (size_t)record->padding;
    struct pl_fcgi_end end;
    const char *wrong;
    int err;

    if (bytes.len < size)
        return 0;
    pl_fcgi_end_read(&end, bytes.data + PL_FCGI_HEAD);
    wrong = judge_end(link, &end, &err);
    if (wrong != NULL) {
        pl_link_fail(link, err, wrong);
        return err;
    }
    link->keep = link->fetch->options->keep > 0;
    link->state = PL_LINK_OVER;
    pl_link_complete(link);
    return (ssize_t)size;
}

/* Is it one that may come? Those about the connection, and of a type that we do
 * not know, say nothing to us. */
static bool may_come(const struct pl_fcgi_record *record)
{
    if (pl_fcgi_record_check(record) < 0)
        return false;
    switch (record->type) {
    case PL_FCGI_STDOUT:
    case PL_FCGI_STDERR:
    case PL_FCGI_END_REQUEST:
        return record->id == ID;
    default:
        return record->type >= PL_FCGI_GET_VALUES;
    }
}

static ssize_t take_record(struct pl_link *link, struct pl_str bytes)
{
    struct pl_link_records *records = &link->records;
    struct pl_fcgi_record *record = &records->record;

    if (bytes.len < PL_FCGI_HEAD)
        return 0;
    pl_fcgi_record_read(record, bytes.data);
    if (!may_come(record)) {
        pl_link_fail(link, PL_ERR_PROTO, "a record that may not come");
        return PL_ERR_PROTO;
    }
    if (record->type == PL_FCGI_END_REQUEST)
        return take_end(link, bytes);
    records->left = record->length;
    records->padding = record->padding;
    return PL_FCGI_HEAD;
}

ssize_t pl_link_take_records(struct pl_link *link, struct pl_str bytes)
{
    struct pl_link_records *records = &link->records;
    size_t n;

    if (records->left > 0)
        return take_content(link, bytes);
    if (records->padding == 0)
        return take_record(link, bytes);
    n = PL_MIN(records->padding, bytes.len);
    records->padding -= n;
    return (ssize_t)n;
}
