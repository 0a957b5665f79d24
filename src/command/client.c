#include "command/client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/sys.h"
#include "command/client_top.h"
#include "command/figures.h"
#include "process/exit.h"

enum {
    RATE_MS = 250,    /* between the two looks of status, for rates */
    UPGRADE_MS = 100, /* between two looks whether there is a new process */
};

/* ---- the commands ---- */

static void print_json(const struct pl_client_answer *answer)
{
    printf("%.*s\n", PL_STR_ARG(answer->body));
}

/* Calls, and prints: as it is, or by show. */
static int look(const struct pl_client *client, const char *target,
                void (*show)(const struct pl_json *answer))
{
    struct pl_error error = {.code = 0};
    struct pl_client_answer answer;
    int code = PL_EXIT_OK;

    if (pl_client_call(client, "GET", target, &answer, &error) < 0)
        code = pl_exit_say(PL_EXIT_FAILURE, &error);
    else if (client->json)
        print_json(&answer);
    else
        show(answer.json);
    pl_client_answer_fini(&answer);
    return code;
}

/* Two looks: what has grown in between makes the rates. */
static int show_status(const struct pl_client *client)
{
    struct pl_error error = {.code = 0};
    struct pl_client_answer before, now;
    uint64_t began = pl_clock_monotonic();
    int err = pl_client_call(client, "GET", "/status", &before, &error);

    now = (struct pl_client_answer){.status = 0};
    if (err == 0) {
        poll(NULL, 0, RATE_MS);
        err = pl_client_call(client, "GET", "/status", &now, &error);
        if (err == 0)
            pl_client_show_status(before.json, now.json,
                                  (double)(pl_clock_monotonic() - began) / 1e9);
        pl_client_answer_fini(&now);
    }
    pl_client_answer_fini(&before);
    return err < 0 ? pl_exit_say(PL_EXIT_FAILURE, &error) : PL_EXIT_OK;
}

static int run_status(const struct pl_client *client)
{
    return client->json ? look(client, "/status", NULL) : show_status(client);
}

static int run_connections(const struct pl_client *client)
{
    return look(client, "/connections", pl_client_show_connections);
}

static int run_requests(const struct pl_client *client)
{
    char target[64];
    char *end;

    if (client->word == NULL)
        return look(client, "/requests", pl_client_show_requests);
    if (strtod(client->word, &end) < 0 || *end != '\0')
        return pl_exit_text(PL_EXIT_USAGE, "requests: a number of seconds, "
                                           "or nothing, is wanted");
    snprintf(target, sizeof(target), "/requests?older=%.20s", client->word);
    return look(client, target, pl_client_show_requests);
}

/* The end of the process that has answered. Where that cannot be watched (it is
 * in another container), to have asked must do. */
static void wait_for_end(pid_t pid)
{
    struct pollfd end = {.fd = pl_sys_pidfd_open(pid), .events = POLLIN};

    while (end.fd >= 0 && poll(&end, 1, -1) < 0 && errno == EINTR)
        ;
    if (end.fd >= 0)
        pl_sys_close(end.fd);
}

static int end_it(const struct pl_client *client, const char *target)
{
    struct pl_error error = {.code = 0};
    struct pl_client_answer answer;
    int code = PL_EXIT_OK;

    if (pl_client_call(client, "POST", target, &answer, &error) < 0)
        code = pl_exit_say(PL_EXIT_FAILURE, &error);
    else if (client->json)
        print_json(&answer);
    if (code == PL_EXIT_OK)
        wait_for_end((pid_t)pl_client_u64(answer.json, "/pid"));
    pl_client_answer_fini(&answer);
    return code;
}

static int run_stop(const struct pl_client *client)
{
    return end_it(client, client->flag ? "/stop?now=true" : "/stop");
}

static int run_drain(const struct pl_client *client)
{
    return end_it(client, "/drain");
}

/* 1: the new process answers; 0: not yet; else PL_ERR_* with *error. Between
 * the two processes nobody may answer for a moment. */
static int look_for_process(const struct pl_client *client, const char *what,
                            const struct pl_json *asked, struct pl_error *error)
{
    struct pl_client_answer now;
    int err = pl_client_call(client, "GET", "/status", &now, error);

    if (err == 0 && pl_client_u64(now.json, "/process") !=
                        pl_client_u64(asked, "/process")) {
        err = pl_str_eq(pl_client_str(now.json, "/state"), PL_STR("serving"));
    } else if (err == 0 && pl_client_u64(now.json, "/reports") >
                               pl_client_u64(asked, "/reports")) {
        err = pl_error_set(error, PL_ERR_CANCELED, "", "%s: %.*s", what,
                           PL_STR_ARG(pl_client_str(now.json, "/report")));
    } else if (err == PL_ERR_PROTO || err == PL_ERR_CLOSED) {
        err = 0;
    }
    pl_client_answer_fini(&now);
    return err;
}

/* Returns 0, or PL_ERR_* with *error, which begins with what. */
static int wait_for_process(const struct pl_client *client, const char *what,
                            const struct pl_json *asked, struct pl_error *error)
{
    int err;

    while ((err = look_for_process(client, what, asked, error)) == 0)
        poll(NULL, 0, UPGRADE_MS);
    return PL_MIN(err, 0);
}

static int run_upgrade(const struct pl_client *client)
{
    struct pl_error error = {.code = 0};
    struct pl_client_answer asked;
    int err = pl_client_call(client, "POST", "/upgrade", &asked, &error);

    if (err == 0)
        err = wait_for_process(client, "not upgraded", asked.json, &error);
    pl_client_answer_fini(&asked);
    return err < 0 ? pl_exit_say(PL_EXIT_FAILURE, &error) : PL_EXIT_OK;
}

/* The server has answered: what has become of it. Returns an enum pl_exit. */
static int judge_reload(const struct pl_client *client, int err,
                        const struct pl_client_answer *answer,
                        struct pl_error *error)
{
    struct pl_str result = pl_client_str(answer->json, "/result");
    struct pl_error why = *error;

    if (pl_str_eq(result, PL_STR("refused"))) {
        pl_error_set(error, err, "", "not reloaded: %s", why.text);
        return pl_exit_say(PL_EXIT_SITE, error);
    }
    if (err == 0 && pl_str_eq(result, PL_STR("replaced")))
        err = wait_for_process(client, "not reloaded", answer->json, error);
    if (err < 0)
        return pl_exit_say(PL_EXIT_FAILURE, error);
    if (pl_client_u64(answer->json, "/held") > 0)
        return pl_exit_text(PL_EXIT_FAILURE,
                            "reloaded, but a worker is held by a handler, and "
                            "serves the old site until it returns");
    return PL_EXIT_OK;
}

static int run_reload(const struct pl_client *client)
{
    const char *target = client->flag ? "/reload?hard=true" : "/reload";
    struct pl_error error = {.code = 0};
    struct pl_client_answer answer;
    int code, err = pl_client_call(client, "POST", target, &answer, &error);

    if (client->json && answer.json != NULL)
        print_json(&answer);
    code = judge_reload(client, err, &answer, &error);
    pl_client_answer_fini(&answer);
    return code;
}

static void show_level(const struct pl_json *answer)
{
    printf("%.*s\n", PL_STR_ARG(pl_client_str(answer, "/level")));
}

static bool is_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 'a' || *text > 'z')
            return false;
    return true;
}

static int run_log(const struct pl_client *client)
{
    struct pl_error error = {.code = 0};
    struct pl_client_answer answer;
    int code = PL_EXIT_OK;
    char target[64];

    if (client->word == NULL)
        return look(client, "/log", show_level);
    snprintf(target, sizeof(target), "/log?level=%.20s",
             is_word(client->word) ? client->word : "");
    if (pl_client_call(client, "POST", target, &answer, &error) < 0)
        code = pl_exit_say(PL_EXIT_FAILURE, &error);
    else if (client->json)
        print_json(&answer);
    pl_client_answer_fini(&answer);
    return code;
}

/* ---- the command line ---- */

static const struct command {
    const char *name;
    int (*run)(const struct pl_client *client);
    bool takes_word;
    const char *flag; /* that it takes, besides --json; NULL */
} commands[] = {
    {"status", run_status, false, NULL},
    {"connections", run_connections, false, NULL},
    {"requests", run_requests, true, NULL},
    {"reload", run_reload, false, "--hard"},
    {"stop", run_stop, false, "--now"},
    {"drain", run_drain, false, NULL},
    {"upgrade", run_upgrade, false, NULL},
    {"log", run_log, true, NULL},
    {"top", pl_client_top, false, NULL},
};

static const struct command *find_command(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < PL_COUNT(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

bool pl_client_is(int argc, char **argv)
{
    return find_command(argc, argv) != NULL;
}

/* "--pid FILE" and "--pid=FILE". Moves *i over the value; NULL: it is not that
 * option, or has no value (*i is moved then). */
static const char *value_of(const char *name, char **argv, int *i)
{
    size_t len = strlen(name);

    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' ? argv[++*i] : NULL;
}

static int take(struct pl_client *client, const struct command *command,
                char **argv, int *i, struct pl_error *error)
{
    const char *arg = argv[*i], *value;
    int before = *i;

    if ((value = value_of("--pid", argv, i)) != NULL)
        client->pid_file = value;
    else if (*i == before && (value = value_of("--admin", argv, i)) != NULL)
        client->admin = value;
    else if (*i != before)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s needs a value (see --help)", arg);
    else if (strcmp(arg, "--json") == 0)
        client->json = true;
    else if (command->flag != NULL && strcmp(arg, command->flag) == 0)
        client->flag = true;
    else if (arg[0] == '-')
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s: unknown option %s (see --help)", command->name,
                            arg);
    else if (command->takes_word && client->word == NULL)
        client->word = arg;
    else
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "%s: %s is too much (see --help)", command->name,
                            arg);
    return 0;
}

int pl_client_run(int argc, char **argv)
{
    const struct command *command = find_command(argc, argv);
    struct pl_error error = {.code = 0};
    struct pl_client client = {.json = false};

    for (int i = 2; i < argc; i++)
        if (take(&client, command, argv, &i, &error) < 0)
            return pl_exit_say(PL_EXIT_USAGE, &error);
    if (pl_client_find(&client, &error) < 0)
        return pl_exit_say(PL_EXIT_FAILURE, &error);
    return command->run(&client);
}
