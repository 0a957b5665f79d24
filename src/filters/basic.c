#include "filters/basic.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memo.h"
#include "base/plugin.h"
#include "base/str.h"
#include "base/sys.h"
#include "os/stamp.h"

enum {
    REMEMBERED_MAX = 1024, /* successes that a worker remembers */
    BUSY_MAX = 64, /* verifications of a worker: others need threads, too */
    BASIC_MAGIC = 0x43495341,
};
#define LOOK_NS ((uint64_t)1000000000)

/* What one worker keeps. */
struct station {
    struct station *next;
    const struct pl_http *http;
    const struct pl_users *users; /* own, or the filter's */
    struct pl_users *own;         /* read since; NULL: none */
    struct pl_stamp stamp;        /* of the file, when it was read */
    uint64_t looked;              /* at the file, monotonic ns */
    bool reading;
    unsigned busy;            /* verifications on their way */
    uint8_t key[PL_SEAL_KEY]; /* of what is remembered */
    struct pl_pool pool;
    struct pl_memo memo; /* keys are HMACs, values say nothing */
};

struct basic {
    uint32_t magic;
    struct pl_filter filter;
    const struct pl_auth_offer *auth;
    struct pl_users *users;
    struct pl_stamp stamp; /* taken before users was read */
    const char *file;      /* NULL: users is all there is */
    struct pl_str challenge;
    uint64_t cache_ns;
    struct pl_pool pool;
    struct pl_arena arena; /* of file and challenge */
    struct station *_Atomic stations;
};

/* One request on its way; in its arena, and with a hold of it. */
struct call {
    struct pl_offload_op offload;
    struct pl_memo_waiter waiter;
    struct pl_memo_entry *entry; /* which it fills or waits for; or NULL */
    struct basic *basic;
    struct station *station;
    struct pl_request *req;
    const struct pl_next *next;
    struct pl_then *then;
    struct reading *reading; /* a list that is read; or NULL */
    struct pl_str user, password;
    bool known; /* user was in the list when it was looked at */
};

/* ---- what filters and scripts share ---- */

const struct pl_auth_offer *pl_auth_load(struct pl_error *error)
{
    static const struct pl_plugin_want want = {
        .name = "auth", .offer_size = sizeof(struct pl_auth_offer)};
    const void *offer;

    return pl_plugin_load(&want, &offer, error) < 0 ? NULL : offer;
}

static bool has_controls(struct pl_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
            return true;
    return false;
}

bool pl_credentials(struct pl_request *req, struct pl_str *user,
                    struct pl_str *password)
{
    struct pl_str field = pl_request_header_id(req, PL_HEADER_AUTHORIZATION);
    struct pl_str scheme = PL_STR("Basic "), said;
    ptrdiff_t len;
    char *text;

    if (!pl_str_istarts(field, scheme))
        return false;
    field = pl_str_trim(pl_str_skip(field, scheme.len));
    if (field.len > pl_base64_room(2 * PL_PASSWORD_MAX))
        return false;
    text = pl_arena_bytes(&req->arena, pl_base64_decoded_room(field.len) + 1);
    if (text == NULL)
        return false;
    len = pl_base64_decode(text, field, PL_BASE64_STANDARD);
    if (len < 0)
        return false;
    text[len] = '\0';
    said = pl_str(text, (size_t)len);
    len = pl_str_chr(said, ':');
    if (len < 0 || has_controls(said))
        return false;
    *user = pl_str_first(said, (size_t)len);
    *password = pl_str_skip(said, (size_t)len + 1);
    return password->len <= PL_PASSWORD_MAX;
}

int pl_auth_refuse(struct pl_request *req, struct pl_str challenge)
{
    struct pl_response *res = &req->response;
    int err = pl_response_error(res, 401, pl_str(NULL, 0));

    if (err == 0)
        err = pl_response_set(res, PL_STR("WWW-Authenticate"), challenge);
    return err;
}

bool pl_basic_challenge(char out[PL_CHALLENGE_MAX], struct pl_str realm)
{
    if (realm.len > PL_REALM_MAX || has_controls(realm))
        return false;
    out = stpcpy(out, "Basic realm=\"");
    for (size_t i = 0; i < realm.len; i++) {
        if (realm.data[i] == '"' || realm.data[i] == '\\')
            *out++ = '\\'; /* RFC 9110, 5.6.4 */
        *out++ = realm.data[i];
    }
    strcpy(out, "\", charset=\"UTF-8\"");
    return true;
}

int pl_auth_admit(struct pl_request *req, struct pl_str user)
{
    req->user = pl_arena_str(&req->arena, user);
    return req->user.data == NULL ? PL_ERR_NOMEM : 0;
}

/* ---- stations ---- */

static struct station *new_station(struct basic *basic,
                                   const struct pl_http *http)
{
    const struct pl_memo_options options = {.ttl = basic->cache_ns,
                                            .limit = REMEMBERED_MAX};
    struct station *station = pl_malloc(sizeof(*station));

    if (station == NULL)
        return NULL;
    *station = (struct station){
        .http = http, .users = basic->users, .stamp = basic->stamp};
    pl_random(station->key, sizeof(station->key));
    pl_pool_init(&station->pool, NULL, 0);
    pl_memo_init(&station->memo, &options, &station->pool, NULL);
    station->next = atomic_load(&basic->stations);
    while (!atomic_compare_exchange_weak(&basic->stations, &station->next,
                                         station))
        continue;
    return station;
}

/* Only its own worker adds one, and none ever goes: a list without locks. */
static struct station *station_of(struct basic *basic,
                                  const struct pl_http *http)
{
    struct station *station = atomic_load(&basic->stations);

    while (station != NULL && station->http != http)
        station = station->next;
    return station != NULL ? station : new_station(basic, http);
}

static void free_station(const struct pl_auth_offer *auth,
                         struct station *station)
{
    pl_memo_fini(&station->memo);
    pl_pool_fini(&station->pool);
    pl_users_free(station->own);
    auth->forget(station->key, sizeof(station->key));
    pl_free(station);
}

/* ---- the end of a call ---- */

static void leave(struct call *call, int result)
{
    struct pl_request *req = call->req;

    if (call->entry != NULL)
        pl_memo_release(&call->station->memo, call->entry);
    call->basic->auth->forget((char *)call->password.data, call->password.len);
    if (req->wire == NULL)
        call->then->done(call->then, req, PL_ERR_CLOSED);
    else if (result == 1)
        pl_next_start(call->next, req, call->then);
    else
        call->then->done(call->then, req, result);
    pl_request_drop(req);
}

static void refuse(struct call *call)
{
    call->req->http->stats.denied++;
    leave(call, pl_auth_refuse(call->req, call->basic->challenge));
}

static void admit(struct call *call)
{
    int err = pl_auth_admit(call->req, call->user);

    leave(call, err < 0 ? err : 1);
}

/* result: 1, 0, or why nobody could tell */
static void judge(struct call *call, int result)
{
    if (result == 1)
        admit(call);
    else if (result == 0 || result == PL_ERR_DENIED)
        refuse(call);
    else
        leave(call, result == PL_ERR_LIMIT ? 503 : result);
}

/* ---- verifying ---- */

/* What a thread needs. */
struct job {
    const struct pl_auth_offer *auth;
    struct pl_str password;
    char hash[PL_PASSWORD_HASH_MAX];
    char text[]; /* of the password, terminated */
};

static int work_verify(void *arg)
{
    const struct job *job = arg;
    int result = job->auth->verify(job->password, job->hash);

    return result == PL_ERR_LIMIT ? PL_ERR_UNSUPPORTED : result;
}

static void free_job(void *arg)
{
    struct job *job = arg;

    job->auth->forget(job->text, job->password.len);
    pl_free(job);
}

/* The call that has asked the thread knows: so do those who wait for it. */
static void tell(struct call *call, int result)
{
    struct station *station = call->station;
    static char yes; /* something to point to */

    if (call->entry != NULL && result == 1)
        pl_memo_fill(&station->memo, call->entry, &yes, 1,
                     pl_now(call->req->http->net->loop));
    else if (call->entry != NULL)
        pl_memo_fail(&station->memo, call->entry,
                     result == 0 ? PL_ERR_DENIED : result);
    judge(call, result);
}

static void on_verified(struct pl_op *op)
{
    struct call *call = op->arg;
    int result = op->result;
    bool known =
        call->known && pl_users_find(call->station->users, call->user) != NULL;

    call->station->busy--;
    pl_offload_end(&call->offload);
    if (result < 0 && result != PL_ERR_LIMIT)
        pl_log(PL_LOG_ERROR, "filters", "cannot verify a password: %s",
               pl_err_text(result));
    tell(call, result == 1 && !known ? 0 : result);
}

static void verify(struct call *call, const struct pl_login *user)
{
    bool full = call->station->busy == BUSY_MAX;
    struct job *job =
        full ? NULL : pl_malloc(sizeof(*job) + call->password.len + 1);

    if (job == NULL) {
        tell(call, full ? PL_ERR_LIMIT : PL_ERR_NOMEM);
        return;
    }
    call->station->busy++;
    job->auth = call->basic->auth;
    job->password = pl_str(job->text, call->password.len);
    memcpy(job->text, call->password.data, call->password.len + 1);
    memcpy(job->hash, user->secret.data, user->secret.len + 1);
    pl_offload_begin(&call->offload, call->req->http->sched, work_verify, job,
                     free_job);
    call->offload.op.arg = call;
    pl_op_then(&call->offload.op, on_verified);
}

static void on_told(struct pl_memo_waiter *waiter, int err)
{
    struct call *call = PL_CONTAINER_OF(waiter, struct call, waiter);

    judge(call, err == 0 ? 1 : err);
}

/* Compares what is not hashed by HMACs of it: in the time of the longer. */
static int is_password(struct call *call, const struct pl_login *user)
{
    uint8_t said[PL_MAC], kept[PL_MAC];
    const struct pl_auth_offer *auth = call->basic->auth;

    if (auth->mac(call->station->key, &call->password, 1, said) < 0 ||
        auth->mac(call->station->key, &user->secret, 1, kept) < 0)
        return PL_ERR_NOMEM;
    return pl_equal(pl_str((char *)said, PL_MAC), pl_str((char *)kept, PL_MAC));
}

/* Looks whether it was right a moment ago; who is the first to say this has to
 * find out. */
static void look_up(struct call *call, const struct pl_login *user)
{
    struct station *station = call->station;
    struct pl_str parts[] = {call->user, user->secret, call->password};
    char key[PL_MAC];
    int found;

    if (call->basic->auth->mac(station->key, parts, PL_COUNT(parts),
                               (uint8_t *)key) < 0) {
        judge(call, PL_ERR_NOMEM);
        return;
    }
    found = pl_memo_get(&station->memo, pl_str(key, sizeof(key)),
                        pl_now(call->req->http->net->loop), &call->entry);
    if (found < 0) {
        call->entry = NULL;
        judge(call, found);
    } else if (found == PL_MEMO_HIT) {
        admit(call);
    } else if (found == PL_MEMO_WAIT) {
        call->waiter.done = on_told;
        pl_memo_wait(call->entry, &call->waiter);
    } else {
        verify(call, user);
    }
}

static void check(struct call *call)
{
    const struct pl_users *users = call->station->users;
    const struct pl_login *user = pl_users_find(users, call->user);
    int same;

    call->known = user != NULL;
    if (user == NULL)
        user = pl_users_decoy(users);
    if (user == NULL) {
        refuse(call);
    } else if (!user->is_hash) {
        same = is_password(call, user);
        judge(call, same == 1 && !call->known ? 0 : same);
    } else if (call->known && call->basic->cache_ns > 0)
        look_up(call, user);
    else
        verify(call, user);
}

/* ---- the file ---- */

struct reading {
    const struct pl_auth_offer *auth;
    const char *file;
    struct pl_users *users;
    struct pl_stamp stamp;
    struct pl_error error;
};

/* The stamp comes first: what changes meanwhile is seen the next time. */
static int work_read(void *arg)
{
    struct reading *reading = arg;

    reading->stamp = pl_stamp_read(reading->file);
    return pl_users_read(reading->auth, reading->file, &reading->users,
                         &reading->error);
}

static void free_reading(void *arg)
{
    struct reading *reading = arg;

    pl_users_free(reading->users);
    pl_free(reading);
}

static void take_list(struct station *station, struct reading *reading)
{
    struct pl_users *old = station->own;

    station->users = station->own = reading->users;
    station->stamp = reading->stamp;
    reading->users = NULL;
    pl_users_free(old);
}

static void on_read(struct pl_op *op)
{
    struct call *call = op->arg;
    struct station *station = call->station;
    struct reading *reading = call->reading;

    station->reading = false;
    if (call->offload.job == NULL) { /* no thread for it: the next time */
        station->looked = 0;
    } else if (op->result == 0) {
        if (!pl_stamp_eq(&station->stamp, &reading->stamp))
            pl_log(PL_LOG_INFO, "filters", "read %s anew", reading->file);
        take_list(station, reading);
    } else {
        station->stamp = reading->stamp;
        pl_log(PL_LOG_ERROR, "filters", "%s: %s (the former list stays)",
               reading->error.where, reading->error.text);
    }
    pl_offload_end(&call->offload);
    check(call);
}

static bool has_changed(struct station *station, const char *file, uint64_t now)
{
    struct pl_stamp stamp;

    if (file == NULL || station->reading ||
        (station->looked != 0 && now - station->looked < LOOK_NS))
        return false;
    station->looked = now;
    stamp = pl_stamp_read(file);
    return station->stamp.recent || !pl_stamp_eq(&stamp, &station->stamp);
}

/* Who finds that the file has changed reads it, and goes on then. */
static void read_anew(struct call *call)
{
    struct reading *reading = pl_calloc(1, sizeof(*reading));

    if (reading == NULL) {
        check(call);
        return;
    }
    call->station->reading = true;
    call->reading = reading;
    reading->auth = call->basic->auth;
    reading->file = call->basic->file;
    pl_offload_begin(&call->offload, call->req->http->sched, work_read, reading,
                     free_reading);
    call->offload.op.arg = call;
    pl_op_then(&call->offload.op, on_read);
}

/* ---- the filter ---- */

static struct call *new_call(struct basic *basic, struct pl_request *req)
{
    struct call *call = pl_arena_zeroed(&req->arena, sizeof(*call));

    if (call == NULL)
        return NULL;
    call->basic = basic;
    call->req = req;
    call->station = station_of(basic, req->http);
    return call->station == NULL ? NULL : call;
}

static void start(struct pl_filter *filter, struct pl_request *req,
                  const struct pl_next *next, struct pl_then *then)
{
    struct basic *basic = PL_CONTAINER_OF(filter, struct basic, filter);
    struct pl_str user, password;
    struct call *call;

    PL_CHECK(basic, BASIC_MAGIC);
    if (!pl_credentials(req, &user, &password)) {
        then->done(then, req, pl_auth_refuse(req, basic->challenge));
        return;
    }
    call = new_call(basic, req);
    if (call == NULL) {
        then->done(then, req, PL_ERR_NOMEM);
        return;
    }
    call->next = next;
    call->then = then;
    call->user = user;
    call->password = password;
    pl_request_hold(req);
    if (has_changed(call->station, basic->file, pl_now(req->http->net->loop)))
        read_anew(call);
    else
        check(call);
}

static void free_basic(struct basic *basic)
{
    struct station *station;

    while ((station = atomic_load(&basic->stations)) != NULL) {
        atomic_store(&basic->stations, station->next);
        free_station(basic->auth, station);
    }
    pl_users_free(basic->users);
    pl_arena_fini(&basic->arena);
    pl_pool_fini(&basic->pool);
    basic->magic = 0;
    pl_free(basic);
}

static void free_filter(struct pl_filter *filter)
{
    free_basic(PL_CONTAINER_OF(filter, struct basic, filter));
}

static int fill(struct basic *basic, const struct pl_basic_want *want,
                struct pl_error *error)
{
    struct pl_str realm =
        want->realm.data != NULL ? want->realm : PL_STR("perilune");
    char challenge[PL_CHALLENGE_MAX];

    basic->auth = pl_auth_load(error);
    if (basic->auth == NULL)
        return PL_ERR_NOT_FOUND;
    if (!pl_basic_challenge(challenge, realm))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "the realm has control characters, or more than "
                            "%d bytes",
                            PL_REALM_MAX);
    basic->challenge = pl_arena_str(&basic->arena, pl_str_c(challenge));
    basic->file = pl_arena_str(&basic->arena, pl_str_c(want->file)).data;
    if (basic->challenge.data == NULL ||
        (want->file != NULL && basic->file == NULL))
        return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
    if (want->file == NULL)
        return 0;
    basic->stamp = pl_stamp_read(want->file);
    return pl_users_read(basic->auth, want->file, &basic->users, error);
}

struct pl_filter *pl_basic_new(const struct pl_basic_want *want,
                               struct pl_error *error)
{
    struct basic *basic = pl_malloc(sizeof(*basic));

    if (basic == NULL) {
        pl_users_free(want->users);
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    *basic = (struct basic){.magic = BASIC_MAGIC,
                            .filter = {.kind = "basic",
                                       .refs = 1,
                                       .start = start,
                                       .free = free_filter},
                            .users = want->users,
                            .cache_ns = want->cache_ms * 1000000};
    pl_pool_init(&basic->pool, NULL, 0);
    pl_arena_init(&basic->arena, &basic->pool, NULL);
    if (fill(basic, want, error) == 0)
        return &basic->filter;
    free_basic(basic);
    return NULL;
}
