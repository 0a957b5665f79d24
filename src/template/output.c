/* output.c - text of a template and of its data, as it leaves. */
#include "base/html.h"
#include "base/str.h"
#include "template/render_priv.h"

int pl_template_escape(struct pl_buf *out, struct pl_str text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *entity;

        if (PL_LIKELY((unsigned char)text.data[i] > '>'))
            continue; /* letters: none of the five is behind it */
        entity = pl_html_entity(text.data[i]);
        if (entity == NULL)
            continue;
        pl_buf_add(out, pl_str(text.data + from, i - from));
        pl_buf_add(out, pl_str_c(entity));
        from = i + 1;
    }
    return pl_buf_add(out, pl_str(text.data + from, text.len - from));
}

void pl_run_write_indent(struct pl_run *run)
{
    uint32_t len = run->indent_end - run->indent_at;

    if (len > 0)
        pl_buf_add(run->out, pl_str(run->indent.data + run->indent_at, len));
}

static bool is_line_end(struct pl_str text)
{
    return pl_str_starts(text, PL_STR("\n")) ||
           pl_str_starts(text, PL_STR("\r\n"));
}

void pl_run_write_text(struct pl_run *run, const struct pl_template_op *op)
{
    struct pl_str text = pl_template_str(run->template, op->text);
    bool first = op->flags & PL_TEMPLATE_LINE;
    ptrdiff_t end;

    while (run->indent_end > run->indent_at && text.len > 0) {
        if (first && !is_line_end(text))
            pl_run_write_indent(run);
        first = true;
        end = pl_str_chr(text, '\n');
        if (end < 0)
            break;
        pl_buf_add(run->out, pl_str_first(text, (size_t)end + 1));
        text = pl_str_skip(text, (size_t)end + 1);
    }
    pl_buf_add(run->out, text);
}
