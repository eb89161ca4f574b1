/* The port contract for folders and the environment: canonical names, the per-user runtime folder,
 * small writes. */
#ifndef PRI_OS_FOLDER_H
#define PRI_OS_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "procref/procref.h"

enum { PRI_PATH_SIZE = 4096 };

/* The value of an environment variable; NULL if unset, or if this program runs with another's
 * privileges. */
const char *pri_environment(const char *name);

/* Who we are: the effective user and this process. */
uint32_t pri_own_user(void);
uint32_t pri_own_pid(void);

/* mkdir(2) with mode 0700, whatever the umask. */
int pri_folder_make(const char *path);

/*
 * The canonical path of base_dir, created with mode 0700 if it does not exist. It must be a
 * directory of ours that no other user can write to. PERMISSION names the owner or the mode, IO the
 * reason.
 */
int pri_folder_claim(const char *base_dir, char *ret_path, procref_error *err);

/* path itself if it is absolute or begins with a variable, else path below the current folder. */
int pri_folder_absolute(const char *path, char *ret_path, procref_error *err);

/* Where files go when there is no base_dir: a per-user folder that need not exist yet. Never fails.
 */
void pri_folder_default(char *ret_path);

/* Reads a small text file, at most size - 1 bytes, and ends it with a zero byte; its length or -1.
 */
ptrdiff_t pri_read_text(const char *path, char *to, size_t size);

/* Appends one line to the file at path, which is created with mode 0600; failure is ignored. */
void pri_append_line(const char *path, const char *line, size_t length);

#ifdef PRI_CRASH_POINTS
bool pri_claim_file(const char *path); /* creates it; false if it was there */
_Noreturn void pri_kill_self(void);
#endif

#endif
