/* compress_types.c - which media types are worth compressing. */
#include "base/str.h"
#include "filters/compress_priv.h"
#include "http/media.h"

const char pl_compress_types[] =
    "text/* *+json *+xml application/javascript application/json "
    "application/xml application/wasm application/x-javascript "
    "application/x-ndjson application/graphql application/sql "
    "application/rtf application/toml application/yaml "
    "application/vnd.ms-fontobject font/ttf font/otf font/collection "
    "image/bmp image/vnd.microsoft.icon image/x-icon";

/* Compressed in themselves, whatever a pattern says. */
static const char packed[] =
    "image/* audio/* video/* font/woff font/woff2 application/zip "
    "application/gzip application/x-gzip application/zstd application/x-xz "
    "application/x-bzip2 application/x-7z-compressed "
    "application/x-rar-compressed application/vnd.rar application/epub+zip "
    "application/java-archive application/x-brotli";

/* ... but for these. */
static const char loose[] =
    "*+xml image/bmp image/vnd.microsoft.icon image/x-icon image/tiff "
    "audio/wav audio/x-wav audio/midi";

static bool matches(struct pl_str pattern, struct pl_str type)
{
    if (pl_str_eq(pattern, PL_STR("*")) || pl_str_eq(pattern, PL_STR("*/*")))
        return true;
    if (pl_str_starts(pattern, PL_STR("*+"))) {
        pattern = pl_str_skip(pattern, 1);
        return type.len > pattern.len &&
               pl_str_ieq(pl_str_skip(type, type.len - pattern.len), pattern);
    }
    if (pl_str_ends(pattern, PL_STR("/*")))
        return pl_str_istarts(type, pl_str_first(pattern, pattern.len - 1));
    return pl_str_ieq(pattern, type);
}

static bool is_one_of(struct pl_str patterns, struct pl_str type)
{
    struct pl_str pattern;

    while (pl_str_split(&patterns, ' ', &pattern))
        if (pattern.len > 0 && matches(pattern, type))
            return true;
    return false;
}

/* An encoder for each stream of events takes memory as long as a client stays:
 * only for who names the type. */
static bool is_named(struct pl_str patterns, struct pl_str type)
{
    struct pl_str pattern;

    while (pl_str_split(&patterns, ' ', &pattern))
        if (pl_str_ieq(pattern, type))
            return true;
    return false;
}

bool pl_compress_type_is(struct pl_str patterns, struct pl_str type)
{
    struct pl_str params, essence = pl_media_split(type, &params);

    if (essence.len == 0)
        return false;
    if (pl_str_ieq(essence, PL_STR("text/event-stream")))
        return is_named(patterns, essence);
    return is_one_of(patterns, essence) &&
           (!is_one_of(pl_str_c(packed), essence) ||
            is_one_of(pl_str_c(loose), essence));
}
