/* web_world.h - lua_world.h with a site in it and connections in memory: from
 * the bytes of a request to those of its response. */
#ifndef PL_TESTS_WEB_WORLD_H
#define PL_TESTS_WEB_WORLD_H

#include "lua_world.h"

#include "http/request.h"
#include "lua/site.h"
#include "net/listener.h"
#include "route/dispatch.h"

static struct pl_net net;
static struct pl_http http;
static struct pl_site *site;
static struct pl_listener *listener;
static int listening, far; /* far: the client's end of the one connection */

static void on_request(void *arg, struct pl_request *req)
{
    (void)arg;
    pl_dispatch(site->router, req);
}

static void on_finished(void *arg, struct pl_request *req)
{
    (void)arg;
    (void)req;
}

static const struct pl_http_ops web_ops = {.request = on_request,
                                           .finished = on_finished};

PL_UNUSED static int connect_client(void)
{
    int end = pl_script_connect(pl_script_of(loop), listening);

    turn(2);
    return end;
}

/* Another connection in place of the one. */
PL_UNUSED static void renew_client(void)
{
    pl_script_close(pl_script_of(loop), far);
    turn(3);
    far = connect_client();
}

PL_UNUSED static int make_web_world(void **state)
{
    struct pl_error error = {0};

    make_lua_world(state);
    site = pl_site_new();
    CHECK(site != NULL, "site");
    CHECK_INT(0, pl_lua_site_open(vm, site, &error), error.text);
    CHECK_INT(0, pl_net_init(&net, loop, NULL), "net");
    pl_http_init(&http, &net, &sched, &site->http, &web_ops, NULL);
    listening = pl_script_listen(pl_script_of(loop));
    CHECK_INT(0,
              pl_listener_start(&net, listening, false, false, &pl_h1_protocol,
                                &http, &listener),
              "listener");
    far = connect_client();
    return 0;
}

PL_UNUSED static int end_web_world(void **state)
{
    struct pl_op drained;

    pl_script_close(pl_script_of(loop), far);
    turn(3);
    pl_vm_stop_begin(&drained, vm);
    finish(&drained);
    turn(3);
    CHECK_INT(0, net.stats.open, "no connection is left");
    CHECK_INT(0, http.stats.open, "no request is left");
    CHECK_INT(0, pl_vm_stats(vm).tasks, "no task is left");
    pl_listener_stop(listener);
    turn(1);
    pl_site_free(site);
    pl_vm_free(vm);
    pl_net_fini(&net);
    return end_world(state);
}

/* Loads a site and lets it start. */
PL_UNUSED static void serve(const char *text)
{
    run_ok(text, "site");
    commit();
}

PL_UNUSED static void send_text(const char *text)
{
    pl_script_send(pl_script_of(loop), far, pl_str_c(text));
    turn(6);
}

/* What has come since the last time, as a C string. */
static char answer[64 * 1024];

PL_UNUSED static const char *received(void)
{
    struct pl_str got = pl_script_received(pl_script_of(loop), far);
    size_t len = PL_MIN(got.len, sizeof(answer) - 1);

    memcpy(answer, got.data, len);
    answer[len] = '\0';
    pl_script_take(pl_script_of(loop), far, got.len);
    return answer;
}

/* "GET /path": the response, or as much of it as there is without waiting. */
PL_UNUSED static const char *ask(const char *line)
{
    char text[1024];

    snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n\r\n", line);
    send_text(text);
    return received();
}

PL_UNUSED static const char *post(const char *target, const char *body)
{
    char text[8192];

    snprintf(text, sizeof(text),
             "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s",
             target, strlen(body), body);
    send_text(text);
    return received();
}

PL_UNUSED static void check_has(const char *text, const char *part,
                                const char *what)
{
    if (strstr(text, part) == NULL)
        fail_msg("%s: no \"%s\" in \"%s\"; reports: %s", what, part, text,
                 reports);
}

/* The status is want, and the response ends with body (NULL: any). */
PL_UNUSED static void check_answer(const char *text, int want, const char *body,
                                   const char *what)
{
    char start[32];

    snprintf(start, sizeof(start), "HTTP/1.1 %d ", want);
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("%s: want %d, got \"%s\"; reports: %s", what, want, text,
                 reports);
    if (body != NULL && !pl_str_ends(pl_str_c(text), pl_str_c(body)))
        fail_msg("%s: want \"%s\" at the end of \"%s\"", what, body, text);
}

PL_UNUSED static void no_reports(const char *what)
{
    if (reports[0] != '\0')
        fail_msg("%s: unexpected: %s", what, reports);
}

#define WEB_TEST(name)                                                         \
    cmocka_unit_test_setup_teardown(name, make_web_world, end_web_world)

#endif
