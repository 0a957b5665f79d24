/* fuzz_fcgi.c - any bytes as what a web server says by FastCGI.
 *
 * See connection.h. Whatever it does: records come whole, none but an
 * application's, and the streams of a request end before it does. */
#include "connection.h"

#include "fcgi/fcgi.h"
#include "fcgi/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a request has said on a stream since it began. */
enum { NOTHING, OPEN, ENDED };
static uint8_t out[65536];

static void check_record(const struct pl_fcgi_record *record)
{
    PL_ASSERT(pl_fcgi_record_check(record) == 0);
    switch (record->type) {
    case PL_FCGI_STDOUT:
        PL_ASSERT(out[record->id] != ENDED);
        out[record->id] = record->length > 0 ? OPEN : ENDED;
        break;
    case PL_FCGI_END_REQUEST: /* its number may be used again */
        PL_ASSERT(out[record->id] != OPEN);
        out[record->id] = NOTHING;
        break;
    default:
        PL_ASSERT(record->type == PL_FCGI_GET_VALUES_RESULT ||
                  record->type == PL_FCGI_UNKNOWN_TYPE);
    }
}

static void check_records(bool cut)
{
    struct pl_str rest = pl_str(all.data, all.len);
    struct pl_fcgi_record record;

    memset(out, NOTHING, sizeof(out));
    while (rest.len >= PL_FCGI_HEAD) {
        pl_fcgi_record_read(&record, rest.data);
        if (rest.len < PL_FCGI_HEAD + (size_t)record.length + record.padding)
            break;
        check_record(&record);
        rest = pl_str_skip(rest, PL_FCGI_HEAD + (size_t)record.length +
                                     record.padding);
    }
    PL_ASSERT(cut || rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    protocol = &pl_fcgi_protocol;
    check_records(run_client(data, size, pl_str("", 0)));
    return 0;
}
