#include "base/faults.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct fault {
    _Atomic(uint64_t) calls;
    _Atomic(uint64_t) nth; /* the value of calls that fails; 0: none */
    _Atomic(uint64_t) every;
    _Atomic(uint64_t) interrupted; /* calls still to fail with EINTR */
    _Atomic(size_t) shorten;
    atomic_int nth_error, every_error;
};

static struct fault faults[PL_SYS_COUNT];
static atomic_bool hit;

static const char *const names[PL_SYS_COUNT] = {
#define NAME(name) [PL_SYS_##name] = #name,
    PL_SYS_MAP(NAME)
#undef NAME
};

static bool take_one(_Atomic(uint64_t) *left)
{
    uint64_t n = atomic_load(left);

    while (n > 0)
        if (atomic_compare_exchange_weak(left, &n, n - 1))
            return true;
    return false;
}

static int error_of(struct fault *fault, uint64_t n)
{
    uint64_t every = atomic_load(&fault->every);

    if (n == atomic_load(&fault->nth))
        return atomic_load(&fault->nth_error);
    if (every > 0 && n % every == 0)
        return atomic_load(&fault->every_error);
    return take_one(&fault->interrupted) ? EINTR : 0;
}

int pl_fault(enum pl_sys_call call, size_t *len)
{
    struct fault *fault = &faults[call];
    int error = error_of(fault, atomic_fetch_add(&fault->calls, 1) + 1);
    size_t most = atomic_load(&fault->shorten);

    if (error != 0)
        atomic_store(&hit, true);
    else if (len != NULL && most > 0 && *len > most)
        *len = most;
    return error;
}

/* ---- vectors ----------------------------------------------------------- */

enum { CUT = 16 };

static size_t length_of(const struct iovec *iov, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += iov[i].iov_len;
    return len;
}

/* The first len bytes, or less if that takes more than CUT pieces: a transfer
 * that stops early is what callers must expect. Returns the pieces in out. */
static size_t cut(struct iovec *out, const struct iovec *iov, size_t n,
                  size_t len)
{
    size_t used = 0;

    for (; used < n && used < CUT && len > 0; used++) {
        out[used].iov_base = iov[used].iov_base;
        out[used].iov_len = PL_MIN(iov[used].iov_len, len);
        len -= out[used].iov_len;
    }
    return used;
}

ssize_t pl_fault_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    size_t all = length_of(msg->msg_iov, msg->msg_iovlen), len = all;
    struct msghdr shorter = *msg;
    struct iovec iov[CUT];
    int error = pl_fault(PL_SYS_sendmsg, &len);

    if (error != 0) {
        errno = error;
        return -1;
    }
    if (len < all) {
        shorter.msg_iovlen = cut(iov, msg->msg_iov, msg->msg_iovlen, len);
        shorter.msg_iov = iov;
    }
    return sendmsg(fd, &shorter, flags);
}

ssize_t pl_fault_preadv2(int fd, const struct iovec *iov, int n, off_t off,
                         int flags)
{
    size_t all = length_of(iov, (size_t)n), len = all;
    struct iovec shorter[CUT];
    int error = pl_fault(PL_SYS_preadv2, &len);

    if (error != 0) {
        errno = error;
        return -1;
    }
    if (len < all) {
        n = (int)cut(shorter, iov, (size_t)n, len);
        iov = shorter;
    }
    return preadv2(fd, iov, n, off, flags);
}

/* ---- control ----------------------------------------------------------- */

void pl_faults_reset(void)
{
    for (int call = 0; call < PL_SYS_COUNT; call++) {
        pl_faults_fail_nth(call, 0, 0);
        pl_faults_fail_every(call, 0, 0);
        pl_faults_shorten(call, 0);
        pl_faults_eintr(call, 0);
        atomic_store(&faults[call].calls, 0);
    }
    atomic_store(&hit, false);
}

void pl_faults_fail_nth(enum pl_sys_call call, uint64_t n, int error)
{
    struct fault *fault = &faults[call];

    atomic_store(&fault->nth_error, error);
    atomic_store(&fault->nth, n == 0 ? 0 : atomic_load(&fault->calls) + n);
}

void pl_faults_fail_every(enum pl_sys_call call, uint64_t n, int error)
{
    atomic_store(&faults[call].every_error, error);
    atomic_store(&faults[call].every, n);
}

void pl_faults_shorten(enum pl_sys_call call, size_t max)
{
    atomic_store(&faults[call].shorten, max);
}

void pl_faults_eintr(enum pl_sys_call call, uint64_t n)
{
    atomic_store(&faults[call].interrupted, n);
}

uint64_t pl_faults_count(enum pl_sys_call call)
{
    return atomic_load(&faults[call].calls);
}

bool pl_faults_hit(void)
{
    return atomic_load(&hit);
}

bool pl_faults_step(enum pl_sys_call call, int error, uint64_t n)
{
    bool more = n == 1 || pl_faults_hit();

    pl_faults_reset();
    if (more)
        pl_faults_fail_nth(call, n, error);
    return more;
}

/* ---- from the environment ---------------------------------------------- */

static int call_by_name(struct pl_str name)
{
    for (int call = 0; call < PL_SYS_COUNT; call++)
        if (pl_str_eq(name, pl_str_c(names[call])))
            return call;
    return -1;
}

static int errno_by_name(struct pl_str name)
{
    const char *known;

    for (int error = 1; error < 256; error++) {
        known = strerrorname_np(error);
        if (known != NULL && pl_str_eq(name, pl_str_c(known)))
            return error;
    }
    return 0;
}

static void shorten(enum pl_sys_call call, uint64_t n, int error)
{
    pl_faults_shorten(call, (size_t)n);
}

static void interrupt(enum pl_sys_call call, uint64_t n, int error)
{
    pl_faults_eintr(call, n);
}

static const struct verb {
    struct pl_str name;
    void (*set)(enum pl_sys_call call, uint64_t n, int error);
    bool has_error;
} verbs[] = {
    {PL_STR("every="), pl_faults_fail_every, true},
    {PL_STR("short="), shorten, false},
    {PL_STR("eintr="), interrupt, false},
    {PL_STR(""), pl_faults_fail_nth, true},
};

/* "[VERB=]N[=ERROR]" */
static int parse_one(enum pl_sys_call call, struct pl_str spec)
{
    const struct verb *verb = verbs;
    int error = call <= PL_SYS_lua_alloc ? ENOMEM : EIO;
    struct pl_str number;
    uint64_t n;

    while (!pl_str_starts(spec, verb->name))
        verb++; /* the last one fits always */
    spec = pl_str_skip(spec, verb->name.len);
    if (!pl_str_split(&spec, '=', &number) || !pl_str_to_u64(number, &n))
        return PL_ERR_SYNTAX;
    if (spec.data != NULL) {
        error = verb->has_error ? errno_by_name(spec) : 0;
        if (error == 0)
            return PL_ERR_SYNTAX;
    }
    verb->set(call, n, error);
    return 0;
}

int pl_faults_parse(struct pl_str spec)
{
    struct pl_str item, name;
    int call, err = 0;

    while (err == 0 && pl_str_split(&spec, ',', &item)) {
        item = pl_str_trim(item);
        pl_str_split(&item, ':', &name);
        call = call_by_name(name);
        err = call < 0 || item.data == NULL
                  ? PL_ERR_SYNTAX
                  : parse_one((enum pl_sys_call)call, item);
    }
    return err;
}

/* For tests of a whole program: one line a call, when it ends. */
static void write_counts(void)
{
    FILE *file = fopen(getenv("PL_FAULTS_COUNTS"), "w");

    if (file == NULL)
        return;
    for (int call = 0; call < PL_SYS_COUNT; call++)
        fprintf(file, "%s %llu\n", names[call],
                (unsigned long long)atomic_load(&faults[call].calls));
    fclose(file);
}

/* Before main(), so that nothing of the program comes earlier. */
__attribute__((constructor)) static void take_environment(void)
{
    const char *spec = getenv("PL_FAULTS");

    if (spec != NULL && pl_faults_parse(pl_str_c(spec)) < 0) {
        fprintf(stderr, "PL_FAULTS: cannot read \"%s\"\n", spec);
        exit(2);
    }
    if (getenv("PL_FAULTS_COUNTS") != NULL)
        atexit(write_counts);
}
