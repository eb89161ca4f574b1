/*
 * A service file: a systemd unit, read by the rules of systemd.syntax(7), systemd.unit(5),
 * systemd.service(5) and systemd.exec(5), as the user's own service manager would read it.
 *
 * unit_load() reads one file into a struct unit: a configuration for the library and a plan for the
 * keeper. What it finds on the way (errors, keys that are not carried out) is a list of findings,
 * each with file:line; `check` prints all, the others only what keeps them from going on.
 */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "core/plan.h"
#include "procref/procref.h"

enum unit_level {
    UNIT_IGNORED, /* harmless: documentation, the install section */
    UNIT_WARNING, /* hardening that is not applied, an unknown key: the service runs without */
    UNIT_REFUSED, /* would change the meaning: an error unless --ignore KEY */
    UNIT_ERROR,   /* not a unit, or not a value */
};

/* A hundred years: a span that has no end, where -1 means something else. Longer ones become it, or
 * -1, so that nobody's nanoseconds overflow. */
#define UNIT_FOREVER_MS INT64_C(3155760000000)

struct unit_finding {
    enum unit_level level;
    char *file;
    int line;
    const char *section; /* "Service", of the key; or NULL */
    char *key;           /* "User"; or NULL */
    char *message;       /* what was found and what was expected, without file:line */
};

struct unit_place {
    const char *file;
    int line;
};

struct unit {
    char *path;   /* canonical path of the file */
    char *folder; /* its folder: the scope, unless another is asked for */
    char *name;   /* "redis", "redis@test": without ".service"; the service's name */
    /* Ready for the library; base_dir is left to the caller. All strings are the unit's. What the
     * keeper gets beside Environment= (PORT, RUNTIME_DIRECTORY …) is in environment. */
    procref_service_config config;
    struct pri_plan plan;
    char **exports;  /* "NAME=VALUE"; $VAR and ${VAR} are replaced once the service is up;
                        NULL-terminated */
    char **requires; /* names of other services; NULL-terminated */
    struct unit_place *required_at; /* where each of them stands */
    char *health;                   /* a command for sh -c that tells whether it works; or NULL */
    struct unit_finding *findings;
    size_t finding_count;
    void *arena; /* private */
};

struct unit_options {
    const char *name; /* as it was asked for, with an instance: "redis@test"; NULL: the file's */
    const char *runtime_dir;   /* %t, and where RuntimeDirectory= is made */
    const char *const *ignore; /* keys that are not refused; NULL-terminated; or NULL */
};

/*
 * 0 and a unit that can be started; or PROCREF_E_INVALID (its findings say why), _IO (cannot be
 * read: the error says why, there is no unit), _NO_MEMORY. *ret_unit is set in every case but the
 * last two.
 */
int unit_load(const char *path, const struct unit_options *options, struct unit **ret_unit,
              procref_error *err);
struct unit *unit_free(struct unit *unit);

/* An error that shows only beside other files, after unit_load(). */
void unit_blame(struct unit *unit, const struct unit_place *at, const char *key,
                const char *message);

/*
 * Replaces $VAR and ${VAR} in text by the rules for command lines ("$$" is a dollar, an unknown one
 * is empty), within one word. env: "KEY=VALUE", NULL-terminated, the last one of a name counts. The
 * caller frees it.
 */
char *unit_expand(const char *text, const char *const *env);

#endif
