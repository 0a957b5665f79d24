/* features.h - what perilune can be built without.
 *
 * The meson option `features` lists what is in; PL_WITH_NAME is 1 or 0. They
 * are asked where a feature is reached from (a row of a table, one call), not
 * in its own files: what nobody reaches is left out by the linker. Who asks for
 * what is not there is told so. */
#ifndef PL_BASE_FEATURES_H
#define PL_BASE_FEATURES_H

#define PL_WITH_CORE 1

/* name, NAME */
#define PL_FEATURE_MAP(X)                                                      \
    X(forms, FORMS)                                                            \
    X(library, LIBRARY)                                                        \
    X(pages, PAGES)                                                            \
    X(share, SHARE)                                                            \
    X(watchdog, WATCHDOG)

#define PL_WITHOUT_TEXT "this perilune was built without the feature "

#endif
