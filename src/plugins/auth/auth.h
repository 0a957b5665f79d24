/* auth.h - what the files of the plug-in share (base/auth_plugin.h). */
#ifndef PL_PLUGINS_AUTH_H
#define PL_PLUGINS_AUTH_H

#include "base/auth_plugin.h"

/* seal.c */
int pl_auth_seal(const uint8_t *key, const uint8_t *nonce, struct pl_str aad,
                 struct pl_str text, uint8_t *out);
int pl_auth_unseal(const uint8_t *key, const uint8_t *nonce, struct pl_str aad,
                   struct pl_str sealed, uint8_t *out);

#endif
