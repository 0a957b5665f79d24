#include "base/user.h"

#include <grp.h>
#include <pwd.h>

#include "base/str.h"

static bool by_number(const char *text, uint32_t *id)
{
    uint64_t number;

    if (!pl_str_to_u64(pl_str_c(text), &number) || number >= UINT32_MAX)
        return false;
    *id = (uint32_t)number;
    return true;
}

int pl_user_lookup(const char *user, uid_t *uid, gid_t *gid,
                   struct pl_error *error)
{
    const struct passwd *entry =
        by_number(user, uid) ? getpwuid(*uid) : getpwnam(user);

    if (entry == NULL)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "there is no user '%s'", user);
    *uid = entry->pw_uid;
    *gid = entry->pw_gid;
    return 0;
}

int pl_group_lookup(const char *group, gid_t *gid, struct pl_error *error)
{
    const struct group *entry;

    if (by_number(group, gid))
        return 0;
    entry = getgrnam(group);
    if (entry == NULL)
        return pl_error_set(error, PL_ERR_NOT_FOUND, "",
                            "there is no group '%s'", group);
    *gid = entry->gr_gid;
    return 0;
}
