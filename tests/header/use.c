/* use.c - perilune.h as its users compile it: C99 without extensions, and C++
 * (use.cpp). Only compiled; tests/unit/test_app.c runs such things. */
#include <perilune.h>

struct moon {
    struct pl_str name;
    const struct pl_str *craters;
    size_t ncraters;
};

struct probe {
    char name[16];
    double mass;
    unsigned short port;
    struct moon seen[4];
    size_t nseen;
};

static const struct pl_field crater = PL_FIELD_ITEM(STR, struct pl_str);
static const struct pl_field moon_fields[] = {
    PL_FIELD(STR, struct moon, name),
    PL_FIELD_LIST("craters", struct moon, craters, ncraters, &crater),
    PL_FIELD_END,
};
static const struct pl_field moon = PL_FIELD_OF(struct moon, moon_fields);

static const struct pl_field probe_fields[] = {
    PL_FIELD(CHARS, struct probe, name),
    PL_FIELD(REAL, struct probe, mass),
    PL_FIELD_SUB(UINT, "Port", struct probe, port, NULL),
    PL_FIELD_LIST_INLINE("seen", struct probe, seen, nseen, &moon),
    PL_FIELD_END,
};
static const struct pl_field probe = PL_FIELD_OF(struct probe, probe_fields);

static int on_moon(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct moon luna = {PL_STR("Luna"), NULL, 0};

    (void)req;
    return pl_respond_template(res, 200, (const struct pl_template_set *)arg,
                               &moon, &luna);
}

static int on_probe(struct pl_request *req, struct pl_response *res, void *arg)
{
    const struct pl_json *body;
    int64_t mass = 1;
    int err = pl_request_json(req, NULL, &body, NULL);

    if (err < 0 || !pl_json_to_i64(pl_json_get(body, PL_STR("mass")), &mass))
        return 400;
    return pl_respond_json(res, 200, &probe, arg);
}

static int on_request(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    struct pl_str name = pl_request_arg(req, PL_STR("name"));

    (void)arg;
    if (pl_str_eq(name, pl_str_c("nobody")))
        return PL_ERR_NOT_FOUND;
    return pl_respondf(res, 200, "text/plain", "Hi, %.*s!", PL_STR_ARG(name));
}

static int on_filter(struct pl_request *req, struct pl_response *res,
                     const struct pl_next *next, void *arg)
{
    (void)res;
    (void)arg;
    return pl_next(req, next);
}

struct pl_app *use(void);

struct pl_app *use(void)
{
    struct pl_app *app = pl_app_new();
    struct pl_cache_options options = {
        sizeof(options), 1000, 0, NULL, NULL, NULL};

    pl_cache_new(app, &options);
    pl_app_use(app, on_filter, NULL);
    pl_app_get(app, "/", on_request, NULL);
    pl_app_get(app, "/moon", on_moon, NULL);
    pl_app_post(app, "/probe", on_probe, NULL);
    return app;
}
