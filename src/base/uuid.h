/* uuid.h - 16 bytes with a version, and how they are written (RFC 9562). */
#ifndef PL_BASE_UUID_H
#define PL_BASE_UUID_H

#include <perilune.h>

enum { PL_UUID_BYTES = 16 };

/* Sets the bits of version and variant (4.1, 4.2). */
void pl_uuid_mark(uint8_t *bytes, int version);

/* Writes PL_UUID_LEN characters. */
void pl_uuid_write(char *out, const uint8_t *bytes);

/* False if text is none; digits may be of either case. */
bool pl_uuid_read(struct pl_str text, uint8_t *bytes);

#endif
