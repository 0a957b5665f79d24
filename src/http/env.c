/* env.c - the variables of CGI (RFC 3875, 4.1): those that a web server has
 * said by FastCGI, or, of any other request, what one would have said of it. */
#include "http/env.h"

#include "base/str.h"
#include "http/request.h"

enum { OWN_VARIABLES = 20 }; /* beside the fields */

static void add(struct pl_request *req, struct pl_str name, struct pl_str value)
{
    if (value.data != NULL)
        req->env[req->nenv++] = (struct pl_param){name, value};
}

static void add_number(struct pl_request *req, struct pl_str name,
                       unsigned number)
{
    add(req, name, pl_arena_printf(&req->arena, "%u", number));
}

/* ---- the request ---- */

static void add_path(struct pl_request *req)
{
    size_t mount = req->path.len;

    if (req->rest.data != NULL) /* the slash between them is PATH_INFO's */
        mount -= req->rest.len + (req->path.len > req->rest.len);
    add(req, PL_STR("SCRIPT_NAME"), pl_str_first(req->path, mount));
    if (mount < req->path.len)
        add(req, PL_STR("PATH_INFO"), pl_str_skip(req->path, mount));
}

static void add_line(struct pl_request *req)
{
    add(req, PL_STR("GATEWAY_INTERFACE"), PL_STR("CGI/1.1"));
    add(req, PL_STR("SERVER_SOFTWARE"), PL_STR("perilune/" PL_VERSION));
    add(req, PL_STR("REQUEST_METHOD"), req->method_name);
    add(req, PL_STR("REQUEST_URI"), req->target);
    add(req, PL_STR("QUERY_STRING"),
        req->query.data != NULL ? req->query : PL_STR(""));
    add(req, PL_STR("SERVER_PROTOCOL"),
        pl_arena_printf(&req->arena, "HTTP/%u.%u", req->version / 10u,
                        req->version % 10u));
    add(req, PL_STR("REQUEST_SCHEME"), pl_request_scheme(req));
    if (req->secure)
        add(req, PL_STR("HTTPS"), PL_STR("on"));
    add_path(req);
}

/* ---- who ---- */

static void add_server(struct pl_request *req)
{
    char text[PL_ADDR_TEXT];
    struct pl_addr local;
    uint16_t port;
    struct pl_str host = pl_request_host(req, &port);

    if (req->wire != NULL && req->wire->local(req, &local) &&
        local.sa.sa_family != AF_UNIX) {
        struct pl_str address = pl_str(text, pl_addr_format_host(&local, text));

        port = pl_addr_port(&local);
        add(req, PL_STR("SERVER_ADDR"), pl_arena_str(&req->arena, address));
    }
    add(req, PL_STR("SERVER_NAME"), host.data != NULL ? host : PL_STR(""));
    add_number(req, PL_STR("SERVER_PORT"), port);
}

static void add_client(struct pl_request *req)
{
    uint16_t port;

    add(req, PL_STR("REMOTE_ADDR"), pl_request_remote(req, &port));
    add_number(req, PL_STR("REMOTE_PORT"), port);
    if (req->user.len > 0)
        add(req, PL_STR("REMOTE_USER"), req->user);
}

/* ---- the fields ---- */

struct pl_str pl_env_variable(char *out, struct pl_str field)
{
    if (pl_str_ieq(field, PL_STR("proxy")))
        return pl_str(NULL, 0);
    memcpy(out, "HTTP_", PL_ENV_FRONT);
    for (size_t i = 0; i < field.len; i++) {
        unsigned char c = pl_ascii_lower((unsigned char)field.data[i]);

        if (c >= 'a' && c <= 'z')
            out[PL_ENV_FRONT + i] = (char)(c - 'a' + 'A');
        else if (pl_ascii_digit((char)c) || c == '-')
            out[PL_ENV_FRONT + i] = c == '-' ? '_' : (char)c;
        else
            return pl_str(NULL, 0);
    }
    return pl_str(out, PL_ENV_FRONT + field.len);
}

/* Absent also out of memory. */
static struct pl_str variable_of(struct pl_request *req, struct pl_str field)
{
    char *out = pl_arena_bytes(&req->arena, PL_ENV_FRONT + field.len);

    return out == NULL ? pl_str(NULL, 0) : pl_env_variable(out, field);
}

static bool was_before(const struct pl_request *req, unsigned index)
{
    struct pl_str name = pl_header_name(&req->headers[index]);

    for (unsigned i = 0; i < index; i++)
        if (pl_str_ieq(pl_header_name(&req->headers[i]), name))
            return true;
    return false;
}

static void add_field(struct pl_request *req, unsigned index)
{
    struct pl_str name = pl_header_name(&req->headers[index]);
    struct pl_str variable;

    if (was_before(req, index))
        return;
    if (req->headers[index].id == PL_HEADER_CONTENT_TYPE)
        variable = PL_STR("CONTENT_TYPE");
    else if (req->headers[index].id == PL_HEADER_CONTENT_LENGTH)
        variable = PL_STR("CONTENT_LENGTH");
    else
        variable = variable_of(req, name);
    if (variable.data != NULL)
        add(req, variable, pl_request_header(req, name));
}

/* ---- looking ---- */

static bool make(struct pl_request *req)
{
    size_t room = OWN_VARIABLES + (size_t)req->nheaders;

    if (req->env == NULL) {
        req->env = pl_arena_alloc(&req->arena, room * sizeof(*req->env));
        if (req->env == NULL)
            return false;
        add_line(req);
        add_server(req);
        add_client(req);
        for (unsigned i = 0; i < req->nheaders; i++)
            add_field(req, i);
    }
    return true;
}

/* From the last one on: what was said again replaces what was said before, as
 * where nginx includes a list of variables and sets some of them anew. */
struct pl_str pl_request_env(struct pl_request *req, struct pl_str name)
{
    if (make(req))
        for (unsigned i = req->nenv; i > 0; i--)
            if (pl_str_eq(req->env[i - 1].name, name))
                return req->env[i - 1].value;
    return pl_str(NULL, 0);
}

bool pl_request_env_at(struct pl_request *req, unsigned index,
                       struct pl_str *name, struct pl_str *value)
{
    if (!make(req) || index >= req->nenv)
        return false;
    *name = req->env[index].name;
    *value = req->env[index].value;
    return true;
}
