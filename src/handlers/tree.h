/* tree.h - all files below a root, read at once: serving them makes no system
 * call for files at all, and what happens to the folder later is not seen.
 *
 * Never changes once it is loaded: workers may share it. */
#ifndef PL_HANDLERS_TREE_H
#define PL_HANDLERS_TREE_H

#include "base/error.h"
#include "handlers/load.h"

struct pl_file_tree;

/* Reads all regular files that could be served, limit bytes at most. dots: also
 * those whose names begin with a dot. Folders that are links to folders are
 * read like others, to a depth of PL_TREE_DEPTH. Waits for the disk. Returns 0
 * and GIVES *out, or PL_ERR_* with *error. */
enum { PL_TREE_DEPTH = 32 };
int pl_file_tree_load(struct pl_file_root *root, bool dots, uint64_t limit,
                      struct pl_file_tree **out, struct pl_error *error);
void pl_file_tree_free(struct pl_file_tree *tree); /* may be NULL */

/* The file (fixed) for a path, "" and "folder/" included, or NULL. */
struct pl_file *pl_file_tree_find(const struct pl_file_tree *tree,
                                  struct pl_str path);

#endif
