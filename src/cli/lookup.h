/*
 * Where service files are looked for, in this order: the working folder, its .procref/, the
 * .procref/ of the project around it, the user's and the system's configuration, the recipes that
 * ship. The nearest folder wins; in one folder redis@test.service comes before redis@.service.
 */
#ifndef CLI_LOOKUP_H
#define CLI_LOOKUP_H

#include "os/folder.h"

enum { LOOKUP_PLACES = 8, LOOKUP_WHY = 1024 };

struct lookup {
    int count;
    char *places[LOOKUP_PLACES]; /* folders, as they are told in messages */
};

/*
 * The file of NAME, in the places above; before them in the folder of the file that requires it
 * (NULL: none does). -1: found; otherwise the exit status, and ret_why (LOOKUP_WHY bytes; NULL:
 * nobody asks) says where it was looked for.
 */
int lookup_name(const char *name, const char *required_by, char ret_path[PRI_PATH_SIZE],
                char *ret_why);

/* Of the service files in these places, and of n words more, the name that is most like this one;
 * NULL if none is. Kept until the next call. */
const char *lookup_nearest(const char *name, const char *const *more, size_t n);

/* The folder of a file, "." without a slash. */
void lookup_folder(const char *path, char ret_folder[PRI_PATH_SIZE]);

/* The file that -f or a path names: itself, or for DIR/redis@test.service that does not exist
 * DIR/redis@.service. -1, or the exit status. */
int lookup_file(const char *file, char ret_path[PRI_PATH_SIZE]);

/* "redis@test" of "DIR/redis@test.service"; false if that is no name of a service file. */
bool lookup_service_name(const char *path, char ret_name[256]);

/* "redis@.service", which is used by an instance. */
bool lookup_is_template(const char *path);

#endif
