#include "command/help.h"

#include <stdio.h>
#include <zlib.h>

#include "base/sys.h"
#include "process/exit.h"

int pl_help_print(void)
{
    uLongf len = pl_help_len;
    char *text = pl_malloc(len);

    if (text == NULL ||
        uncompress((Bytef *)text, &len, (const Bytef *)pl_help_packed,
                   pl_help_packed_len) != Z_OK)
        return pl_exit_text(PL_EXIT_FAILURE, "out of memory");
    fwrite(text, 1, len, stdout);
    pl_free(text);
    return PL_EXIT_OK;
}
