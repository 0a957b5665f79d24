/* test_keys.c - keys, sealed and signed texts, lists of users: what is let
 * through, and that nothing else is. PERILUNE_PLUGINS is the build folder. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "filters/basic.h"
#include "filters/keys.h"

static const struct pl_auth_offer *auth;
static struct pl_pool pool;
static struct pl_error error;

static const struct pl_str old_secret =
    PL_STR("0123456789abcdef0123456789abcdef");
static const struct pl_str new_secret =
    PL_STR("fedcba9876543210fedcba9876543210");

static int open_world(void **state)
{
    (void)state;
    pl_pool_init(&pool, NULL, 0);
    auth = pl_auth_load(&error);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    pl_pool_fini(&pool);
    return 0;
}

#define NEED_PLUGIN()                                                          \
    do {                                                                       \
        if (auth == NULL)                                                      \
            skip(); /* -Dcrypto=disabled */                                    \
    } while (0)

/* ---- the arithmetic ---- */

/* https://c2sp.org/XAES-256-GCM, test vectors */
static const struct {
    char key;
    const char *aad, *sealed;
} vectors[] = {
    {1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
    {3, "c2sp.org/XAES-256-GCM",
     "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
};

static void test_keys__xaes_256_gcm(void **state)
{
    const uint8_t *nonce = (const uint8_t *)"ABCDEFGHIJKLMNOPQRSTUVWX";
    struct pl_str text = PL_STR("XAES-256-GCM");
    uint8_t key[PL_SEAL_KEY], out[64], back[64];
    char hex[129];

    NEED_PLUGIN();
    for (size_t i = 0; i < PL_COUNT(vectors); i++) {
        struct pl_str aad = pl_str_c(vectors[i].aad);
        struct pl_str sealed = {(char *)out, text.len + PL_SEAL_TAG};

        memset(key, vectors[i].key, sizeof(key));
        CHECK_INT(0, auth->seal(key, nonce, aad, text, out), "seal");
        pl_hex_encode(hex, sealed);
        hex[2 * sealed.len] = '\0';
        CHECK_STR(vectors[i].sealed, pl_str_c(hex), vectors[i].aad);
        CHECK_INT(0, auth->unseal(key, nonce, aad, sealed, back), "unseal");
        CHECK(memcmp(back, text.data, text.len) == 0, "text");
        CHECK_INT(PL_ERR_DENIED,
                  auth->unseal(key, nonce, PL_STR("x"), sealed, back), "aad");
    }
}

/* RFC 5869, A.3: without salt and info; and HMAC of parts with their lengths */
static void test_keys__derivation_and_mac(void **state)
{
    struct pl_str one[] = {PL_STR("ab"), PL_STR("c")};
    struct pl_str two[] = {PL_STR("a"), PL_STR("bc")};
    char secret[22], hex[65] = "";
    uint8_t out[PL_SEAL_KEY], first[PL_MAC], second[PL_MAC];

    NEED_PLUGIN();
    memset(secret, 0x0b, sizeof(secret));
    CHECK_INT(0, auth->derive(pl_str(secret, 22), PL_STR(""), out), "hkdf");
    pl_hex_encode(hex, pl_str((char *)out, sizeof(out)));
    CHECK_STR(
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        pl_str_c(hex), "RFC 5869, A.3");
    CHECK_INT(0, auth->mac(out, one, 2, first), "mac");
    CHECK_INT(0, auth->mac(out, two, 2, second), "mac");
    CHECK(memcmp(first, second, PL_MAC) != 0, "where a part ends counts");
}

/* ---- keys ---- */

typedef int make_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str text, uint64_t expires, struct pl_buf *out);
typedef int open_fn(const struct pl_keys *keys, struct pl_str label,
                    struct pl_str token, uint64_t now, struct pl_buf *out);

static const struct {
    const char *name;
    make_fn *make;
    open_fn *open;
} kinds[] = {
    {"sealed", pl_keys_seal, pl_keys_unseal},
    {"signed", pl_keys_sign, pl_keys_verify},
};

static struct pl_keys *new_keys(const struct pl_str *secrets, unsigned n,
                                const char *purpose)
{
    struct pl_keys *keys =
        pl_keys_new(auth, secrets, n, pl_str_c(purpose), &error);

    CHECK(keys != NULL, error.text);
    return keys;
}

static int try(open_fn *open, const struct pl_keys *keys, const char *label,
               struct pl_str token, uint64_t now, const char *want)
{
    struct pl_buf out;
    int err;

    pl_buf_init(&out, &pool, NULL, 0);
    err = open(keys, pl_str_c(label), token, now, &out);
    if (err == 0)
        CHECK_STR(want, pl_buf_str(&out), label);
    pl_buf_fini(&out);
    return err;
}

static void test_keys__texts_come_back(void **state)
{
    const struct pl_str both[] = {new_secret, old_secret};
    static const char *const texts[] = {"", "a", "a.b.c", "\xff\xfe \n"};
    struct pl_keys *old, *all, *fresh, *other;
    struct pl_buf token;

    NEED_PLUGIN();
    old = new_keys(&old_secret, 1, "test");
    all = new_keys(both, 2, "test");
    fresh = new_keys(&new_secret, 1, "test");
    other = new_keys(&old_secret, 1, "another");
    for (size_t k = 0; k < PL_COUNT(kinds) * PL_COUNT(texts); k++) {
        make_fn *make = kinds[k % 2].make;
        open_fn *open = kinds[k % 2].open;
        const char *text = texts[k / 2], *name = kinds[k % 2].name;
        struct pl_str bytes;

        pl_buf_init(&token, &pool, NULL, 0);
        CHECK_INT(0, make(old, PL_STR("l"), pl_str_c(text), 100, &token), name);
        bytes = pl_buf_str(&token);
        CHECK_INT(0, try(open, old, "l", bytes, 99, text), name);
        CHECK_INT(0, try(open, all, "l", bytes, 99, text), name);
        CHECK_INT(PL_ERR_TIMEOUT, try(open, old, "l", bytes, 100, text), name);
        CHECK_INT(PL_ERR_DENIED, try(open, fresh, "l", bytes, 1, text), name);
        CHECK_INT(PL_ERR_DENIED, try(open, other, "l", bytes, 1, text), name);
        CHECK_INT(PL_ERR_DENIED, try(open, old, "m", bytes, 1, text), name);
        CHECK_INT(PL_ERR_DENIED,
                  try(kinds[(k + 1) % 2].open, old, "l", bytes, 1, text), name);
        pl_buf_fini(&token);
    }
    pl_keys_free(old);
    pl_keys_free(all);
    pl_keys_free(fresh);
    pl_keys_free(other);
}

/* Each bit of each byte, each shorter token, and longer ones. */
static void test_keys__every_change_is_seen(void **state)
{
    struct pl_keys *keys;
    char copy[512];

    NEED_PLUGIN();
    keys = new_keys(&old_secret, 1, "test");
    for (size_t k = 0; k < PL_COUNT(kinds); k++) {
        open_fn *open = kinds[k].open;
        struct pl_buf token;

        pl_buf_init(&token, &pool, NULL, 0);
        kinds[k].make(keys, PL_STR("l"), PL_STR("the text"), 0, &token);
        CHECK(token.len < sizeof(copy), "room");
        for (size_t i = 0; i < token.len; i++) {
            for (int bit = 0; bit < 8; bit++) {
                memcpy(copy, token.data, token.len);
                copy[i] = (char)(copy[i] ^ 1 << bit);
                CHECK_INT(PL_ERR_DENIED,
                          try(open, keys, "l", pl_str(copy, token.len), 1, ""),
                          kinds[k].name);
            }
            CHECK_INT(PL_ERR_DENIED,
                      try(open, keys, "l", pl_str(token.data, i), 1, ""),
                      kinds[k].name);
        }
        memcpy(copy, token.data, token.len);
        memset(copy + token.len, 'A', 8);
        for (size_t n = 1; n <= 8; n++)
            CHECK_INT(PL_ERR_DENIED,
                      try(open, keys, "l", pl_str(copy, token.len + n), 1, ""),
                      kinds[k].name);
        pl_buf_fini(&token);
    }
    pl_keys_free(keys);
}

static void test_keys__bad_secrets(void **state)
{
    struct pl_str many[PL_KEYS_MAX + 1], shorter = old_secret;

    NEED_PLUGIN();
    for (size_t i = 0; i < PL_COUNT(many); i++)
        many[i] = old_secret;
    shorter.len--;
    CHECK(pl_keys_new(auth, &shorter, 1, PL_STR("t"), &error) == NULL, "31");
    CHECK(strstr(error.text, "key 1 has 31 bytes") != NULL, error.text);
    CHECK(pl_keys_new(auth, many, 0, PL_STR("t"), &error) == NULL, "none");
    CHECK(pl_keys_new(auth, many, PL_KEYS_MAX + 1, PL_STR("t"), &error) == NULL,
          "too many");
}

/* ---- users ---- */

static const struct {
    const char *text, *wrong;
} lists[] = {
    {"", NULL},
    {"\n \n# x\n", NULL},
    {"a = b", NULL},
    {"a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\r\n", NULL},
    {"a b:{SHA}x:and more\n", NULL},
    {"a:\n", "f:1"},
    {"a = b\nb:c = d\n", "f:2"},
    {"a = b\n\n\nnothing", "f:4"},
    {"a\x01 = b", "f:1"},
};

static void test_users__lists(void **state)
{
    struct pl_users *users = NULL;

    NEED_PLUGIN();
    for (size_t i = 0; i < PL_COUNT(lists); i++) {
        int err =
            pl_users_parse(auth, pl_str_c(lists[i].text), "f", &users, &error);

        CHECK((err == 0) == (lists[i].wrong == NULL), lists[i].text);
        if (err < 0)
            CHECK_STR(lists[i].wrong, pl_str_c(error.where), lists[i].text);
        else
            pl_users_free(users);
    }
}

static void test_users__are_found(void **state)
{
    static const char text[] = " sally\t= one = two \nneil:$6$abc$def\n"
                               "sally = three\n";
    const struct pl_login *user;
    struct pl_users *users;

    NEED_PLUGIN();
    CHECK_INT(0, pl_users_parse(auth, pl_str_c(text), "f", &users, &error),
              error.text);
    user = pl_users_find(users, PL_STR("sally"));
    CHECK(user != NULL && !user->is_hash, "sally");
    CHECK_STR("three", user->secret, "the last one counts");
    user = pl_users_find(users, PL_STR("neil"));
    CHECK(user != NULL && user->is_hash, "neil");
    CHECK(pl_users_decoy(users) == user, "a hash is the better decoy");
    CHECK(pl_users_find(users, PL_STR("")) == NULL, "nobody");
    CHECK(pl_users_find(users, PL_STR("Sally")) == NULL, "in this case");
    pl_users_free(users);
    CHECK_INT(PL_ERR_NOT_FOUND, pl_users_read(auth, "/no/such", &users, &error),
              "no file");
}

static void test_basic__challenge(void **state)
{
    char out[PL_CHALLENGE_MAX], realm[PL_REALM_MAX + 1];

    (void)state;
    CHECK(pl_basic_challenge(out, PL_STR("a \"b\" \\")), "good");
    CHECK_STR("Basic realm=\"a \\\"b\\\" \\\\\", charset=\"UTF-8\"",
              pl_str_c(out), "quoted");
    memset(realm, '"', sizeof(realm));
    CHECK(pl_basic_challenge(out, pl_str(realm, PL_REALM_MAX)), "most");
    CHECK(!pl_basic_challenge(out, pl_str(realm, PL_REALM_MAX + 1)), "more");
    CHECK(!pl_basic_challenge(out, PL_STR("a\nb")), "a line end");
}

RUN_TESTS(cmocka_unit_test_setup_teardown(test_keys__xaes_256_gcm, open_world,
                                          close_world),
          cmocka_unit_test_setup_teardown(test_keys__derivation_and_mac,
                                          open_world, close_world),
          cmocka_unit_test_setup_teardown(test_keys__texts_come_back,
                                          open_world, close_world),
          cmocka_unit_test_setup_teardown(test_keys__every_change_is_seen,
                                          open_world, close_world),
          cmocka_unit_test_setup_teardown(test_keys__bad_secrets, open_world,
                                          close_world),
          cmocka_unit_test_setup_teardown(test_users__lists, open_world,
                                          close_world),
          cmocka_unit_test_setup_teardown(test_users__are_found, open_world,
                                          close_world),
          cmocka_unit_test(test_basic__challenge))
