/* datums.h - short names for the values that workers share. */
#ifndef PL_TESTS_DATUMS_H
#define PL_TESTS_DATUMS_H

#include "check.h"

#include "share/dict.h"

PL_UNUSED static struct pl_datum none(void)
{
    return (struct pl_datum){.type = PL_DATUM_NONE};
}

PL_UNUSED static struct pl_datum integer(int64_t value)
{
    return (struct pl_datum){.type = PL_DATUM_INTEGER, {.integer = value}};
}

PL_UNUSED static struct pl_datum number(double value)
{
    return (struct pl_datum){.type = PL_DATUM_DOUBLE, {.number = value}};
}

PL_UNUSED static struct pl_datum text(const char *value)
{
    return (struct pl_datum){.type = PL_DATUM_STRING,
                             {.bytes = pl_str_c(value)}};
}

#endif
