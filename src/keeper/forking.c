/*
 * Type=forking: the first process ends when the service, a descendant of it, is up. Which one that
 * is says the PIDFile=, or a guess. What a file says is believed of a process of the service's own
 * tree only.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fail.h"
#include "core/trace.h"
#include "keeper/keeper.h"
#include "os/arrival.h"
#include "os/folder.h"
#include "os/poller.h"
#include "os/rendezvous.h"

enum { PROCESSES_MOST = 64 };

static void named(struct pri_keeper *k, const struct pri_process *process) {
    pri_pid_file_forget(k);
    pri_run_named(k, process);
    pri_run_readiness(k);
}

static bool read_pid_file(const struct pri_keeper *k, const char *path,
                          struct pri_process *ret_process) {
    struct pri_tree tree = pri_run_tree(k);
    char text[32], *end;
    if (pri_read_text(path, text, sizeof text) <= 0) {
        return false;
    }
    unsigned long pid = strtoul(text, &end, 10);
    return pid > 1 && pid <= INT32_MAX && (*end == '\n' || *end == '\0') &&
           pri_tree_identify(&tree, (uint32_t)pid, ret_process);
}

static bool is_older(const struct pri_process *one, const struct pri_process *other) {
    return one->start < other->start || (one->start == other->start && one->pid < other->pid);
}

/* The oldest that is left of the first process: a daemon's own is older than its workers. What is
 * older than the first process is what ExecStartPre= has left. */
static bool guess(const struct pri_keeper *k, struct pri_process *ret_process) {
    const struct pri_process *first = &k->pair->page->main;
    struct pri_process list[PROCESSES_MOST];
    struct pri_tree tree = pri_run_tree(k);
    int count = pri_tree_list(&tree, list, PROCESSES_MOST);
    bool found = false;
    for (int i = 0; i < count; i++) {
        if (is_older(first, &list[i]) && (!found || is_older(&list[i], ret_process))) {
            *ret_process = list[i];
            found = true;
        }
    }
    return found;
}

void pri_pid_file_forget(struct pri_keeper *k) {
    k->awaits_pid_file = false;
    if (k->pid_file_watch >= 0) {
        pri_poller_remove(k->poller, k->pid_file_watch);
        pri_arrival_close(k->pid_file_watch);
        k->pid_file_watch = -1;
    }
}

static void watch_pid_file(struct pri_keeper *k, const char *path) {
    k->pid_file_watch = pri_arrival_watch(path);
    if (k->pid_file_watch >= 0 &&
        pri_poller_add(k->poller, k->pid_file_watch, PRI_TAG_PID_FILE) < 0) {
        pri_arrival_close(k->pid_file_watch);
        k->pid_file_watch = -1;
    }
}

void pri_pid_file_changed(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    const char *path = pri_plan_text(plan, plan->pid_file);
    struct pri_process process;
    if (k->pid_file_watch < 0) {
        return; /* known since, by an event of the same batch */
    }
    pri_arrival_follow(k->pid_file_watch, path);
    if (read_pid_file(k, path, &process)) {
        named(k, &process);
    }
}

/* What runs is not the service yet, but starts it. */
bool pri_forking_awaits(const struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    return plan != NULL && plan->type == PRI_TYPE_FORKING && !k->forked;
}

bool pri_forking_parent_ended(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    struct pri_process process;
    if (!pri_forking_awaits(k)) {
        return false;
    }
    const char *path = pri_plan_text(plan, plan->pid_file);
    if (path == NULL) {
        if (!guess(k, &process)) {
            return false; /* it left nothing behind: it has ended */
        }
        named(k, &process);
        return true;
    }
    watch_pid_file(k, path);
    if (read_pid_file(k, path, &process)) {
        named(k, &process);
    } else {
        PRI_TRACE("waits for %s", path); /* until the start timeout */
        k->awaits_pid_file = true;
        pri_pid_file_orphaned(k);
    }
    return true;
}

/* A daemon that is killed leaves it, and the next one would find itself running. Of a link only the
 * link goes. */
void pri_pid_file_remove(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    if (plan->pid_file != 0) {
        unlink(pri_plan_text(plan, plan->pid_file));
    }
}

/* A child ended: who is left to write the file? What the service leaves is adopted by us. */
void pri_pid_file_orphaned(struct pri_keeper *k) {
    const struct pri_plan_block *plan = pri_config_plan(k->pair->config);
    procref_error error = PROCREF_ERROR_INIT;
    struct pri_process one;
    if (!k->awaits_pid_file) {
        return;
    }
    struct pri_tree tree = pri_run_tree(k);
    if (pri_tree_list(&tree, &one, 1) > 0) {
        return;
    }
    pri_pid_file_forget(k);
    pri_fail(&error, PROCREF_E_SERVICE_START, 0, "",
             "'%s' ended before it was ready: no process of it is left to write its PIDFile= '%s'",
             k->pair->config->ident.name, pri_plan_text(plan, plan->pid_file));
    pri_run_start_failed(k, &error);
}
