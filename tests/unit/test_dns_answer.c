/* test_dns_answer.c - messages of name servers: whole, cut at every byte, and
 * wrong. */
#include "check.h"

#include <stdlib.h>

#include "client/dns.h"
#include "client/dns_answer.h"

/* A header with one question and n answers, and the question: a.test. */
#define HEAD(n) "\0\1\x81\x80\0\1\0" n "\0\0\0\0\1a\4test\0\0\1\0\1"
#define OWNER "\xc0\x0c" /* a.test, where it stands in the question */
#define FIXED(type, ttl, len) type "\0\1" ttl len
#define MINUTE "\0\0\0\x3c"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *what;
    unsigned type;
    const char *bytes;
    size_t len;
    const char *want; /* records, each behind a space; "!": malformed */
} answers[] = {
    {"nothing", PL_DNS_A, BYTES(""), ""},
    {"no records", PL_DNS_A, BYTES(HEAD("\0")), ""},
    {"an address", PL_DNS_A,
     BYTES(HEAD("\1") OWNER FIXED("\0\1", MINUTE, "\0\4") "\1\2\3\4"),
     " 60:4:"},
    {"a CNAME first", PL_DNS_A,
     BYTES(HEAD("\2")
               OWNER FIXED("\0\5", MINUTE, "\0\4") "\1b\xc0\x0e" OWNER FIXED(
                   "\0\1", "\0\0\0\1", "\0\4") "\1\2\3\4"),
     " 1:4:"},
    {"the CNAME itself", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\4") "\1b\xc0\x0e"),
     " 60:4:b.test"},
    {"a root name", PL_DNS_NS,
     BYTES(HEAD("\1") OWNER FIXED("\0\2", MINUTE, "\0\1") "\0"), " 60:1:"},
    {"MX", PL_DNS_MX,
     BYTES(HEAD("\1") OWNER FIXED("\0\x0f", MINUTE, "\0\4") "\1\2\xc0\x0c"),
     " 60:4:a.test/258"},
    {"SRV", PL_DNS_SRV,
     BYTES(HEAD("\1")
               OWNER FIXED("\0\x21", MINUTE, "\0\x08") "\0\1\0\2\1\3\xc0\x0c"),
     " 60:8:a.test/1/2/259"},
    {"TXT in pieces", PL_DNS_TXT,
     BYTES(HEAD("\1") OWNER FIXED("\0\x10", MINUTE, "\0\6") "\2ab\0\1c"),
     " 60:6:"},
    {"TXT cut in a piece", PL_DNS_TXT,
     BYTES(HEAD("\1") OWNER FIXED("\0\x10", MINUTE, "\0\5") "\2ab\2c"), "!"},
    {"TXT cut at a piece", PL_DNS_TXT,
     BYTES(HEAD("\1") OWNER FIXED("\0\x10", MINUTE, "\0\4") "\2ab\1"), "!"},
    {"odd bytes", PL_DNS_PTR,
     BYTES(HEAD("\1") OWNER FIXED("\0\x0c", MINUTE, "\0\5") "\3.\xff \0"),
     " 60:5:\\046\\255\\032"},
    {"a negative time (RFC 2181, 8)", PL_DNS_A,
     BYTES(HEAD("\1") OWNER FIXED("\0\1", "\x80\0\0\0", "\0\4") "\1\2\3\4"),
     " 0:4:"},
    {"fewer records than it says", PL_DNS_A,
     BYTES(HEAD("\2") OWNER FIXED("\0\1", MINUTE, "\0\4") "\1\2\3\4"),
     " 60:4:!"},
    {"a header cut", PL_DNS_A, BYTES("\0\1\x81\x80"), "!"},
    {"an address of three bytes", PL_DNS_A,
     BYTES(HEAD("\1") OWNER FIXED("\0\1", MINUTE, "\0\3") "\1\2\3"), "!"},
    {"an IPv6 address of four", PL_DNS_AAAA,
     BYTES(HEAD("\1") OWNER FIXED("\0\x1c", MINUTE, "\0\4") "\1\2\3\4"), "!"},
    {"a name that goes on behind its data", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\2") "\1b\0"), "!"},
    {"a name that ends before its data", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\5") "\1b\0xx"), "!"},
    {"no data", PL_DNS_MX,
     BYTES(HEAD("\1") OWNER FIXED("\0\x0f", MINUTE, "\0\2") "\1\2"), "!"},
    {"a pointer at itself", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\2") "\xc0\x24"), "!"},
    {"a pointer forwards", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\2") "\xc0\x30"), "!"},
    {"a pointer beyond the end", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\2") "\xff\xff"), "!"},
    {"a label of a kind that nobody uses", PL_DNS_CNAME,
     BYTES(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\2") "\x41\0"), "!"},
};

/* What an answer says; into out. */
static void show(const char *bytes, size_t len, unsigned type, char *out)
{
    char *copy = malloc(len + 1); /* at its own size: ASan sees what is read */
    struct pl_dns_answer answer;
    struct pl_dns_record record;
    int more;

    memcpy(copy, bytes, len);
    copy = realloc(copy, len == 0 ? 1 : len);
    more = pl_dns_answer_open(&answer, pl_str(copy, len), type);
    while (more >= 0 && (more = pl_dns_answer_next(&answer, &record)) > 0) {
        out += sprintf(out, " %u:%zu:%s", record.ttl, record.data.len,
                       record.name);
        if (type == PL_DNS_MX || type == PL_DNS_SRV)
            out += sprintf(out, "/%u", record.priority);
        if (type == PL_DNS_SRV)
            out += sprintf(out, "/%u/%u", record.weight, record.port);
    }
    strcpy(out, more < 0 ? "!" : "");
    free(copy);
}

static void test_dns_answer__reads_and_refuses(void **state)
{
    char out[2048];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(answers); i++) {
        show(answers[i].bytes, answers[i].len, answers[i].type, out);
        CHECK_STR(answers[i].want, pl_str_c(out), answers[i].what);
    }
}

static void test_dns_answer__is_malformed_when_cut(void **state)
{
    char out[2048];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(answers); i++) {
        for (size_t len = 1; len < answers[i].len; len++) {
            show(answers[i].bytes, len, answers[i].type, out);
            CHECK(out[strlen(out) - 1] == '!', answers[i].what);
        }
    }
}

static void test_dns_answer__joins_texts(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *want;
    } texts[] = {
        {BYTES(""), ""},
        {BYTES("\0"), ""},
        {BYTES("\2ab\0\1c"), "abc"},
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        struct pl_dns_record record = {
            .data = pl_str(texts[i].bytes, texts[i].len)};
        char out[16];

        CHECK_STR(texts[i].want, pl_str(out, pl_dns_record_text(&record, out)),
                  texts[i].want);
    }
}

static void test_dns_answer__the_longest_name_fits(void **state)
{
    char bytes[600] = HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\xff");
    size_t at = sizeof(HEAD("\1") OWNER FIXED("\0\5", MINUTE, "\0\xff")) - 1;
    size_t lens[] = {63, 63, 63, 61};
    struct pl_dns_answer answer;
    struct pl_dns_record record;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(lens); i++) {
        bytes[at++] = (char)lens[i];
        memset(bytes + at, '\xff', lens[i]);
        at += lens[i];
    }
    bytes[at++] = '\0';
    CHECK_INT(0, pl_dns_answer_open(&answer, pl_str(bytes, at), PL_DNS_CNAME),
              "open");
    CHECK_INT(1, pl_dns_answer_next(&answer, &record), "next");
    CHECK_INT(250 * 4 + 3, strlen(record.name), "its text");
}

static void test_dns_answer__the_smallest_time_counts(void **state)
{
    static const char bytes[] = HEAD("\2")
        OWNER FIXED("\0\5", "\0\0\0\7", "\0\4") "\1b\xc0\x0e" OWNER FIXED(
            "\0\1", MINUTE, "\0\4") "\1\2\3\4";

    (void)state;
    CHECK_INT(7, pl_dns_answer_ttl(pl_str(bytes, sizeof(bytes) - 1), PL_DNS_A),
              "CNAME");
    CHECK_INT(PL_ERR_PROTO,
              pl_dns_answer_ttl(pl_str(bytes, sizeof(bytes) - 2), PL_DNS_A),
              "cut");
    CHECK_INT(PL_ERR_NOT_FOUND, pl_dns_answer_ttl(PL_STR(""), PL_DNS_A),
              "nothing");
}

RUN_TESTS(cmocka_unit_test(test_dns_answer__reads_and_refuses),
          cmocka_unit_test(test_dns_answer__is_malformed_when_cut),
          cmocka_unit_test(test_dns_answer__joins_texts),
          cmocka_unit_test(test_dns_answer__the_longest_name_fits),
          cmocka_unit_test(test_dns_answer__the_smallest_time_counts))
