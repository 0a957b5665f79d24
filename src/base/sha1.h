/* sha1.h - SHA-1 (FIPS 180-4), for protocols that ask for it by name. It proves
 * nothing any more: what must be safe is for pl.crypto. */
#ifndef PL_BASE_SHA1_H
#define PL_BASE_SHA1_H

#include <perilune.h>

enum { PL_SHA1_SIZE = 20 };

/* Of a short text: at most 119 bytes (two blocks). */
enum { PL_SHA1_MAX = 119 };
void pl_sha1(unsigned char out[PL_SHA1_SIZE], struct pl_str text);

#endif
