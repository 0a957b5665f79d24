#include "html.h"

#include <md4c.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/html.h"

struct render {
    const struct pl_markdown_memory *memory;
    const struct pl_markdown_options *options;
    struct pl_markdown_text *out, *title;
    unsigned images; /* that we are in: their content is the text for `alt` */
    bool in_title, had_title;
};

/* ---- text ---- */

static bool grow(struct render *render, struct pl_markdown_text *text,
                 size_t more)
{
    size_t cap = text->cap == 0 ? 1024 : text->cap;
    char *data;

    while (cap < text->len + more)
        cap *= 2;
    data = render->memory->malloc(cap);
    if (data == NULL) {
        text->err = PL_ERR_NOMEM;
        return false;
    }
    if (text->len > 0)
        memcpy(data, text->data, text->len);
    render->memory->free(text->data);
    text->data = data;
    text->cap = cap;
    return true;
}

static void append(struct render *render, struct pl_markdown_text *text,
                   const char *data, size_t len)
{
    if (text->err < 0 || len == 0)
        return;
    if (len > text->limit - text->len) {
        text->err = PL_ERR_LIMIT;
        return;
    }
    if (len > text->cap - text->len && !grow(render, text, len))
        return;
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

static void add(struct render *render, const char *data, size_t len)
{
    append(render, render->out, data, len);
}

static void say(struct render *render, const char *text)
{
    add(render, text, strlen(text));
}

static void say_number(struct render *render, const char *format, unsigned n)
{
    char text[40];

    snprintf(text, sizeof(text), format, n);
    say(render, text);
}

static void escape(struct render *render, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len; i++) {
        const char *entity = pl_html_entity(text[i]);

        if (entity == NULL)
            continue;
        add(render, text + from, i - from);
        say(render, entity);
        from = i + 1;
    }
    add(render, text + from, len - from);
}

static void replacement(struct render *render)
{
    say(render, "\xef\xbf\xbd"); /* U+FFFD, for a NUL */
}

/* ---- attributes ---- */

/* Part number i of an attribute; false behind the last one. */
static bool part(const MD_ATTRIBUTE *attribute, unsigned i, MD_TEXTTYPE *type,
                 const char **text, size_t *len)
{
    if (attribute->text == NULL ||
        attribute->substr_offsets[i] >= attribute->size)
        return false;
    *type = attribute->substr_types[i];
    *text = attribute->text + attribute->substr_offsets[i];
    *len = attribute->substr_offsets[i + 1] - attribute->substr_offsets[i];
    return true;
}

static void say_attribute(struct render *render, const MD_ATTRIBUTE *attribute)
{
    MD_TEXTTYPE type;
    const char *text;
    size_t len;

    for (unsigned i = 0; part(attribute, i, &type, &text, &len); i++) {
        if (type == MD_TEXT_ENTITY)
            add(render, text, len);
        else if (type == MD_TEXT_NULLCHAR)
            replacement(render);
        else
            escape(render, text, len);
    }
}

static bool is_in(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static void say_url_text(struct render *render, const char *text, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char code[3] = {'%', digits[c >> 4], digits[c & 15]};

        if (is_alnum(text[i]) || is_in("~-_.+!*(),%#@?=;:/$", text[i]))
            add(render, text + i, 1);
        else if (text[i] == '&')
            say(render, "&amp;");
        else
            add(render, code, sizeof(code));
    }
}

static bool is_harmless(const char *scheme, size_t len)
{
    static const char *const harmless[] = {"http", "https",  "mailto",
                                           "tel",  "gemini", "ftp"};

    for (size_t i = 0; i < PL_COUNT(harmless); i++)
        if (strlen(harmless[i]) == len &&
            strncasecmp(harmless[i], scheme, len) == 0)
            return true;
    return false;
}

/* Does it lead to a page, not to a script? Relative ones do, and those of known
 * schemes. What an entity could hide in a scheme is not guessed at. Spaces and
 * the like, which browsers overlook, come out encoded, which they do not. */
static bool may_follow(const MD_ATTRIBUTE *url)
{
    char scheme[16];
    size_t n = 0, len;
    MD_TEXTTYPE type;
    const char *text;

    for (unsigned i = 0; part(url, i, &type, &text, &len); i++) {
        if (type == MD_TEXT_ENTITY && !(len == 5 && !memcmp(text, "&amp;", 5)))
            return false;
        for (size_t k = 0; type == MD_TEXT_NORMAL && k < len; k++) {
            if (is_in("/?#", text[k]))
                return true;
            if (text[k] == ':')
                return is_harmless(scheme, n);
            if (n < sizeof(scheme))
                scheme[n++] = text[k];
        }
    }
    return true;
}

static void say_url(struct render *render, const MD_ATTRIBUTE *url)
{
    MD_TEXTTYPE type;
    const char *text;
    size_t len;

    if (!render->options->html && !may_follow(url)) {
        say(render, "#");
        return;
    }
    for (unsigned i = 0; part(url, i, &type, &text, &len); i++) {
        if (type == MD_TEXT_ENTITY)
            add(render, text, len);
        else if (type == MD_TEXT_NULLCHAR)
            say(render, "%EF%BF%BD");
        else
            say_url_text(render, text, len);
    }
}

/* ---- blocks ---- */

static void enter_list(struct render *render, const MD_BLOCK_OL_DETAIL *list)
{
    if (list->start == 1)
        say(render, "<ol>\n");
    else
        say_number(render, "<ol start=\"%u\">\n", list->start);
}

static void enter_item(struct render *render, const MD_BLOCK_LI_DETAIL *item)
{
    if (!item->is_task) {
        say(render, "<li>");
        return;
    }
    say(render, "<li class=\"task\"><input type=\"checkbox\" disabled");
    say(render, item->task_mark == ' ' ? "> " : " checked> ");
}

static void enter_code(struct render *render, const MD_BLOCK_CODE_DETAIL *code)
{
    say(render, "<pre><code");
    if (code->lang.text != NULL) {
        say(render, " class=\"language-");
        say_attribute(render, &code->lang);
        say(render, "\"");
    }
    say(render, ">");
}

static void enter_cell(struct render *render, const char *name,
                       const MD_BLOCK_TD_DETAIL *cell)
{
    static const char *const aligned[] = {
        [MD_ALIGN_DEFAULT] = ">",
        [MD_ALIGN_LEFT] = " align=\"left\">",
        [MD_ALIGN_CENTER] = " align=\"center\">",
        [MD_ALIGN_RIGHT] = " align=\"right\">",
    };

    say(render, name);
    say(render, aligned[cell->align]);
}

/* What begins and ends a block that needs nothing else. */
static const struct {
    const char *enter, *leave;
} blocks[] = {
    [MD_BLOCK_DOC] = {"", ""},
    [MD_BLOCK_QUOTE] = {"<blockquote>\n", "</blockquote>\n"},
    [MD_BLOCK_UL] = {"<ul>\n", "</ul>\n"},
    [MD_BLOCK_OL] = {"", "</ol>\n"},
    [MD_BLOCK_LI] = {"", "</li>\n"},
    [MD_BLOCK_HR] = {"<hr>\n", ""},
    [MD_BLOCK_H] = {"", ""},
    [MD_BLOCK_CODE] = {"", "</code></pre>\n"},
    [MD_BLOCK_HTML] = {"", ""},
    [MD_BLOCK_P] = {"<p>", "</p>\n"},
    [MD_BLOCK_TABLE] = {"<table>\n", "</table>\n"},
    [MD_BLOCK_THEAD] = {"<thead>\n", "</thead>\n"},
    [MD_BLOCK_TBODY] = {"<tbody>\n", "</tbody>\n"},
    [MD_BLOCK_TR] = {"<tr>\n", "</tr>\n"},
    [MD_BLOCK_TH] = {"", "</th>\n"},
    [MD_BLOCK_TD] = {"", "</td>\n"},
};

static int state(const struct render *render)
{
    return render->out->err < 0 ? 1 : 0; /* 1: md4c ends */
}

static int enter_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
    struct render *render = arg;

    switch (type) {
    case MD_BLOCK_OL:
        enter_list(render, detail);
        break;
    case MD_BLOCK_LI:
        enter_item(render, detail);
        break;
    case MD_BLOCK_H:
        say_number(render, "<h%u>", ((MD_BLOCK_H_DETAIL *)detail)->level);
        render->in_title = !render->had_title;
        render->had_title = true;
        break;
    case MD_BLOCK_CODE:
        enter_code(render, detail);
        break;
    case MD_BLOCK_TH:
        enter_cell(render, "<th", detail);
        break;
    case MD_BLOCK_TD:
        enter_cell(render, "<td", detail);
        break;
    default:
        say(render, blocks[type].enter);
    }
    return state(render);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
    struct render *render = arg;

    if (type == MD_BLOCK_H) {
        say_number(render, "</h%u>\n", ((MD_BLOCK_H_DETAIL *)detail)->level);
        render->in_title = false;
    } else {
        say(render, blocks[type].leave);
    }
    return state(render);
}

/* ---- spans ---- */

static void say_title(struct render *render, const MD_ATTRIBUTE *title)
{
    if (title->text == NULL)
        return;
    say(render, "\" title=\"");
    say_attribute(render, title);
}

static int enter_span(MD_SPANTYPE type, void *detail, void *arg)
{
    struct render *render = arg;

    if (type == MD_SPAN_IMG && render->images++ == 0) {
        say(render, "<img src=\"");
        say_url(render, &((MD_SPAN_IMG_DETAIL *)detail)->src);
        say(render, "\" alt=\"");
    }
    if (render->images > 0)
        return state(render);
    switch (type) {
    case MD_SPAN_EM:
        say(render, "<em>");
        break;
    case MD_SPAN_STRONG:
        say(render, "<strong>");
        break;
    case MD_SPAN_DEL:
        say(render, "<del>");
        break;
    case MD_SPAN_CODE:
        say(render, "<code>");
        break;
    case MD_SPAN_A:
        say(render, "<a href=\"");
        say_url(render, &((MD_SPAN_A_DETAIL *)detail)->href);
        say_title(render, &((MD_SPAN_A_DETAIL *)detail)->title);
        say(render, "\">");
        break;
    default: /* of extensions that are off */
        break;
    }
    return state(render);
}

static int leave_span(MD_SPANTYPE type, void *detail, void *arg)
{
    struct render *render = arg;

    if (type == MD_SPAN_IMG && --render->images == 0) {
        say_title(render, &((MD_SPAN_IMG_DETAIL *)detail)->title);
        say(render, "\">");
        return state(render);
    }
    if (render->images > 0)
        return state(render);
    switch (type) {
    case MD_SPAN_EM:
        say(render, "</em>");
        break;
    case MD_SPAN_STRONG:
        say(render, "</strong>");
        break;
    case MD_SPAN_DEL:
        say(render, "</del>");
        break;
    case MD_SPAN_CODE:
        say(render, "</code>");
        break;
    case MD_SPAN_A:
        say(render, "</a>");
        break;
    default:
        break;
    }
    return state(render);
}

/* ---- text of the document ---- */

static void say_break(struct render *render, bool hard)
{
    if (render->images > 0)
        say(render, " ");
    else
        say(render, hard ? "<br>\n" : "\n");
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE len,
                   void *arg)
{
    struct render *render = arg;

    if (render->in_title)
        append(render, render->title,
               type == MD_TEXT_BR || type == MD_TEXT_SOFTBR ? " " : text,
               type == MD_TEXT_BR || type == MD_TEXT_SOFTBR ? 1 : len);
    switch (type) {
    case MD_TEXT_NULLCHAR:
        replacement(render);
        break;
    case MD_TEXT_BR:
        say_break(render, true);
        break;
    case MD_TEXT_SOFTBR:
        say_break(render, render->options->hard);
        break;
    case MD_TEXT_ENTITY:
    case MD_TEXT_HTML: /* where HTML is off, there is none */
        add(render, text, len);
        break;
    default:
        escape(render, text, len);
    }
    return state(render);
}

int pl_markdown_html(const struct pl_markdown_memory *memory,
                     const struct pl_markdown_options *options,
                     const char *text, size_t len, struct pl_markdown_text *out,
                     struct pl_markdown_text *title)
{
    struct render render = {
        .memory = memory, .options = options, .out = out, .title = title};
    const MD_PARSER parser = {.flags = options->flags,
                              .enter_block = enter_block,
                              .leave_block = leave_block,
                              .enter_span = enter_span,
                              .leave_span = leave_span,
                              .text = on_text};
    int result = md_parse(text, (MD_SIZE)len, &parser, &render);

    if (out->err < 0)
        return out->err;
    return result == 0 ? 0 : PL_ERR_NOMEM;
}
