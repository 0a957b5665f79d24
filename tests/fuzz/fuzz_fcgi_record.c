/* fuzz_fcgi_record.c - any bytes as records and name-value pairs of FastCGI:
 * what was read and is written again reads the same. */
#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "fcgi/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(const struct pl_fcgi_pair *pair)
{
    size_t size = pl_fcgi_pair_size(pair->name.len, pair->value.len), need;
    char *bytes = malloc(size);
    struct pl_str rest = pl_str(bytes, size);
    struct pl_fcgi_pair again;

    PL_ASSERT(pl_fcgi_put_pair(bytes, pair->name, pair->value) == bytes + size);
    PL_ASSERT(pl_fcgi_pair_read(&rest, &again, &need) == 0 && rest.len == 0);
    PL_ASSERT(pl_str_eq(again.name, pair->name) &&
              pl_str_eq(again.value, pair->value));
    free(bytes);
}

static void read_pairs(struct pl_str rest)
{
    struct pl_fcgi_pair pair;
    size_t need;

    while (rest.len > 0) {
        size_t left = rest.len;

        if (pl_fcgi_pair_read(&rest, &pair, &need) < 0) {
            PL_ASSERT(rest.len == left && need > left);
            break;
        }
        PL_ASSERT(rest.len < left);
        check_pair(&pair);
    }
}

static void read_body(const struct pl_fcgi_record *record, const char *body)
{
    char again[PL_FCGI_SMALL];
    struct pl_fcgi_begin begin;
    struct pl_fcgi_end end;

    if (record->type == PL_FCGI_BEGIN_REQUEST) {
        pl_fcgi_begin_read(&begin, body);
        pl_fcgi_put_begin(again, record->id, (enum pl_fcgi_role)begin.role,
                          begin.flags);
        PL_ASSERT(memcmp(again + PL_FCGI_HEAD, body, 3) == 0);
    } else if (record->type == PL_FCGI_END_REQUEST) {
        pl_fcgi_end_read(&end, body);
        pl_fcgi_put_end(again, record->id, end.app_status,
                        (enum pl_fcgi_status)end.status);
        PL_ASSERT(memcmp(again + PL_FCGI_HEAD, body, 5) == 0);
    }
}

static void check_head(const struct pl_fcgi_record *record)
{
    char again[PL_FCGI_HEAD];
    struct pl_fcgi_record twin;

    pl_fcgi_put_head(again, (enum pl_fcgi_type)record->type, record->id,
                     record->length);
    pl_fcgi_record_read(&twin, again);
    PL_ASSERT(twin.type == record->type && twin.id == record->id &&
              twin.length == record->length && twin.padding == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str rest = pl_str((const char *)data, size);
    struct pl_fcgi_record record;

    read_pairs(rest);
    while (rest.len >= PL_FCGI_HEAD) {
        pl_fcgi_record_read(&record, rest.data);
        check_head(&record);
        rest = pl_str_skip(rest, PL_FCGI_HEAD);
        if (rest.len < record.length)
            break;
        if (pl_fcgi_record_check(&record) == 0 && record.length >= PL_FCGI_BODY)
            read_body(&record, rest.data);
        read_pairs(pl_str_first(rest, record.length));
        rest = pl_str_skip(rest, (size_t)record.length + record.padding);
    }
    return 0;
}
