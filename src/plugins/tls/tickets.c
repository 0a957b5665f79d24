/* tickets.c - the keys of session tickets (RFC 5077, 8446 4.6.1), shared by all
 * workers without locks.
 *
 *     time  |--- period 7 ---|--- period 8 ---|--- period 9 ---|
 *     slot  |  7 % 4 = 3     |       0        |       1        |
 *
 * Each period has random keys of its own, in a slot. The first worker that
 * makes a ticket in a period claims the slot and fills it; who comes while it
 * does so makes a ticket that nobody will be able to read. Tickets of the
 * period before are still accepted, and replaced; the keys of older ones are
 * wiped, so that what was recorded cannot be read with what a thief finds
 * later.
 *
 * Slots are read as one reads with a sequence lock: the words are loaded
 * between two looks at the period, each in an order that shows BUSY to who has
 * seen a new word. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/evp.h>
#include <time.h>

#include "tls.h"

enum { SLOTS = 4, WORDS = 10, NAME = 16, KEY = 32 };

/* What a period has: 16 bytes of name, a key for AES-256, one for HMAC. */
struct secret {
    unsigned char name[NAME], cipher[KEY], mac[KEY];
};

_Static_assert(sizeof(struct secret) == WORDS * sizeof(uint64_t), "words");

struct pl_tls_keys {
    uint64_t rotation_s;
    struct slot {
        _Atomic uint64_t period; /* of what is in it, or BUSY */
        _Atomic uint64_t words[WORDS];
    } slots[SLOTS];
};

static const uint64_t BUSY = UINT64_MAX;

static uint64_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

void *pl_tls_tickets_new(uint32_t rotation_s)
{
    struct pl_tls_keys *keys = pl_tls_host()->malloc(sizeof(*keys));

    if (keys == NULL)
        return NULL;
    keys->rotation_s = rotation_s;
    for (int i = 0; i < SLOTS; i++) {
        atomic_init(&keys->slots[i].period, 0);
        for (int j = 0; j < WORDS; j++)
            atomic_init(&keys->slots[i].words[j], 0);
    }
    return keys;
}

void pl_tls_tickets_free(void *arg)
{
    if (arg == NULL)
        return;
    OPENSSL_cleanse(arg, sizeof(struct pl_tls_keys));
    pl_tls_host()->free(arg);
}

/* From 2 on: 0 is an empty slot, and the first has one before it. */
static uint64_t period_of(const struct pl_tls_keys *keys)
{
    return 2 + now_s() / keys->rotation_s;
}

/* Of a slot that is BUSY, and ours. period 0: nobody's. */
static void fill(struct slot *slot, uint64_t period)
{
    uint64_t words[WORDS] = {0};

    if (period != 0)
        pl_tls_host()->random(words, sizeof(words));
    for (int i = 0; i < WORDS; i++)
        atomic_store_explicit(&slot->words[i], words[i], memory_order_release);
    OPENSSL_cleanse(words, sizeof(words));
    atomic_store_explicit(&slot->period, period, memory_order_release);
}

/* Makes the slot that of a period, unless it is, or somebody else does so just
 * now. */
static void claim(struct slot *slot, uint64_t period)
{
    uint64_t was = atomic_load(&slot->period);

    if (was < period &&
        atomic_compare_exchange_strong(&slot->period, &was, BUSY))
        fill(slot, period);
}

/* Wipes a slot with keys of before oldest. */
static void wipe(struct slot *slot, uint64_t oldest)
{
    uint64_t was = atomic_load(&slot->period);

    if (was != 0 && was < oldest &&
        atomic_compare_exchange_strong(&slot->period, &was, BUSY))
        fill(slot, 0);
}

/* False: there is no such period any more, or not yet. */
static bool load(struct pl_tls_keys *keys, uint64_t period,
                 struct secret *secret)
{
    struct slot *slot = &keys->slots[period % SLOTS];
    uint64_t words[WORDS];

    if (atomic_load_explicit(&slot->period, memory_order_acquire) != period)
        return false;
    for (int i = 0; i < WORDS; i++)
        words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
    memcpy(secret, words, sizeof(*secret));
    OPENSSL_cleanse(words, sizeof(words));
    return atomic_load_explicit(&slot->period, memory_order_relaxed) == period;
}

static void load_now(struct pl_tls_keys *keys, struct secret *secret)
{
    uint64_t period = period_of(keys);

    for (int i = 0; i < SLOTS; i++)
        wipe(&keys->slots[i], period - 1);
    claim(&keys->slots[period % SLOTS], period);
    if (!load(keys, period, secret))
        pl_tls_host()->random(secret, sizeof(*secret));
}

static bool begin_mac(EVP_MAC_CTX *mac, const struct secret *secret)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(
            OSSL_MAC_PARAM_KEY, (void *)secret->mac, sizeof(secret->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                         (char *)"sha256", 0),
        OSSL_PARAM_construct_end()};

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int begin_ticket(struct pl_tls_keys *keys, unsigned char *name,
                        unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, struct secret *secret)
{
    load_now(keys, secret);
    memcpy(name, secret->name, NAME);
    pl_tls_host()->random(iv,
                          (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, secret->cipher,
                              iv) == 1 &&
                   begin_mac(mac, secret)
               ? 1
               : -1;
}

static int read_ticket(struct pl_tls_keys *keys, const unsigned char *name,
                       const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                       EVP_MAC_CTX *mac, struct secret *secret)
{
    uint64_t period = period_of(keys);
    int age = 0;

    while (age < 2 && !(load(keys, period - (uint64_t)age, secret) &&
                        memcmp(name, secret->name, NAME) == 0))
        age++;
    if (age == 2)
        return 0; /* a full handshake */
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, secret->cipher,
                           iv) != 1 ||
        !begin_mac(mac, secret))
        return -1;
    return 1 + age; /* 2: give a new one */
}

int pl_tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    struct pl_tls_keys *keys = pl_tls_session_of(ssl)->set->keys;
    struct secret secret;
    int result = encrypt ? begin_ticket(keys, name, iv, cipher, mac, &secret)
                         : read_ticket(keys, name, iv, cipher, mac, &secret);

    OPENSSL_cleanse(&secret, sizeof(secret));
    /* A client of TLS 1.3 uses a ticket once (RFC 8446, C.4): it gets another
     * one, or would soon need a whole handshake. */
    return !encrypt && result == 1 && pl_tls_is_13(pl_tls_session_of(ssl))
               ? 2
               : result;
}
