/* test_range.c - byte ranges and multipart/byteranges (RFC 9110, 14). */
#include "check.h"

#include "http/range.h"

static const struct {
    const char *field;
    uint64_t size;
    const char *want; /* "first-last ..." in order; "whole"; "416" */
} ranges[] = {
    /* the examples of RFC 9110, 14.1.2 */
    {"bytes=0-499", 10000, "0-499 "},
    {"bytes=500-999", 10000, "500-999 "},
    {"bytes=-500", 10000, "9500-9999 "},
    {"bytes=9500-", 10000, "9500-9999 "},
    {"bytes=0-0,-1", 10000, "0-0 9999-9999 "},
    {"bytes= 0-999, 4500-5499, -1000", 10000, "0-999 4500-5499 9000-9999 "},
    {"bytes=500-600,601-999", 10000, "500-999 "},
    {"bytes=500-700,601-999", 10000, "500-999 "},
    /* one range */
    {"bytes=0-0", 1, "0-0 "},
    {"bytes=0-", 1, "0-0 "},
    {"bytes=0-99", 50, "0-49 "}, /* cut at the end */
    {"bytes=49-49", 50, "49-49 "},
    {"bytes=-50", 50, "0-49 "},
    {"bytes=-51", 50, "0-49 "}, /* longer than it all */
    {"BYTES=1-2", 50, "1-2 "},  /* units are case-insensitive (14.1) */
    {"bytes=00001-0000002", 50, "1-2 "},
    {"bytes=0-18446744073709551615", 50, "0-49 "},
    {"bytes=0-99999999999999999999999", 50, "0-49 "},
    {"bytes=-99999999999999999999999", 50, "0-49 "},
    {"bytes=4611686018427387904-", (uint64_t)1 << 63,
     "4611686018427387904-9223372036854775807 "},
    /* 416 */
    {"bytes=50-", 50, "416"},
    {"bytes=50-60", 50, "416"},
    {"bytes=-0", 50, "416"},
    {"bytes=99999999999999999999999-", 50, "416"},
    {"bytes=60-70, 80-90, -0", 50, "416"},
    {"bytes=0-0, 60-", 50, "0-0 "}, /* one is enough */
    {"bytes=60-, 0-0", 50, "0-0 "},
    /* of nothing */
    {"bytes=0-", 0, "416"},
    {"bytes=0-0", 0, "416"},
    {"bytes=-1", 0, "whole"},
    {"bytes=0-,-1", 0, "whole"},
    /* malformed: the field is ignored (14.2) */
    {"", 50, "whole"},
    {"bytes", 50, "whole"},
    {"bytes=", 50, "whole"},
    {"bytes=,", 50, "whole"},
    {"bytes=-", 50, "whole"},
    {"bytes=1", 50, "whole"},
    {"bytes=a-b", 50, "whole"},
    {"bytes=1-b", 50, "whole"},
    {"bytes=2-1", 50, "whole"}, /* 14.1.1: invalid */
    {"bytes=60-59", 50, "whole"},
    {"bytes=1-2-3", 50, "whole"},
    {"bytes=--1", 50, "whole"},
    {"bytes=+1-2", 50, "whole"},
    {"bytes=1 - 2", 50, "whole"},
    {"bytes=0x1-2", 50, "whole"},
    {"bytes 1-2", 50, "whole"},
    {"bytes =1-2", 50, "whole"},
    {" bytes=1-2", 50, "whole"},
    {"bytes=1-2;", 50, "whole"},
    {"bytes=1-2, x", 50, "whole"},
    {"bytes=1-2,bytes=3-4", 50, "whole"},
    {"items=1-2", 50, "whole"}, /* another unit */
    {"bytesx=1-2", 50, "whole"},
    /* several, made one where they meet */
    {"bytes=,0-1,,3-4,", 50, "0-1 3-4 "},
    {"bytes=3-4,0-1", 50, "3-4 0-1 "}, /* in the order asked for (15.3.7.2) */
    {"bytes=10-19,0-9", 50, "0-19 "},
    {"bytes=0-9,20-29,10-19", 50, "0-29 "},
    {"bytes=30-39,0-9,20-29,10-19", 50, "0-39 "},
    {"bytes=40-,0-9,30-31,5-14", 50, "40-49 0-14 30-31 "},
    {"bytes=0-9,0-9,0-9", 50, "0-9 "},           /* two overlaps: forgiven */
    {"bytes=0-9,0-9,0-9,0-9", 50, "whole"},      /* three: not */
    {"bytes=0-,1-,2-,3-,4-", 50, "whole"},       /* CVE-2011-3192 */
    {"bytes=0-9,20-29,40-49,0-49", 50, "whole"}, /* overlaps three */
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
     "24-24,26-26,28-28,30-30",
     50,
     "0-0 2-2 4-4 6-6 8-8 10-10 12-12 14-14 16-16 18-18 20-20 22-22 24-24 "
     "26-26 28-28 30-30 "},
    {"bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,"
     "24-24,26-26,28-28,30-30,32-32",
     50, "whole"}, /* 17 */
};

static const char *show(enum pl_range_result result,
                        const struct pl_range *range, unsigned n)
{
    static char out[512];

    out[0] = '\0';
    if (result != PL_RANGE_PARTS)
        return result == PL_RANGE_WHOLE ? "whole" : "416";
    for (unsigned i = 0; i < n; i++)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%llu-%llu ",
                 (unsigned long long)range[i].first,
                 (unsigned long long)(range[i].first + range[i].len - 1));
    return out;
}

static void test_range__fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(ranges); i++) {
        struct pl_range out[PL_RANGE_MAX];
        enum pl_range_result result;
        unsigned n;

        result = pl_range_parse(pl_str_c(ranges[i].field), ranges[i].size, out,
                                PL_RANGE_MAX, &n);
        CHECK_STR(ranges[i].want, pl_str_c(show(result, out, n)),
                  ranges[i].field);
    }
}

static void test_range__absent_and_too_many_for_the_caller(void **state)
{
    struct pl_range out[1];
    unsigned n;

    (void)state;
    CHECK_INT(PL_RANGE_WHOLE, pl_range_parse(pl_str(NULL, 0), 9, out, 1, &n),
              "no field");
    CHECK_INT(PL_RANGE_PARTS,
              pl_range_parse(PL_STR("bytes=1-2"), 9, out, 1, &n), "one");
    CHECK_INT(PL_RANGE_WHOLE,
              pl_range_parse(PL_STR("bytes=1-2,4-5"), 9, out, 1, &n), "two");
}

/* Every pair and triple of small ranges covers exactly the bytes it names, and
 * what comes out neither overlaps nor touches. */
static void check_cover(const struct pl_range *in, unsigned count)
{
    bool want[8] = {false}, got[9] = {false};
    struct pl_range out[PL_RANGE_MAX];
    enum pl_range_result result;
    char field[64] = "bytes=";
    unsigned n;

    for (unsigned i = 0; i < count; i++) {
        snprintf(field + strlen(field), sizeof(field) - strlen(field), "%u-%u,",
                 (unsigned)in[i].first,
                 (unsigned)(in[i].first + in[i].len - 1));
        memset(want + in[i].first, true, in[i].len);
    }
    result = pl_range_parse(pl_str_c(field), 8, out, PL_RANGE_MAX, &n);
    CHECK_INT(PL_RANGE_PARTS, result, field);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < n; j++)
            CHECK(i == j || out[i].first + out[i].len < out[j].first ||
                      out[j].first + out[j].len < out[i].first,
                  field);
        memset(got + out[i].first, true, out[i].len);
    }
    CHECK(memcmp(want, got, sizeof(want)) == 0, field);
}

static void test_range__cover_what_was_asked_for(void **state)
{
    struct pl_range small[36], in[3];
    unsigned count = 0;

    (void)state;
    for (unsigned first = 0; first < 8; first++)
        for (unsigned len = 1; first + len <= 8; len++)
            small[count++] = (struct pl_range){first, len};
    CHECK_INT(36, count, "all ranges of 8 bytes");
    for (unsigned i = 0; i < count * count * count; i++) {
        in[0] = small[i % count];
        in[1] = small[i / count % count];
        in[2] = small[i / count / count];
        check_cover(in, 3);
    }
}

static void test_range__content_range(void **state)
{
    char out[PL_CONTENT_RANGE_MAX];
    struct pl_range range = {0, UINT64_MAX};

    (void)state;
    CHECK_INT(PL_CONTENT_RANGE_MAX,
              pl_content_range_format(
                  out, &(struct pl_range){UINT64_MAX - 1, 1}, UINT64_MAX),
              "the longest fits");
    CHECK_STR("bytes 0-18446744073709551614/18446744073709551615",
              pl_str(out, pl_content_range_format(out, &range, UINT64_MAX)),
              "large");
    range = (struct pl_range){42, 1192};
    CHECK_STR("bytes 42-1233/1234",
              pl_str(out, pl_content_range_format(out, &range, 1234)), "14.4");
    CHECK_STR("bytes */1234",
              pl_str(out, pl_content_range_format(out, NULL, 1234)), "416");
}

static void test_multipart__has_the_length_it_promised(void **state)
{
    const struct pl_range parts[] = {{0, 3}, {7, 2}, {100000, 1}};
    unsigned char random[PL_MULTIPART_RANDOM];
    struct pl_multipart mp;
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (unsigned char)(i * 17);
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&buf, &pool, NULL, 0);
    pl_multipart_init(&mp, PL_STR("text/plain"), 123456, random);
    for (unsigned i = 0; i < PL_COUNT(parts); i++) {
        CHECK_INT(0, pl_multipart_head(&mp, &parts[i], &buf), "head");
        for (uint64_t n = 0; n < parts[i].len; n++)
            pl_buf_addc(&buf, 'x');
    }
    CHECK_INT(0, pl_multipart_end(&mp, &buf), "end");
    CHECK_INT(buf.len, pl_multipart_length(&mp, parts, 3), "length");
#define BOUNDARY "00112233445566778899aabbccddeeff"
    CHECK_STR("\r\n--" BOUNDARY "\r\nContent-Type: text/plain"
              "\r\nContent-Range: bytes 0-2/123456\r\n\r\nxxx"
              "\r\n--" BOUNDARY "\r\nContent-Type: text/plain"
              "\r\nContent-Range: bytes 7-8/123456\r\n\r\nxx"
              "\r\n--" BOUNDARY "\r\nContent-Type: text/plain"
              "\r\nContent-Range: bytes 100000-100000/123456\r\n\r\nx"
              "\r\n--" BOUNDARY "--\r\n",
              pl_buf_str(&buf), "body (RFC 9110, 14.6)");
    buf.len = 0;
    CHECK_INT(0, pl_multipart_type(&mp, &buf), "type");
    CHECK_STR("multipart/byteranges; boundary=" BOUNDARY, pl_buf_str(&buf),
              "Content-Type");
    mp.content_type = pl_str(NULL, 0);
    buf.len = 0;
    pl_multipart_head(&mp, &parts[0], &buf);
    pl_multipart_end(&mp, &buf);
    CHECK_INT(buf.len + parts[0].len, pl_multipart_length(&mp, parts, 1),
              "without a type");
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_range__fields),
          cmocka_unit_test(test_range__absent_and_too_many_for_the_caller),
          cmocka_unit_test(test_range__cover_what_was_asked_for),
          cmocka_unit_test(test_range__content_range),
          cmocka_unit_test(test_multipart__has_the_length_it_promised))
