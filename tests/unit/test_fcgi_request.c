/* test_fcgi_request.c - from variables of CGI to a request: what is malformed,
 * and what a handler sees. */
#include "fcgi_world.h"

/* ---- what is malformed is answered ---- */

static const struct {
    const char *what, *params;
    int status;
} requests[] = {
    {"no params", "", 400},
    {"no method", "REQUEST_URI=/\n", 400},
    {"a method with a space", "REQUEST_METHOD=G ET\nREQUEST_URI=/\n", 400},
    {"an unknown method", "REQUEST_METHOD=BREW\nREQUEST_URI=/\n", 501},
    {"CONNECT", "REQUEST_METHOD=CONNECT\nREQUEST_URI=a:1\n", 501},
    {"a space in the target", GET_PARAMS("/a b"), 400},
    {"no path", GET_PARAMS("a"), 400},
    {"above the root", GET_PARAMS("/../a"), 400},
    {"an absolute target", GET_PARAMS("http://a/"), 200},
    {"two hosts", GET_PARAMS("/") "HTTP_HOST=b\n", 400},
    {"a malformed host", "REQUEST_METHOD=GET\nREQUEST_URI=/\nHTTP_HOST=a b\n",
     400},
    {"no host", "REQUEST_METHOD=GET\nREQUEST_URI=/\n", 200},
    {"a malformed field name", GET_PARAMS("/") "HTTP_A B=c\n", 400},
    {"a field without a name", GET_PARAMS("/") "HTTP_=c\n", 400},
    {"a malformed field value", GET_PARAMS("/") "HTTP_A=b\rc\n", 400},
    {"a malformed type", GET_PARAMS("/") "CONTENT_TYPE=a\rb\n", 400},
    {"a negative length", POST_PARAMS("/", "-2"), 400},
    {"a length that nobody knows", POST_PARAMS("/", "-1"), 200},
    {"a huge length", POST_PARAMS("/", "9223372036854775808"), 400},
    {"a length twice", POST_PARAMS("/", "x") "CONTENT_LENGTH=0\n", 200},
    {"a variable without a name", GET_PARAMS("/") "=x\n", 200},
    {"a method twice", "REQUEST_METHOD=BREW\n" GET_PARAMS("/"), 200},
    {"a script and its path",
     "REQUEST_METHOD=GET\nSCRIPT_NAME=\nPATH_INFO=/result\n"
     "QUERY_STRING=203\n",
     203},
    {"only a script", "REQUEST_METHOD=GET\nSCRIPT_NAME=/result\n", 200},
    {"a script with a space", "REQUEST_METHOD=GET\nSCRIPT_NAME=/a b\n", 404},
};

static void test_fcgi_request__is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(requests); i++) {
        say_get((unsigned)i + 1, requests[i].params);
        hear_all();
        CHECK_INT(requests[i].status, last_status, requests[i].what);
        CHECK_INT(i + 1, finished, requests[i].what);
        forget();
    }
    expect_open(client.far, "goes on");
}

static void test_fcgi_request__params_that_are_cut_off(void **state)
{
    (void)state;
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    say_record(PL_FCGI_PARAMS, 1, PL_STR("\5\5HELLO"));
    say_record(PL_FCGI_PARAMS, 1, PL_STR(""));
    hear_all();
    CHECK_INT(400, last_status, "lengths beyond the data");
    forget();
    say_get(1, GET_PARAMS("/"));
    expect_words(HELLO("1"), "goes on");
}

static void test_fcgi_request__too_many_params(void **state)
{
    static char lines[40000];
    size_t at = 0;

    (void)state;
    at += (size_t)sprintf(lines, "%sHTTP_X=", GET_PARAMS("/"));
    memset(lines + at, 'x', 33000);
    strcpy(lines + at + 33000, "\n");
    say_get(1, lines);
    hear_all();
    CHECK_INT(431, last_status, "a large field");
    forget();
    at = (size_t)sprintf(lines, "%s", GET_PARAMS("/"));
    for (int i = 0; i < 101; i++)
        at += (size_t)sprintf(lines + at, "HTTP_X%d=\n", i);
    say_get(1, lines);
    hear_all();
    CHECK_INT(431, last_status, "many fields");
    forget();
    at = (size_t)sprintf(lines, "%s", GET_PARAMS("/"));
    for (int i = 0; i < 300; i++)
        at += (size_t)sprintf(lines + at, "X%d=\n", i);
    say_get(1, lines);
    hear_all();
    CHECK_INT(431, last_status, "many variables");
    forget();
}

static void test_fcgi_request__endless_params(void **state)
{
    static char piece[30000];

    (void)state;
    memset(piece, 'a', sizeof(piece));
    say_begin(1, PL_FCGI_RESPONDER, PL_FCGI_KEEP_CONN);
    for (int i = 0; i < 100; i++)
        say_record(PL_FCGI_PARAMS, 1, pl_str(piece, sizeof(piece)));
    expect_words("", "are not kept");
    say_record(PL_FCGI_PARAMS, 1, PL_STR(""));
    hear_all();
    CHECK_INT(431, last_status, "and refused");
    forget();
}

/* ---- what a handler sees ---- */

static int show(struct pl_request *req, struct pl_response *res, void *arg)
{
    struct pl_str name = pl_request_arg(req, PL_STR("name"));
    struct pl_str value = pl_request_env(req, name);
    uint16_t port;
    struct pl_str remote = pl_request_remote(req, &port);

    return pl_respondf(
        res, 200, "text/plain", "%.*s|%.*s|%.*s:%u|%.*s|%.*s|%d|%.*s",
        PL_STR_ARG(value), PL_STR_ARG(pl_request_header(req, name)),
        PL_STR_ARG(remote), port, PL_STR_ARG(pl_request_host(req, NULL)),
        PL_STR_ARG(pl_request_scheme(req)), pl_request_version(req),
        PL_STR_ARG(req->path));
}

static const struct {
    const char *what, *params, *want;
} shown[] = {
    {"a variable",
     GET_PARAMS("/show?name=SCRIPT_FILENAME") "SCRIPT_FILENAME=/srv/a.lua\n",
     "/srv/a.lua||:0|a|http|11|/show"},
    {"the last one counts", GET_PARAMS("/show?name=X") "X=1\nX=2\n",
     "2||:0|a|http|11|/show"},
    {"a role", GET_PARAMS("/show?name=FCGI_ROLE") "FCGI_ROLE=FILTER\n",
     "RESPONDER||:0|a|http|11|/show"},
    {"a field", GET_PARAMS("/show?name=X-Some-Thing") "HTTP_X_SOME_THING= y \n",
     "|y|:0|a|http|11|/show"},
    {"a known field", GET_PARAMS("/show?name=accept") "HTTP_ACCEPT=text/html\n",
     "|text/html|:0|a|http|11|/show"},
    {"a type", GET_PARAMS("/show?name=content-type") "CONTENT_TYPE=a/b\n",
     "|a/b|:0|a|http|11|/show"},
    {"... is no field",
     GET_PARAMS("/show?name=content-type") "HTTP_CONTENT_TYPE=a/b\n",
     "||:0|a|http|11|/show"},
    {"no field of connections",
     GET_PARAMS("/show?name=connection") "HTTP_CONNECTION=close\n",
     "||:0|a|http|11|/show"},
    {"HTTP_PROXY", GET_PARAMS("/show?name=HTTP_PROXY") "HTTP_PROXY=evil\n",
     "||:0|a|http|11|/show"},
    {"... as a field", GET_PARAMS("/show?name=proxy") "HTTP_PROXY=evil\n",
     "||:0|a|http|11|/show"},
    {"a client",
     GET_PARAMS("/show?name=x") "REMOTE_ADDR=192.0.2.1\nREMOTE_PORT=4711\n",
     "||192.0.2.1:4711|a|http|11|/show"},
    {"... of IPv6", GET_PARAMS("/show?name=x") "REMOTE_ADDR=2001:db8::1\n",
     "||2001:db8::1:0|a|http|11|/show"},
    {"... that is none", GET_PARAMS("/show?name=x") "REMOTE_ADDR=<b>\n",
     "||unknown:0|a|http|11|/show"},
    {"HTTPS", GET_PARAMS("/show?name=x") "HTTPS=on\n", "||:0|a|https|11|/show"},
    {"... off", GET_PARAMS("/show?name=x") "HTTPS=off\n",
     "||:0|a|http|11|/show"},
    {"... empty", GET_PARAMS("/show?name=x") "HTTPS=\n",
     "||:0|a|http|11|/show"},
    {"a scheme", GET_PARAMS("/show?name=x") "REQUEST_SCHEME=https\n",
     "||:0|a|https|11|/show"},
    {"HTTP/1.0", GET_PARAMS("/show?name=x") "SERVER_PROTOCOL=HTTP/1.0\n",
     "||:0|a|http|10|/show"},
    {"HTTP/2", GET_PARAMS("/show?name=x") "SERVER_PROTOCOL=HTTP/2.0\n",
     "||:0|a|http|20|/show"},
    {"HTTP/3", GET_PARAMS("/show?name=x") "SERVER_PROTOCOL=HTTP/3\n",
     "||:0|a|http|30|/show"},
    {"the server's name",
     "REQUEST_METHOD=GET\nREQUEST_URI=/show?name=x\n"
     "SERVER_NAME=b\nSERVER_PORT=81\n",
     "||:0|b|http|11|/show"},
    {"what is encoded", GET_PARAMS("/sh%6fw?name=REQUEST_URI"),
     "/sh%6fw?name=REQUEST_URI||:0|a|http|11|/show"},
    {"a script and a path",
     "REQUEST_METHOD=GET\nSCRIPT_NAME=/sh\n"
     "PATH_INFO=ow\nQUERY_STRING=name=PATH_INFO\nHTTP_HOST=a\n",
     "ow||:0|a|http|11|/show"},
    {"a path that looks encoded",
     "REQUEST_METHOD=GET\n"
     "PATH_INFO=/show/%2e/x\nQUERY_STRING=name=x\nHTTP_HOST=a\n",
     "||:0|a|http|11|/show/%2e/x"},
};

static void test_fcgi_request__what_a_handler_sees(void **state)
{
    char want[256];

    (void)state;
    add_route(GET, "/show", show);
    add_route(GET, "/show/*rest", show);
    for (size_t i = 0; i < PL_COUNT(shown); i++) {
        say_get(1, shown[i].params);
        hear_all();
        CHECK_INT(200, last_status, shown[i].what);
        snprintf(want, sizeof(want), "~~%s" ENDED("1"), shown[i].want);
        if (strstr(client.heard, want) == NULL)
            fail_msg("%s: want \"%s\" in \"%s\"", shown[i].what, want,
                     client.heard);
        forget();
    }
}

RUN_TESTS(FCGI_BOTH(test_fcgi_request__is_answered),
          FCGI_BOTH(test_fcgi_request__params_that_are_cut_off),
          FCGI_WHOLE(test_fcgi_request__too_many_params),
          FCGI_WHOLE(test_fcgi_request__endless_params),
          FCGI_BOTH(test_fcgi_request__what_a_handler_sees))
