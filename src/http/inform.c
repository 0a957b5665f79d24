/* inform.c - informational responses before the real one (RFC 9110, 15.2;
 * RFC 8297). */
#include "base/error.h"
#include "base/str.h"
#include "http/request.h"

enum { FIELDS_MAX = 100 };

/* 100 is the wire's own, and 101 leaves HTTP. */
static bool is_informational(int status)
{
    return status >= 102 && status <= 199;
}

static int check(const struct pl_pair *field, struct pl_header *header)
{
    struct pl_str name = field->name, value = field->value;
    enum pl_header_id id;

    if (name.len > UINT16_MAX || value.len > UINT32_MAX ||
        !pl_header_name_valid(name) || value.data == NULL ||
        !pl_header_value_valid(value))
        return PL_ERR_INVALID;
    id = pl_header_lookup(name);
    if (pl_header_is_framing(id) || id == PL_HEADER_CONTENT_LENGTH)
        return PL_ERR_DENIED;
    *header = (struct pl_header){.name = name.data,
                                 .value = value.data,
                                 .value_len = (uint32_t)value.len,
                                 .name_len = (uint16_t)name.len,
                                 .id = (uint8_t)id};
    return 0;
}

int pl_response_informational(struct pl_response *res, int status,
                              const struct pl_pair *fields, size_t n)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    struct pl_header *headers;
    int err = 0;

    if (res->started)
        return PL_ERR_STATE;
    if (!is_informational(status) || n > FIELDS_MAX)
        return PL_ERR_INVALID;
    headers = pl_arena_alloc(&req->arena, (n + 1) * sizeof(*headers));
    if (headers == NULL)
        return PL_ERR_NOMEM;
    for (size_t i = 0; err == 0 && i < n; i++)
        err = check(&fields[i], &headers[i]);
    if (err < 0)
        return err;
    if (req->wire == NULL)
        return PL_ERR_CLOSED;
    if (req->wire->inform == NULL)
        return 0; /* it would be lost on the way anyhow */
    return req->wire->inform(req, status, headers, (unsigned)n);
}
