/* listing_read.h - what is in a folder, in an order. Waits for the disk: for
 * offload threads. */
#ifndef PL_HANDLERS_LISTING_READ_H
#define PL_HANDLERS_LISTING_READ_H

#include "base/arena.h"
#include "base/buf.h"
#include "handlers/file.h"

enum {
    PL_LISTING_ENTRIES = 10000,       /* what is beyond it is left out */
    PL_LISTING_README_MAX = 64 << 10, /* bytes shown */
};

enum pl_listing_sort { PL_LISTING_NAME, PL_LISTING_SIZE, PL_LISTING_TIME };

struct pl_listing_entry {
    struct pl_str name; /* any bytes but '/' and NUL */
    uint64_t size;      /* of a file */
    int64_t modified;   /* seconds since 1970 */
    bool folder;
};

/* Memory is the pool's. */
struct pl_folder {
    struct pl_arena arena;
    struct pl_buf list; /* struct pl_listing_entry */
    struct pl_listing_entry *entries;
    size_t count;
    bool truncated;
    bool readme_cut;
    struct pl_str readme_name, readme; /* absent: none */
    int64_t modified;                  /* the newest of all of it */
};

/* Reads the folder at path below root ("" or with a slash at its end). Names
 * with a dot at their beginning are left out unless dots, and so is what
 * cannot be asked for: links that lead outside, and what is neither a file nor
 * a folder. Returns 0 or PL_ERR_*; pl_folder_close() in both cases. */
int pl_folder_open(struct pl_folder *folder, struct pl_pool *pool, int root,
                   enum pl_file_links links, const char *path, bool dots);
void pl_folder_close(struct pl_folder *folder);

/* Folders come first; of equals, and without regard for case and with numbers
 * in the order that people count, the name decides. */
void pl_folder_sort(struct pl_folder *folder, enum pl_listing_sort by,
                    bool descending);

#endif
