/* dict.h - a dictionary that all threads of the process share, without locks.
 *
 * From keys to values, with expiry and a limit of memory. Every call is one
 * step for all other threads: it has happened, or it has not, and nobody waits
 * for anybody. What is beyond the limit is refused, or (evict) makes room by
 * dropping what was not used for long.
 *
 * Any thread may call these, with a user of its own. Time is monotonic ns. */
#ifndef PL_SHARE_DICT_H
#define PL_SHARE_DICT_H

#include <perilune.h>

#include "base/epoch.h"

struct pl_dict;

enum {
    PL_DICT_KEY_MAX = 4096,       /* longer keys are PL_ERR_TOO_LONG */
    PL_DICT_SMALLEST = 64 * 1024, /* least limit of memory */
    PL_DICT_RESERVE = 16,         /* a 16th of it is for garbage */
};

struct pl_dict_options {
    size_t max;   /* bytes, all told: at least PL_DICT_SMALLEST */
    uint64_t ttl; /* of values for which none is said; 0: they do not expire */
    bool evict;
};

/* Who calls, and when. */
struct pl_dict_user {
    struct pl_reader *reader;
    uint64_t now;
};

enum pl_datum_type {
    PL_DATUM_NONE, /* no value: the key is not there */
    PL_DATUM_BOOL,
    PL_DATUM_INTEGER,
    PL_DATUM_DOUBLE,
    PL_DATUM_STRING,
    PL_DATUM_PACKED, /* base/pack.h */
};

struct pl_datum {
    enum pl_datum_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct pl_str bytes;
    };
    /* Of values with bytes, as found: no other value has or had it. 0 else. */
    uint64_t version;
};

/* How long a new value lives, beside nanoseconds. */
#define PL_DICT_FOREVER UINT64_C(0)
#define PL_DICT_DEFAULT UINT64_MAX /* as the dictionary's options say */

/* GIVES *out. Returns 0, PL_ERR_INVALID (max is too small) or PL_ERR_NOMEM. */
int pl_dict_new(const struct pl_dict_options *options, struct pl_dict **out);

/* Nobody uses it, and nothing of it is retired any more. */
void pl_dict_free(struct pl_dict *dict);

const struct pl_dict_options *pl_dict_options(const struct pl_dict *dict);

/* ---- one key ---- */

/* What is there (type NONE: nothing). Opens a section of user's reader, which
 * value->bytes is good in: pl_epoch_leave() when it was copied. */
void pl_dict_get(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, struct pl_datum *value);

enum pl_dict_mode {
    PL_DICT_SET,
    PL_DICT_ADD,     /* PL_ERR_EXISTS if the key is there */
    PL_DICT_REPLACE, /* PL_ERR_NOT_FOUND if it is not */
};

struct pl_dict_put {
    enum pl_dict_mode mode;
    uint64_t ttl;
};

/* COPIES key and value (not NONE). Returns 0 or an error as above,
 * PL_ERR_LIMIT, PL_ERR_NOMEM, PL_ERR_TOO_LONG; then nothing was changed. */
int pl_dict_put(struct pl_dict *dict, const struct pl_dict_user *user,
                struct pl_str key, const struct pl_datum *value,
                const struct pl_dict_put *put);

/* Puts value in the place of expected, if that is there: compared by version
 * if it has one, else as a value (numbers as numbers). NONE stands for no
 * value on either side. A value that stays has its expiry from the one before.
 * Returns 0, PL_ERR_STATE (something else is there) or an error of put. */
int pl_dict_swap(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, const struct pl_datum *expected,
                 const struct pl_datum *value);

/* Adds *value, a number, to the number that is there, and gives the sum in
 * *value. If there is none: adds it to init, and puts that; without init (NULL)
 * PL_ERR_NOT_FOUND. PL_ERR_INVALID if what is there is no number. Integers that
 * overflow become doubles. */
int pl_dict_incr(struct pl_dict *dict, const struct pl_dict_user *user,
                 struct pl_str key, struct pl_datum *value,
                 const struct pl_datum *init, uint64_t ttl);

/* Returns 0 or PL_ERR_NOT_FOUND. */
int pl_dict_delete(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct pl_str key);

/* From now on the value lives for ttl. Returns 0, PL_ERR_NOT_FOUND, ... */
int pl_dict_expire(struct pl_dict *dict, const struct pl_dict_user *user,
                   struct pl_str key, uint64_t ttl);

/* How long it still lives: ns in *left, PL_DICT_FOREVER if it does not expire.
 * Returns 0 or PL_ERR_NOT_FOUND. */
int pl_dict_ttl(struct pl_dict *dict, const struct pl_dict_user *user,
                struct pl_str key, uint64_t *left);

/* ---- all of them ---- */

/* Shows the keys of some places (BORROWED until see returns) and moves *at, 0
 * for the first call; false at the end. What is put or goes in between may be
 * shown or not. see must not call anything of the dictionary. */
bool pl_dict_walk(struct pl_dict *dict, const struct pl_dict_user *user,
                  size_t *at, void (*see)(void *arg, struct pl_str key),
                  void *arg);

/* Deletes what is there, key by key. */
void pl_dict_flush(struct pl_dict *dict, const struct pl_dict_user *user);

struct pl_dict_stats {
    size_t keys;        /* expired ones too, until somebody comes by */
    size_t used, limit; /* bytes */
    uint64_t hits, misses, evicted, expired, refused;
};

struct pl_dict_stats pl_dict_stats(struct pl_dict *dict);

#endif
