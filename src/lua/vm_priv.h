/* vm_priv.h - what the files of this room share of a VM. */
#ifndef PL_LUA_VM_PRIV_H
#define PL_LUA_VM_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "lua/coroutine.h"
#include "lua/vm.h"
#include "lua/watch_priv.h"

enum { PL_VM_MAGIC = 0x4d564c50 };

/* So many finished threads are kept, with the memory of their tasks. */
enum { PL_VM_SPARE_MAX = 1024, PL_VM_SPARE_IDLE = 16 };

enum pl_vm_phase {
    PL_VM_LOADING,
    PL_VM_RUNNING,
    PL_VM_STOPPING,
    PL_VM_DETACHED
};

/* Lua functions of lua/perilune/core that C calls, by their names there. */
#define PL_VM_CALL_MAP(X)                                                      \
    X(load_file)                                                               \
    X(load_text)                                                               \
    X(run_script)                                                              \
    X(commit) X(emit) X(messages) X(lead) X(retire) X(run_defers) X(describe)

enum pl_vm_call {
#define PL_VM_CALL_ENUM(name) PL_VM_CALL_##name,
    PL_VM_CALL_MAP(PL_VM_CALL_ENUM)
#undef PL_VM_CALL_ENUM
        PL_VM_CALLS
};

/* How Lua runs a handler that takes one argument or both, and a filter. */
enum pl_web_call {
    PL_WEB_CALL_REQUEST,
    PL_WEB_CALL_BOTH,
    PL_WEB_CALL_FILTER,
    PL_WEB_CALLS
};

struct pl_envelope;
struct pl_site;
struct pl_web;

struct pl_vm {
    uint32_t magic;
    enum pl_vm_phase phase;
    lua_State *main;
    struct pl_sched *sched;
    struct pl_vm_options options;

    struct pl_account account; /* what Lua holds */
    lua_Alloc alloc;           /* Lua's own allocator, below ours */
    void *alloc_arg;

    struct pl_list live, spare; /* pl_co.node */
    struct pl_list kept;        /* sockets that no task owns (lib_socket.h) */
    struct pl_list modules;     /* pl_module_load.node (module.h) */
    struct pl_list websockets;  /* with callbacks (lib_websocket.c) */
    unsigned live_count, spare_count;
    uint64_t threads;
    struct pl_op *drained; /* completed when nothing is live; or NULL */
    uint8_t cycles;        /* of the collector, since it was detached */

    bool running;      /* a task of this VM, in lua_resume */
    lua_State *caller; /* of next(): the state that starts what follows */

    struct pl_watch watch;
    bool pumping;                 /* a task looks at messages (member.c) */
    struct pl_envelope *envelope; /* which a Lua value is being made of */
    struct pl_meter *meter;       /* of the run; NULL: nobody measures it */

    struct pl_web *webs; /* spare ones, for the next requests */
    unsigned webs_count;

    int calls[PL_VM_CALLS]; /* references in the registry */
    int chain;              /* the same: a table of core/coroutine.lua */
    int timers; /* of lib/timer.lua; LUA_NOREF: it has not been loaded */
    struct pl_site *site;        /* to be recorded and served; NULL: a script */
    int web_calls[PL_WEB_CALLS]; /* as calls: of web.lua, filter.lua */
    int websocket_run;           /* the same, of websocket.lua */

    /* Only where sites are reloaded (move.h): */
    int websocket_routes;    /* reference: see websocket_move.c; or LUA_NOREF */
    int persist;             /* reference: what has pl.persist; or LUA_NOREF */
    struct pl_buf inherited; /* pl.persist of who served before, packed */
    struct pl_buf carried;   /* what is leaving, packed */
    struct pl_list willing;  /* websockets whose receive() ends then, */
    struct pl_list watches; /* ... and tasks that wait for it: lib_handover.c */
    struct pl_timer sweep;  /* another VM serves: websockets move to it */
    unsigned unseen;        /* of them in this round */
};

/* The VM of a C function that was registered with pl_vm_register(). */
PL_INLINE struct pl_vm *pl_vm_upvalue(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Sets functions in the table on top, each with the VM as its upvalue. */
void pl_vm_register(lua_State *L, struct pl_vm *vm, const luaL_Reg *functions);

/* Makes a type for luaL_checkudata(); gc() is called with what is garbage.
 * [-0, +0, raises] */
void pl_vm_type(lua_State *L, const char *name, lua_CFunction gc);

PL_INLINE void pl_vm_push_call(lua_State *L, struct pl_vm *vm,
                               enum pl_vm_call call)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->calls[call]);
}

/* Starts one of core's functions, without arguments, as a task. hooks may be
 * NULL. Returns 0 or PL_ERR_NOMEM (also when the VM is stopping). */
int pl_vm_start_call(struct pl_vm *vm, enum pl_vm_call call,
                     const struct pl_co_hooks *hooks);

/* A task or a WebSocket has gone: was it the last that drained waits for? */
void pl_vm_settle(struct pl_vm *vm);

/* From the commit on others talk to the VM, until it stops (member.c). */
void pl_vm_stand(struct pl_vm *vm);
void pl_vm_stand_down(struct pl_vm *vm);

/* For functions of the library, whose upvalue is the VM: its member. Raises
 * where the VM has none, and the second one also while the site is loaded. */
struct pl_member *pl_vm_check_member(lua_State *L, const char *call);
struct pl_member *pl_vm_check_standing(lua_State *L, const char *call);

/* Pushes the value of an envelope (NULL: nil) and releases it; returns 1.
 * [-0, +1, raises] */
int pl_vm_push_envelope(lua_State *L, struct pl_vm *vm,
                        struct pl_envelope *envelope);

/* The same with its topic, and its number or nil; returns 3, or 0 for NULL. */
int pl_vm_push_message(lua_State *L, struct pl_vm *vm,
                       struct pl_envelope *envelope);

/* From here on all that Lua allocates is charged; what it holds already is,
 * too (memory.c). Closing gives it back. */
int pl_vm_take_memory(struct pl_vm *vm);
void pl_vm_close_state(struct pl_vm *vm);

/* Around a run of a task with a meter: charges it with what Lua allocates. */
void pl_vm_measure(struct pl_vm *vm, struct pl_meter *meter);
void pl_vm_measured(struct pl_vm *vm, int status);

/* Frees spare threads until so many are left. */
void pl_co_trim(struct pl_vm *vm, unsigned keep);

/* The same for what requests are kept in (web_object.c). */
void pl_web_trim(struct pl_vm *vm, unsigned keep);

/* Runs fn(L) with arg as its light userdata; errors of Lua come back as a
 * status, with the error value on top of *L. */
int pl_vm_protect(lua_State *L, lua_CFunction fn, void *arg);

/* lua_gc(what) between tasks. Finalizers run there, and may fail: reported.
 * Returns whether a cycle has ended. */
bool pl_vm_collect(struct pl_vm *vm, int what);

/* Reports the error value on top of L, a thread that has failed (then with its
 * traceback) or main. Cancellation is not an error. */
void pl_vm_report(struct pl_vm *vm, struct pl_task *task, lua_State *L);

/* ---- the C half of lua/perilune/core, one function per file ---- */

/* Each adds its functions to the table on top ("core"). */
void pl_lua_open_wait(lua_State *L, struct pl_vm *vm);   /* wait.c */
void pl_lua_open_tasks(lua_State *L, struct pl_vm *vm);  /* tasks.c */
void pl_lua_open_system(lua_State *L, struct pl_vm *vm); /* system.c */
void pl_lua_open_member(lua_State *L, struct pl_vm *vm); /* member.c */
void pl_lua_open_error(lua_State *L, struct pl_vm *vm);  /* failure.c */

/* lib_chunk.c; only for a VM with options.chunks. */
void pl_lua_open_chunks(lua_State *L, struct pl_vm *vm);

/* Runs the Lua half, which adds its own functions to core. */
void pl_lua_open_library(lua_State *L, struct pl_vm *vm); /* library.c */

/* Pushes core; runs lua/perilune/core/NAME.lua with `core` and `pl`. Raise
 * errors. */
void pl_lua_push_core(lua_State *L);
void pl_lua_run_core(lua_State *L, const char *name);

/* Runs lua/perilune/lib/NAME.lua with `core`, `pl` and the value on top, which
 * it takes. Returns false, with nothing done, if there is no such file. */
bool pl_lua_run_lib(lua_State *L, const char *name);

#endif
