/* template.c - templates of C programs (perilune.h): a set (template/set.h)
 * that the site owns, filled from structs (template/fields.h). Files among
 * them reload alone: template_file.h. */
#include <stdio.h>

#include "app/app.h"
#include "app/template_file.h"
#include "base/log.h"
#include "base/str.h"
#include "http/request.h"
#include "template/fields.h"

static void drop(void *set)
{
    pl_template_set_free(set);
}

/* Gives set back; NULL, with error: notes why not. what: the name or path. */
static const struct pl_template_set *note(struct pl_app *app, const char *call,
                                          const char *what,
                                          const struct pl_template_set *set,
                                          const struct pl_error *error)
{
    char why[sizeof(error->where) + sizeof(error->text) + 2];

    if (set != NULL)
        return set;
    snprintf(why, sizeof(why), "%s: %s", error->where, error->text);
    pl_app_note(app, error->code, call, what, why);
    return NULL;
}

const struct pl_template_set *pl_app_template(struct pl_app *app,
                                              const char *path)
{
    struct pl_error error = {.code = 0};
    struct pl_template_set *set;

    if (app->running)
        return NULL;
    set = pl_template_set_load(path, &error);
    if (set != NULL && pl_template_file_add(app, path, set) < 0) {
        pl_error_set(&error, PL_ERR_NOMEM, path, "out of memory");
        set = NULL;
    }
    return note(app, "pl_app_template", path, set, &error);
}

const struct pl_template_set *
pl_app_template_text(struct pl_app *app, const char *name, struct pl_str source)
{
    struct pl_error error = {.code = 0};
    struct pl_template_set *set;

    if (app->running)
        return NULL;
    set = pl_template_set_text(pl_str_c(name), source, &error);
    if (set != NULL && pl_site_own(app->site, drop, set) < 0) {
        pl_error_set(&error, PL_ERR_NOMEM, name, "out of memory");
        set = NULL;
    }
    return note(app, "pl_app_template_text", name, set, &error);
}

int pl_render(struct pl_request *req, const struct pl_template_set *set,
              const struct pl_field *type, const void *at, struct pl_str *text)
{
    const struct pl_data data = pl_fields_data(type, at);
    struct pl_error error = {.code = 0};
    struct pl_buf *out = pl_request_buf(req);
    struct pl_template_use use;
    int err;

    if (out == NULL || pl_template_file_begin(set, &use) < 0)
        return PL_ERR_NOMEM;
    err = pl_template_set_render(use.set, &data, out, &error);
    pl_template_file_end(&use);
    if (err < 0)
        pl_log(PL_LOG_ERROR, "app", "cannot fill a template: %s: %s",
               error.where, error.text);
    else
        *text = out->len == 0 ? PL_STR("") : pl_buf_str(out);
    return err;
}

int pl_respond_template(struct pl_response *res, int status,
                        const struct pl_template_set *set,
                        const struct pl_field *type, const void *data)
{
    struct pl_request *req = PL_CONTAINER_OF(res, struct pl_request, response);
    struct pl_str text, name = PL_STR("Content-Type");
    int err = pl_render(req, set, type, data, &text);

    if (err == 0)
        err = pl_response_status(res, status);
    if (err == 0 && pl_response_get(res, name).data == NULL)
        err = pl_response_set(res, name, PL_STR("text/html; charset=utf-8"));
    return err < 0 ? err : pl_response_bytes(res, text, NULL, NULL);
}
