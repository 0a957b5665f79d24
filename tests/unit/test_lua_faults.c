/* test_lua_faults.c - no memory for Lua, at every place in turn: an error for
 * the one task, never the end of the worker. (Faults: -Dfaults=true.) */
#include "lua_world.h"

#include "base/faults.h"

static void test_vm_new__without_memory(void **state)
{
    struct pl_vm_options options = vm_options();
    struct pl_account account;

    (void)state;
    pl_account_init(&account, NULL, 0);
    options.account = &account;
    FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
        struct pl_error error = {0};
        struct pl_vm *made = NULL;
        int err = pl_vm_new(&sched, &options, &made, &error);

        CHECK(err == 0 || pl_faults_hit(), error.text);
        if (err == 0)
            pl_vm_free(made);
        CHECK_INT(0, account.used, "all given back");
    }
}

static const char *const scenes[] = {
    "pl.sleep(0.001)",
    "pl.spawn(function() pl.defer(note) pl.sleep(0.001) error('e') end) "
    "pl.sleep(0.003)",
    "pl.all{function() pl.sleep(0.001) return {} end, function() "
    "return 'x' .. pl.now() end, function() pl.sleep(0.002) end}",
    "pl.race{function() pl.sleep(0.001) end, function() pl.sleep(0.002) end}",
    "pl.timeout(0.001, function() pl.defer(function() pl.sleep(0.001) end) "
    "pl.sleep(1) end)",
    "coroutine.wrap(function() coroutine.wrap(function() pl.sleep(0.001) end)()"
    " pl.sleep(0.001) end)()",
    "package.preload.m = function() pl.sleep(0.001) return {} end "
    "package.loaded.m = nil require 'm'",
    "local t = pl.every(0.001, function() pl.sleep(0) end) pl.sleep(0.002) "
    "t:cancel()",
    "local t = pl.spawn(pl.sleep, 1) pl.sleep(0.001) t:cancel() "
    "pcall(t.join, t)",
    "for _, part in ipairs{'url', 'time', 'uuid', 'mime', 'env', 'base64', "
    "'hex', 'escape', 'crypto', 'log'} do pl[part] = nil local _ = pl[part] "
    "end pl.url.decode_query(pl.url.encode_query{a = {1, 2}}) "
    "pl.url.build(pl.url.parse(pl.url.resolve('http://a/b', 'c'))) "
    "pl.uuid.v7() pl.time.parse_iso(pl.time.iso(0)) pl.escape('<a>') "
    "pl.base64.decode('Zg==') pl.hex.encode('a') pl.mime.parse('a/b;c=d') "
    "pl.mime.accept('a/b', {'a/b'}) pl.crypto.token()",
};

static void test_tasks__without_memory(void **state)
{
    (void)state;
    commit();
    for (size_t i = 0; i < PL_COUNT(scenes); i++) {
        FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
            int err = run(scenes[i]);

            CHECK(err == 0 || pl_faults_hit(), load.error.text);
            pass(5);
        }
        reports[0] = noted[0] = '\0';
        run_ok("note('alive')", scenes[i]);
        check_noted("alive", scenes[i]);
    }
}

RUN_TESTS(LUA_TEST(test_vm_new__without_memory),
          LUA_TEST(test_tasks__without_memory))
