/* settings.h - the settings of a site: one table behind pl.set, pl_app_set,
 * the command line and the manual. A new setting is a new row in settings.c. */
#ifndef PL_ROUTE_SETTINGS_H
#define PL_ROUTE_SETTINGS_H

#include "base/error.h"

struct pl_site;

enum pl_setting_kind {
    PL_SETTING_BOOL,
    PL_SETTING_COUNT,
    PL_SETTING_SIZE,     /* bytes: 1048576, "1m" */
    PL_SETTING_DURATION, /* seconds: 10, 0.5; or "10s", "500ms" */
    PL_SETTING_TEXT,
};

struct pl_setting {
    const char *name;
    enum pl_setting_kind kind;
    uint8_t width;                     /* of the field, in bytes */
    uint16_t field;                    /* its offset in struct pl_site */
    uint64_t low, high;                /* COUNT, SIZE, DURATION (in ms) */
    bool optional;                     /* TEXT: false and "" mean none */
    bool (*valid)(struct pl_str text); /* TEXT; NULL: anything but NUL */
    const char *doc;                   /* TEXT: what it is, to be told */
};

/* All of them, by index from 0; NULL at the end. */
const struct pl_setting *pl_setting_at(unsigned index);

/* A value as the languages have it. */
struct pl_value {
    enum pl_value_type {
        PL_VALUE_BOOL,
        PL_VALUE_NUMBER,
        PL_VALUE_STRING,
    } type;
    bool boolean;
    double number;
    struct pl_str string;
};

/* COPIES. Numbers and "true"/"false" may come as strings: environment
 * variables and command lines have nothing else. Unknown names get a
 * suggestion, wrong types and values out of range are said with what is
 * allowed. Returns 0, PL_ERR_INVALID or PL_ERR_NOMEM. */
int pl_site_set(struct pl_site *site, struct pl_str name,
                const struct pl_value *value, const char *where,
                struct pl_error *error);

/* What only holds between settings. Called once, when all have been set. */
int pl_site_settings_check(const struct pl_site *site, struct pl_error *error);

#endif
