/* fuzz_form_data.c - any bytes as multipart/form-data: whole and in pieces they
 * must give the same parts and the same end. The first byte says how to cut.
 * Names that are safe to use as a file's are so. */
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/str.h"
#include "http/form_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct pl_buf text;
    int end;
};

static void check_name(struct pl_str name)
{
    if (name.data == NULL)
        return;
    PL_ASSERT(name.len > 0 && name.len <= PL_FILE_NAME_MAX);
    PL_ASSERT(!pl_str_eq(name, PL_STR(".")) && !pl_str_eq(name, PL_STR("..")));
    for (size_t i = 0; i < name.len; i++)
        PL_ASSERT((unsigned char)name.data[i] >= ' ' && name.data[i] != '/' &&
                  name.data[i] != '\\');
}

static void note(struct pl_form_data *form, struct pl_buf *text)
{
    struct pl_str name, value;

    check_name(form->names.filename);
    pl_buf_addc(text, '{');
    pl_buf_add(text, form->names.name);
    pl_buf_addc(text, '|');
    pl_buf_add(text, form->names.raw_filename);
    for (unsigned i = 0; pl_form_data_field(form, i, &name, &value); i++) {
        pl_buf_add(text, name);
        pl_buf_add(text, value);
    }
}

/* Shows the first n bytes from *at on, as far as they are used. */
static int feed(struct pl_form_data *form, struct pl_str input, size_t n,
                size_t *at, struct pl_buf *text)
{
    size_t used;
    int event;

    do {
        event =
            pl_form_data_step(form, pl_str(input.data + *at, n - *at), &used);
        PL_ASSERT(used <= n - *at);
        if (event == PL_FORM_PART)
            note(form, text);
        else if (event == PL_FORM_DATA)
            pl_buf_add(text, pl_str(input.data + *at, used));
        else if (event == PL_FORM_PART_END)
            pl_buf_addc(text, ';');
        *at += used;
    } while (event > 0 && event != PL_FORM_END);
    return event;
}

static struct outcome run(struct pl_str input, size_t first, size_t step,
                          struct pl_pool *pool)
{
    struct outcome outcome = {.end = PL_ERR_AGAIN};
    size_t at = 0, n = PL_MIN(first, input.len);
    struct pl_form_data form;

    pl_buf_init(&outcome.text, pool, NULL, 0);
    PL_ASSERT(pl_form_data_init(&form,
                                PL_STR("multipart/form-data; boundary=B"), pool,
                                NULL) == 0);
    form.max_parts = 5;
    while ((outcome.end = feed(&form, input, n, &at, &outcome.text)) ==
               PL_ERR_AGAIN &&
           n < input.len) {
        /* What is kept back is little. */
        PL_ASSERT(n - at < form.max_head + 512);
        n = PL_MIN(n + step, input.len);
    }
    pl_form_data_fini(&form);
    return outcome;
}

static void compare(const struct outcome *want, struct outcome got)
{
    PL_ASSERT(want->end == got.end);
    PL_ASSERT(pl_str_eq(pl_buf_str(&want->text), pl_buf_str(&got.text)));
    pl_buf_fini(&got.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str input, boundary;
    struct outcome whole;
    struct pl_pool pool;

    if (size == 0)
        return 0;
    input = pl_str((const char *)data + 1, size - 1);
    pl_pool_init(&pool, NULL, 0);
    if (pl_form_boundary(input, &boundary) == 0)
        PL_ASSERT(boundary.len > 0 && boundary.len <= PL_BOUNDARY_MAX);
    whole = run(input, input.len, 1, &pool);
    compare(&whole, run(input, data[0], input.len + 1, &pool));
    compare(&whole, run(input, 0, data[0] + 1u, &pool));
    pl_buf_fini(&whole.text);
    PL_ASSERT(pool.account.used == 0);
    pl_pool_fini(&pool);
    return 0;
}
