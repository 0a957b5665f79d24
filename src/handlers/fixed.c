#include "handlers/fixed.h"

#include "base/str.h"
#include "base/sys.h"
#include "http/request.h"

struct field {
    struct pl_str name, value;
};

struct fixed {
    struct pl_handler handler;
    int status;
    struct pl_str type;
    struct pl_str body; /* absent: none */
    unsigned count;
    struct field fields[]; /* and their texts behind them */
};

static int answer(const struct fixed *self, struct pl_request *req)
{
    struct pl_response *res = &req->response;
    int err = 0;

    for (unsigned i = 0; i < self->count && err == 0; i++)
        err = pl_response_add(res, self->fields[i].name, self->fields[i].value);
    if (err < 0)
        return err;
    if (self->body.data == NULL && self->status >= 400)
        return pl_response_error(res, self->status, pl_str(NULL, 0));
    err = pl_response_status(res, self->status);
    if (err == 0 && self->body.data != NULL) {
        res->type = self->type;
        err = pl_response_bytes(res, self->body, NULL, NULL);
    }
    return err;
}

static void start(struct pl_handler *handler, struct pl_request *req,
                  struct pl_then *then)
{
    then->done(then, req,
               answer(PL_CONTAINER_OF(handler, struct fixed, handler), req));
}

static void free_self(struct pl_handler *handler)
{
    pl_free(PL_CONTAINER_OF(handler, struct fixed, handler));
}

/* ---- making one ---- */

static bool is_field(const char *name, const char *value)
{
    enum pl_header_id id = pl_header_lookup(pl_str_c(name));

    return pl_header_name_valid(pl_str_c(name)) &&
           pl_header_value_valid(pl_str_c(value)) &&
           !pl_header_is_framing(id) && id != PL_HEADER_CONTENT_LENGTH;
}

/* Of "name", "value", ..., NULL; *wrong is a name with which something is. */
static unsigned count_fields(const char *const *headers, size_t *size,
                             const char **wrong)
{
    unsigned n = 0;

    *wrong = NULL;
    for (; headers != NULL && headers[2 * n] != NULL; n++) {
        const char *name = headers[2 * n], *value = headers[2 * n + 1];

        if (value == NULL || !is_field(name, value)) {
            *wrong = name;
            return n;
        }
        *size += strlen(name) + strlen(value);
    }
    return n;
}

static struct pl_str put(char **at, struct pl_str text)
{
    char *start_of = *at;

    if (text.data == NULL)
        return text;
    *at = mempcpy(start_of, text.data, text.len);
    return pl_str(start_of, text.len);
}

static struct pl_str type_of(const struct pl_fixed_options *options)
{
    if (options->type != NULL)
        return pl_str_c(options->type);
    return pl_str_starts(options->body, PL_STR("<"))
               ? PL_STR("text/html; charset=utf-8")
               : PL_STR("text/plain; charset=utf-8");
}

static int refuse(const struct pl_fixed_options *options, const char *field,
                  struct pl_error *error)
{
    if (options->status != 0 &&
        (options->status < 200 || options->status > 599))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "a status is from 200 to 599");
    if (field != NULL)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "'%.64s' is not a field that can be set", field);
    if (!pl_header_value_valid(type_of(options)))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "the type is not a header value");
    return 0;
}

struct pl_handler *pl_fixed_new(const struct pl_fixed_options *options,
                                struct pl_error *error)
{
    struct pl_str type = type_of(options);
    size_t size = type.len + options->body.len;
    const char *wrong;
    unsigned n = count_fields(options->headers, &size, &wrong);
    struct fixed *self;
    char *at;

    if (refuse(options, wrong, error) < 0)
        return NULL;
    self = pl_malloc(sizeof(*self) + n * sizeof(struct field) + size);
    if (self == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    at = (char *)&self->fields[n];
    *self = (struct fixed){
        .handler = {.kind = "response", .start = start, .free = free_self},
        .status = options->status == 0 ? 200 : options->status,
        .type = put(&at, type),
        .body = put(&at, options->body),
        .count = n};
    for (unsigned i = 0; i < n; i++) {
        self->fields[i].name = put(&at, pl_str_c(options->headers[2 * i]));
        self->fields[i].value = put(&at, pl_str_c(options->headers[2 * i + 1]));
    }
    return &self->handler;
}
