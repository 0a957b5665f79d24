/* test_codecs.c - content codings: round trips in small steps, what a worker
 * keeps for them, and which types are worth it. br and zstd are plug-ins:
 * tests/e2e/test_compression.py. */
#include "world.h"

#include "filters/coders.h"
#include "filters/codecs.h"
#include "filters/compress_priv.h"

static struct pl_net net;
static struct pl_http http;
static struct pl_coders *coders;
static char text[20000], packed[400000], unpacked[400000];

static int make(void **state)
{
    make_world(state);
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    memset(&http, 0, sizeof(http));
    http.net = &net;
    http.sched = &sched;
    coders = pl_coders_get(&http);
    CHECK(coders != NULL && coders == pl_coders_get(&http), "made once");
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "moon phase "[i * i % 11];
    return 0;
}

static int end(void **state)
{
    pl_coders_free(http.coders);
    pl_net_fini(&net);
    return end_world(state);
}

/* Gives some bytes of room at a time; flushes after each piece of input. */
static size_t pack(const struct pl_workbench *bench, size_t step)
{
    struct pl_codec_io io = {.out = packed};
    size_t at = 0;
    int got;

    while (at < sizeof(text)) {
        size_t piece = PL_MIN(step * 7, sizeof(text) - at);

        io.in = text + at;
        io.in_len = piece;
        at += piece;
        do {
            io.out_len = PL_MAX(step, 16); /* zlib wants more than 6 */
            got = bench->codec->encode(
                bench->state,
                at == sizeof(text) ? PL_CODEC_END : PL_CODEC_FLUSH, &io);
            CHECK(got >= 0, "encode");
            CHECK((size_t)(io.out - packed) < sizeof(packed), "it ends");
        } while (got == PL_CODEC_MORE);
        CHECK_INT(0, io.in_len, "all was taken");
    }
    return (size_t)(io.out - packed);
}

static size_t unpack(const struct pl_workbench *bench, size_t len, size_t step)
{
    struct pl_codec_io io = {.in = packed, .out = unpacked};
    size_t at = 0;
    int got = PL_CODEC_MORE;

    while (got == PL_CODEC_MORE) {
        io.in_len = PL_MIN(step, len - at);
        io.out_len = step;
        got = bench->codec->decode(bench->state, &io);
        CHECK(got >= 0, "decode");
        at = (size_t)(io.in - packed);
    }
    CHECK_INT(len, at, "nothing follows");
    return (size_t)(io.out - unpacked);
}

static void test_codecs__round_trip(void **state)
{
    static const size_t steps[] = {1, 2, 13, 4096, 30000};
    const struct pl_codec_wish wishes[] = {
        {.level = 0}, {.level = 1}, {.level = 9}, {.frugal = true}};

    (void)state;
    for (size_t i = 0; i < PL_COUNT(steps); i++) {
        for (size_t k = 0; k < PL_COUNT(wishes); k++) {
            struct pl_workbench *out =
                pl_coders_encoder(coders, &pl_codec_gzip, &wishes[k]);
            struct pl_workbench *in = pl_coders_decoder(coders, &pl_codec_gzip);
            size_t len = pack(out, steps[i]);

            CHECK_INT(sizeof(text), unpack(in, len, steps[i]), "length");
            CHECK(memcmp(text, unpacked, sizeof(text)) == 0, "text");
            pl_coders_put(out);
            pl_coders_put(in);
        }
    }
}

static void test_coders__keep_their_memory(void **state)
{
    const struct pl_codec_wish wish = {.level = 6};
    struct pl_workbench *first =
        pl_coders_encoder(coders, &pl_codec_gzip, &wish);
    size_t used = coders->account.used;

    (void)state;
    CHECK(used > 256 * 1024, "an encoder holds memory");
    for (int i = 0; i < 100; i++) {
        struct pl_workbench *next;

        pack(first, 500);
        pl_coders_put(first);
        next = pl_coders_encoder(coders, &pl_codec_gzip, &wish);
        CHECK(next == first, "the same again");
        CHECK_INT(used, coders->account.used, "nothing new");
    }
    pl_coders_put(first);
}

static void test_coders__have_a_limit(void **state)
{
    const struct pl_codec_wish wish = {.level = 6};
    struct pl_workbench *all[1000];
    unsigned n = 0;

    (void)state;
    while (n < PL_COUNT(all) &&
           (all[n] = pl_coders_encoder(coders, &pl_codec_gzip, &wish)) != NULL)
        n++;
    CHECK(n > 50 && n < PL_COUNT(all), "some, and no more");
    CHECK(coders->account.used <= PL_CODERS_MEMORY, "within the limit");
    while (n > 0)
        pl_coders_put(all[--n]);
    CHECK_INT(PL_CODERS_IDLE, coders->nidle, "a few are kept");
    all[0] = pl_coders_decoder(coders, &pl_codec_deflate);
    CHECK(all[0] != NULL, "there is room again");
    pl_coders_put(all[0]);
}

static void test_codecs__names(void **state)
{
    char names[PL_CODEC_NAMES];
    struct pl_error error;

    (void)state;
    CHECK(pl_codec_find(PL_STR("GZIP")) == &pl_codec_gzip, "any case");
    CHECK(pl_codec_find(PL_STR("x-gzip")) == &pl_codec_gzip, "the old name");
    CHECK(pl_codec_find(PL_STR("lzma")) == NULL, "unknown");
    CHECK(pl_codec_load(PL_STR("deflate"), &error) == NULL, "takes only");
    CHECK(pl_codec_load(PL_STR("lzma"), NULL) == NULL, "unknown");
    CHECK(pl_str_starts(pl_codec_names(names), PL_STR("gzip, deflate")),
          "names");
}

static const struct {
    const char *patterns, *type;
    bool want;
} types[] = {
    {NULL, "text/html", true},
    {NULL, "TEXT/HTML; charset=utf-8", true},
    {NULL, "application/geo+json", true},
    {NULL, "image/svg+xml", true},
    {NULL, "image/png", false},
    {NULL, "text/event-stream", false},
    {NULL, "application/octet-stream", false},
    {NULL, "", false},
    {NULL, "+json", false},
    {"*", "application/octet-stream", true},
    {"*", "image/png", false},
    {"*", "font/woff2", false},
    {"*", "text/event-stream", false},
    {"text/event-stream", "text/event-stream", true},
    {"text/plain", "text/html", false},
    {" text/plain  text/html ", "text/html", true},
    {"text/*", "texts/html", false},
    {"image/png", "image/png", false},
};

static void test_types__are_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(types); i++) {
        const char *patterns =
            types[i].patterns == NULL ? pl_compress_types : types[i].patterns;

        CHECK_INT(
            types[i].want,
            pl_compress_type_is(pl_str_c(patterns), pl_str_c(types[i].type)),
            types[i].type);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, end)

RUN_TESTS(TEST(test_codecs__round_trip), TEST(test_coders__keep_their_memory),
          TEST(test_coders__have_a_limit), TEST(test_codecs__names),
          TEST(test_types__are_chosen))
