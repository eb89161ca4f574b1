/* How the service's processes run and how they are ended: signals, limits, output, user. */
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli/unit/loader.h"

void unit_parse_kill_mode(struct loader *l, const char *value) {
    struct pri_plan *plan = &l->unit->plan;
    if (*value == '\0' || strcmp(value, "control-group") == 0) {
        plan->kill_mode = PRI_KILL_GROUP;
    } else if (strcmp(value, "mixed") == 0) {
        plan->kill_mode = PRI_KILL_MIXED;
    } else if (strcmp(value, "process") == 0) {
        plan->kill_mode = PRI_KILL_PROCESS;
    } else if (strcmp(value, "none") == 0) {
        unit_find(l, UNIT_REFUSED,
                  "KillMode=none would leave the service running after its last user: use "
                  "control-group, mixed or process");
    } else {
        unit_bad(l, value, "control-group, mixed or process");
    }
}

void unit_parse_kill_signal(struct loader *l, const char *value) {
    int signal;
    if (unit_signal(value, &signal)) {
        l->unit->config.stop_signal = signal;
    } else {
        unit_bad(l, value, "a signal such as SIGTERM");
    }
}

void unit_parse_other_signal(struct loader *l, const char *value) {
    int signal;
    if (!unit_signal(value, &signal)) {
        unit_bad(l, value, "a signal such as SIGTERM");
    } else if (signal != l->key->which) {
        unit_find(l, UNIT_WARNING, "%s= is not carried out: %s is sent", l->key->name,
                  l->key->which == SIGKILL ? "SIGKILL" : "that of KillSignal=");
    }
}

static bool boolean(struct loader *l, const char *value, bool *ret) {
    bool valid = unit_boolean(value, ret);
    if (!valid) {
        unit_bad(l, value, "yes or no");
    }
    return valid;
}

void unit_parse_send_sigkill(struct loader *l, const char *value) {
    bool send;
    if (boolean(l, value, &send)) {
        l->unit->plan.never_kill = !send;
    }
}

void unit_parse_ignore_sigpipe(struct loader *l, const char *value) {
    bool ignore;
    if (boolean(l, value, &ignore)) {
        l->unit->plan.sigpipe = !ignore;
    }
}

void unit_parse_send_sighup(struct loader *l, const char *value) {
    bool send;
    if (boolean(l, value, &send) && send) {
        unit_find(l, UNIT_WARNING, "SendSIGHUP=yes is not carried out: only KillSignal= is sent");
    }
}

void unit_parse_umask(struct loader *l, const char *value) {
    unsigned mode;
    if (unit_mode(value, &mode) && mode <= 0777) {
        l->unit->plan.umask = (int32_t)mode;
    } else {
        unit_bad(l, value, "an octal mask such as 0022");
    }
}

void unit_parse_nice(struct loader *l, const char *value) {
    int32_t nice = 0;
    if (*value != '\0' && !unit_nice(value, &nice)) {
        unit_bad(l, value, "a number from -20 to 19");
        return;
    }
    l->set.nice_at = unit_here(l);
    l->unit->plan.nice = nice;
}

void unit_parse_limit(struct loader *l, const char *value) {
    int resource = l->key->which;
    uint64_t soft, hard;
    if (!unit_limit(resource, value, &soft, &hard)) {
        unit_bad(l, value,
                 "a limit, soft:hard, or infinity (sizes with K, M, G …; times with s, min …; not "
                 "more than the hard one)");
        return;
    }
    l->set.limit_given[resource] = true;
    l->set.limits[resource] = (struct pri_plan_limit){resource, 0, soft, hard};
}

void unit_parse_input(struct loader *l, const char *value) {
    if (strcmp(value, "null") != 0) {
        unit_find(l, UNIT_REFUSED, "StandardInput=%.100s is not carried out: use null", value);
    }
}

static bool one_of(const char *value, const char *const *words) {
    for (; *words != NULL; words++) {
        if (strcmp(value, *words) == 0) {
            return true;
        }
    }
    return false;
}

void unit_parse_output(struct loader *l, const char *value) {
    static const char *const instead[] = {"kmsg",         "syslog",         "journal+console",
                                          "kmsg+console", "syslog+console", NULL};
    static const char *const refused[] = {"tty", "socket", "fd", NULL};
    enum output_kind *kind = l->key->which == 0 ? &l->set.output : &l->set.error;
    const char **text = l->key->which == 0 ? &l->set.output_text : &l->set.error_text;
    size_t scheme = strcspn(value, ":") + 1;
    if (strcmp(value, "inherit") == 0 || strcmp(value, "journal") == 0) {
        *kind = strcmp(value, "inherit") == 0 ? OUTPUT_INHERIT : OUTPUT_LOG;
    } else if (one_of(value, instead)) {
        *kind = OUTPUT_LOG;
        unit_find(l, UNIT_WARNING, "%s=%s: the output goes to the service's log alone",
                  l->key->name, value);
    } else if (strcmp(value, "null") == 0) {
        *kind = OUTPUT_OTHER;
        *text = "null";
    } else if (strncmp(value, "file:", 5) == 0 || strncmp(value, "append:", 7) == 0 ||
               strncmp(value, "truncate:", 9) == 0) {
        const char *path = unit_path(l, value + scheme, NULL);
        if (path != NULL) {
            *kind = OUTPUT_OTHER;
            *text = unit_text(l, "%.*s%s", (int)scheme, value, path);
        }
    } else if (one_of(value, refused) || strncmp(value, "fd:", 3) == 0) {
        unit_find(l, UNIT_REFUSED,
                  "%s=%.100s is not carried out: use journal (the log), null, file:, append: or "
                  "truncate:",
                  l->key->name, value);
    } else {
        unit_bad(l, value, "inherit, journal, null, file:, append: or truncate:");
    }
}

static bool is_own(bool group, const char *name) {
    uint64_t number;
    if (unit_number(name, &number)) {
        return number == (group ? getegid() : geteuid());
    }
    if (group) {
        const struct group *entry = getgrnam(name);
        return entry != NULL && entry->gr_gid == getegid();
    }
    const struct passwd *entry = getpwnam(name);
    return entry != NULL && entry->pw_uid == geteuid();
}

void unit_parse_user(struct loader *l, const char *value) {
    const char *name = unit_specify(l, value);
    if (name != NULL && *name != '\0' && !is_own(l->key->which != 0, name)) {
        unit_find(l, UNIT_REFUSED, "%s=%.100s: the service runs as the user who starts it",
                  l->key->name, name);
    }
}
