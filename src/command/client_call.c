/* client_call.c - finding a server's admin socket, and one request to it. */
#include <dirent.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/str.h"
#include "base/sys.h"
#include "command/client.h"

enum {
    ANSWER_MAX = 64 << 20,
    ANSWER_S = 70, /* the longest that a server waits for its workers */
    NAMES = 400,   /* bytes of names in an error */
};

/* ---- the socket ---- */

/* Returns the descriptor or PL_ERR_*, with errno. */
static int connect_to(const char *path)
{
    struct timeval patience = {.tv_sec = ANSWER_S};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = pl_sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

    if (fd < 0)
        return pl_err_from_errno(errno);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    if (pl_sys_connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        err = errno;
        pl_sys_close(fd);
        errno = err;
        return pl_err_from_errno(err);
    }
    pl_sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static int explain(struct pl_error *error, const char *path, int number)
{
    if (number == ENOENT || number == ECONNREFUSED)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "no server is running: nobody listens on %s", path);
    if (number == EACCES)
        return pl_error_set(error, PL_ERR_DENIED, "",
                            "%s: only root and the user who has started the "
                            "server may ask it",
                            path);
    return pl_error_set(error, pl_err_from_errno(number), "", "%s: %s", path,
                        strerror(number));
}

/* ---- looking for one ---- */

struct search {
    const char *folder;
    unsigned found;
    char *path; /* of the last */
    size_t len;
    char names[NAMES];
};

static void look_at(struct search *search, const char *name)
{
    char path[PL_ADMIN_PATH];
    size_t room = sizeof(search->names) - search->len;
    int n = snprintf(path, sizeof(path), "%s/%s", search->folder, name), fd;

    if (!pl_str_ends(pl_str_c(name), PL_STR(".sock")) || n < 0 ||
        (size_t)n >= sizeof(path))
        return;
    fd = connect_to(path);
    if (fd < 0)
        return;
    pl_sys_close(fd);
    search->found++;
    memcpy(search->path, path, (size_t)n + 1);
    n = snprintf(search->names + search->len, room, " %s", path);
    search->len += PL_MIN((size_t)PL_MAX(n, 0), room - 1);
}

static void look_around(struct search *search)
{
    int fd = pl_sys_open(search->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    struct dirent *entry;
    DIR *folder;

    if (fd < 0)
        return;
    folder = pl_sys_fdopendir(fd);
    if (folder == NULL) {
        pl_sys_close(fd);
        return;
    }
    while ((entry = pl_sys_readdir(folder)) != NULL)
        look_at(search, entry->d_name);
    closedir(folder);
}

int pl_client_find(struct pl_client *client, struct pl_error *error)
{
    char folder[PL_ADMIN_PATH];
    struct search search = {.folder = folder, .path = client->path};
    int n = 0;

    if (client->admin != NULL)
        n = snprintf(client->path, sizeof(client->path), "%s", client->admin);
    if (n < 0 || (size_t)n >= sizeof(client->path) ||
        (client->admin == NULL && client->pid_file != NULL &&
         !pl_admin_beside(client->pid_file, client->path,
                          sizeof(client->path))))
        return pl_error_set(error, PL_ERR_TOO_LONG, "", "the path is too long");
    if (client->admin != NULL || client->pid_file != NULL)
        return 0;
    if (!pl_admin_folder(folder, sizeof(folder)))
        return pl_error_set(error, PL_ERR_TOO_LONG, "", "the path is too long");
    look_around(&search);
    if (search.found == 1)
        return 0;
    if (search.found == 0)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "no running server was found in %s (say which one "
                            "by --pid FILE or --admin PATH)",
                            folder);
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "%u servers are running; say which one by --admin "
                        "PATH:%s",
                        search.found, search.names);
}

/* ---- a request ---- */

static int send_request(int fd, const char *method, const char *target)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "%s %s HTTP/1.0\r\nHost: admin\r\n"
                       "Content-Length: 0\r\n\r\n",
                       method, target);
    ssize_t n;

    for (int at = 0; at < len; at += (int)n) {
        n = pl_sys_send(fd, text + at, (size_t)(len - at), MSG_NOSIGNAL);
        if (n < 0)
            return pl_err_from_errno(errno);
    }
    return 0;
}

/* HTTP/1.0: the answer ends with the connection. */
static int receive(int fd, struct pl_buf *text)
{
    ssize_t n;

    for (;;) {
        if (pl_buf_reserve(text, 16384) < 0)
            return text->err;
        n = pl_sys_read(fd, text->data + text->len, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_err_from_errno(errno);
        if (n == 0)
            return 0;
        text->len += (size_t)n;
    }
}

/* "HTTP/1.1 200 OK", fields, an empty line, the body. */
static int take_apart(struct pl_client_answer *answer)
{
    struct pl_str text = pl_buf_str(&answer->text);
    const char *body = memmem(text.data, text.len, "\r\n\r\n", 4);

    if (body == NULL || text.len < 12 || memcmp(text.data, "HTTP/1.", 7) != 0)
        return PL_ERR_PROTO;
    for (int i = 9; i < 12; i++)
        answer->status = answer->status * 10 + (text.data[i] - '0');
    answer->body = pl_str_skip(text, (size_t)(body + 4 - text.data));
    return 0;
}

static int judge(struct pl_client_answer *answer, struct pl_error *error)
{
    struct pl_str why;

    if (pl_json_parse(NULL, answer->body, NULL, &answer->json, NULL) < 0)
        answer->json = NULL;
    if (answer->status < 300 && answer->json != NULL)
        return 0;
    why = pl_client_str(answer->json, "/error");
    if (why.len == 0)
        return pl_error_set(error, PL_ERR_PROTO, "", "the server answers %d",
                            answer->status);
    return pl_error_set(error, PL_ERR_INVALID, "", "%.*s", PL_STR_ARG(why));
}

int pl_client_call(const struct pl_client *client, const char *method,
                   const char *target, struct pl_client_answer *answer,
                   struct pl_error *error)
{
    int fd, err;

    *answer = (struct pl_client_answer){.status = 0};
    pl_pool_init(&answer->pool, NULL, 0);
    pl_buf_init(&answer->text, &answer->pool, NULL, ANSWER_MAX);
    fd = connect_to(client->path);
    if (fd < 0)
        return explain(error, client->path, errno);
    err = send_request(fd, method, target);
    if (err == 0)
        err = receive(fd, &answer->text);
    pl_sys_close(fd);
    if (err == 0)
        err = take_apart(answer);
    if (err < 0)
        return pl_error_set(error, err, "", "%s: no answer: %s", client->path,
                            answer->text.len == 0 && err == PL_ERR_PROTO
                                ? "the server has hung up"
                                : pl_err_text(err));
    return judge(answer, error);
}

void pl_client_answer_fini(struct pl_client_answer *answer)
{
    pl_json_free(answer->json);
    pl_buf_fini(&answer->text);
    pl_pool_fini(&answer->pool);
}

/* ---- reading ---- */

uint64_t pl_client_u64(const struct pl_json *value, const char *pointer)
{
    uint64_t number = 0;

    pl_json_to_u64(pl_json_find(value, pl_str_c(pointer)), &number);
    return number;
}

double pl_client_double(const struct pl_json *value, const char *pointer)
{
    double number = 0;

    pl_json_to_double(pl_json_find(value, pl_str_c(pointer)), &number);
    return number;
}

struct pl_str pl_client_str(const struct pl_json *value, const char *pointer)
{
    struct pl_str text = pl_json_str(pl_json_find(value, pl_str_c(pointer)));

    return text.data == NULL ? PL_STR("") : text;
}
