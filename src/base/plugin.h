/* plugin.h - parts of perilune that are shared objects of their own, loaded
 * when something asks for them.
 *
 * A library that is linked in costs every start: time for its relocations and
 * memory for its data. So what needs a heavy one (OpenSSL, libcurl, ...) is a
 * plug-in: perilune-NAME.so, built and installed together with the program. It
 * shares private structs with it and is no interface for others; both have to
 * come from the same build, which is checked.
 *
 * A plug-in links to its libraries and to the C library, and to nothing of
 * ours: what it needs of perilune is in a table of functions that its host
 * passes down, and what it can do is in another, which it gives back. So it is
 * the same file for the program, for libperilune.so, and for programs that link
 * libperilune.a. Who loads a plug-in knows the types of both tables.
 *
 * It is looked for in $PERILUNE_PLUGINS (tests and unusual places), beside the
 * program or library that holds this code (a build folder), and in
 * LIBDIR/perilune. It stays loaded until the process ends. */
#ifndef PL_BASE_PLUGIN_H
#define PL_BASE_PLUGIN_H

#include <perilune.h>

#include "base/error.h"

enum { PL_PLUGIN_MAGIC = 0x47504c50 };

/* The one symbol of a plug-in: `const struct pl_plugin pl_plugin`. Its first
 * three fields never change their places. */
struct pl_plugin {
    uint32_t magic;
    uint32_t size;       /* of this struct */
    const char *build;   /* PL_PLUGIN_BUILD of the plug-in */
    uint32_t host_size;  /* of the table that it is given */
    uint32_t offer_size; /* of the table that it offers */
    const void *offer;   /* constant, as all that it points to */
    /* Writes "OpenSSL 3.0.19, libargon2", for --version. */
    void (*libraries)(char *out, size_t size);
    /* Any thread, any number of times, always with the same table. */
    void (*open)(const void *host);
};

#define PL_PLUGIN_EXPORT __attribute__((visibility("default")))

/* What is looked for. host lives as long as the process. */
struct pl_plugin_want {
    const char *name; /* "crypto" */
    const void *host;
    uint32_t host_size, offer_size;
};

/* Gives its table. Any thread; reads files, so not while requests wait: sites
 * ask for it while they load. Returns 0; PL_ERR_NOT_FOUND (there is none, or
 * one of its libraries is missing) or PL_ERR_UNSUPPORTED (of another build),
 * with *error (which may be NULL) saying what to do about it. */
int pl_plugin_load(const struct pl_plugin_want *want, const void **offer,
                   struct pl_error *error);

/* Loads it for who may ask for it when its file cannot be reached any more: one
 * that is loaded is not looked for again. Does nothing if there is none. */
void pl_plugin_keep(const char *name);

/* Where they are looked for. */
void pl_plugin_folders(void (*see)(void *arg, const char *folder), void *arg);

/* Writes the libraries of a plug-in for people; false if there is none. */
bool pl_plugin_libraries(const char *name, char *out, size_t size);

#endif
