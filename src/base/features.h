/* features.h - what perilune can be built without.
 *
 * The meson option `features` lists what is in; PL_WITH_NAME is 1 or 0. They
 * are asked where a feature is reached from (a row of a table, one call), not
 * in its own files: what nobody reaches is left out by the linker. Who asks for
 * what is not there is told so. */
#ifndef PL_BASE_FEATURES_H
#define PL_BASE_FEATURES_H

#define PL_WITH_CORE 1

#define PL_FEATURE_MAP(X)                                                      \
    X(FORMS)                                                                   \
    X(HTTP2)                                                                   \
    X(LIBRARY)                                                                 \
    X(PAGES) X(PROXY) X(SHARE) X(SOCKETS) X(STREAMS) X(TLS) X(WATCHDOG)

/* As people write them. */
#define PL_FEATURE_CORE "core"
#define PL_FEATURE_FORMS "forms"
#define PL_FEATURE_HTTP2 "http2"
#define PL_FEATURE_LIBRARY "library"
#define PL_FEATURE_PAGES "pages"
#define PL_FEATURE_PROXY "proxy"
#define PL_FEATURE_SHARE "share"
#define PL_FEATURE_SOCKETS "sockets"
#define PL_FEATURE_STREAMS "streams"
#define PL_FEATURE_TLS "tls"
#define PL_FEATURE_WATCHDOG "watchdog"

#define PL_WITHOUT "this perilune was built without the feature "

#endif
