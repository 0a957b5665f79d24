/* lib_codec.c - the C half of pl.base64, pl.hex and pl.escape: bytes as text,
 * and text inside of other text. */
#include "base/html.h"
#include "base/str.h"
#include "lua/args.h"
#include "lua/failure.h"
#include "lua/parts.h"

/* A buffer that Lua frees. */
static char *new_buffer(lua_State *L, size_t size)
{
    return lua_newuserdata(L, size == 0 ? 1 : size);
}

/* ---- base64 ---- */

static int encode(lua_State *L, const char *call, enum pl_base64 form)
{
    struct pl_str bytes = pl_arg_str(L, 1, call, "the bytes");
    char *out = new_buffer(L, pl_base64_room(bytes.len));

    lua_pushlstring(L, out, pl_base64_encode(out, bytes, form));
    return 1;
}

/* base64.encode(bytes) */
static int base64_encode(lua_State *L)
{
    return encode(L, "pl.base64.encode", PL_BASE64_STANDARD);
}

/* base64.encode_url(bytes) */
static int base64_encode_url(lua_State *L)
{
    return encode(L, "pl.base64.encode_url", PL_BASE64_URL);
}

/* Any of the spellings in use becomes that of PL_BASE64_URL without padding:
 * lines and spaces go, and both alphabets are one. */
static struct pl_str simplify(char *out, struct pl_str text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == ' ' || (c >= '\t' && c <= '\r'))
            continue;
        out[n++] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    for (int i = 0; i < 2 && n > 0 && out[n - 1] == '='; i++)
        n--;
    return pl_str(out, n);
}

static int decode(lua_State *L, const char *call, enum pl_base64 form)
{
    static const struct pl_arg_option options[] = {
        {"lenient", PL_ARG_FLAG, 0, 0, {0}}};
    struct pl_str text = pl_arg_str(L, 1, call, "the text");
    bool lenient = false;
    ptrdiff_t n;
    char *out;

    pl_arg_options(L, 2, call, options, PL_COUNT(options), &lenient);
    out = new_buffer(L, text.len);
    if (lenient) {
        text = simplify(out, text);
        form = PL_BASE64_URL;
    }
    n = pl_base64_decode(out, text, form);
    if (n < 0)
        return pl_lua_return_error(L, (int)n, call, "not base64");
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

/* base64.decode(text [, { lenient = true }]) -> bytes, or nil, err */
static int base64_decode(lua_State *L)
{
    return decode(L, "pl.base64.decode", PL_BASE64_STANDARD);
}

/* base64.decode_url(text [, { lenient = true }]) -> bytes, or nil, err */
static int base64_decode_url(lua_State *L)
{
    return decode(L, "pl.base64.decode_url", PL_BASE64_URL);
}

/* ---- hexadecimal ---- */

/* hex.encode(bytes) */
static int hex_encode(lua_State *L)
{
    struct pl_str bytes = pl_arg_str(L, 1, "pl.hex.encode", "the bytes");
    char *out = new_buffer(L, 2 * bytes.len);

    pl_hex_encode(out, bytes);
    lua_pushlstring(L, out, 2 * bytes.len);
    return 1;
}

/* hex.decode(text) -> bytes, or nil, err */
static int hex_decode(lua_State *L)
{
    struct pl_str text = pl_arg_str(L, 1, "pl.hex.decode", "the text");
    char *out = new_buffer(L, text.len / 2);
    ptrdiff_t n = pl_hex_decode(out, text);

    if (n < 0)
        return pl_lua_return_error(L, (int)n, "pl.hex.decode",
                                   "not hexadecimal digits");
    lua_pushlstring(L, out, (size_t)n);
    return 1;
}

/* ---- escaping ---- */

/* Numbers and truth values are as tostring() shows them: that is what templates
 * are full of. nil is not: it is a name that is not there. */
static struct pl_str check_text(lua_State *L, const char *call)
{
    if (lua_isboolean(L, 1)) {
        lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
        lua_replace(L, 1);
    }
    return pl_arg_str(L, 1, call, "the text");
}

/* escape.html(text): for element content and for attributes in quotes. Text
 * without any of the five characters is returned as it is. */
static int escape_html(lua_State *L)
{
    struct pl_str text = check_text(L, "pl.escape");
    size_t from = 0;
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < text.len; i++) {
        const char *entity = pl_html_entity(text.data[i]);

        if (entity == NULL)
            continue;
        luaL_addlstring(&out, text.data + from, i - from);
        luaL_addstring(&out, entity);
        from = i + 1;
    }
    if (from == 0) {
        lua_settop(L, 1);
        return 1;
    }
    luaL_addlstring(&out, text.data + from, text.len - from);
    luaL_pushresult(&out);
    return 1;
}

/* U+2028 and U+2029 at the front of s: ends of lines for JavaScript before
 * 2019, and three bytes. */
static bool is_line_end(struct pl_str s)
{
    return s.len >= 3 && memcmp(s.data, "\xe2\x80", 2) == 0 &&
           (s.data[2] == '\xa8' || s.data[2] == '\xa9');
}

/* What could end a string, a template, a script element or an attribute. */
static bool is_odd_in_js(unsigned char c)
{
    return c < 0x20 || c == 0x7f || strchr("\"'`\\<>&=$/", c) != NULL;
}

/* escape.js(text): for the inside of a quoted string or template of JavaScript,
 * be it in a script element or in an attribute. */
static int escape_js(lua_State *L)
{
    static const char digits[] = "0123456789abcdef";
    struct pl_str text = check_text(L, "pl.escape.js");
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_odd_in_js(c)) {
            const char code[] = {'\\',           'u',           '0', '0',
                                 digits[c >> 4], digits[c & 15]};

            luaL_addlstring(&out, code, sizeof(code));
        } else if (is_line_end(pl_str_skip(text, i))) {
            luaL_addstring(&out,
                           text.data[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
            i += 2;
        } else {
            luaL_addchar(&out, (char)c);
        }
    }
    luaL_pushresult(&out);
    return 1;
}

const luaL_Reg pl_lua_codec[] = {
    {"base64_encode", base64_encode},
    {"base64_encode_url", base64_encode_url},
    {"base64_decode", base64_decode},
    {"base64_decode_url", base64_decode_url},
    {"hex_encode", hex_encode},
    {"hex_decode", hex_decode},
    {"escape_html", escape_html},
    {"escape_js", escape_js},
    {NULL, NULL},
};
