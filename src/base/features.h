/* features.h - what perilune can be built without.
 *
 * meson_options.txt has the list; its option `features` says what is in, and
 * PL_WITH_NAME is 1 or 0. They are asked where a feature is reached from (a row
 * of a table, one call), not in its own files: what nobody reaches is left out
 * by the linker. Who asks for what is not there is told so. */
#ifndef PL_BASE_FEATURES_H
#define PL_BASE_FEATURES_H

#define PL_WITH_CORE 1

#define PL_FEATURE_MAP(X)                                                      \
    X(ADMIN)                                                                   \
    X(AUTH)                                                                    \
    X(COMPRESS)                                                                \
    X(CONTENT)                                                                 \
    X(CROWD)                                                                   \
    X(FASTCGI)                                                                 \
    X(FILTERS)                                                                 \
    X(FORMS)                                                                   \
    X(HTTP2)                                                                   \
    X(HTTP_CLIENT)                                                             \
    X(LIBRARY)                                                                 \
    X(LIMITS)                                                                  \
    X(LUAFCGID)                                                                \
    X(LWAN)                                                                    \
    X(MAGNET)                                                                  \
    X(MODULES)                                                                 \
    X(PAGES)                                                                   \
    X(PROXY)                                                                   \
    X(RELOAD)                                                                  \
    X(REWRITE)                                                                 \
    X(SANDBOX)                                                                 \
    X(SHARE)                                                                   \
    X(SOCKETS)                                                                 \
    X(SQL)                                                                     \
    X(STREAMS) X(SUPERVISOR) X(TLS) X(UPSTREAM) X(WATCH) X(WATCHDOG)

/* All that meson_options.txt lists; others would have no PL_WITH_NAME. */
#define PL_FEATURE_IS(name) +(PL_WITH_##name >= 0)
_Static_assert(0 PL_FEATURE_MAP(PL_FEATURE_IS) == PL_FEATURES,
               "the features of meson_options.txt");

/* As people write them. */
#define PL_FEATURE_CORE "core"
#define PL_FEATURE_ADMIN "admin"
#define PL_FEATURE_AUTH "auth"
#define PL_FEATURE_COMPRESS "compress"
#define PL_FEATURE_CONTENT "content"
#define PL_FEATURE_CROWD "crowd"
#define PL_FEATURE_FASTCGI "fastcgi"
#define PL_FEATURE_FILTERS "filters"
#define PL_FEATURE_FORMS "forms"
#define PL_FEATURE_HTTP2 "http2"
#define PL_FEATURE_HTTP_CLIENT "http_client"
#define PL_FEATURE_LIBRARY "library"
#define PL_FEATURE_LIMITS "limits"
#define PL_FEATURE_LUAFCGID "luafcgid"
#define PL_FEATURE_LWAN "lwan"
#define PL_FEATURE_MAGNET "magnet"
#define PL_FEATURE_MODULES "modules"
#define PL_FEATURE_PAGES "pages"
#define PL_FEATURE_PROXY "proxy"
#define PL_FEATURE_RELOAD "reload"
#define PL_FEATURE_REWRITE "rewrite"
#define PL_FEATURE_SANDBOX "sandbox"
#define PL_FEATURE_SHARE "share"
#define PL_FEATURE_SOCKETS "sockets"
#define PL_FEATURE_SQL "sql"
#define PL_FEATURE_STREAMS "streams"
#define PL_FEATURE_SUPERVISOR "supervisor"
#define PL_FEATURE_TLS "tls"
#define PL_FEATURE_UPSTREAM "upstream"
#define PL_FEATURE_WATCH "watch"
#define PL_FEATURE_WATCHDOG "watchdog"

/* Does it understand sites in the language of another server? */
#define PL_WITH_DIALECTS (PL_WITH_LUAFCGID || PL_WITH_LWAN || PL_WITH_MAGNET)

#define PL_WITHOUT "this perilune was built without the feature "

#endif
