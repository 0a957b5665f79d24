#include "base/id.h"

#include "base/str.h"
#include "base/sys.h"

void pl_ids_init(struct pl_ids *ids)
{
    pl_random(&ids->next, sizeof(ids->next));
}

void pl_id_format(char *out, uint64_t id)
{
    for (int i = PL_ID_LEN; i-- > 0; id >>= 4)
        out[i] = "0123456789abcdef"[id & 15];
}

bool pl_id_parse(struct pl_str text, uint64_t *id)
{
    return text.len == PL_ID_LEN && pl_str_to_u64_hex(text, id);
}
