/* fuzz_auth.c - what comes from files of users and from clients: lists, signed
 * and sealed tokens. The first byte chooses. The plug-in's arithmetic is
 * replaced by sums: here only what is taken apart matters. */
#include <stdint.h>

#include "base/check.h"
#include "base/str.h"
#include "filters/keys.h"
#include "filters/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_hash(const char *hash)
{
    return hash[0] == '$';
}

static int derive(struct pl_str secret, struct pl_str info,
                  uint8_t out[PL_SEAL_KEY])
{
    (void)secret;
    memset(out, (int)info.len, PL_SEAL_KEY);
    return 0;
}

static int mac(const uint8_t *key, const struct pl_str *parts, unsigned n,
               uint8_t out[PL_MAC])
{
    memcpy(out, key, PL_MAC);
    for (unsigned i = 0; i < n; i++)
        for (size_t k = 0; k < parts[i].len; k++)
            out[k % PL_MAC] = (uint8_t)(out[k % PL_MAC] + parts[i].data[k]);
    return 0;
}

static int unseal(const uint8_t *key, const uint8_t *nonce, struct pl_str aad,
                  struct pl_str sealed, uint8_t *out)
{
    (void)aad;
    memcpy(out, sealed.data, sealed.len - PL_SEAL_TAG);
    return nonce[0] == key[0] ? 0 : PL_ERR_DENIED;
}

static void forget(void *secret, size_t len)
{
    memset(secret, 0, len);
}

static const struct pl_auth_offer offer = {.is_hash = is_hash,
                                           .derive = derive,
                                           .mac = mac,
                                           .unseal = unseal,
                                           .forget = forget};

/* A list is good, or the fault has a place. */
static void try_list(struct pl_str text)
{
    struct pl_users *users = NULL;
    struct pl_error error = {.code = 0};
    const struct pl_login *decoy;

    if (pl_users_parse(&offer, text, "list", &users, &error) < 0) {
        PL_ASSERT(strncmp(error.where, "list:", 5) == 0 &&
                  error.text[0] != '\0');
        return;
    }
    decoy = pl_users_decoy(users);
    if (decoy != NULL) {
        PL_ASSERT(decoy->name.len > 0);
        PL_ASSERT(pl_users_find(users, decoy->name) != NULL);
        PL_ASSERT(!decoy->is_hash || decoy->secret.data[0] == '$');
    }
    pl_users_free(users);
}

typedef int open_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str token, uint64_t now, struct pl_buf *out);

static void try_token(open_fn *open, struct pl_str token)
{
    const struct pl_str secret = PL_STR("0123456789abcdef0123456789abcdef");
    struct pl_keys *keys =
        pl_keys_new(&offer, &secret, 1, PL_STR("fuzz"), NULL);
    struct pl_pool pool;
    struct pl_buf out;
    int err;

    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    err = open(keys, PL_STR("l"), token, 1, &out);
    PL_ASSERT(err == 0 || err == PL_ERR_DENIED || err == PL_ERR_TIMEOUT);
    PL_ASSERT(err == 0 ? out.len <= token.len : out.len == 0);
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    pl_keys_free(keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str text = {(const char *)data + 1, size - 1};

    if (size == 0)
        return 0;
    if (data[0] == 'u')
        try_list(text);
    else
        try_token(data[0] == 's' ? pl_keys_unseal : pl_keys_verify, text);
    return 0;
}
