/* md5.h - MD5 (RFC 1321), for protocols and scripts that ask for it by name. It
 * proves nothing any more: what must be safe is for pl.crypto. */
#ifndef PL_BASE_MD5_H
#define PL_BASE_MD5_H

#include <perilune.h>

enum { PL_MD5_SIZE = 16 };

void pl_md5(unsigned char out[PL_MD5_SIZE], struct pl_str text);

#endif
