#include "net/listen_options.h"

#include "base/features.h"
#include "base/str.h"
#include "net/inherit.h"
#include "net/tls.h"

const struct pl_listen_options pl_listen_defaults = {.speak = PL_SPEAK_HTTP};

static const char *const words[] = {
#define ROW(name, word) [PL_SPEAK_##name] = word,
    PL_SPEAK_MAP(ROW)
#undef ROW
};

const char *pl_speak_name(enum pl_speak speak)
{
    return words[speak];
}

static int check_built_in(enum pl_speak speak, struct pl_error *error)
{
    if (!PL_WITH_HTTP2 && speak == PL_SPEAK_H2)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "protocol 'h2': " PL_WITHOUT PL_FEATURE_HTTP2);
    if (!PL_WITH_FASTCGI && speak == PL_SPEAK_FASTCGI)
        return pl_error_set(
            error, PL_ERR_UNSUPPORTED, "",
            "protocol 'fastcgi': " PL_WITHOUT PL_FEATURE_FASTCGI);
    return 0;
}

int pl_speak_parse(const char *word, enum pl_speak *out, struct pl_error *error)
{
#define WORD(name, word) " '" word "'"
    static const char all[] = PL_SPEAK_MAP(WORD);
#undef WORD

    *out = PL_SPEAK_HTTP;
    for (size_t i = 0; word != NULL && i < PL_COUNT(words); i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (enum pl_speak)i;
            return check_built_in(*out, error);
        }
    }
    return word == NULL ? 0
                        : pl_error_set(error, PL_ERR_INVALID, "",
                                       "protocol '%s' is none of%s", word, all);
}

int pl_proxy_use_parse(const char *word, enum pl_proxy_use *out,
                       struct pl_error *error)
{
    *out = PL_PROXY_OFF;
    if (word == NULL)
        return 0;
    if (!PL_WITH_PROXY)
        return pl_error_set(error, PL_ERR_UNSUPPORTED, "",
                            "proxy_protocol: " PL_WITHOUT PL_FEATURE_PROXY);
    *out = PL_PROXY_REQUIRED;
    if (strcmp(word, "required") == 0)
        return 0;
    *out = PL_PROXY_OPTIONAL;
    if (strcmp(word, "optional") == 0)
        return 0;
    return pl_error_set(error, PL_ERR_INVALID, "",
                        "proxy_protocol '%s' is none of 'required' 'optional'",
                        word);
}

const char *pl_listen_options_fault(struct pl_str address,
                                    const struct pl_listen_options *options)
{
    bool file = options->mode != 0 || options->owner || options->group;

    if (options->mode > 0777)
        return "mode must be from 0 to 0777";
    if (options->sockets > 1024)
        return "sockets must be from 0 to 1024";
    if (options->backlog < 0)
        return "backlog is too large";
    if (pl_inherit_is(address) &&
        (file || options->v6only || options->sockets != 0))
        return "the socket is open already: mode, owner, group, v6only and "
               "reuseport are not for it";
    if (file && pl_str_starts(address, PL_STR("unix:@")))
        return "mode, owner and group are for UNIX sockets with a file";
    return NULL;
}

int pl_listen_options_copy(struct pl_arena *arena,
                           const struct pl_listen_options *from,
                           struct pl_listen_options *to)
{
    *to = *from;
    to->owner = pl_arena_str(arena, pl_str_c(from->owner)).data;
    to->group = pl_arena_str(arena, pl_str_c(from->group)).data;
    if ((from->owner != NULL && to->owner == NULL) ||
        (from->group != NULL && to->group == NULL))
        return PL_ERR_NOMEM;
    if (PL_WITH_FASTCGI && from->sendfile != NULL) {
        to->sendfile = pl_arena_str(arena, pl_str_c(from->sendfile)).data;
        if (to->sendfile == NULL)
            return PL_ERR_NOMEM;
    }
    if (PL_WITH_PROXY && from->trusted != NULL) {
        to->trusted = pl_trust_copy(arena, from->trusted);
        if (to->trusted == NULL)
            return PL_ERR_NOMEM;
    }
    return PL_WITH_TLS ? pl_tls_options_copy(arena, from->tls, &to->tls) : 0;
}

static bool same_socket(const struct pl_listen_options *a,
                        const struct pl_listen_options *b)
{
    return a->sockets == b->sockets && a->backlog == b->backlog &&
           a->mode == b->mode && pl_text_eq(a->owner, b->owner) &&
           pl_text_eq(a->group, b->group) && a->v6only == b->v6only &&
           a->eager == b->eager;
}

static bool same_use(const struct pl_listen_options *a,
                     const struct pl_listen_options *b)
{
    return a->speak == b->speak && a->proxy == b->proxy &&
           a->service == b->service && a->https_port == b->https_port &&
           a->forwarded == b->forwarded &&
           (!PL_WITH_FASTCGI || pl_text_eq(a->sendfile, b->sendfile));
}

PL_COLD bool pl_listen_options_eq(const struct pl_listen_options *a,
                                  const struct pl_listen_options *b)
{
    return same_socket(a, b) && same_use(a, b) &&
           (!PL_WITH_PROXY || pl_trust_eq(a->trusted, b->trusted)) &&
           (!PL_WITH_TLS || pl_tls_options_eq(a->tls, b->tls));
}
