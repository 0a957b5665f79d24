/* test_form_data.c - multipart/form-data: whole, byte by byte and cut anywhere,
 * forms must give the same parts and the same refusals. */
#include "check.h"

#include "base/pool.h"
#include "http/form_data.h"

static const char TYPE[] = "multipart/form-data; boundary=B";

static struct pl_pool pool;

/* What a form has said: "{name|filename|raw|type}data;" for each part, and "."
 * for its end, or the error's name. */
static char said[4096];
static size_t said_len;

static void say(const char *text, size_t len)
{
    CHECK(said_len + len < sizeof(said), "room");
    memcpy(said + said_len, text, len);
    said_len += len;
    said[said_len] = '\0';
}

static void say_str(struct pl_str text, const char *end)
{
    if (text.data == NULL)
        say("-", 1);
    else
        say(text.data, text.len);
    say(end, strlen(end));
}

static void say_part(const struct pl_form_data *form)
{
    say("{", 1);
    say_str(form->names.name, "|");
    say_str(form->names.filename, "|");
    say_str(form->names.raw_filename, "|");
    say_str(form->type, "}");
}

/* Shows the parser what it has not used of the first n bytes. Returns the last
 * event: PL_ERR_AGAIN when it needs more. */
static int feed(struct pl_form_data *form, struct pl_str body, size_t n,
                size_t *at)
{
    size_t used;
    int event;

    do {
        struct pl_str in = pl_str(body.data + *at, n - *at);

        event = pl_form_data_step(form, in, &used);
        CHECK(used <= in.len, "used");
        if (event == PL_FORM_PART)
            say_part(form);
        else if (event == PL_FORM_DATA)
            say(in.data, used);
        else if (event == PL_FORM_PART_END)
            say(";", 1);
        *at += used;
    } while (event > 0 && event != PL_FORM_END);
    return event;
}

/* The body arrives up to each of the places, and then all of it. */
static const char *run(const char *type, struct pl_str body, size_t first,
                       size_t step, unsigned max_parts)
{
    struct pl_form_data form;
    size_t at = 0, n = PL_MIN(first, body.len);
    int event;

    said_len = 0;
    said[0] = '\0';
    event = pl_form_data_init(&form, pl_str_c(type), &pool, NULL);
    if (event < 0)
        return pl_err_name(event);
    form.max_parts = max_parts;
    while ((event = feed(&form, body, n, &at)) == PL_ERR_AGAIN && n < body.len)
        n = PL_MIN(n + step, body.len);
    if (event < 0) {
        const char *name = pl_err_name(event);
        size_t used;

        say(name, strlen(name));
        CHECK(event == PL_ERR_AGAIN || form.wrong != NULL, "says why");
        CHECK_INT(event, pl_form_data_step(&form, PL_STR(""), &used),
                  "for ever");
    } else {
        say(".", 1);
    }
    pl_form_data_fini(&form);
    return said;
}

static void check_form(const char *what, struct pl_str body, const char *want,
                       unsigned max_parts)
{
    CHECK_STR(want, pl_str_c(run(TYPE, body, body.len, 1, max_parts)), what);
    CHECK_STR(want, pl_str_c(run(TYPE, body, 0, 1, max_parts)), what);
    for (size_t cut = 1; cut < body.len; cut++)
        CHECK_STR(want, pl_str_c(run(TYPE, body, cut, body.len, max_parts)),
                  what);
}

#define CD "Content-Disposition: form-data; "
#define PART(head, data) "--B\r\n" head "\r\n\r\n" data "\r\n"
#define A PART(CD "name=a", "1")

static const struct {
    const char *what, *body, *want;
} forms[] = {
    {"one field", A "--B--", "{a|-|-|-}1;."},
    {"its epilogue", A "--B--\r\nwhatever\r\n--B\r\n", "{a|-|-|-}1;."},
    {"a preamble", "not\r\n-for us\r\n" A "--B--", "{a|-|-|-}1;."},
    {"a line end before it", "\r\n" A "--B--", "{a|-|-|-}1;."},
    {"two fields", A PART(CD "name=\"b c\"", "2\r\n3") "--B--\r\n",
     "{a|-|-|-}1;{b c|-|-|-}2\r\n3;."},
    {"no data", PART(CD "name=\"\"", "") "--B--", "{|-|-|-};."},
    {"no part", "--B--", "."},
    {"spaces behind the boundary", "--B \t\r\n" CD "name=a\r\n\r\n\r\n--B--",
     "{a|-|-|-};."},
    {"a file",
     PART(CD "name=f; filename=\"x.txt\"\r\nContent-Type: text/plain",
          "hi") "--B--",
     "{f|x.txt|x.txt|text/plain}hi;."},
    {"fields in any case and order",
     PART("content-type:a/b\r\nX-Y: z\r\ncontent-disposition: Form-Data;NAME=a",
          "") "--B--",
     "{a|-|-|a/b};."},
    {"nearly a delimiter",
     PART(CD "name=a", "\r\n-\r\n--\r\n--C\r\r\n--b") "--B--",
     "{a|-|-|-}\r\n-\r\n--\r\n--C\r\r\n--b;."},
    {"only line ends", PART(CD "name=a", "\r\n\r\r\r\n\r") "--B--",
     "{a|-|-|-}\r\n\r\r\r\n\r;."},
    /* names */
    {"as browsers encode", PART(CD "name=\"a%22%0d%0A%41\\n%\"", "") "--B--",
     "{a\"\r\n%41\\n%|-|-|-};."},
    {"as others do", PART(CD "name=\"a\\\"\\\\b\"", "") "--B--",
     "{a\"\\b|-|-|-};."},
    {"UTF-8",
     PART(CD "name=\"\xc3\xa9\"; filename=\"\xc3\xa8.txt\"", "") "--B--",
     "{\xc3\xa9|\xc3\xa8.txt|\xc3\xa8.txt|-};."},
    {"no file chosen", PART(CD "name=f; filename=\"\"", "") "--B--",
     "{f|-||-};."},
    {"a path", PART(CD "name=f; filename=\"/etc/../x/passwd\"", "") "--B--",
     "{f|passwd|/etc/../x/passwd|-};."},
    {"a path of Windows",
     PART(CD "name=f; filename=\"C:\\dir\\x.txt\"", "") "--B--",
     "{f|x.txt|C:\\dir\\x.txt|-};."},
    {"up", PART(CD "name=f; filename=\"../..\"", "") "--B--",
     "{f|unnamed|../..|-};."},
    {"here", PART(CD "name=f; filename=.", "") "--B--", "{f|unnamed|.|-};."},
    {"a folder", PART(CD "name=f; filename=\"a/\"", "") "--B--",
     "{f|unnamed|a/|-};."},
    {"a dot file", PART(CD "name=f; filename=.profile", "") "--B--",
     "{f|.profile|.profile|-};."},
    {"control characters", PART(CD "name=f; filename=\"a%0D%0Ab\"", "") "--B--",
     "{f|a__b|a\r\nb|-};."},
    {"RFC 8187", PART(CD "name=f; filename*=UTF-8''%C3%A9%2Fb%20c", "") "--B--",
     "{f|b c|\xc3\xa9/b c|-};."},
    {"RFC 8187, Latin 1",
     PART(CD "name=f; filename*=iso-8859-1'en'%E9", "") "--B--",
     "{f|\xc3\xa9|\xc3\xa9|-};."},
    {"harmless encoding",
     PART(CD "name=a\r\nContent-Transfer-Encoding: 8bit", "1") "--B--",
     "{a|-|-|-}1;."},
    /* cut off */
    {"nothing", "", "PL_ERR_AGAIN"},
    {"in the boundary", "--", "PL_ERR_AGAIN"},
    {"in a header", "--B\r\nContent-", "PL_ERR_AGAIN"},
    {"in data", "--B\r\n" CD "name=a\r\n\r\n1\r\n--", "{a|-|-|-}1PL_ERR_AGAIN"},
    {"before the last dashes", A "--B-", "{a|-|-|-}1;PL_ERR_AGAIN"},
    /* refused */
    {"text behind a boundary", "--BB\r\n" CD "name=a\r\n\r\n\r\n--B--",
     "PL_ERR_PROTO"},
    {"one dash", "--B-x\r\n", "PL_ERR_PROTO"},
    {"LF behind a boundary", "--B\n" CD "name=a\r\n\r\n\r\n--B--",
     "PL_ERR_PROTO"},
    {"LF in a header", "--B\r\n" CD "name=a\n\r\n\r\n--B--", "PL_ERR_PROTO"},
    {"CR in a header", "--B\r\n" CD "name=a\rb\r\n\r\n\r\n--B--",
     "PL_ERR_PROTO"},
    {"a folded line", "--B\r\n" CD "\r\n name=a\r\n\r\n\r\n--B--",
     "PL_ERR_PROTO"},
    {"no colon", "--B\r\nfield\r\n\r\n\r\n--B--", "PL_ERR_PROTO"},
    {"a space before the colon", PART("Content-Disposition : x", ""),
     "PL_ERR_PROTO"},
    {"no disposition", PART("X: y", ""), "PL_ERR_PROTO"},
    {"no header", "--B\r\n\r\n1\r\n--B--", "PL_ERR_PROTO"},
    {"two dispositions", PART(CD "name=a\r\n" CD "name=b", ""), "PL_ERR_PROTO"},
    {"another disposition", PART("Content-Disposition: file; name=a", ""),
     "PL_ERR_PROTO"},
    {"no name", PART(CD "filename=a", ""), "PL_ERR_PROTO"},
    {"two names", PART(CD "name=a; name=a", ""), "PL_ERR_PROTO"},
    {"two file names", PART(CD "name=a; filename=a; filename*=utf-8''b", ""),
     "PL_ERR_PROTO"},
    {"an extended name", PART(CD "name=a; name*=utf-8''b", ""), "PL_ERR_PROTO"},
    {"an open quote", PART(CD "name=\"a", ""), "PL_ERR_PROTO"},
    {"text behind a quote", PART(CD "name=\"a\"b", ""), "PL_ERR_PROTO"},
    {"no value", PART(CD "name", ""), "PL_ERR_PROTO"},
    {"a bare path", PART(CD "name=a; filename=a b", ""), "PL_ERR_PROTO"},
    {"an encoding", PART(CD "name=a\r\nContent-Transfer-Encoding: base64", ""),
     "PL_ERR_PROTO"},
    {"NUL by an escape", PART(CD "name=a; filename*=utf-8''a%00b", ""),
     "PL_ERR_PROTO"},
    {"broken UTF-8 by an escape", PART(CD "name=a; filename*=utf-8''%C3", ""),
     "PL_ERR_PROTO"},
    {"a charset of its own", PART(CD "name=a; filename*=koi8-r''a", ""),
     "PL_ERR_PROTO"},
    {"half an escape", PART(CD "name=a; filename*=utf-8''a%4", ""),
     "PL_ERR_PROTO"},
};

static void test_form_data__reads_parts_however_they_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(forms); i++)
        check_form(forms[i].what, pl_str_c(forms[i].body), forms[i].want, 0);
}

static void test_form_data__takes_any_byte_as_data(void **state)
{
    char body[600], want[600];
    size_t n;

    (void)state;
    n = (size_t)sprintf(body, "--B\r\n" CD "name=a\r\n\r\n");
    strcpy(want, "{a|-|-|-}");
    for (int c = 1; c < 256; c++)
        body[n + (size_t)c - 1] = want[9 + c - 1] = (char)c;
    strcpy(body + n + 255, "\r\n--B--");
    strcpy(want + 9 + 255, ";.");
    check_form("every byte", pl_str_c(body), want, 0);
}

static void test_form_data__has_limits(void **state)
{
    static const char TOO_LONG[] = "PL_ERR_LIMIT";
    char body[12000];

    (void)state;
    check_form("two parts", PL_STR(A A "--B--"), "{a|-|-|-}1;{a|-|-|-}1;.", 2);
    check_form("three", PL_STR(A A A "--B--"),
               "{a|-|-|-}1;{a|-|-|-}1;PL_ERR_LIMIT", 2);
    sprintf(body, "--B\r\n" CD "name=\"%01024d\"\r\n\r\n\r\n--B--", 0);
    CHECK(strstr(run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0), ";."), "a name");
    sprintf(body, "--B\r\n" CD "name=\"%01025d\"\r\n\r\n\r\n--B--", 0);
    CHECK_STR(TOO_LONG, pl_str_c(run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0)),
              "too long a name");
    sprintf(body, "--B\r\n" CD "name=a\r\nX: %08192d\r\n\r\n\r\n--B--", 0);
    CHECK_STR(TOO_LONG, pl_str_c(run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0)),
              "too long a header");
    CHECK_STR(TOO_LONG, pl_str_c(run(TYPE, pl_str_c(body), 0, 7, 0)),
              "that grows");
    memset(body, 'x', sizeof(body));
    CHECK_STR("PL_ERR_PROTO",
              pl_str_c(run(TYPE, pl_str(body, sizeof(body)), 0, 100, 0)),
              "too long a preamble");
    sprintf(body, "--B%*s\r\n" CD "name=a\r\n\r\n\r\n--B--", 257, "");
    CHECK_STR("PL_ERR_PROTO",
              pl_str_c(run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0)), "spaces");
    strcpy(body, "--B\r\n" CD "name=a\r\n");
    for (int i = 0; i < PL_PART_FIELDS; i++)
        strcat(body, "X: y\r\n");
    strcat(body, "\r\n\r\n--B--");
    CHECK_STR(TOO_LONG, pl_str_c(run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0)),
              "too many fields");
}

/* A file system takes 255 bytes; no character is cut in two. */
static void test_form_data__shortens_file_names(void **state)
{
    char body[1000], name[300];
    const char *got;

    (void)state;
    memset(name, 'n', sizeof(name));
    strcpy(name + 254, "\xc3\xa9.txt");
    sprintf(body, "--B\r\n" CD "name=a; filename=\"%s\"\r\n\r\n\r\n--B--",
            name);
    got = run(TYPE, pl_str_c(body), SIZE_MAX, 1, 0);
    CHECK_INT(strlen("{a|"), strcspn(got, "n"), "begin");
    CHECK_INT(254, strspn(strchr(got, 'n'), "n"), "length");
    CHECK_INT('|', strchr(got, 'n')[254], "end");
}

static const struct {
    const char *type;
    int want;
} types[] = {
    {"multipart/form-data; boundary=a", 0},
    {"Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b\"", 0},
    {"multipart/form-data; boundary=----WebKitFormBoundaryAbC+/9'()=?", //
     PL_ERR_PROTO},
    {"multipart/form-data; boundary=\"----W'()+_,-./:=?\"", 0},
    {"multipart/form-data", PL_ERR_PROTO},
    {"multipart/form-data; boundary=", PL_ERR_PROTO},
    {"multipart/form-data; boundary=\"\"", PL_ERR_PROTO},
    {"multipart/form-data; boundary=\"a \"", PL_ERR_PROTO},
    {"multipart/form-data; boundary=\"a;\"", PL_ERR_PROTO},
    {"multipart/form-data; boundary=a; boundary=a", PL_ERR_PROTO},
    {"multipart/form-data; boundary=a, multipart/form-data; boundary=b",
     PL_ERR_PROTO},
    {"multipart/form-data; boundary=" //
     "1234567890123456789012345678901234567890123456789012345678901234567890",
     0},
    {"multipart/form-data; boundary=" //
     "12345678901234567890123456789012345678901234567890123456789012345678901",
     PL_ERR_PROTO},
    {"multipart/mixed; boundary=a", PL_ERR_UNSUPPORTED},
    {"application/x-www-form-urlencoded", PL_ERR_UNSUPPORTED},
    {"", PL_ERR_UNSUPPORTED},
};

static void test_form_data__finds_the_boundary(void **state)
{
    struct pl_str boundary;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(types); i++)
        CHECK_INT(types[i].want,
                  pl_form_boundary(pl_str_c(types[i].type), &boundary),
                  types[i].type);
    CHECK_INT(PL_ERR_UNSUPPORTED, pl_form_boundary(pl_str(NULL, 0), &boundary),
              "none");
}

/* Against the obvious search, in texts of few letters. */
static void test_form_data__searches_as_memmem_does(void **state)
{
    static const char letters[] = "\r\n--Bx";
    const struct pl_str needle = PL_STR("\r\n--Bx-\nB");
    uint32_t chance = 12345;
    char text[80];
    bool found;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t)round % sizeof(text), n;
        const char *want;

        for (size_t i = 0; i < len; i++) {
            chance = chance * 1664525 + 1013904223;
            text[i] = letters[(chance >> 16) % 6];
        }
        if (len > 20 && round % 3 == 0)
            memcpy(text + chance % (len - 9), needle.data, needle.len);
        want = memmem(text, len, needle.data, needle.len);
        n = pl_form_data_find(pl_str(text, len), needle, &found);
        CHECK_INT(want != NULL, found, "found");
        if (found)
            CHECK_INT(want - text, n, "place");
        else /* what is kept back could become it */
            CHECK(len - n < needle.len &&
                      memcmp(text + n, needle.data, len - n) == 0,
                  "rest");
        if (!found && n > 0 && n < len)
            CHECK(memchr(text + n + 1, '\r', len - n - 1) == NULL, "one CR");
    }
}

static int make_pool(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    return 0;
}

static int end_pool(void **state)
{
    (void)state;
    CHECK_INT(0, pool.account.used, "all given back");
    pl_pool_fini(&pool);
    return 0;
}

#define FORM_TEST(name)                                                        \
    cmocka_unit_test_setup_teardown(name, make_pool, end_pool)

RUN_TESTS(FORM_TEST(test_form_data__reads_parts_however_they_arrive),
          FORM_TEST(test_form_data__takes_any_byte_as_data),
          FORM_TEST(test_form_data__has_limits),
          FORM_TEST(test_form_data__shortens_file_names),
          FORM_TEST(test_form_data__finds_the_boundary),
          FORM_TEST(test_form_data__searches_as_memmem_does))
