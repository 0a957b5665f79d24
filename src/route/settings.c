#include "route/settings.h"

#include <stdio.h>

#include "base/features.h"
#include "base/log.h"
#include "base/str.h"
#include "http/forwarded.h"
#include "route/site.h"

/* ---- the table ---- */

static bool is_level(struct pl_str text)
{
    enum pl_level level;

    return pl_log_level_parse(text, &level);
}

#if PL_WITH_SANDBOX
static bool is_action(struct pl_str text)
{
    return pl_str_eq(text, PL_STR("refuse")) ||
           pl_str_eq(text, PL_STR("kill")) || pl_str_eq(text, PL_STR("log"));
}
#endif

/* The last argument says what it is for. That of a text is told to who gives
 * one that is not possible, the others are for readers of this file. */
#define ROW(label, kind_, member, low_, high_, doc_)                           \
    {                                                                          \
        .name = label, .kind = PL_SETTING_##kind_, .low = (low_),              \
        .high = (high_), .width = sizeof(((struct pl_site *)NULL)->member),    \
        .field = offsetof(struct pl_site, member)                              \
    }
#define TEXT(label, member, optional_, valid_, doc_)                           \
    {                                                                          \
        .name = label, .kind = PL_SETTING_TEXT, .optional = (optional_),       \
        .valid = valid_, .doc = doc_,                                          \
        .width = sizeof(((struct pl_site *)NULL)->member),                     \
        .field = offsetof(struct pl_site, member)                              \
    }

enum {
    SECOND = 1000,
    DAY = 24 * 3600 * SECOND, /* deadlines wrap after 24 days */
    MIB = 1 << 20,
    GIB = 1 << 30,
};

static const struct pl_setting settings[] = {
    /* the process */
    ROW("workers", COUNT, workers, 0, 1024, "threads; 0: one per CPU"),
    ROW("stop_timeout", DURATION, stop_ms, 0, DAY,
        "how long a stop waits for requests in progress"),
    ROW("reload_drain", DURATION, reload_ms, 0, DAY,
        "how long after a reload the old generation may finish its requests"),
    TEXT("user", user, true, NULL, "who runs the workers, after start-up"),
    TEXT("group", group, true, NULL, "their group; else that of the user"),
    TEXT("pid_file", pid_file, true, NULL, "where the process id is written"),
    TEXT("admin", admin, true, NULL, "the admin socket's path; false: none"),
    TEXT("error_log", error_log, false, NULL, "a file, or \"-\" for stderr"),
    TEXT("access_log", access_log, true, NULL, "a file, or \"-\" for stdout"),
    TEXT("log_level", log_level, false, is_level,
         "debug, info, notice, warn or error"),
    TEXT("error_pages", error_pages, true, NULL,
         "a Mustache template for errors"),
    ROW("dev", BOOL, dev, 0, 1, "show errors to the browser, with traceback"),
    ROW("watchdog", BOOL, watch.on, 0, 1,
        "tell of handlers that hold a worker, and abort those in Lua"),
    ROW("watchdog_warn", DURATION, watch.warn_ms, 0, DAY,
        "how long one may run without waiting before that; 0: never"),
    ROW("watchdog_abort", DURATION, watch.abort_ms, 0, DAY,
        "... before it is aborted; 0: never"),
    ROW("watchdog_kill", BOOL, watch.kill, 0, 1,
        "end the process when that is not possible"),
#if PL_WITH_SANDBOX
    ROW("sandbox", BOOL, sandbox.on, 0, 1,
        "keep the process to what the site needs, after start-up"),
    ROW("sandbox_strict", BOOL, sandbox.strict, 0, 1,
        "do not start without all of it"),
    ROW("sandbox_no_new_privs", BOOL, sandbox.no_new_privs, 0, 1,
        "programs that it starts get no rights by set-user-ID bits"),
    ROW("sandbox_drop_capabilities", BOOL, sandbox.drop_capabilities, 0, 1,
        "give up the rights of root that it still has"),
    ROW("sandbox_landlock", BOOL, sandbox.landlock, 0, 1,
        "open only files that the site names"),
    ROW("sandbox_processes", BOOL, sandbox.processes, 0, 1,
        "programs may be run"),
    TEXT("sandbox_seccomp", sandbox.seccomp, true, is_action,
         "refuse, kill or log: other system calls than those of the list"),
    TEXT("sandbox_chroot", sandbox.chroot, true, NULL,
         "a folder that is the root of all paths, after start-up"),
#endif
    ROW("budget_wall", DURATION, http.budget.wall_ms, 0, DAY,
        "how long a request may take, waits included; 0: no limit; then 503"),
    ROW("budget_cpu", DURATION, http.budget.cpu_ms, 0, DAY,
        "how much CPU its handlers may use; 0: no limit"),
    ROW("budget_memory", SIZE, http.budget.memory, 0, (uint64_t)1 << 50,
        "how much memory of Lua they may come to hold; 0: no limit"),
    ROW("access_usage", BOOL, http.usage, 0, 1,
        "the access log has the CPU and the memory of Lua of each request"),
    /* requests */
    ROW("max_line", SIZE, http.h1.line, 64, PL_H1_MAX_LIMIT,
        "bytes of a request line; beyond it 414"),
    ROW("max_head", SIZE, http.h1.head, 64, PL_H1_MAX_LIMIT,
        "bytes of all header fields; beyond it 431"),
    ROW("max_headers", COUNT, http.h1.headers, 1, PL_H1_MAX_FIELDS,
        "number of header fields; beyond it 431"),
    ROW("max_body", SIZE, http.body.max_body, 0, (uint64_t)1 << 50,
        "bytes of a body that is read as a whole; 0: no limit; beyond it 413"),
    ROW("max_upload", SIZE, http.body.max_upload, 0, (uint64_t)1 << 50,
        "bytes of any body; 0: no limit; beyond it 413"),
    ROW("max_form_fields", COUNT, http.body.max_fields, 0, 1000000,
        "fields of a form that is read as a whole; 0: no limit; beyond it 413"),
    ROW("max_parts", COUNT, http.body.max_parts, 0, 1000000,
        "parts of a multipart form; 0: no limit; beyond it 413"),
    ROW("body_spool", SIZE, http.body.spool, 0, GIB,
        "bytes of a body that stay in memory; 0: all; beyond it a file"),
    TEXT("temp_folder", http.temp_folder, true, NULL,
         "where that file is, without a name; else $TMPDIR or /var/tmp"),
    ROW("request_memory", SIZE, http.request_memory, 0, (uint64_t)1 << 50,
        "bytes that one request may allocate; 0: no limit"),
    ROW("file_cache", SIZE, http.file_cache, 0, (uint64_t)1 << 40,
        "bytes of static files that a worker keeps in memory; 0: none"),
    ROW("header_timeout", DURATION, http.header_ms, 1, DAY,
        "for the head of a request, from its first byte; then 408"),
    ROW("idle_timeout", DURATION, http.idle_ms, 1, DAY,
        "how long a connection is kept between requests"),
    ROW("body_rate", SIZE, http.body.rate, 0, GIB,
        "bytes a second that a peer must send of a body; 0: no limit"),
    ROW("body_grace", DURATION, http.body_grace_ms, SECOND, DAY,
        "over which body_rate is judged"),
    TEXT("server", http.server, true, pl_header_value_valid,
         "the Server field; false: none"),
    ROW("http2", BOOL, http.h2.on, 0, 1,
        "HTTP/2: over TLS, by prior knowledge and by Upgrade"),
    ROW("http2_streams", COUNT, http.h2.streams, 1, 1000,
        "requests of one connection in progress; beyond it they are refused"),
    ROW("http2_resets", COUNT, http.h2.resets, 1, 1000000,
        "streams that are reset in 30 s, by either side; then it is closed"),
    ROW("http2_controls", COUNT, http.h2.controls, 1, 1000000,
        "SETTINGS and PING frames in 10 s; then it is closed"),
    /* connections */
    ROW("max_connections", COUNT, net.max_conns, 0, 100000000,
        "per worker; 0: as many as there are descriptors"),
    ROW("max_per_address", COUNT, net.max_per_address, 0, 100000000,
        "... of them from one address; 0: no limit; beyond it 503"),
    ROW("conn_memory", SIZE, net.conn_memory, 16 << 10, (uint64_t)1 << 40,
        "bytes that one connection may hold"),
    ROW("output_high", SIZE, net.output_high, 1, GIB,
        "queued output above this makes a writer wait"),
    ROW("output_low", SIZE, net.output_low, 0, GIB,
        "... until it has fallen to this"),
    ROW("write_timeout", DURATION, net.write_ms, 1, DAY,
        "how long a peer may take nothing of its answer"),
    TEXT("forwarded", forwarded, false,
         PL_WITH_PROXY ? pl_forwarded_valid : NULL,
         "fields of theirs that are believed, like x-forwarded-for"),
    TEXT("trusted", trusted, true, PL_WITH_PROXY ? pl_trust_valid : NULL,
         "proxies that may say who the client is: addresses like 10.0.0.0/8, "
         "::1, unix:"),
    ROW("linger", DURATION, net.linger_ms, 1, DAY,
        "how long a peer that still sends is heard out after our last word"),
};

const struct pl_setting *pl_setting_at(unsigned index)
{
    return index < PL_COUNT(settings) ? &settings[index] : NULL;
}

/* ---- names ---- */

enum { NAME_MAX_LEN = 32 };

/* Insertions, deletions, replacements and swaps of neighbours that make b of
 * a (optimal string alignment). */
static unsigned distance(struct pl_str a, struct pl_str b)
{
    unsigned rows[3][NAME_MAX_LEN + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];

    for (unsigned j = 0; j <= b.len; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *free_row = before;

        now[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned same = a.data[i - 1] == b.data[j - 1] ? 0 : 1;

            now[j] =
                PL_MIN(PL_MIN(last[j], now[j - 1]) + 1, last[j - 1] + same);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1])
                now[j] = PL_MIN(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = free_row;
    }
    return last[b.len];
}

/* The setting that name was meant to be, or NULL. */
static const char *suggest(struct pl_str name)
{
    const char *best = NULL;
    unsigned least;

    if (name.len > NAME_MAX_LEN)
        return NULL;
    least = (unsigned)PL_MAX(name.len / 3, 1) + 1;
    for (unsigned i = 0; i < PL_COUNT(settings); i++) {
        unsigned d = distance(name, pl_str_c(settings[i].name));

        if (d < least) {
            least = d;
            best = settings[i].name;
        }
    }
    return best;
}

static const struct pl_setting *find(struct pl_str name)
{
    for (unsigned i = 0; i < PL_COUNT(settings); i++)
        if (pl_str_eq(name, pl_str_c(settings[i].name)))
            return &settings[i];
    return NULL;
}

/* ---- values ---- */

static const char *const wants[] = {
    [PL_SETTING_BOOL] = "true or false",
    [PL_SETTING_COUNT] = "a whole number",
    [PL_SETTING_SIZE] = "a size (1048576 or \"1m\")",
    [PL_SETTING_DURATION] = "a duration (10 or \"10s\" or \"500ms\")",
    [PL_SETTING_TEXT] = "a string",
};

/* Writes a bound the way people write it: "1k", "24h". */
static void show(const struct pl_setting *setting, uint64_t value, char *out,
                 size_t size)
{
    static const struct {
        uint64_t worth;
        const char *name;
    } sizes[] = {{GIB, "g"}, {MIB, "m"}, {1024, "k"}, {1, ""}},
      times[] = {
          {3600 * SECOND, "h"}, {60 * SECOND, "m"}, {SECOND, "s"}, {1, "ms"}};
    unsigned i = 0;

    if (setting->kind == PL_SETTING_COUNT || value == 0) {
        snprintf(out, size, "%llu", (unsigned long long)value);
    } else if (setting->kind == PL_SETTING_SIZE) {
        while (value % sizes[i].worth != 0)
            i++;
        snprintf(out, size, "%llu%s",
                 (unsigned long long)(value / sizes[i].worth), sizes[i].name);
    } else {
        while (value % times[i].worth != 0)
            i++;
        snprintf(out, size, "%llu%s",
                 (unsigned long long)(value / times[i].worth), times[i].name);
    }
}

static int bad_type(const struct pl_setting *setting, const char *where,
                    struct pl_error *error)
{
    return pl_error_set(error, PL_ERR_INVALID, where, "setting '%s' wants %s%s",
                        setting->name, wants[setting->kind],
                        setting->optional ? ", or false for none" : "");
}

static int bad_range(const struct pl_setting *setting, const char *where,
                     struct pl_error *error)
{
    char low[32], high[32];

    show(setting, setting->low, low, sizeof(low));
    show(setting, setting->high, high, sizeof(high));
    return pl_error_set(error, PL_ERR_INVALID, where,
                        "setting '%s' must be from %s to %s", setting->name,
                        low, high);
}

/* In bytes, milliseconds or ones. A number of seconds may have a fraction. */
static bool to_number(const struct pl_setting *setting,
                      const struct pl_value *value, uint64_t *out)
{
    double number = value->number;

    if (value->type == PL_VALUE_STRING) {
        switch (setting->kind) {
        case PL_SETTING_SIZE:
            return pl_str_to_size(value->string, out);
        case PL_SETTING_DURATION:
            return pl_str_to_ms(value->string, out);
        default:
            return pl_str_to_u64(value->string, out);
        }
    }
    if (setting->kind == PL_SETTING_DURATION)
        number *= SECOND;
    /* Also false for what is not a number; 2^63 fits both types. */
    if (value->type != PL_VALUE_NUMBER || !(number >= 0 && number < 0x1p63))
        return false;
    *out = (uint64_t)number;
    return setting->kind == PL_SETTING_DURATION || (double)*out == number;
}

static bool to_bool(const struct pl_value *value, bool *out)
{
    if (value->type == PL_VALUE_BOOL)
        *out = value->boolean;
    else if (value->type != PL_VALUE_STRING)
        return false;
    else if (pl_str_eq(value->string, PL_STR("true")))
        *out = true;
    else if (pl_str_eq(value->string, PL_STR("false")))
        *out = false;
    else
        return false;
    return true;
}

static int set_number(struct pl_site *site, const struct pl_setting *setting,
                      const struct pl_value *value, const char *where,
                      struct pl_error *error)
{
    char *field = (char *)site + setting->field;
    uint32_t narrow;
    uint64_t number;

    if (!to_number(setting, value, &number))
        return bad_type(setting, where, error);
    if (number < setting->low || number > setting->high)
        return bad_range(setting, where, error);
    narrow = (uint32_t)number;
    if (setting->width == sizeof(narrow))
        memcpy(field, &narrow, sizeof(narrow));
    else
        memcpy(field, &number, sizeof(number));
    return 0;
}

/* The field is a struct pl_str or a const char *, as its width tells. */
static int set_text(struct pl_site *site, const struct pl_setting *setting,
                    const struct pl_value *value, const char *where,
                    struct pl_error *error)
{
    char *field = (char *)site + setting->field;
    struct pl_str text = {NULL, 0};

    if (value->type == PL_VALUE_STRING)
        text = value->string;
    else if (value->type != PL_VALUE_BOOL || value->boolean)
        return bad_type(setting, where, error);
    if (text.len == 0 && !setting->optional)
        return bad_type(setting, where, error);
    if (text.len > 0 && (pl_str_chr(text, '\0') >= 0 ||
                         (setting->valid != NULL && !setting->valid(text))))
        return pl_error_set(error, PL_ERR_INVALID, where,
                            "setting '%s': not a possible value (%s)",
                            setting->name, setting->doc);
    if (text.len > 0) {
        text = pl_arena_str(&site->arena, text);
        if (text.data == NULL)
            return pl_error_set(error, PL_ERR_NOMEM, where, "out of memory");
    } else {
        text.data = NULL;
    }
    if (setting->width == sizeof(text))
        memcpy(field, &text, sizeof(text));
    else
        memcpy(field, &text.data, sizeof(text.data));
    return 0;
}

int pl_site_set(struct pl_site *site, struct pl_str name,
                const struct pl_value *value, const char *where,
                struct pl_error *error)
{
    const struct pl_setting *setting = find(name);
    const char *meant = setting == NULL ? suggest(name) : NULL;
    bool flag;

    if (setting == NULL)
        return pl_error_set(
            error, PL_ERR_INVALID, where, "unknown setting '%.*s'%s%s%s",
            (int)PL_MIN(name.len, 64), name.data,
            meant != NULL ? "; did you mean '" : "", meant != NULL ? meant : "",
            meant != NULL ? "'?" : "");
    switch (setting->kind) {
    case PL_SETTING_BOOL:
        if (!to_bool(value, &flag))
            return bad_type(setting, where, error);
        memcpy((char *)site + setting->field, &flag, sizeof(flag));
        return 0;
    case PL_SETTING_TEXT:
        return set_text(site, setting, value, where, error);
    default:
        return set_number(site, setting, value, where, error);
    }
}

int pl_site_settings_check(const struct pl_site *site, struct pl_error *error)
{
    const struct pl_h1_limits *h1 = &site->http.h1;

    if (site->net.output_low > site->net.output_high)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "setting 'output_low' is above 'output_high'");
    /* A head waits in the connection until it is complete. */
    if ((uint64_t)h1->line + h1->head > site->net.conn_memory)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "settings 'max_line' and 'max_head' together are "
                            "above 'conn_memory'");
    if (PL_WITH_SANDBOX && site->sandbox.on && !site->sandbox.no_new_privs &&
        (site->sandbox.landlock || site->sandbox.seccomp != NULL))
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "setting 'sandbox_no_new_privs' is off, which "
                            "the kernel wants for landlock and seccomp");
    return 0;
}
