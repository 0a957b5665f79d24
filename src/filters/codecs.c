#include "filters/codecs.h"

#include <stdatomic.h>
#include <string.h>

#include "base/plugin.h"
#include "base/str.h"

/* Those of plug-ins are set when they are loaded, and never changed then. */
static struct known {
    struct pl_str name;
    const char *plugin; /* NULL: built in */
    _Atomic(const struct pl_codec *) codec;
} known[] = {
    {PL_STR("gzip"), NULL, &pl_codec_gzip},
    {PL_STR("deflate"), NULL, &pl_codec_deflate},
    {PL_STR("br"), "brotli", NULL},
    {PL_STR("zstd"), "zstd", NULL},
};

static struct known *find(struct pl_str name)
{
    if (pl_str_ieq(name, PL_STR("x-gzip"))) /* RFC 9110, 8.4.1.3 */
        name = pl_str_skip(name, 2);
    for (size_t i = 0; i < PL_COUNT(known); i++)
        if (pl_str_ieq(name, known[i].name))
            return &known[i];
    return NULL;
}

static const struct pl_codec *load(struct known *place, struct pl_error *error)
{
    const struct pl_plugin_want want = {.name = place->plugin,
                                        .offer_size = sizeof(struct pl_codec)};
    const void *offer;

    if (pl_plugin_load(&want, &offer, error) < 0)
        return NULL;
    atomic_store(&place->codec, offer);
    return offer;
}

const struct pl_codec *pl_codec_load(struct pl_str name, struct pl_error *error)
{
    struct known *place = find(name);
    const struct pl_codec *codec =
        place == NULL ? NULL : atomic_load(&place->codec);

    if (codec == NULL && place != NULL)
        codec = load(place, error);
    else if (place == NULL || codec->encode == NULL)
        pl_error_set(error, PL_ERR_INVALID, "",
                     "encodings: '%.*s' is none of br, zstd, gzip",
                     (int)PL_MIN(name.len, 32), name.data);
    return codec == NULL || codec->encode == NULL ? NULL : codec;
}

const struct pl_codec *pl_codec_find(struct pl_str name)
{
    struct known *place = find(name);

    return place == NULL ? NULL : atomic_load(&place->codec);
}

struct pl_str pl_codec_names(char *out)
{
    char *at = out;

    for (size_t i = 0; i < PL_COUNT(known); i++) {
        if (atomic_load(&known[i].codec) == NULL)
            continue;
        at = stpcpy(at, at == out ? "" : ", ");
        at = stpcpy(at, known[i].name.data);
    }
    return pl_str(out, (size_t)(at - out));
}
