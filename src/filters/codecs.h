/* codecs.h - the content codings that this process has, by name. */
#ifndef PL_FILTERS_CODECS_H
#define PL_FILTERS_CODECS_H

#include "base/codec.h"
#include "base/error.h"

/* gzip is always there, and so is deflate, which cannot pack. */
extern const struct pl_codec pl_codec_gzip, pl_codec_deflate;

/* "br", "zstd", "gzip": loads the plug-in if there is one for it, so only while
 * a site is loaded. NULL: there is none, with *error (which may be NULL). */
const struct pl_codec *pl_codec_load(struct pl_str name,
                                     struct pl_error *error);

/* For what a peer has used: what can be unpacked now, "x-gzip" and "deflate"
 * included. NULL: none. Any thread, after loading. */
const struct pl_codec *pl_codec_find(struct pl_str name);

/* The names of all that pl_codec_find() knows, ", " between, for
 * Accept-Encoding. out has PL_CODEC_NAMES bytes. */
enum { PL_CODEC_NAMES = 32 };
struct pl_str pl_codec_names(char *out);

#endif
