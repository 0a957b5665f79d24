#include "share/pattern.h"

#include "base/str.h"

static bool is(struct pl_str token, char c)
{
    return token.len == 1 && token.data[0] == c;
}

/* rest: what is behind token, absent at the end. */
static bool is_wild(struct pl_str token, struct pl_str rest)
{
    return is(token, '*') || (is(token, '>') && rest.data == NULL);
}

bool pl_is_pattern(struct pl_str name)
{
    struct pl_str token;

    while (pl_str_split(&name, '.', &token))
        if (is_wild(token, name))
            return true;
    return false;
}

bool pl_pattern_matches(struct pl_str pattern, struct pl_str topic)
{
    struct pl_str want, token;

    while (pl_str_split(&pattern, '.', &want)) {
        if (!pl_str_split(&topic, '.', &token))
            return false;
        if (is(want, '>') && pattern.data == NULL)
            return true;
        if (!is(want, '*') && !pl_str_eq(want, token))
            return false;
    }
    return topic.data == NULL;
}

unsigned pl_topic_tokens(struct pl_str name)
{
    struct pl_str token;
    unsigned n = 0;

    while (pl_str_split(&name, '.', &token))
        n++;
    return n;
}

unsigned pl_pattern_literals(struct pl_str pattern)
{
    struct pl_str token;
    unsigned n = 0;

    while (pl_str_split(&pattern, '.', &token) && !is_wild(token, pattern))
        n++;
    return n;
}

struct pl_str pl_topic_prefix(struct pl_str name, unsigned n)
{
    struct pl_str rest = name, token = {name.data, 0};

    for (unsigned i = 0; i < n && pl_str_split(&rest, '.', &token); i++)
        ;
    return pl_str(name.data, (size_t)(token.data + token.len - name.data));
}
