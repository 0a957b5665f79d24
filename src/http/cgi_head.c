#include "http/cgi_head.h"

#include "base/error.h"
#include "base/str.h"

enum { FIELDS_MAX = 100 };

struct head {
    struct pl_response *res;
    int status; /* 0: not said */
    bool leads; /* there is a Location */
    unsigned nfields;
};

/* "404 Not Found", "404" */
static int read_status(struct pl_str value, int *status)
{
    uint64_t number;

    if (!pl_str_to_u64(pl_str_first(value, 3), &number) || number < 200 ||
        number > 999 || (value.len > 3 && value.data[3] != ' '))
        return PL_ERR_PROTO;
    *status = (int)number;
    return 0;
}

/* What does not concern the message itself is the script's. */
static int add_field(struct pl_response *res, struct pl_str name,
                     struct pl_str value)
{
    enum pl_header_id id = pl_header_lookup(name);
    int err = 0;

    if (id == PL_HEADER_LOCATION) /* only one counts */
        err = pl_response_set(res, name, value);
    else if (id != PL_HEADER_CONTENT_LENGTH)
        err = pl_response_add(res, name, value);
    if (err == PL_ERR_DENIED ||
        (err == PL_ERR_INVALID && id == PL_HEADER_LAST_MODIFIED))
        return 0;
    return err == PL_ERR_INVALID ? PL_ERR_PROTO : err;
}

static int read_line(struct head *head, struct pl_str line)
{
    struct pl_str name, value = line;

    if (++head->nfields > FIELDS_MAX || !pl_str_split(&value, ':', &name) ||
        value.data == NULL || !pl_header_name_valid(name))
        return PL_ERR_PROTO;
    value = pl_str_trim(value);
    if (pl_str_ieq(name, PL_STR("status")))
        return read_status(value, &head->status);
    head->leads |= pl_str_ieq(name, PL_STR("location"));
    return add_field(head->res, name, value);
}

/* The bytes of the head and its empty line, or PL_ERR_AGAIN. */
static ssize_t find_end(struct pl_str text)
{
    struct pl_str rest = text, line;

    while (pl_str_split(&rest, '\n', &line) && rest.data != NULL)
        if (line.len == 0 || (line.len == 1 && line.data[0] == '\r'))
            return (ssize_t)(text.len - rest.len);
    return PL_ERR_AGAIN;
}

ssize_t pl_cgi_read_head(struct pl_response *res, struct pl_str text)
{
    struct head head = {.res = res};
    ssize_t used = find_end(text);
    struct pl_str line;
    int err = 0;

    if (used < 0)
        return used;
    text.len = (size_t)used;
    while (err == 0 && pl_str_split(&text, '\n', &line)) {
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0)
            break;
        err = read_line(&head, line);
    }
    if (err == 0 && head.nfields == 0) /* begins with the empty line */
        err = PL_ERR_PROTO;
    if (err == 0 && head.status == 0 && head.leads)
        head.status = 302;
    if (err == 0 && head.status != 0)
        err = pl_response_status(res, head.status);
    return err < 0 ? err : used;
}
