#include "filters/keys.h"

#include "base/str.h"
#include "base/sys.h"

enum { VERSION = 1, EXPIRES = 8, TOKEN_MAX = 1 << 20 };

struct pair {
    uint8_t seal[PL_SEAL_KEY], sign[PL_SEAL_KEY];
};

struct pl_keys {
    const struct pl_auth_offer *auth;
    unsigned n;
    struct pair pairs[PL_KEYS_MAX];
};

/* ---- making them ---- */

static int derive(const struct pl_auth_offer *auth, struct pl_str secret,
                  const char *use, struct pl_str purpose, uint8_t *out)
{
    char info[128];
    int len = snprintf(info, sizeof(info), "perilune %s %.*s", use,
                       PL_STR_ARG(purpose));

    if (len < 0 || len >= (int)sizeof(info))
        return PL_ERR_TOO_LONG;
    return auth->derive(secret, pl_str(info, (size_t)len), out);
}

static int add(struct pl_keys *keys, struct pl_str secret,
               struct pl_str purpose, struct pl_error *error)
{
    struct pair *pair = &keys->pairs[keys->n++];
    int err;

    if (secret.len < PL_KEYS_SECRET_MIN)
        return pl_error_set(error, PL_ERR_INVALID, "",
                            "key %u has %zu bytes; %d are needed (`openssl "
                            "rand -hex 32` makes some)",
                            keys->n, secret.len, PL_KEYS_SECRET_MIN);
    err = derive(keys->auth, secret, "seal", purpose, pair->seal);
    if (err == 0)
        err = derive(keys->auth, secret, "sign", purpose, pair->sign);
    return err < 0 ? pl_error_set(error, err, "", "cannot make a key: %s",
                                  pl_err_text(err))
                   : 0;
}

struct pl_keys *pl_keys_new(const struct pl_auth_offer *auth,
                            const struct pl_str *secrets, unsigned n,
                            struct pl_str purpose, struct pl_error *error)
{
    struct pl_keys *keys;
    int err = 0;

    if (n == 0 || n > PL_KEYS_MAX) {
        pl_error_set(error, PL_ERR_INVALID, "", "1 to %d keys are needed",
                     PL_KEYS_MAX);
        return NULL;
    }
    keys = pl_calloc(1, sizeof(*keys));
    if (keys == NULL) {
        pl_error_set(error, PL_ERR_NOMEM, "", "out of memory");
        return NULL;
    }
    keys->auth = auth;
    for (unsigned i = 0; i < n && err == 0; i++)
        err = add(keys, secrets[i], purpose, error);
    if (err == 0)
        return keys;
    pl_keys_free(keys);
    return NULL;
}

void pl_keys_free(struct pl_keys *keys)
{
    if (keys == NULL)
        return;
    keys->auth->forget(keys->pairs, sizeof(keys->pairs));
    pl_free(keys);
}

/* ---- text ---- */

static int add_base64(struct pl_buf *out, struct pl_str bytes)
{
    if (pl_buf_reserve(out, pl_base64_room(bytes.len)) < 0)
        return out->err;
    out->len += pl_base64_encode(out->data + out->len, bytes, PL_BASE64_URL);
    return 0;
}

/* Replaces what out has by the bytes of text. */
static int take_base64(struct pl_buf *out, struct pl_str text)
{
    ptrdiff_t len;

    if (text.len == 0 || text.len > TOKEN_MAX)
        return PL_ERR_DENIED;
    if (pl_buf_reserve(out, pl_base64_decoded_room(text.len)) < 0)
        return out->err;
    len = pl_base64_decode(out->data, text, PL_BASE64_URL);
    out->len = (size_t)PL_MAX(len, 0);
    return len < 0 ? PL_ERR_DENIED : 0;
}

static void put_u64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < EXPIRES; i++)
        out[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_u64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (int i = EXPIRES; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static int check_time(uint64_t expires, uint64_t now)
{
    return expires != 0 && now >= expires ? PL_ERR_TIMEOUT : 0;
}

/* ---- sealed ---- */

static int seal(const struct pl_keys *keys, struct pl_str label,
                struct pl_str plain, struct pl_buf *bytes)
{
    uint8_t *at;
    int err;

    if (pl_buf_reserve(bytes, 1 + PL_SEAL_NONCE + plain.len + PL_SEAL_TAG) < 0)
        return bytes->err;
    at = (uint8_t *)bytes->data;
    at[0] = VERSION;
    pl_random(at + 1, PL_SEAL_NONCE);
    err = keys->auth->seal(keys->pairs[0].seal, at + 1, label, plain,
                           at + 1 + PL_SEAL_NONCE);
    bytes->len = 1 + PL_SEAL_NONCE + plain.len + PL_SEAL_TAG;
    return err;
}

int pl_keys_seal(const struct pl_keys *keys, struct pl_str label,
                 struct pl_str text, uint64_t expires, struct pl_buf *out)
{
    uint8_t end[EXPIRES];
    struct pl_buf plain, bytes;
    int err;

    put_u64(end, expires);
    pl_buf_init(&plain, out->pool, out->account, 0);
    pl_buf_init(&bytes, out->pool, out->account, 0);
    pl_buf_add(&plain, pl_str((char *)end, EXPIRES));
    err = pl_buf_add(&plain, text);
    if (err == 0)
        err = seal(keys, label, pl_buf_str(&plain), &bytes);
    if (err == 0)
        err = add_base64(out, pl_buf_str(&bytes));
    if (plain.data != NULL)
        keys->auth->forget(plain.data, plain.len);
    pl_buf_fini(&plain);
    pl_buf_fini(&bytes);
    return err;
}

/* bytes is all of a token, from its version on. */
static int unseal(const struct pl_keys *keys, struct pl_str label,
                  struct pl_str bytes, struct pl_buf *plain)
{
    const uint8_t *nonce = (const uint8_t *)bytes.data + 1;
    struct pl_str sealed = pl_str_skip(bytes, 1 + PL_SEAL_NONCE);
    int err = PL_ERR_DENIED;

    if (bytes.len < PL_SEALED_EXTRA || bytes.data[0] != VERSION)
        return PL_ERR_DENIED;
    if (pl_buf_reserve(plain, sealed.len) < 0)
        return plain->err;
    for (unsigned i = 0; i < keys->n && err == PL_ERR_DENIED; i++)
        err = keys->auth->unseal(keys->pairs[i].seal, nonce, label, sealed,
                                 (uint8_t *)plain->data);
    plain->len = sealed.len - PL_SEAL_TAG;
    return err;
}

int pl_keys_unseal(const struct pl_keys *keys, struct pl_str label,
                   struct pl_str token, uint64_t now, struct pl_buf *out)
{
    struct pl_buf plain;
    int err = take_base64(out, token);

    pl_buf_init(&plain, out->pool, out->account, 0);
    if (err == 0)
        err = unseal(keys, label, pl_buf_str(out), &plain);
    out->len = 0;
    if (err == 0)
        err = check_time(get_u64((uint8_t *)plain.data), now);
    if (err == 0)
        err = pl_buf_add(out, pl_str_skip(pl_buf_str(&plain), EXPIRES));
    if (plain.data != NULL)
        keys->auth->forget(plain.data, plain.len);
    pl_buf_fini(&plain);
    return err;
}

/* ---- signed ---- */

static int sign(const struct pl_keys *keys, unsigned i, struct pl_str label,
                struct pl_str text, struct pl_str expires, uint8_t mac[PL_MAC])
{
    const struct pl_str parts[] = {label, expires, text};

    return keys->auth->mac(keys->pairs[i].sign, parts, PL_COUNT(parts), mac);
}

int pl_keys_sign(const struct pl_keys *keys, struct pl_str label,
                 struct pl_str text, uint64_t expires, struct pl_buf *out)
{
    uint8_t mac[PL_MAC];
    char digits[24];
    struct pl_str end = {digits, pl_u64_format(digits, expires)};
    int err = sign(keys, 0, label, text, end, mac);

    if (err < 0)
        return err;
    if (text.len > 0)
        add_base64(out, text);
    pl_buf_addc(out, '.');
    pl_buf_add(out, end);
    pl_buf_addc(out, '.');
    return out->err < 0 ? out->err
                        : add_base64(out, pl_str((char *)mac, PL_MAC));
}

/* The three parts of a signed token. */
struct signed_token {
    struct pl_str text, expires, mac;
    uint64_t end;
};

static bool take_apart(struct pl_str token, struct signed_token *out)
{
    return pl_str_split(&token, '.', &out->text) &&
           pl_str_split(&token, '.', &out->expires) &&
           pl_str_split(&token, '.', &out->mac) && token.data == NULL &&
           pl_str_to_u64(out->expires, &out->end);
}

static int is_signed(const struct pl_keys *keys, struct pl_str label,
                     const struct signed_token *token, struct pl_str text,
                     struct pl_str mac)
{
    uint8_t made[PL_MAC];
    int err;

    for (unsigned i = 0; i < keys->n; i++) {
        err = sign(keys, i, label, text, token->expires, made);
        if (err < 0)
            return err;
        if (pl_equal(mac, pl_str((char *)made, PL_MAC)))
            return 0;
    }
    return PL_ERR_DENIED;
}

int pl_keys_verify(const struct pl_keys *keys, struct pl_str label,
                   struct pl_str token, uint64_t now, struct pl_buf *out)
{
    struct signed_token parts;
    struct pl_buf mac;
    int err = 0;

    if (token.len > TOKEN_MAX || !take_apart(token, &parts))
        return PL_ERR_DENIED;
    pl_buf_init(&mac, out->pool, out->account, 0);
    err = take_base64(&mac, parts.mac);
    if (err == 0 && parts.text.len > 0)
        err = take_base64(out, parts.text);
    if (err == 0)
        err = is_signed(keys, label, &parts, pl_buf_str(out), pl_buf_str(&mac));
    if (err == 0)
        err = check_time(parts.end, now);
    if (err < 0)
        out->len = 0;
    pl_buf_fini(&mac);
    return err;
}
