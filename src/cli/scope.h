/*
 * Scopes: services of one name are the same only within one. A folder's scope is a folder below the
 * user's runtime folder, named after it; "user" is the runtime folder itself.
 */
#ifndef CLI_SCOPE_H
#define CLI_SCOPE_H

#include "os/folder.h"

/* The base_dir of a folder's scope: RUNTIME/LAST-COMPONENT-HASH, the one before it for
 * a project's .procref. folder is canonical. */
void scope_of_folder(const char *folder, char ret_path[PRI_PATH_SIZE]);

/* The canonical path of what may not exist yet (its parent does); else path as it is. */
void scope_canonical(const char *path, char ret_path[PRI_PATH_SIZE]);

/* Makes the folder that scopes live in, if it is missing, and refuses what another user put there.
 */
int scope_make_runtime(procref_error *err);

#endif
