/* How a service lives: its type, when it is started again, how long that may take. */
#include <string.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"

/* The words of a setting that takes one of several. */
struct choice {
    const char *word;
    int value;
};

static bool choose(const char *value, const struct choice *choices, int *ret) {
    for (; choices->word != NULL; choices++) {
        if (strcmp(choices->word, value) == 0) {
            *ret = choices->value;
            return true;
        }
    }
    return false;
}

void unit_parse_type(struct loader *l, const char *value) {
    static const struct choice choices[] = {
        {"simple", TYPE_SIMPLE},   {"exec", TYPE_EXEC},
        {"forking", TYPE_FORKING}, {"oneshot", TYPE_ONESHOT},
        {"notify", TYPE_NOTIFY},   {"notify-reload", TYPE_NOTIFY},
        {"idle", TYPE_IDLE},       {NULL, 0}};
    int type;
    l->set.type_line = l->line;
    l->set.type_file = l->file;
    if (choose(value, choices, &type)) {
        l->set.type = (enum service_type)type;
    } else if (strcmp(value, "dbus") == 0) {
        unit_find(
            l, UNIT_REFUSED,
            "Type=dbus is not carried out: use notify, or [X-Procref] Ready= with another way "
            "to tell when it is up");
    } else {
        unit_bad(l, value, "simple, exec, forking, oneshot, notify, notify-reload or idle");
    }
}

/* With a bus name and no Type=, systemd takes the service for one of Type=dbus. */
void unit_parse_bus_name(struct loader *l, const char *value) {
    if (*value != '\0') { /* an empty one is left out */
        l->set.bus_name_at = unit_here(l);
    }
}

static bool boolean(struct loader *l, const char *value, bool *ret) {
    bool valid = unit_boolean(value, ret);
    if (!valid) {
        unit_bad(l, value, "yes or no");
    }
    return valid;
}

void unit_parse_remain(struct loader *l, const char *value) {
    boolean(l, value, &l->set.remain_after_exit);
    l->set.remain_line = l->line;
    l->set.remain_file = l->file;
}

void unit_parse_pid_file(struct loader *l, const char *value) {
    l->unit->plan.pid_file = NULL;
    if (*value != '\0') {
        l->unit->plan.pid_file = unit_path(l, value, unit_directory_root(l, DIR_RUNTIME));
    }
}

void unit_parse_restart(struct loader *l, const char *value) {
    enum { ABNORMAL = PRI_RESTART_SIGNAL | PRI_RESTART_TIMEOUT };
    static const struct choice choices[] = {
        {"no", 0},
        {"on-success", PRI_RESTART_CLEAN},
        {"on-failure", PRI_RESTART_UNCLEAN | ABNORMAL},
        {"on-abnormal", ABNORMAL},
        {"on-watchdog", 0}, /* no watchdog, nothing that it could end */
        {"on-abort", PRI_RESTART_SIGNAL},
        {"always", PRI_RESTART_CLEAN | PRI_RESTART_UNCLEAN | ABNORMAL},
        {NULL, 0}};
    int restarts;
    if (!choose(value, choices, &restarts)) {
        unit_bad(l, value,
                 "no, on-success, on-failure, on-abnormal, on-watchdog, on-abort or always");
        return;
    }
    l->unit->plan.restarts = (uint32_t)restarts;
}

/* A span, -1 for infinity; false: a finding says why not. */
static bool span(struct loader *l, const char *value, int64_t *ret_ms) {
    bool valid = cli_timespan(value, ret_ms);
    if (!valid) {
        unit_bad(l, value, "a time such as 30, 500ms, '1min 30s' or infinity");
    } else if (*ret_ms > UNIT_FOREVER_MS) {
        *ret_ms = -1;
    }
    return valid;
}

void unit_parse_restart_sec(struct loader *l, const char *value) {
    int64_t ms;
    if (span(l, value, &ms)) {
        l->unit->plan.restart_ms = ms < 0 ? UNIT_FOREVER_MS : ms;
    }
}

void unit_parse_timeout(struct loader *l, const char *value) {
    int64_t ms;
    if (!span(l, value, &ms)) {
        return;
    }
    ms = ms == 0 ? -1 : ms; /* systemd: 0 is no limit */
    if ((l->key->which & 1) != 0) {
        l->unit->config.start_timeout_ms = ms;
        l->set.start_timeout_given = true;
    }
    if ((l->key->which & 2) != 0) {
        l->unit->config.stop_timeout_ms = ms;
    }
}

void unit_parse_start_interval(struct loader *l, const char *value) {
    int64_t ms;
    if (span(l, value, &ms)) {
        l->unit->plan.start_interval_ms = ms < 0 ? UNIT_FOREVER_MS : ms;
    }
}

void unit_parse_start_burst(struct loader *l, const char *value) {
    uint64_t burst;
    if (!unit_number(value, &burst) || burst > INT32_MAX) {
        unit_bad(l, value, "a number");
        return;
    }
    l->unit->plan.start_burst = (int32_t)burst;
}

void unit_parse_ends(struct loader *l, const char *value) {
    struct pri_ends *ends = &l->unit->plan.ends[l->key->which];
    struct texts words = {0};
    int number;
    if (*value == '\0') {
        memset(ends, 0, sizeof *ends);
        return;
    }
    if (!unit_words(l, value, &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (unit_exit_status(words.list[i], &number)) {
            ends->codes[number / 64] |= (uint64_t)1 << (number % 64);
        } else if (unit_signal(words.list[i], &number) && number < 64) {
            ends->signals |= (uint64_t)1 << number;
        } else {
            unit_bad(l, words.list[i],
                     "exit statuses (0 to 255, or names such as TEMPFAIL) and signals");
        }
    }
}
