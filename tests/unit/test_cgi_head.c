/* test_cgi_head.c - what scripts write in front of their bodies. */
#include "check.h"

#include "base/str.h"
#include "http/cgi_head.h"
#include "http/request.h"

/* A response, and nothing that could send it. */
static struct pl_pool pool;
static struct pl_request req;

static struct pl_response *begin(void)
{
    pl_pool_init(&pool, NULL, 0);
    req = (struct pl_request){.magic = PL_REQUEST_MAGIC};
    pl_arena_init(&req.arena, &pool, NULL);
    pl_response_reset(&req.response);
    return &req.response;
}

static void end(void)
{
    pl_arena_fini(&req.arena);
    pl_pool_fini(&pool);
}

static const struct {
    const char *what, *text;
    int status;
    const char *name, *value; /* of a field; NULL: it is not there */
} good[] = {
    {"type", "Content-Type: text/a\r\n\r\n", 0, "Content-Type", "text/a"},
    {"LF alone", "Content-Type: text/a\n\n", 0, "Content-Type", "text/a"},
    {"both ends", "A: b\r\nC: d\n\r\n", 0, "C", "d"},
    {"status", "Status: 404\r\n\r\n", 404, "Status", NULL},
    {"with a reason", "Status: 404 Not Found\n\n", 404, "Status", NULL},
    {"in any case", "sTATUS:201\n\n", 201, "Status", NULL},
    {"the last one", "Status: 201\nStatus: 202\n\n", 202, "Status", NULL},
    {"away", "Location: /a?b\n\n", 302, "Location", "/a?b"},
    {"away for good", "Location: /\nStatus: 301\n\n", 301, "Location", "/"},
    {"to two places", "Location: /a\nLocation: /b\n\n", 302, "Location", "/b"},
    {"spaces", "A: \t b c\t \n\n", 0, "A", "b c"},
    {"empty value", "A:\n\n", 0, "A", ""},
    {"colons", "A: b:c\n\n", 0, "A", "b:c"},
    {"length", "Content-Length: 9\nA: b\n\n", 0, "Content-Length", NULL},
    {"no number", "Content-Length: x\nA: b\n\n", 0, "A", "b"},
    {"framing", "Transfer-Encoding: x\n\n", 0, "Transfer-Encoding", NULL},
    {"connection", "Connection: close\n\n", 0, "Connection", NULL},
    {"no date", "Last-Modified: x\nA: b\n\n", 0, "A", "b"},
    {"tag", "ETag: \"a\"\n\n", 0, "ETag", "\"a\""},
};

static void check_good(size_t i, const char *text, size_t len)
{
    struct pl_response *res = begin();
    ssize_t used = pl_cgi_read_head(res, pl_str(text, len));
    struct pl_str value = pl_response_get(res, pl_str_c(good[i].name));

    CHECK_INT((ssize_t)strlen(good[i].text), used, good[i].what);
    CHECK_INT(good[i].status, res->status, good[i].what);
    if (good[i].value == NULL)
        CHECK(value.data == NULL, good[i].what);
    else
        CHECK_STR(good[i].value, value, good[i].what);
    end();
}

static void test_cgi_head__becomes_that_of_the_response(void **state)
{
    char text[256];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        int len = snprintf(text, sizeof(text), "%sbody: \n\n", good[i].text);

        check_good(i, good[i].text, strlen(good[i].text));
        check_good(i, text, (size_t)len);
    }
}

/* Who asks too early is told so, and nothing has been set. */
static void test_cgi_head__waits_for_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        for (size_t len = 0; len < strlen(good[i].text); len++) {
            struct pl_response *res = begin();

            CHECK_INT(PL_ERR_AGAIN,
                      pl_cgi_read_head(res, pl_str(good[i].text, len)),
                      good[i].what);
            CHECK_INT(0, res->nheaders + res->status, good[i].what);
            end();
        }
    }
}

static const struct {
    const char *what;
    struct pl_str text;
} bad[] = {
    {"no head at all", PL_STR("\n")},
    {"begins with the empty line", PL_STR("\r\n\r\nbody")},
    {"no colon", PL_STR("hello\n\n")},
    {"no name", PL_STR(": b\n\n")},
    {"a space in the name", PL_STR("A b: c\n\n")},
    {"a space behind the name", PL_STR("A : b\n\n")},
    {"a folded line", PL_STR("A: b\n c\n\n")},
    {"NUL in the value", PL_STR("A: b\0c\n\n")},
    {"NUL in the name", PL_STR("A\0: b\n\n")},
    {"CR in the value", PL_STR("A: b\rc\n\n")},
    {"status without a number", PL_STR("Status: OK\n\n")},
    {"status that is empty", PL_STR("Status:\n\n")},
    {"status of two digits", PL_STR("Status: 20\n\n")},
    {"status of four digits", PL_STR("Status: 2000\n\n")},
    {"status of no response", PL_STR("Status: 100\n\n")},
    {"status with a sign", PL_STR("Status: +20\n\n")},
};

static void test_cgi_head__refuses_what_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        CHECK_INT(PL_ERR_PROTO, pl_cgi_read_head(begin(), bad[i].text),
                  bad[i].what);
        end();
    }
}

static void test_cgi_head__has_a_limit(void **state)
{
    char text[101 * 5 + 2], *at = text;

    (void)state;
    for (int i = 0; i < 100; i++)
        at = stpcpy(at, "A: b\n");
    CHECK_INT(501,
              pl_cgi_read_head(begin(), pl_str(stpcpy(at, "\n") - 501, 501)),
              "as many as may be");
    CHECK_INT(100, req.response.nheaders, "as many as may be");
    end();
    at = stpcpy(at, "A: b\n\n");
    CHECK_INT(PL_ERR_PROTO,
              pl_cgi_read_head(begin(), pl_str(text, (size_t)(at - text))),
              "one more");
    end();
}

RUN_TESTS(cmocka_unit_test(test_cgi_head__becomes_that_of_the_response),
          cmocka_unit_test(test_cgi_head__waits_for_its_end),
          cmocka_unit_test(test_cgi_head__refuses_what_is_none),
          cmocka_unit_test(test_cgi_head__has_a_limit))
