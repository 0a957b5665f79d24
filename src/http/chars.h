/* chars.h - the character sets of HTTP's grammar, one bit of a table each. */
#ifndef PL_HTTP_CHARS_H
#define PL_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum pl_char_set {
    PL_CHAR_TOKEN = 1,  /* tchar (RFC 9110, 5.6.2) */
    PL_CHAR_VALUE = 2,  /* field value: tab, SP, VCHAR, obs-text (5.5) */
    PL_CHAR_TARGET = 4, /* request target: VCHAR and obs-text without '#' */
    PL_CHAR_HOST = 8,   /* reg-name without '%' (RFC 3986, 3.2.2) */
};

extern const uint8_t pl_chars[256];

PL_INLINE bool pl_char_is(char c, enum pl_char_set set)
{
    return (pl_chars[(unsigned char)c] & set) != 0;
}

#endif
