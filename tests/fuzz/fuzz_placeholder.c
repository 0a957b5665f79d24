/* fuzz_placeholder.c - any text as a statement: its numbered form fits into the
 * room that is said, is as long as is said without writing it, and has the
 * placeholders that were counted. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sql/placeholder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_str text = {(const char *)data, size};
    size_t room = pl_sql_number_room(text), len, marks = 0;
    unsigned count = 1, again = 2;
    char *out = malloc(room); /* no byte larger: ASan watches */

    PL_ASSERT(out != NULL);
    len = pl_sql_number(text, out, &count);
    PL_ASSERT(len < room && out[len] == '\0');
    PL_ASSERT(pl_sql_number(text, NULL, &again) == len && again == count);
    for (size_t i = 0; i < size; i++)
        marks += data[i] == '?';
    PL_ASSERT(count <= marks);
    free(out);
    return 0;
}
