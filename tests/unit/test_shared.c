/* test_shared.c - pl.shared, topics and messages in one Lua VM: values, errors,
 * what begins when. (Between workers: tests/e2e/test_lua_shared.py.) */
#include "lua_world.h"

#include "base/faults.h"
#include "share/member.h"

static struct pl_share *share;
static struct pl_member member;

static int make_shared_world(void **state)
{
    struct pl_vm_options options = vm_options();

    make_world(state);
    reports[0] = noted[0] = '\0';
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, 1), "workers");
    CHECK_INT(0, pl_member_join(&member, share, loop, 0, false), "member");
    options.member = &member;
    vm = new_vm(&options);
    return 0;
}

static int end_shared_world(void **state)
{
    free_vm(vm);
    pl_member_leave(&member);
    pl_share_free(share);
    return end_world(state);
}

#define SHARED_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, make_shared_world, end_shared_world)

static const struct {
    const char *code, *want;
} calls[] = {
    {"note(d:get'k', d:set('k', 1), d:get'k', d:delete'k', d:get'k')",
     "nil true 1 true nil"},
    {"d:set('k', {1, {x = 'y'}}) local t = d:get'k' note(t[1], t[2].x, #t)",
     "1 y 2"},
    {"local t = {1} d:set('k', t) t[1] = 2 note(d:get'k'[1])", "1"},
    {"d:set('k', false) note(d:get'k')", "false"},
    {"d:set('k', pl.json.null) note(d:get'k' == pl.json.null)", "true"},
    {"d:set('k', 0.5) note(d:incr('k', 0.25))", "0.75"},
    {"note(d:incr('n'))", "nil shared:incr: not found"},
    {"note(d:incr('n', 2, 40), d:incr'n')", "42 43"},
    {"d:set('k', 'x') note((select(2, d:incr'k')).code)", "invalid"},
    {"note(d:add('k', 1), select(2, d:add('k', 2)).code)", "true exists"},
    {"note(select(2, d:replace('k', 2)).code, d:set('k', 1), "
     "d:replace('k', 2), d:get'k')",
     "not_found true true 2"},
    {"note(d:cas('k', nil, 'a'), d:cas('k', 'b', 'c'), d:cas('k', 'a', 'c'), "
     "d:cas('k', 'c'), d:get'k')",
     "true false true true nil"},
    {"note(d:update('k', function(v) return (v or 0) + 5 end), d:get'k')",
     "5 5"},
    {"local n = 0 d:set('k', {0}) d:update('k', function(t) n = n + 1 "
     "if n == 1 then d:set('k', {10}) end t[1] = t[1] + 1 return t end) "
     "note(n, d:get'k'[1])",
     "2 11"},
    {"d:set('k', 1) note(d:update('k', function() end), d:get'k')", "nil nil"},
    {"d:set('k', 1, 10) note(d:ttl'k' == 10) pl.sleep(4) "
     "note(d:ttl'k' == 6) pl.sleep(7) note(d:get'k', d:ttl'k')",
     "true true nil nil"},
    {"d:set('k', 1) note(d:ttl'k' == math.huge, d:expire('k', 2), "
     "d:ttl'k' == 2)",
     "true true true"},
    {"for i = 1, 30 do d:set('k' .. i, i) end local keys, more = d:keys(10) "
     "note(#keys, more, #d:keys()) d:flush() note(#d:keys())",
     "10 true 30 0"},
    {"note(select(2, d:set(('k'):rep(5000), 1)).code)", "too_long"},
    {"note(select(2, d:set('k', ('x'):rep(2^20))).code, d:stats().refused)",
     "limit 1"},
    {"note(pl.shared'd' ~= nil, pl.shared'other':get'k')", "true nil"},
};

static void test_shared__calls(void **state)
{
    char code[600];

    (void)state;
    commit();
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        snprintf(code, sizeof(code),
                 "local d = pl.shared('d', {max = '1m'}) d:flush() %s",
                 calls[i].code);
        run_ok(code, calls[i].code);
        check_noted(calls[i].want, calls[i].code);
    }
}

static const struct {
    const char *code, *want;
} misuses[] = {
    {"d:set('k', nil)", "shared:set: the value must not be nil"},
    {"d:set('k', print)", "shared:set: a function cannot be shared"},
    {"d:set('k', {a = {print}})",
     "shared:set: a[1]: a function cannot be shared"},
    {"d:set(nil, 1)", "shared:set: the key must be a string"},
    {"d:set('k', 1, -1)", "shared:set: the time to live must not be negative"},
    {"d.get('k')", "shared:get: call it with a colon"},
    {"d.get(io.stdout, 'k')", "shared:get: call it with a colon"},
    {"d:incr('k', 'x')", "shared:incr: what is added must be a finite number"},
    {"d:cas('k', {}, 1)", "shared:cas: tables are not compared"},
    {"d:update('k')", "shared:update: a function is needed"},
    {"d:keys(0)", "shared:keys: the limit must be a whole number from 1"},
    {"pl.shared()", "pl.shared: the name must be a string"},
    {"pl.shared('')", "pl.shared: the name must have 1 to 128 bytes"},
    {"pl.shared('d', {max = '2m'})", "pl.shared: 'd' is there already"},
    {"pl.shared('e', {max = 1})", "pl.shared: max must be at least 64k"},
    {"pl.shared('e', {max = 'many'})",
     "pl.shared: option 'max' is not understood"},
    {"pl.shared('e', {tll = 1})", "did you mean 'ttl'?"},
    {"pl.publish('t')", "pl.publish: the value must not be nil"},
    {"pl.subscribe('')", "pl.subscribe: the topic must not be empty"},
    {"pl.subscribe('t', 'x')", "pl.subscribe: a function is needed"},
    {"pl.subscribe('t', {full = 'wait'})",
     "pl.subscribe: option 'full' must be \"drop\" or \"close\""},
    {"pl.subscribe('t'):receive(-1)", "the timeout must be a number"},
    {"pl.workers.send(1, 1)", "the worker must be a whole number from 0 to 0"},
    {"pl.workers.send(nil, 1)", "must be a number or \"all\""},
};

static void test_shared__misuse_is_named(void **state)
{
    char code[300];

    (void)state;
    commit();
    for (size_t i = 0; i < PL_COUNT(misuses); i++) {
        snprintf(code, sizeof(code),
                 "local d = pl.shared('d', {max = '1m'}) %s", misuses[i].code);
        CHECK(run(code) < 0, misuses[i].code);
        CHECK(strstr(load.error.text, misuses[i].want) != NULL,
              load.error.text);
    }
}

static void test_bus__what_a_site_says_begins_at_the_commit(void **state)
{
    (void)state;
    run_ok("pl.subscribe('t', function(v, topic) note(v, topic) end) "
           "pl.on('start', function() note(pl.publish('t', 'hello')) end) "
           "pl.on('message', function(v, from) note('from', from, v) end)",
           "loading");
    CHECK(run("pl.publish('t', 1)") < 0, "not yet");
    CHECK(strstr(load.error.text, "still being loaded") != NULL,
          load.error.text);
    commit();
    pass(1);
    check_noted("1 hello t", "at the commit");
    run_ok("note(pl.workers.send(0, 'x'), pl.workers.send('all', 'y'))",
           "send");
    pass(1);
    check_noted("true true from 0 x from 0 y", "in order");
}

static void test_bus__a_subscription_ends_with_its_task(void **state)
{
    (void)state;
    commit();
    run_ok("local sub = pl.subscribe('t') note(pl.publish('t', 1)) "
           "note((sub:receive()))",
           "a task");
    run_ok("note(pl.publish('t', 1))", "another");
    check_noted("1 1 0", "nobody is left");
    run_ok("local task = pl.spawn(function() for v in pl.messages('t') do "
           "note(v) end end) pl.sleep(0.001) pl.publish('t', 'a') "
           "pl.publish('t', 'b') pl.sleep(0.001) task:cancel() "
           "pl.sleep(0.001) note(pl.publish('t', 'c'))",
           "a cancelled task");
    check_noted("a b 0", "nobody is left");
    run_ok("local sub = pl.subscribe('t', note) sub:cancel() sub:cancel() "
           "note(pl.publish('t', 1), select(2, sub:receive()).code)",
           "cancelled");
    check_noted("0 closed", "closed");
}

static void test_bus__errors_of_functions_are_told(void **state)
{
    (void)state;
    run_ok("pl.subscribe('t', function(v) if v == 1 then error('first') end "
           "note(v) end) "
           "pl.on('message', function(v) if v == 1 then error('second') end "
           "note(v) end)",
           "loading");
    commit();
    run_ok("pl.publish('t', 1) pl.publish('t', 2) pl.workers.send(0, 1) "
           "pl.workers.send(0, 2)",
           "both");
    pass(1);
    check_noted("2 2", "the next ones come");
    CHECK(strstr(reports, "first") != NULL && strstr(reports, "second") != NULL,
          reports);
}

/* ---- who runs what is done once per process ---- */

static void ignore(void *arg)
{
    (void)arg;
}

/* Worker 0 is another loop on this thread, and the VM that of worker 1. */
static void test_every__moves_when_the_worker_ends(void **state)
{
    static const struct pl_member_ops ops = {ignore, ignore};
    const struct pl_loop_options other_options = {.backend = &pl_scripted,
                                                  .clock = pl_fake_clock,
                                                  .clock_arg = &clock_ns};
    struct pl_vm_options options = vm_options();
    struct pl_member other;
    struct pl_loop *other_loop;

    make_world(state);
    reports[0] = noted[0] = '\0';
    CHECK_INT(0, pl_share_new(&share), "share");
    CHECK_INT(0, pl_share_set_workers(share, 2), "workers");
    CHECK_INT(0, pl_loop_new(&other_options, &other_loop), "loop");
    CHECK_INT(0, pl_member_join(&other, share, other_loop, 0, false), "join");
    CHECK_INT(0, pl_member_join(&member, share, loop, 1, false), "join");
    pl_member_stand(&other, &ops, NULL);
    options.member = &member;
    options.worker = 1;
    options.workers = 2;
    vm = new_vm(&options);
    run_ok("pl.every(1, function() note('once') end) "
           "gone = pl.every(1, function() note('gone') end) "
           "pl.every(1, function() note('each') end, {each_worker = true})",
           "load");
    commit();
    pass(1000);
    check_noted("each", "worker 0 runs the others");
    run_ok("gone:cancel()", "cancelled while it waits");
    pl_member_leave(&other);
    pass(1);
    pass(999);
    check_noted("each", "a period after it takes over");
    pass(1000);
    check_noted("once each", "worker 1 runs it now");
    pl_loop_free(other_loop);
    end_shared_world(state);
}

static const char *const scenes[] = {
    ("local d = pl.shared('d') d:set('k', {1, 2, {x = 'y'}}) d:get'k' "
     "d:update('k', function(t) t = t or {} t[1] = 'z' return t end) d:keys()"),
    "local sub = pl.subscribe('t') pl.publish('t', {1}) sub:receive(0.001)",
    "pl.subscribe('t', function() end) pl.publish('t', 'x') pl.sleep(0.001)",
    "pl.workers.send('all', {1}) pl.sleep(0.001)",
};

static void test_shared__without_memory(void **state)
{
    (void)state;
    run_ok("pl.on('message', function() end)", "loading");
    commit();
    for (size_t i = 0; i < PL_COUNT(scenes); i++) {
        FOR_EACH_FAULT (PL_SYS_malloc, ENOMEM) {
            int err = run(scenes[i]);

            CHECK(err == 0 || pl_faults_hit(), load.error.text);
            pass(5);
        }
        reports[0] = noted[0] = '\0';
        run_ok("note(pl.shared'd':set('k', 1))", scenes[i]);
        check_noted("true", scenes[i]);
    }
}

RUN_TESTS(SHARED_TEST(test_shared__calls),
          SHARED_TEST(test_shared__misuse_is_named),
          SHARED_TEST(test_bus__what_a_site_says_begins_at_the_commit),
          SHARED_TEST(test_bus__a_subscription_ends_with_its_task),
          SHARED_TEST(test_bus__errors_of_functions_are_told),
          cmocka_unit_test(test_every__moves_when_the_worker_ends),
          SHARED_TEST(test_shared__without_memory))
