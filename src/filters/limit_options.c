/* limit_options.c - making a limit of what somebody says. */
#include "base/str.h"
#include "base/sys.h"
#include "filters/limit_priv.h"

/* Beyond it the sums of quota.c would not fit. */
#define ROOM_MAX_NS ((uint64_t)366 * 86400 * 1000000000)
#define STEP_MIN_NS 1000

enum { COUNT_MAX = 1000000, CONCURRENT_MAX = 1000000 };

/* ---- numbers ---- */

/* "10/s", "100/5m" */
static bool parse_rate(struct pl_str text, uint64_t *count, uint64_t *period_ns)
{
    struct pl_str number, period = text;
    char with_one[8];
    uint64_t ms;

    if (!pl_str_split(&period, '/', &number) || period.len == 0 ||
        !pl_str_to_u64(pl_str_trim(number), count))
        return false;
    period = pl_str_trim(period);
    if (period.len > 0 && period.len < sizeof(with_one) &&
        (period.data[0] < '0' || period.data[0] > '9')) {
        with_one[0] = '1'; /* "10/s" */
        memcpy(with_one + 1, period.data, period.len);
        period = pl_str(with_one, period.len + 1);
    }
    if (!pl_str_to_ms(period, &ms) || ms == 0 || ms > ROOM_MAX_NS / 1000000)
        return false;
    *period_ns = ms * 1000000;
    return *count > 0 && *count <= COUNT_MAX &&
           *period_ns / *count >= STEP_MIN_NS;
}

#define wrong(error, ...) pl_error_set(error, PL_ERR_INVALID, "", __VA_ARGS__)

static int no_memory(struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
}

static int read_rate(struct pl_limit *limit,
                     const struct pl_limit_options *options,
                     struct pl_error *error)
{
    uint64_t count, period, delay_ms = 0, burst;

    if (!parse_rate(pl_str_c(options->rate), &count, &period))
        return wrong(error,
                     "rate: '%.64s' is no rate like \"10/s\", \"5/m\" "
                     "or \"100/15m\"",
                     options->rate);
    burst = options->burst == 0 ? count : options->burst;
    limit->rate.step = period / count;
    if (burst > ROOM_MAX_NS / limit->rate.step)
        return wrong(error, "burst: more than what %s allows in a year",
                     options->rate);
    limit->rate.room = burst * limit->rate.step;
    if (options->delay != NULL &&
        (!pl_str_to_ms(pl_str_c(options->delay), &delay_ms) ||
         delay_ms > ROOM_MAX_NS / 1000000))
        return wrong(error, "delay: '%.64s' is no time like \"500ms\"",
                     options->delay);
    limit->rate.patience = delay_ms * 1000000;
    return 0;
}

static int read_bits(struct pl_limit *limit,
                     const struct pl_limit_options *options,
                     struct pl_error *error)
{
    if (options->ipv4_bits > 32 || options->ipv6_bits > 128)
        return wrong(error, "%s: more bits than an address has",
                     options->ipv4_bits > 32 ? "ipv4" : "ipv6");
    limit->ipv4_bits =
        (uint8_t)(options->ipv4_bits == 0 ? 32 : options->ipv4_bits);
    limit->ipv6_bits =
        (uint8_t)(options->ipv6_bits == 0 ? 64 : options->ipv6_bits);
    return 0;
}

static int read_numbers(struct pl_limit *limit,
                        const struct pl_limit_options *options,
                        struct pl_error *error)
{
    unsigned status = options->status == 0 ? 429 : options->status;

    if (options->rate == NULL && options->concurrent == 0)
        return wrong(error, "a rate or concurrent is needed");
    if (options->rate == NULL && (options->burst != 0 || options->delay))
        return wrong(error, "%s: without a rate",
                     options->burst != 0 ? "burst" : "delay");
    if (options->rate != NULL && read_rate(limit, options, error) < 0)
        return error->code;
    if (options->concurrent > CONCURRENT_MAX)
        return wrong(error, "concurrent: more than a million");
    limit->concurrent = options->concurrent;
    if (status < 400 || status > 599)
        return wrong(error, "status: 400 to 599");
    limit->status = (uint16_t)status;
    return read_bits(limit, options, error);
}

/* ---- texts ---- */

static int read_key(struct pl_limit *limit,
                    const struct pl_limit_options *options,
                    struct pl_error *error)
{
    static const char *const names[] = {[PL_LIMIT_ADDRESS] = "address",
                                        [PL_LIMIT_USER] = "user",
                                        [PL_LIMIT_ALL] = "all"};
    struct pl_str key = pl_str_c(options->key), prefix = PL_STR("header:");

    limit->key_of = options->key_of;
    limit->arg = options->arg;
    if (limit->key_of != NULL)
        limit->by = PL_LIMIT_KEY;
    if (key.data == NULL)
        return 0;
    if (limit->key_of != NULL)
        return wrong(error, "key: a function says it already");
    for (size_t i = 0; i < PL_COUNT(names); i++)
        if (names[i] != NULL && pl_str_eq(key, pl_str_c(names[i]))) {
            limit->by = (enum pl_limit_by)i;
            return 0;
        }
    limit->by = PL_LIMIT_HEADER;
    limit->header = pl_arena_str(&limit->arena, pl_str_skip(key, prefix.len));
    if (!pl_str_starts(key, prefix) || key.len == prefix.len ||
        !pl_header_name_valid(pl_str_skip(key, prefix.len)))
        return wrong(error,
                     "key: '%.64s' is not \"address\", \"user\", "
                     "\"all\" or \"header:NAME\"",
                     options->key);
    return limit->header.data == NULL ? no_memory(error) : 0;
}

static int read_texts(struct pl_limit *limit,
                      const struct pl_limit_options *options,
                      struct pl_error *error)
{
    int err = read_key(limit, options, error);

    if (err == 0 && options->allow != NULL)
        err = pl_trust_parse(pl_str_c(options->allow), &limit->arena,
                             &limit->allowed, error);
    if (err < 0 || options->message == NULL)
        return err;
    limit->message = pl_arena_str(&limit->arena, pl_str_c(options->message));
    return limit->message.data == NULL ? no_memory(error) : 0;
}

/* ---- tables ---- */

static int open_table(enum pl_quota_kind kind, size_t places,
                      const struct pl_limit_home *home, struct pl_quota **out,
                      struct pl_error *error)
{
    int err = home->share == NULL
                  ? pl_quota_new(places, out)
                  : pl_share_quota(home->share, kind, home->name, places, out);

    if (err == PL_ERR_LIMIT)
        return pl_error_set(error, err, "", "there are %d limits already",
                            PL_QUOTA_MOST);
    return err < 0 ? no_memory(error) : 0;
}

static int open_tables(struct pl_limit *limit,
                       const struct pl_limit_options *options,
                       const struct pl_limit_home *home, struct pl_error *error)
{
    size_t places = options->clients == 0 ? PL_QUOTA_PLACES : options->clients;
    int err = 0;

    if (places > PL_QUOTA_PLACES_MAX)
        return wrong(error, "clients: more than 16 million");
    if (home->name.len > PL_QUOTA_NAME)
        return wrong(error, "name: more than 128 bytes");
    if (options->rate != NULL)
        err = open_table(PL_QUOTA_RATE, places, home, &limit->rates, error);
    if (err == 0 && limit->concurrent > 0)
        err = open_table(PL_QUOTA_USE, places, home, &limit->uses, error);
    return err;
}

/* ---- life ---- */

static void free_limit(struct pl_filter *filter)
{
    struct pl_limit *limit = PL_CONTAINER_OF(filter, struct pl_limit, filter);

    if (limit->free_arg != NULL)
        limit->free_arg(limit->arg);
    pl_quota_drop(limit->rates);
    pl_quota_drop(limit->uses);
    pl_arena_fini(&limit->arena);
    pl_pool_fini(&limit->pool);
    pl_free(limit);
}

bool pl_limit_is(const struct pl_filter *filter)
{
    return filter->free == free_limit;
}

bool pl_limit_has_rate(const struct pl_filter *filter)
{
    return PL_CONTAINER_OF(filter, const struct pl_limit, filter)->rates !=
           NULL;
}

struct pl_filter *pl_limit_new(const struct pl_limit_options *options,
                               const struct pl_limit_home *home,
                               void (*free_arg)(void *arg),
                               struct pl_error *error)
{
    struct pl_limit *limit = pl_calloc(1, sizeof(*limit));

    if (limit == NULL) {
        if (free_arg != NULL)
            free_arg(options->arg);
        no_memory(error);
        return NULL;
    }
    limit->filter = (struct pl_filter){.kind = "limit",
                                       .refs = 1,
                                       .start = pl_limit_start,
                                       .free = free_limit};
    limit->free_arg = free_arg;
    limit->arg = options->arg;
    pl_pool_init(&limit->pool, NULL, 0);
    pl_arena_init(&limit->arena, &limit->pool, NULL);
    if (read_numbers(limit, options, error) < 0 ||
        read_texts(limit, options, error) < 0 ||
        open_tables(limit, options, home, error) < 0) {
        free_limit(&limit->filter);
        return NULL;
    }
    return &limit->filter;
}
