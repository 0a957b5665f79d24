/* test_fcgi_record.c - FastCGI as bytes: heads, bodies, name-value pairs. */
#include "check.h"

#include "base/error.h"
#include "base/str.h"
#include "fcgi/record.h"

/* ---- heads ---- */

static void test_fcgi_record__reads_what_it_writes(void **state)
{
    char bytes[PL_FCGI_HEAD], *end;
    struct pl_fcgi_record record;

    (void)state;
    end = pl_fcgi_put_head(bytes, PL_FCGI_STDOUT, 0xfedc, 0xba98);
    CHECK_INT(PL_FCGI_HEAD, end - bytes, "size");
    pl_fcgi_record_read(&record, bytes);
    CHECK_INT(PL_FCGI_VERSION, record.version, "version");
    CHECK_INT(PL_FCGI_STDOUT, record.type, "type");
    CHECK_INT(0xfedc, record.id, "id");
    CHECK_INT(0xba98, record.length, "length");
    CHECK_INT(0, record.padding, "padding");
    bytes[6] = (char)255;
    bytes[7] = 1;
    pl_fcgi_record_read(&record, bytes);
    CHECK_INT(255, record.padding, "padding; the reserved byte is nothing");
}

static const struct {
    const char *what;
    struct pl_fcgi_record record; /* id, length, padding, type, version */
    int want;
} heads[] = {
    {"BEGIN_REQUEST", {1, 8, 0, PL_FCGI_BEGIN_REQUEST, 1}, 0},
    {"... padded", {65535, 8, 255, PL_FCGI_BEGIN_REQUEST, 1}, 0},
    {"... on 0", {0, 8, 0, PL_FCGI_BEGIN_REQUEST, 1}, PL_ERR_PROTO},
    {"... short", {1, 7, 0, PL_FCGI_BEGIN_REQUEST, 1}, PL_ERR_PROTO},
    {"... long", {1, 9, 0, PL_FCGI_BEGIN_REQUEST, 1}, PL_ERR_PROTO},
    {"version 0", {1, 8, 0, PL_FCGI_BEGIN_REQUEST, 0}, PL_ERR_PROTO},
    {"version 2", {1, 8, 0, PL_FCGI_BEGIN_REQUEST, 2}, PL_ERR_PROTO},
    {"ABORT_REQUEST", {1, 0, 0, PL_FCGI_ABORT_REQUEST, 1}, 0},
    {"... on 0", {0, 0, 0, PL_FCGI_ABORT_REQUEST, 1}, PL_ERR_PROTO},
    {"END_REQUEST", {1, 8, 0, PL_FCGI_END_REQUEST, 1}, 0},
    {"... empty", {1, 0, 0, PL_FCGI_END_REQUEST, 1}, PL_ERR_PROTO},
    {"PARAMS", {1, 65535, 7, PL_FCGI_PARAMS, 1}, 0},
    {"... at their end", {1, 0, 0, PL_FCGI_PARAMS, 1}, 0},
    {"... on 0", {0, 10, 0, PL_FCGI_PARAMS, 1}, PL_ERR_PROTO},
    {"STDIN on 0", {0, 10, 0, PL_FCGI_STDIN, 1}, PL_ERR_PROTO},
    {"STDOUT on 0", {0, 10, 0, PL_FCGI_STDOUT, 1}, PL_ERR_PROTO},
    {"STDERR on 0", {0, 10, 0, PL_FCGI_STDERR, 1}, PL_ERR_PROTO},
    {"DATA on 0", {0, 10, 0, PL_FCGI_DATA, 1}, PL_ERR_PROTO},
    {"GET_VALUES", {0, 100, 0, PL_FCGI_GET_VALUES, 1}, 0},
    {"... on 1", {1, 100, 0, PL_FCGI_GET_VALUES, 1}, PL_ERR_PROTO},
    {"... answered", {0, 100, 0, PL_FCGI_GET_VALUES_RESULT, 1}, 0},
    {"UNKNOWN_TYPE", {0, 8, 0, PL_FCGI_UNKNOWN_TYPE, 1}, 0},
    {"... on 1", {1, 8, 0, PL_FCGI_UNKNOWN_TYPE, 1}, PL_ERR_PROTO},
    {"unknown, on 0", {0, 3, 0, 12, 1}, 0},
    {"unknown, on 1", {1, 3, 0, 255, 1}, 0},
    {"no type", {1, 3, 0, 0, 1}, 0},
};

static void test_fcgi_record__checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(heads); i++)
        CHECK_INT(heads[i].want, pl_fcgi_record_check(&heads[i].record),
                  heads[i].what);
}

/* ---- bodies ---- */

static void test_fcgi_record__begins_and_ends(void **state)
{
    char bytes[PL_FCGI_SMALL];
    struct pl_fcgi_record record;
    struct pl_fcgi_begin begin;
    struct pl_fcgi_end end;

    (void)state;
    CHECK_INT(
        PL_FCGI_SMALL,
        pl_fcgi_put_begin(bytes, 513, PL_FCGI_AUTHORIZER, PL_FCGI_KEEP_CONN) -
            bytes,
        "begin: size");
    pl_fcgi_record_read(&record, bytes);
    CHECK_INT(0, pl_fcgi_record_check(&record), "begin: head");
    CHECK_INT(513, record.id, "begin: id");
    pl_fcgi_begin_read(&begin, bytes + PL_FCGI_HEAD);
    CHECK_INT(PL_FCGI_AUTHORIZER, begin.role, "role");
    CHECK_INT(PL_FCGI_KEEP_CONN, begin.flags, "flags");

    pl_fcgi_put_end(bytes, 7, 0xfedcba98, PL_FCGI_OVERLOADED);
    pl_fcgi_record_read(&record, bytes);
    CHECK_INT(0, pl_fcgi_record_check(&record), "end: head");
    pl_fcgi_end_read(&end, bytes + PL_FCGI_HEAD);
    CHECK_INT(0xfedcba98, end.app_status, "app status");
    CHECK_INT(PL_FCGI_OVERLOADED, end.status, "status");

    pl_fcgi_put_unknown_type(bytes, 200);
    pl_fcgi_record_read(&record, bytes);
    CHECK_INT(0, pl_fcgi_record_check(&record), "unknown: head");
    CHECK_INT(200, (unsigned char)bytes[PL_FCGI_HEAD], "unknown: type");
}

/* ---- pairs ---- */

static const struct {
    size_t name, value, size;
} pairs[] = {
    {0, 0, 2},       {1, 0, 3},       {0, 1, 3},
    {127, 127, 256}, {128, 1, 134},   {1, 128, 134},
    {128, 128, 264}, {255, 256, 519}, {300, 65536, 65844},
};

static void test_fcgi_record__pairs_come_back(void **state)
{
    static char room[80000], text[70000];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < PL_COUNT(pairs); i++) {
        size_t size = pl_fcgi_pair_size(pairs[i].name, pairs[i].value), need;
        struct pl_fcgi_pair pair;
        struct pl_str rest = pl_str(room, size);

        CHECK_INT(pairs[i].size, size, "size");
        CHECK_INT(size,
                  pl_fcgi_put_pair(room, pl_str(text, pairs[i].name),
                                   pl_str(text, pairs[i].value)) -
                      room,
                  "written");
        CHECK_INT(0, pl_fcgi_pair_read(&rest, &pair, &need), "read");
        CHECK_INT(pairs[i].name, pair.name.len, "name");
        CHECK_INT(pairs[i].value, pair.value.len, "value");
        CHECK_INT(0, rest.len, "nothing is left");
    }
}

/* Cut anywhere, a pair asks for more: at least one byte, never too many. */
static void test_fcgi_record__pairs_are_cut(void **state)
{
    char room[300], value[200];
    size_t size = pl_fcgi_pair_size(4, sizeof(value)), need;
    struct pl_fcgi_pair pair;

    (void)state;
    memset(value, 'v', sizeof(value));
    pl_fcgi_put_pair(room, PL_STR("NAME"), pl_str(value, sizeof(value)));
    for (size_t n = 1; n < size; n++) {
        struct pl_str rest = pl_str(room, n);

        CHECK_INT(PL_ERR_AGAIN, pl_fcgi_pair_read(&rest, &pair, &need), "cut");
        CHECK_INT(n, rest.len, "stays");
        CHECK(need > n && need <= size, "what it needs");
    }
}

static void test_fcgi_record__lengths_beyond_the_data(void **state)
{
    struct pl_str rest = pl_str("\xff\xff\xff\xff\xff\xff\xff\xffxyz", 11);
    struct pl_fcgi_pair pair;
    size_t need;

    (void)state;
    CHECK_INT(PL_ERR_AGAIN, pl_fcgi_pair_read(&rest, &pair, &need), "cut");
    CHECK_INT(8 + 2 * (size_t)PL_FCGI_PAIR_MAX, need, "without overflow");
    rest = PL_STR("\001\001AB\000\001C");
    CHECK_INT(0, pl_fcgi_pair_read(&rest, &pair, &need), "first");
    CHECK(pl_str_eq(pair.name, PL_STR("A")), "name");
    CHECK(pl_str_eq(pair.value, PL_STR("B")), "value");
    CHECK_INT(0, pl_fcgi_pair_read(&rest, &pair, &need), "second");
    CHECK_INT(0, pair.name.len, "without a name");
    CHECK(pl_str_eq(pair.value, PL_STR("C")), "value");
}

RUN_TESTS(cmocka_unit_test(test_fcgi_record__reads_what_it_writes),
          cmocka_unit_test(test_fcgi_record__checks),
          cmocka_unit_test(test_fcgi_record__begins_and_ends),
          cmocka_unit_test(test_fcgi_record__pairs_come_back),
          cmocka_unit_test(test_fcgi_record__pairs_are_cut),
          cmocka_unit_test(test_fcgi_record__lengths_beyond_the_data))
