/* crc32c.h - the checksum of iSCSI, ext4 and the PROXY protocol (RFC 3720,
 * B.4). */
#ifndef PL_BASE_CRC32C_H
#define PL_BASE_CRC32C_H

#include <perilune.h>

/* crc: 0, or what was returned for the bytes before these. */
uint32_t pl_crc32c(uint32_t crc, struct pl_str bytes);

#endif
