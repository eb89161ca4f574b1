/* From the settings to a configuration for the library and a plan for the keeper. */
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/unit/loader.h"

enum { DEFAULT_TIMEOUT_MS = 90000 };

/* To the last ExecStart=, or, without one, to the first line. */
static void go_to_start(struct loader *l) {
    struct unit_place none = {l->unit->path, 1}, *last = &l->set.start_at;
    unit_go_to(l, last->file != NULL ? last : &none, "Service", "ExecStart");
}

static void finish_type(struct loader *l) {
    struct settings *set = &l->set;
    struct unit *unit = l->unit;
    bool starts = set->steps[PRI_STEPS_START].count > 0;
    l->file = set->type_file != NULL ? set->type_file : unit->path;
    l->line = set->type_line > 0 ? set->type_line : 1;
    if (set->type_file == NULL && set->bus_name_at.file != NULL) {
        unit_go_to(l, &set->bus_name_at, "Service", "BusName");
        unit_find(l, UNIT_REFUSED,
                  "BusName= without Type= makes it one of Type=dbus, which is not carried out: say "
                  "Type=notify, or Type=simple with [X-Procref] Ready=");
        unit_go_to(l, &(struct unit_place){unit->path, 1}, "Service", "Type");
    }
    if (set->type == TYPE_NONE) {
        set->type = starts ? TYPE_SIMPLE : TYPE_ONESHOT;
    }
    unit->plan.type = set->type == TYPE_FORKING   ? PRI_TYPE_FORKING
                      : set->type == TYPE_ONESHOT ? PRI_TYPE_ONESHOT
                                                  : PRI_TYPE_SIMPLE;
    l->key = unit_key_named("Service", "ExecStart");
    bool undone = set->type == TYPE_ONESHOT && set->remain_after_exit; /* needs no start */
    if (!starts && (!undone || set->steps[PRI_STEPS_STOP].count == 0)) {
        if (!set->start_unread) {
            go_to_start(l);
            unit_find(l, UNIT_ERROR, "[Service] has no ExecStart=: nothing says what to run");
        }
        return;
    }
    if (set->type != TYPE_ONESHOT && set->steps[PRI_STEPS_START].count > 1) {
        struct unit_place type = unit_here(l);
        go_to_start(l);
        unit_find(l, UNIT_ERROR, "several ExecStart= are for Type=oneshot only");
        unit_go_to(l, &type, "Service", "Type");
    }
    l->key = unit_key_named("Service", "Type");
    if (set->type == TYPE_ONESHOT && !set->remain_after_exit) {
        unit_find(
            l, UNIT_ERROR,
            "Type=oneshot needs RemainAfterExit=yes: without it there is nothing to hold once "
            "the command has ended");
    }
    if (set->type == TYPE_ONESHOT && (unit->plan.restarts & PRI_RESTART_CLEAN) != 0) {
        unit_find(l, UNIT_ERROR,
                  "Restart=always and on-success do not go with Type=oneshot: its commands end");
    }
    static const struct pri_ends none;
    if (set->type == TYPE_ONESHOT &&
        memcmp(&unit->plan.ends[PRI_ENDS_FORCE], &none, sizeof none) != 0) {
        unit_find(l, UNIT_ERROR,
                  "RestartForceExitStatus= does not go with Type=oneshot: its commands end");
    }
    if (set->type != TYPE_ONESHOT && set->remain_after_exit) {
        l->file = set->remain_file;
        l->line = set->remain_line;
        l->key = unit_key_named("Service", "RemainAfterExit");
        unit_find(l, UNIT_REFUSED,
                  "RemainAfterExit=yes is carried out for Type=oneshot only: the service is gone "
                  "when its process is");
    }
    l->key = NULL;
}

/* Asked of the kernel, which alone knows: a limit, a capability, the priority that we have. What is
 * lowered can always be taken back. */
static bool may_have_priority(int nice) {
    int before = getpriority(PRIO_PROCESS, 0);
    if (nice >= before) {
        return true;
    }
    return setpriority(PRIO_PROCESS, 0, nice) == 0 && setpriority(PRIO_PROCESS, 0, before) == 0;
}

static void finish_nice(struct loader *l) {
    int32_t *nice = &l->unit->plan.nice;
    if (*nice != 0 && !may_have_priority(*nice)) {
        unit_go_to(l, &l->set.nice_at, "Service", "Nice");
        unit_find(l, UNIT_REFUSED,
                  "Nice=%d: the system lets you lower the priority only, unless RLIMIT_NICE "
                  "(ulimit -e) allows it",
                  (int)*nice);
        *nice = 0; /* with --ignore Nice it runs without */
    }
}

static void finish_steps(struct loader *l) {
    struct settings *set = &l->set;
    size_t count = 0, at = 0;
    if (set->steps[PRI_STEPS_START].count == 0) { /* a oneshot that only needs to be undone */
        struct texts argv = {0};
        texts_add(l, &argv, "true");
        unit_add_step(l, PRI_STEPS_START, PRI_STEP_LITERAL, "true", argv.list);
    }
    unit_add_directories(l);
    for (int list = 0; list < PRI_STEPS_COUNT; list++) {
        count += set->steps[list].count;
    }
    struct pri_step *steps = unit_get(l, count * sizeof *steps);
    for (int list = 0; list < PRI_STEPS_COUNT; list++) {
        for (size_t i = 0; i < set->steps[list].count; i++) {
            steps[at++] = set->steps[list].list[i];
        }
    }
    l->unit->plan.steps = steps;
    l->unit->plan.step_count = count;
    l->unit->config.command = set->steps[PRI_STEPS_START].list[0].argv;
}

/* UnsetEnvironment= has the last word: a name, or a name with one value. */
static bool is_unset(const struct loader *l, const char *assignment) {
    size_t length = strcspn(assignment, "=");
    for (size_t i = 0; i < l->set.unset.count; i++) {
        const char *unset = l->set.unset.list[i];
        if (strcmp(unset, assignment) == 0 ||
            (strncmp(unset, assignment, length) == 0 && unset[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* The folders' names, then Environment=, then EnvironmentFile=: the last one of a name counts. */
static void finish_environment(struct loader *l) {
    const struct texts *lists[] = {&l->set.directory_environment, &l->set.environment,
                                   &l->set.file_environment};
    struct texts all = {0};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t j = 0; j < lists[i]->count; j++) {
            const char *assignment = lists[i]->list[j];
            size_t length = strcspn(assignment, "=") + 1, at = 0;
            while (at < all.count && strncmp(all.list[at], assignment, length) != 0) {
                at++;
            }
            if (at < all.count) {
                all.list[at] = assignment;
            } else {
                texts_add(l, &all, assignment);
            }
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        if (!is_unset(l, all.list[i])) {
            all.list[kept++] = all.list[i];
        }
    }
    if (kept < all.count) {
        all.list[kept] = NULL;
    }
    l->unit->config.environment = all.list;
    l->unit->plan.unset = l->set.unset.count > 0 ? l->set.unset.list : NULL;
}

static bool mentions_port(const char *text) {
    for (const char *c = text; (c = strchr(c, '$')) != NULL; c++) {
        if (strncmp(c, "${PORT}", 7) == 0) {
            return true;
        }
        if (strncmp(c, "$PORT", 5) == 0 && c[5] != '_' && !(c[5] >= '0' && c[5] <= '9') &&
            !((c[5] | 0x20) >= 'a' && (c[5] | 0x20) <= 'z')) {
            return true;
        }
    }
    return false;
}

static bool list_mentions_port(const char *const *list) {
    for (; list != NULL && *list != NULL; list++) {
        if (mentions_port(*list)) {
            return true;
        }
    }
    return false;
}

static bool port_is_mentioned(const struct loader *l) {
    const struct unit *unit = l->unit;
    for (size_t i = 0; i < unit->plan.step_count; i++) {
        const struct pri_step *step = &unit->plan.steps[i];
        if ((step->flags & PRI_STEP_LITERAL) == 0 && list_mentions_port(step->argv)) {
            return true;
        }
    }
    return list_mentions_port(unit->config.environment) ||
           list_mentions_port(l->set.exports.list) ||
           (unit->health != NULL && mentions_port(unit->health)) ||
           (unit->config.ready != NULL && mentions_port(unit->config.ready));
}

static void finish_port(struct loader *l) {
    const struct unit *unit = l->unit;
    const char *const *env = unit->config.environment;
    bool set = false, tcp = unit->config.ready != NULL && strcmp(unit->config.ready, "tcp") == 0;
    for (; env != NULL && *env != NULL; env++) {
        set = set || strncmp(*env, "PORT=", 5) == 0;
    }
    l->unit->plan.wants_port =
        unit->config.port == 0 && (l->set.port_auto || tcp || (!set && port_is_mentioned(l)));
}

static void finish_limits(struct loader *l) {
    struct pri_plan_limit *limits = unit_get(l, sizeof l->set.limits);
    size_t count = 0;
    for (size_t i = 0; i < sizeof l->set.limits / sizeof l->set.limits[0]; i++) {
        if (l->set.limit_given[i]) {
            limits[count++] = l->set.limits[i];
        }
    }
    l->unit->plan.limits = limits;
    l->unit->plan.limit_count = count;
}

static void finish_output(struct loader *l) {
    struct pri_plan *plan = &l->unit->plan;
    plan->output = l->set.output == OUTPUT_OTHER ? l->set.output_text : NULL;
    plan->error = l->set.error == OUTPUT_OTHER ? l->set.error_text : NULL;
    if (l->set.error == OUTPUT_LOG && plan->output != NULL) {
        plan->error = "log";
    }
}

static void finish_working_dir(struct loader *l) {
    struct stat st;
    const char *dir = l->set.working_dir;
    bool missing =
        dir != NULL && l->set.working_dir_optional && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode));
    l->unit->config.working_dir = dir == NULL || missing ? unit_home(l) : dir;
}

/* The keeper looks for the line in the log, which must then be written. */
static void finish_ready(struct loader *l) {
    const struct pri_plan *plan = &l->unit->plan;
    bool logs = plan->output == NULL || (plan->error != NULL && strcmp(plan->error, "log") == 0);
    l->unit->config.ready = l->set.ready != NULL         ? l->set.ready
                            : l->set.type == TYPE_NOTIFY ? "notify"
                                                         : NULL;
    if (l->set.ready != NULL && strncmp(l->set.ready, "log:", 4) == 0 && !logs) {
        unit_go_to(l, &l->set.ready_at, "X-Procref", "Ready");
        unit_find(l, UNIT_ERROR,
                  "Ready=log: waits for a line of the log, and StandardOutput=%.200s writes "
                  "elsewhere: leave that out, or use another Ready=",
                  plan->output);
        l->key = NULL;
    }
}

static char **own_list(struct loader *l, const struct texts *texts) {
    char **list = unit_get(l, (texts->count + 1) * sizeof *list);
    for (size_t i = 0; i < texts->count; i++) {
        list[i] = unit_copy(l, texts->list[i], strlen(texts->list[i]));
    }
    return list;
}

void unit_finish(struct loader *l) {
    struct unit *unit = l->unit;
    l->key = NULL;
    finish_type(l);
    finish_nice(l);
    l->key = NULL;
    l->file = unit->path;
    l->line = 1;
    finish_steps(l);
    finish_environment(l);
    finish_limits(l);
    finish_output(l);
    finish_working_dir(l);
    finish_ready(l);
    unit->exports = own_list(l, &l->set.exports);
    unit->requires = own_list(l, &l->set.requires);
    unit->required_at = l->set.required_at;
    unit->health =
        l->set.health != NULL ? unit_copy(l, l->set.health, strlen(l->set.health)) : NULL;
    if (!l->set.start_timeout_given) {
        unit->config.start_timeout_ms = l->set.type == TYPE_ONESHOT ? -1 : DEFAULT_TIMEOUT_MS;
    }
    unit->config.restart = unit->plan.restarts == 0 ? PROCREF_RESTART_NEVER
                           : (unit->plan.restarts & PRI_RESTART_CLEAN) != 0
                               ? PROCREF_RESTART_ALWAYS
                               : PROCREF_RESTART_ON_FAILURE;
    finish_port(l);
}
