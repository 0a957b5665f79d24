#include "filters/users.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/table.h"

enum { FILE_LIMIT = 8 << 20, NAME_MAX_LEN = 255, CHUNK = 16 * 1024 };

struct pl_users {
    const struct pl_auth_offer *auth;
    struct pl_pool pool;
    struct pl_arena arena;
    struct pl_table table;
    const struct pl_login *decoy;
};

struct pl_users *pl_users_new(const struct pl_auth_offer *auth)
{
    struct pl_users *users = pl_malloc(sizeof(*users));

    if (users == NULL)
        return NULL;
    users->auth = auth;
    users->decoy = NULL;
    pl_pool_init(&users->pool, NULL, 0);
    pl_arena_init(&users->arena, &users->pool, NULL);
    pl_table_init(&users->table, &users->pool, NULL);
    return users;
}

void pl_users_free(struct pl_users *users)
{
    if (users == NULL)
        return;
    pl_table_fini(&users->table);
    pl_arena_fini(&users->arena);
    pl_pool_fini(&users->pool);
    pl_free(users);
}

const struct pl_login *pl_users_find(const struct pl_users *users,
                                     struct pl_str name)
{
    return pl_table_get(&users->table, name);
}

const struct pl_login *pl_users_decoy(const struct pl_users *users)
{
    return users->decoy;
}

/* ---- adding ---- */

/* RFC 7617, 2: no colon, no control characters. */
static const char *wrong_name(struct pl_str name)
{
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return "the name of a user is empty or has more than 255 bytes";
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < ' ' || name.data[i] == 0x7f ||
            name.data[i] == ':')
            return "the name of a user has a colon or a control character";
    return NULL;
}

static bool looks_hashed(struct pl_str secret)
{
    return secret.len > 0 && (secret.data[0] == '$' || secret.data[0] == '{');
}

/* Of a hash whose kind is not known nobody would ever be let in. */
static const char *wrong_hash(const struct pl_users *users,
                              const struct pl_login *user)
{
    if (user->secret.len >= PL_PASSWORD_HASH_MAX ||
        strlen(user->secret.data) != user->secret.len ||
        !users->auth->is_hash(user->secret.data))
        return "no hash of a kind that is known (bcrypt, yescrypt, sha-crypt, "
               "argon2, $apr1$, {SHA})";
    return NULL;
}

static int no_memory(const char *where, struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_NOMEM, where, "out of memory");
}

static int add(struct pl_users *users, struct pl_str name, struct pl_str secret,
               bool is_hash, const char *where, struct pl_error *error)
{
    const char *wrong = wrong_name(name);
    struct pl_login *user;

    if (wrong != NULL)
        return pl_error_set(error, PL_ERR_SYNTAX, where, "%s", wrong);
    user = pl_arena_alloc(&users->arena, sizeof(*user));
    if (user == NULL)
        return no_memory(where, error);
    user->name = pl_arena_str(&users->arena, name);
    user->secret = pl_arena_str(&users->arena, secret);
    user->is_hash = is_hash;
    if (user->name.data == NULL || user->secret.data == NULL)
        return no_memory(where, error);
    wrong = is_hash ? wrong_hash(users, user) : NULL;
    if (wrong != NULL)
        return pl_error_set(error, PL_ERR_SYNTAX, where, "user '%.*s': %s",
                            PL_STR_ARG(name), wrong);
    if (pl_table_put(&users->table, user->name, user, NULL) < 0)
        return no_memory(where, error);
    if (users->decoy == NULL || is_hash)
        users->decoy = user;
    return 0;
}

int pl_users_add(struct pl_users *users, struct pl_str name,
                 struct pl_str secret, const char *where,
                 struct pl_error *error)
{
    return add(users, name, secret, looks_hashed(secret), where, error);
}

/* ---- files ---- */

/* The first "=" with a blank before it: hashes and names may have one, too. */
static ptrdiff_t find_equals(struct pl_str line)
{
    for (size_t i = 1; i < line.len; i++)
        if (line.data[i] == '=' &&
            (line.data[i - 1] == ' ' || line.data[i - 1] == '\t'))
            return (ptrdiff_t)i;
    return -1;
}

/* "name:hash", or "name = password" */
static int add_line(struct pl_users *users, struct pl_str line,
                    const char *where, struct pl_error *error)
{
    ptrdiff_t colon = pl_str_chr(line, ':'), equals = find_equals(line);

    if (equals >= 0 && (colon < 0 || equals < colon))
        return add(users, pl_str_trim(pl_str_first(line, (size_t)equals)),
                   pl_str_trim(pl_str_skip(line, (size_t)equals + 1)), false,
                   where, error);
    if (colon >= 0) /* what follows another colon is not for us */
        return add(users, pl_str_first(line, (size_t)colon),
                   pl_str_first(pl_str_skip(line, (size_t)colon + 1),
                                strcspn(line.data + colon + 1, ":\r\n")),
                   true, where, error);
    return pl_error_set(error, PL_ERR_SYNTAX, where,
                        "a line is \"name:hash\" or \"name = password\"");
}

/* text is terminated. */
static int add_lines(struct pl_users *users, struct pl_str text,
                     const char *path, struct pl_error *error)
{
    char where[sizeof(error->where)];
    struct pl_str line;
    unsigned number = 0;
    int err = 0;

    while (err == 0 && pl_str_split(&text, '\n', &line)) {
        snprintf(where, sizeof(where), "%s:%u", path, ++number);
        if (pl_str_ends(line, PL_STR("\r")))
            line.len--;
        line = pl_str_trim(line);
        if (line.len > 0 && line.data[0] != '#')
            err = add_line(users, line, where, error);
    }
    return err;
}

int pl_users_parse(const struct pl_auth_offer *auth, struct pl_str text,
                   const char *path, struct pl_users **out,
                   struct pl_error *error)
{
    struct pl_users *users = pl_users_new(auth);
    struct pl_str copy = {NULL, 0};
    int err;

    if (users != NULL)
        copy = pl_arena_str(&users->arena, text);
    err = copy.data == NULL ? no_memory(path, error)
                            : add_lines(users, copy, path, error);
    if (err < 0)
        pl_users_free(users);
    else
        *out = users;
    return err;
}

static int read_all(const char *path, struct pl_buf *out)
{
    int fd = pl_sys_open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC, 0);
    ssize_t n = 0;

    if (fd < 0)
        return pl_err_from_errno(errno);
    while (pl_buf_reserve(out, CHUNK) == 0) {
        n = pl_sys_read(fd, out->data + out->len, CHUNK);
        if (n > 0)
            out->len += (size_t)n;
        else if (n == 0 || errno != EINTR)
            break;
    }
    if (n < 0)
        out->err = pl_err_from_errno(errno);
    pl_sys_close(fd);
    return out->err;
}

int pl_users_read(const struct pl_auth_offer *auth, const char *path,
                  struct pl_users **out, struct pl_error *error)
{
    struct pl_pool pool;
    struct pl_buf text;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&text, &pool, NULL, FILE_LIMIT);
    err = read_all(path, &text);
    if (err < 0)
        pl_error_set(error, err, path, "cannot read the list of users: %s",
                     pl_err_text(err));
    else
        err = pl_users_parse(auth, pl_buf_str(&text), path, out, error);
    if (text.data != NULL)
        auth->forget(text.data, text.len);
    pl_buf_fini(&text);
    pl_pool_fini(&pool);
    return err;
}
