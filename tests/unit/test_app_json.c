/* test_app_json.c - JSON of a C program's requests and responses. */
#include "app_world.h"

#include <math.h>

struct moon {
    struct pl_str name;
    double radius;
    const struct moon *next;
};

static const struct pl_field moon_type;
static const struct pl_field moon_fields[] = {
    PL_FIELD(STR, struct moon, name),
    PL_FIELD(REAL, struct moon, radius),
    PL_FIELD_SUB(PTR, "next", struct moon, next, &moon_type),
    PL_FIELD_END,
};
static const struct pl_field moon_type = PL_FIELD_OF(struct moon, moon_fields);
static const struct moon deimos = {PL_STR("<Deimos>"), 6.2, NULL};
static const struct moon phobos = {PL_STR("Phobos"), 11.1, &deimos};

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    return pl_respond_json(res, 201, &moon_type, &phobos);
}

/* What was said before is forgotten, but not the type. */
static int show_twice(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    pl_respond_json(res, 500, &moon_type, NULL);
    pl_response_set(res, PL_STR("Content-Type"),
                    PL_STR("application/hal+json"));
    return pl_respond_json(res, 200, &moon_type, &deimos);
}

static int show_nan(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct moon vague = {PL_STR("?"), NAN, NULL};

    return pl_respond_json(res, 200, &moon_type, &vague);
}

/* As deep as it goes, on the stack of a fiber. */
static int show_deep(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct moon *chain = pl_alloc(req, 200 * sizeof(*chain));
    uint64_t n;

    CHECK(pl_str_to_u64(pl_request_arg(req, PL_STR("n")), &n), "n");
    memset(chain, 0, 200 * sizeof(*chain));
    for (uint64_t i = 1; i < n; i++)
        chain[i - 1].next = &chain[i];
    return pl_respond_json(res, 200, &moon_type, chain);
}

/* Sums the numbers of a list, and returns them. */
static int sum(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_json_builder *json = pl_json_builder_new(req, 0);
    struct pl_json_error error;
    const struct pl_json *body;
    int64_t number, total = 0;
    int err = pl_request_json(req, NULL, &body, &error);

    if (err == PL_ERR_PROTO)
        return pl_respond_error(
            res, 400,
            pl_printf(req, "byte %zu: %s", error.offset, error.text).data);
    if (err < 0)
        return err;
    for (const struct pl_json *item = pl_json_first(body); item != NULL;
         item = pl_json_next(item))
        if (pl_json_to_i64(item, &number))
            total += number;
    pl_json_begin_object(json);
    pl_json_key(json, PL_STR("sum"));
    pl_json_add_i64(json, total);
    pl_json_key(json, PL_STR("of"));
    pl_json_add_value(json, body);
    pl_json_end(json);
    return pl_respond_json_built(res, 200, json);
}

static int show_half(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_json_builder *json = pl_json_builder_new(req, 0);

    pl_json_begin_array(json);
    return pl_respond_json_built(res, 200, json);
}

/* A list that nobody has in memory. */
static int stream(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_json_builder *json = pl_json_builder_new(req, 0);
    int err = 0;

    pl_json_begin_array(json);
    for (int i = 0; err == 0 && i < 100000; i++) {
        pl_json_add_i64(json, i);
        if (i % 1000 == 0)
            err = pl_response_write_json(res, json);
    }
    pl_json_end(json);
    return err < 0 ? err : pl_response_write_json(res, json);
}

static int parse_many(struct pl_request *req, struct pl_response *res,
                      void *arg)
{
    const struct pl_json *value;
    char *text = pl_alloc(req, 8 << 10);

    memset(text, '1', 8 << 10);
    for (int i = 0; i < 8 << 10; i += 2)
        text[i] = i == 0 ? '[' : ',';
    text[(8 << 10) - 1] = ']';
    text[(8 << 10) - 2] = '1';
    return pl_json_parse(req, (struct pl_str){text, 8 << 10}, NULL, &value,
                         NULL);
}

static void serve_json(const char *memory)
{
    app = pl_app_new();
    pl_app_set(app, "workers", "1");
    pl_app_set(app, "max_body", "1m");
    if (memory != NULL)
        pl_app_set(app, "request_memory", memory);
    pl_app_get(app, "/show", show, NULL);
    pl_app_get(app, "/twice", show_twice, NULL);
    pl_app_get(app, "/nan", show_nan, NULL);
    pl_app_get(app, "/deep", show_deep, NULL);
    pl_app_get(app, "/half", show_half, NULL);
    pl_app_get(app, "/stream", stream, NULL);
    pl_app_get(app, "/many", parse_many, NULL);
    pl_app_post(app, "/sum", sum, NULL);
    start_app();
}

static void test_app_json__structs_are_written(void **state)
{
    (void)state;
    serve_json(NULL);
    check_body("{\"name\":\"Phobos\",\"radius\":11.1,\"next\":"
               "{\"name\":\"<Deimos>\",\"radius\":6.2,\"next\":null}}",
               "/show");
    CHECK_INT(201, status_of(answer), "status");
    check_line("Content-Type: application/json", "type");
    check_body("{\"name\":\"<Deimos>\",\"radius\":6.2,\"next\":null}",
               "/twice");
    CHECK_INT(200, status_of(answer), "status");
    check_line("Content-Type: application/hal+json", "type");
    CHECK_INT(500, status_of(ask("GET", "/nan", "", "")), "nan");
    CHECK_INT(200, status_of(ask("GET", "/deep?n=128", "", "")), "128 levels");
    CHECK_INT(413, status_of(ask("GET", "/deep?n=129", "", "")), "129");
    CHECK_INT(500, status_of(ask("GET", "/half", "", "")), "not complete");
    stop_app();
}

static void test_app_json__bodies_are_read(void **state)
{
    (void)state;
    serve_json(NULL);
    CHECK_STR("{\"sum\":6,\"of\":[1,\"x\",2,{\"y\":7},3]}",
              body_of(ask("POST", "/sum", "",
                          " [1, \"\\u0078\", 2, {\"y\":7}, 3]\n")),
              "sum");
    check_line("Content-Type: application/json", "type");
    CHECK_INT(400, status_of(ask("POST", "/sum", "", "[1, 2")), "cut");
    CHECK(strstr(answer, "byte 5: unexpected end") != NULL, answer);
    CHECK_INT(400, status_of(ask("POST", "/sum", "", "")), "no body");
    CHECK(strstr(answer, "byte 0: unexpected end") != NULL, answer);
    stop_app();
}

static void test_app_json__a_stream_takes_the_memory_of_a_piece(void **state)
{
    static char want[1 << 20], got[1 << 20];
    size_t n = 0, len = 0, size;
    const char *at;
    int used;

    (void)state;
    for (int i = 0; i < 100000; i++)
        n += (size_t)snprintf(want + n, 16, "%c%d", i == 0 ? '[' : ',', i);
    want[n++] = ']';
    serve_json("64k");
    at = body_of(ask("GET", "/stream", "", "")).data;
    check_line("Content-Type: application/json", "type");
    while (sscanf(at, "%zx\r\n%n", &size, &used) == 1 && size > 0) {
        memcpy(got + len, at + used, size);
        len += size;
        at += used + (ptrdiff_t)size + 2;
    }
    CHECK(len == n && memcmp(want, got, n) == 0, "all numbers");
    stop_app();
}

static void test_app_json__values_count_as_memory_of_the_request(void **state)
{
    (void)state;
    serve_json("48k");
    CHECK_INT(413, status_of(ask("GET", "/many", "", "")), "65 KiB of nodes");
    stop_app();
    serve_json("256k");
    CHECK_INT(200, status_of(ask("GET", "/many", "", "")), "fits");
    stop_app();
}

RUN_TESTS(
    cmocka_unit_test(test_app_json__structs_are_written),
    cmocka_unit_test(test_app_json__bodies_are_read),
    cmocka_unit_test(test_app_json__a_stream_takes_the_memory_of_a_piece),
    cmocka_unit_test(test_app_json__values_count_as_memory_of_the_request))
