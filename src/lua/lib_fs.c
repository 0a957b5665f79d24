/* lib_fs.c - pl.fs: jobs of the file system, from Lua
 * (lua/perilune/lib/fs.lua).
 *
 *     job = new(verb, path, args);  result = run(job, call)
 *     text(job), stat(job), list(job), number(job), file(job) | problem(job)
 *
 * A job and an open file are userdata that count as users of what they point
 * to; their finalizers may run on any thread. */
#include "lua/lib_fs.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "lua/args.h"
#include "lua/parts.h"
#include "lua/vm_priv.h"
#include "lua/wait.h"
#include "os/notify.h"

static const char job_name[] = "pl.fs.job";
static const char file_name[] = "pl.fs.handle";

struct job {
    struct pl_fs_op op;
    struct pl_fs_call *call;
};

struct handle {
    struct pl_fs_file *file;
};

/* ---- making a job ---- */

static const struct verb {
    const char *name;
    int (*work)(struct pl_fs_call *call);
} verbs[] = {
    {"read", pl_fs_do_read},
    {"write", pl_fs_do_write},
    {"stat", pl_fs_do_stat},
    {"list", pl_fs_do_list},
    {"mkdir", pl_fs_do_mkdir},
    {"remove", pl_fs_do_remove},
    {"rename", pl_fs_do_rename},
    {"copy", pl_fs_do_copy},
    {"link", pl_fs_do_link},
    {"symlink", pl_fs_do_symlink},
    {"readlink", pl_fs_do_readlink},
    {"realpath", pl_fs_do_realpath},
    {"chmod", pl_fs_do_chmod},
    {"touch", pl_fs_do_touch},
    {"temp", pl_fs_do_temp},
    {"open", pl_fs_do_open},
    {"notify", pl_fs_do_notify},
    {"file_read", pl_fs_do_file_read},
    {"file_write", pl_fs_do_file_write},
    {"file_seek", pl_fs_do_file_seek},
    {"file_sync", pl_fs_do_file_sync},
    {"file_stat", pl_fs_do_file_stat},
    {"file_close", pl_fs_do_file_close},
};

static const struct flag {
    const char *name;
    unsigned bit;
} flags[] = {
    {"in_place", PL_FS_IN_PLACE},   {"append", PL_FS_APPEND},
    {"sync", PL_FS_SYNC},           {"exclusive", PL_FS_EXCLUSIVE},
    {"link", PL_FS_LINK},           {"parents", PL_FS_PARENTS},
    {"recursive", PL_FS_RECURSIVE}, {"folder", PL_FS_FOLDER},
    {"modify", PL_FS_MODIFY},
};

/* Fields of args at index 3; absent ones are nil or false. */
static struct pl_str get_text(lua_State *L, const char *field)
{
    struct pl_str text = {NULL, 0};

    lua_getfield(L, 3, field);
    if (lua_type(L, -1) == LUA_TSTRING)
        text.data = lua_tolstring(L, -1, &text.len);
    lua_pop(L, 1); /* args keeps it */
    return text;
}

static double get_number(lua_State *L, const char *field, double otherwise)
{
    double number = otherwise;

    lua_getfield(L, 3, field);
    if (lua_type(L, -1) == LUA_TNUMBER)
        number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
}

static struct timespec get_time(lua_State *L)
{
    double seconds = get_number(L, "time", -0x1p62);
    struct timespec time = {.tv_nsec = UTIME_NOW};

    if (seconds == -0x1p62)
        return time;
    time.tv_sec = (time_t)seconds;
    time.tv_sec -= seconds < (double)time.tv_sec;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    return time;
}

static struct pl_fs_file *get_file(lua_State *L)
{
    struct handle *handle;

    lua_getfield(L, 3, "file");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return NULL;
    }
    handle = luaL_checkudata(L, -1, file_name);
    lua_pop(L, 1);
    return handle->file;
}

static const struct verb *get_verb(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    for (size_t i = 0; i < PL_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    luaL_argerror(L, 1, "no such call");
    return NULL;
}

static void get_args(lua_State *L, struct pl_fs_args *args)
{
    *args = (struct pl_fs_args){
        .to = get_text(L, "to"),
        .data = get_text(L, "data"),
        .file = get_file(L),
        .offset = (int64_t)get_number(L, "offset", 0),
        .max = (uint64_t)get_number(L, "max", 0),
        .time = get_time(L),
        .mode = (int)get_number(L, "mode", PL_FS_NO_MODE),
        .how = (int)get_number(L, "how", 0),
    };
    args->path.data = luaL_checklstring(L, 2, &args->path.len);
    args->length = (uint64_t)get_number(L, "length", -1);
    if (get_number(L, "length", -1) < 0)
        args->length = UINT64_MAX;
    for (size_t i = 0; i < PL_COUNT(flags); i++) {
        lua_getfield(L, 3, flags[i].name);
        args->flags |= lua_toboolean(L, -1) ? flags[i].bit : 0;
        lua_pop(L, 1);
    }
}

/* new(verb, path, args) -> job */
static int new_job(lua_State *L)
{
    const struct verb *verb = get_verb(L);
    struct job *job = lua_newuserdata(L, sizeof(*job));
    struct pl_fs_args args;

    job->call = NULL;
    luaL_setmetatable(L, job_name);
    get_args(L, &args);
    job->call = pl_fs_call_new(verb->work, &args);
    if (job->call == NULL)
        return luaL_error(L, "not enough memory");
    return 1;
}

static struct job *check_job(lua_State *L)
{
    return luaL_checkudata(L, 1, job_name);
}

static int job_gc(lua_State *L)
{
    struct job *job = check_job(L);

    pl_fs_call_drop(job->call);
    job->call = NULL;
    return 0;
}

/* run(job, call) -> 0 or PL_ERR_*. An open file does one thing at a time. */
static int run_job(lua_State *L)
{
    struct job *job = check_job(L);
    const char *call = luaL_checkstring(L, 2);
    struct pl_co *co = pl_co_may_wait(L, call);
    struct pl_fs_file *file = job->call->args.file;

    if (file != NULL && atomic_load(&file->busy))
        return pl_lua_fail(L, "%s: the file is busy with another call", call);
    if (file != NULL && file->fd < 0)
        return pl_lua_fail(L, "%s: the file is closed", call);
    if (file != NULL)
        atomic_store(&file->busy, true);
    pl_fs_begin(&job->op, co->task.sched, job->call);
    return pl_co_wait(L, co, &job->op.offload.op, 1);
}

/* ---- what a job has found out ---- */

/* problem(job, result) -> "PATH: what went wrong" */
static int push_problem(lua_State *L)
{
    char text[512];

    pl_fs_message(check_job(L)->call, (int)luaL_checkinteger(L, 2), text,
                  sizeof(text));
    lua_pushstring(L, text);
    return 1;
}

static int push_text(lua_State *L)
{
    const struct pl_fs_call *call = check_job(L)->call;

    lua_pushlstring(L, call->out == NULL ? "" : call->out, call->out_len);
    return 1;
}

static int push_number(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)check_job(L)->call->number);
    return 1;
}

static double seconds(struct timespec time)
{
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int push_stat(lua_State *L)
{
    const struct stat *st = &check_job(L)->call->st;
    char mode[8];

    lua_createtable(L, 0, 12);
    pl_lua_set_text(L, "type", pl_fs_type(st->st_mode));
    snprintf(mode, sizeof(mode), "%03o", (unsigned)(st->st_mode & 07777));
    pl_lua_set_text(L, "mode", mode);
    pl_lua_set_integer(L, "size", (int64_t)st->st_size);
    pl_lua_set_number(L, "mtime", seconds(st->st_mtim));
    pl_lua_set_number(L, "atime", seconds(st->st_atim));
    pl_lua_set_number(L, "ctime", seconds(st->st_ctim));
    pl_lua_set_integer(L, "uid", (int64_t)st->st_uid);
    pl_lua_set_integer(L, "gid", (int64_t)st->st_gid);
    pl_lua_set_integer(L, "links", (int64_t)st->st_nlink);
    pl_lua_set_integer(L, "inode", (int64_t)st->st_ino);
    pl_lua_set_integer(L, "device", (int64_t)st->st_dev);
    return 1;
}

static const char *type_word(char first)
{
    static const mode_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO,
                                   S_IFSOCK};

    for (size_t i = 0; i < PL_COUNT(types); i++)
        if (pl_fs_type(types[i])[0] == first)
            return pl_fs_type(types[i]);
    return pl_fs_type(0);
}

static int push_list(lua_State *L)
{
    const struct pl_fs_call *call = check_job(L)->call;
    const char *at = call->out;

    lua_createtable(L, (int)call->number, 0);
    for (int i = 1; i <= call->number; i++) {
        lua_createtable(L, 0, 2);
        pl_lua_set_text(L, "name", at + 1);
        pl_lua_set_text(L, "type", type_word(*at));
        lua_rawseti(L, -2, i);
        at += strlen(at) + 1;
    }
    return 1;
}

void pl_lua_push_fs_file(lua_State *L, struct pl_fs_file *file)
{
    struct handle *handle = lua_newuserdata(L, sizeof(*handle));

    handle->file = pl_fs_file_take(file);
    luaL_setmetatable(L, file_name);
}

/* file(job) -> handle */
static int push_file(lua_State *L)
{
    pl_lua_push_fs_file(L, check_job(L)->call->file);
    return 1;
}

static int handle_gc(lua_State *L)
{
    struct handle *handle = luaL_checkudata(L, 1, file_name);

    pl_fs_file_drop(handle->file);
    handle->file = NULL;
    return 0;
}

/* ---- small things ---- */

static void set_words(lua_State *L, const char *const *names, const int *values,
                      size_t n, const char *field)
{
    lua_createtable(L, 0, (int)n);
    for (size_t i = 0; i < n; i++) {
        pl_lua_set_integer(L, names[i], values[i]);
    }
    lua_setfield(L, -2, field);
}

/* open(natives): sets what is no function. */
static int open_fs(lua_State *L)
{
    static const char *const modes[] = {"r", "r+", "w", "w+", "wx", "a", "a+"};
    static const int opens[] = {
        O_RDONLY,
        O_RDWR,
        O_WRONLY | O_CREAT | O_TRUNC,
        O_RDWR | O_CREAT | O_TRUNC,
        O_WRONLY | O_CREAT | O_EXCL,
        O_WRONLY | O_CREAT | O_APPEND,
        O_RDWR | O_CREAT | O_APPEND,
    };
    static const char *const origins[] = {"set", "cur", "end"};
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};

    lua_settop(L, 1);
    set_words(L, modes, opens, PL_COUNT(modes), "modes");
    set_words(L, origins, whences, PL_COUNT(origins), "origins");
    pl_vm_type(L, job_name, job_gc);
    pl_vm_type(L, file_name, handle_gc);
    return 0;
}

const luaL_Reg pl_lua_fs[] = {
    {"open", open_fs},   {"new", new_job},
    {"run", run_job},    {"problem", push_problem},
    {"text", push_text}, {"number", push_number},
    {"stat", push_stat}, {"list", push_list},
    {"file", push_file}, {NULL, NULL},
};
