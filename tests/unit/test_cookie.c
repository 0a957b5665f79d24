/* test_cookie.c - Cookie and Set-Cookie (RFC 6265). */
#include "check.h"

#include "http/cookie.h"

static const struct {
    const char *field, *want; /* name>value, each followed by a space */
} walks[] = {
    {"", ""},
    {"SID=31d4d96e407aad42", "SID>31d4d96e407aad42 "},
    {"SID=31d4; lang=en-US", "SID>31d4 lang>en-US "},
    {"a=1;b=2", "a>1 b>2 "},
    {"a=b=c", "a>b=c "},
    {"a=", "a> "},
    {"a=\"x y\"", "a>\"x y\" "}, /* quotes belong to the value */
    {" a = 1 ;\tb = 2 ", "a>1 b>2 "},
    {"a=1;;; ;b=2;", "a>1 b>2 "},
    {"a; b=2", "b>2 "},  /* no "=" */
    {"=x; b=2", "b>2 "}, /* no name */
    {"a=1, b=2", "a>1, b=2 "},
    {"a=1; a=2", "a>1 a>2 "},
};

static void test_cookie__walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(walks); i++) {
        struct pl_str rest = pl_str_c(walks[i].field), name, value;
        char got[100] = "";

        while (pl_cookie_next(&rest, &name, &value))
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s>%.*s ",
                     PL_STR_ARG(name), PL_STR_ARG(value));
        CHECK_STR(walks[i].want, pl_str_c(got), walks[i].field);
    }
}

static void test_cookie__get(void **state)
{
    struct pl_str field = PL_STR("a=1; B=2; a=3; empty=");

    (void)state;
    CHECK_STR("1", pl_cookie_get(field, PL_STR("a")), "the first");
    CHECK_STR("2", pl_cookie_get(field, PL_STR("B")), "found");
    CHECK_STR("", pl_cookie_get(field, PL_STR("empty")), "empty");
    CHECK_STR(NULL, pl_cookie_get(field, PL_STR("b")), "case matters");
    CHECK_STR(NULL, pl_cookie_get(pl_str(NULL, 0), PL_STR("a")), "no field");
}

static char long_text[PL_COOKIE_PAIR_MAX + 1];

#define NV .name = PL_STR("n"), .value = PL_STR("v")

static const struct {
    struct pl_cookie cookie;
    const char *want; /* NULL: refused */
} formats[] = {
    {{NV}, "n=v"},
    {{.name = PL_STR("n"), .value = PL_STR("")}, "n="},
    {{.name = PL_STR("n")}, "n="},
    {{NV, .path = PL_STR("/"), .domain = PL_STR("example.com")},
     "n=v; Path=/; Domain=example.com"},
    {{NV, .has_max_age = true, .max_age = 3600}, "n=v; Max-Age=3600"},
    {{NV, .has_max_age = true, .max_age = -5}, "n=v; Max-Age=0"},
    {{NV, .has_expires = true, .expires = 784111777},
     "n=v; Expires=Sun, 06 Nov 1994 08:49:37 GMT"},
    {{NV, .secure = true, .http_only = true, .same_site = PL_SAME_SITE_LAX},
     "n=v; SameSite=Lax; Secure; HttpOnly"},
    {{NV, .same_site = PL_SAME_SITE_STRICT}, "n=v; SameSite=Strict"},
    {{NV, .same_site = PL_SAME_SITE_NONE, .secure = true, .partitioned = true},
     "n=v; SameSite=None; Secure; Partitioned"},
    {{.name = PL_STR("n"), .value = PL_STR("\"v\"")}, "n=\"v\""},
    {{.name = PL_STR("n"), .value = PL_STR("!#$%&'()*+-./:<=>?@[]^_`{|}~")},
     "n=!#$%&'()*+-./:<=>?@[]^_`{|}~"},
    /* bytes that cannot be sent (RFC 6265, 4.1.1) */
    {{.name = PL_STR(""), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("a b"), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("a=b"), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("a;b"), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("a\r\nb"), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a,b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a;b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a\\b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a\"b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("\"a")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("\"")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a\r\nSet-Cookie: x=y")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("a\0b")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("\xc3\xa4")}, NULL},
    {{.name = PL_STR("n"), .value = PL_STR("\x7f")}, NULL},
    {{NV, .path = PL_STR("/a;Domain=evil")}, NULL},
    {{NV, .path = PL_STR("/a\n")}, NULL},
    {{NV, .path = PL_STR("a")}, NULL},
    {{NV, .path = PL_STR("")}, NULL},
    {{NV, .domain = PL_STR("a;b")}, NULL},
    {{NV, .domain = PL_STR("")}, NULL},
    {{NV, .domain = PL_STR("a b")}, NULL},
    /* what browsers would drop (RFC 6265bis, 4.1.3, 5.7) */
    {{NV, .same_site = PL_SAME_SITE_NONE}, NULL},
    {{NV, .partitioned = true}, NULL},
    {{.name = PL_STR("__Secure-n"), .value = PL_STR("v")}, NULL},
    {{.name = PL_STR("__Secure-n"), .value = PL_STR("v"), .secure = true},
     "__Secure-n=v; Secure"},
    {{.name = PL_STR("__Host-n"),
      .value = PL_STR("v"),
      .secure = true,
      .path = PL_STR("/")},
     "__Host-n=v; Path=/; Secure"},
    {{.name = PL_STR("__Host-n"), .value = PL_STR("v"), .secure = true}, NULL},
    {{.name = PL_STR("__Host-n"), .value = PL_STR("v"), .path = PL_STR("/")},
     NULL},
    {{.name = PL_STR("__host-n"), .value = PL_STR("v"), .path = PL_STR("/")},
     NULL},
    {{.name = PL_STR("__Host-n"),
      .value = PL_STR("v"),
      .secure = true,
      .path = PL_STR("/a")},
     NULL},
    {{.name = PL_STR("__Host-n"),
      .value = PL_STR("v"),
      .secure = true,
      .path = PL_STR("/"),
      .domain = PL_STR("a")},
     NULL},
    /* too long */
    {{.name = PL_STR("n"), .value = {long_text, PL_COOKIE_PAIR_MAX}}, NULL},
    {{NV, .path = {long_text, PL_COOKIE_ATTRIBUTE_MAX + 1}}, NULL},
    {{NV, .domain = {long_text, 256}}, NULL},
};

static void test_cookie__format(void **state)
{
    struct pl_pool pool;
    struct pl_buf buf;

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    long_text[0] = '/';
    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(formats); i++) {
        char what[40];
        int err;

        snprintf(what, sizeof(what), "case %zu", i);
        pl_buf_init(&buf, &pool, NULL, 0);
        err = pl_cookie_format(&formats[i].cookie, &buf);
        CHECK_INT(formats[i].want == NULL ? PL_ERR_INVALID : 0, err, what);
        CHECK_STR(err < 0 ? "" : formats[i].want, pl_buf_str(&buf), what);
        pl_buf_fini(&buf);
    }
    pl_buf_init(&buf, &pool, NULL, 2);
    CHECK_INT(PL_ERR_LIMIT, pl_cookie_format(&formats[0].cookie, &buf),
              "the buffer's error");
    pl_buf_fini(&buf);
    pl_pool_fini(&pool);
}

RUN_TESTS(cmocka_unit_test(test_cookie__walks),
          cmocka_unit_test(test_cookie__get),
          cmocka_unit_test(test_cookie__format))
