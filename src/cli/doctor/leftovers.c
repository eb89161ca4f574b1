/*
 * doctor: what is left when all processes around a service were killed at once: its semaphore set,
 * its hint, the service itself. The next acquire of that service clears it away; this does it for
 * those that nobody acquires again.
 *
 * A service is known here by the hash of its full name alone, as sets, hints, marks in environments
 * and socket names carry it. Nothing is removed before its socket's name is taken, which is the
 * barrier: while we have it no pair can begin, and who connects meanwhile finds the connection
 * closed and begins again, as after a keeper's death.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "cli/doctor/left.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/linux/sets.h"
#include "os/raw.h"
#include "os/rendezvous.h"

static const char what[] = "leftovers";

/* ---- Is anybody there? ----------------------------------------------------------------------- */

static bool has_socket(const struct left *left) {
    char line[512], mine[64];
    bool found = false;
    FILE *file = fopen("/proc/net/unix", "re");
    int length = snprintf(mine, sizeof mine, "@procref/%u/", (unsigned)geteuid());
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        const char *name = strstr(line, mine);
        found = name != NULL && left_same(left, strtoull(name + length, NULL, 16));
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool has_keeper(const struct left *left, const struct left_all *all) {
    for (size_t i = 0; i < all->marked_count; i++) {
        if (all->marked[i].keeper && left_same(left, all->marked[i].hash)) {
            return true;
        }
    }
    return false;
}

/* The service's own processes: in our namespaces, so that their keeper could be seen. */
static size_t own_processes(const struct left *left, const struct doctor_marked *marked,
                            size_t count, struct pri_process *ret, size_t most) {
    size_t n = 0;
    for (size_t i = 0; i < count && n < most; i++) {
        if (!marked[i].keeper && left_same(left, marked[i].hash) &&
            left_same_namespaces(marked[i].process.pid)) {
            ret[n++] = marked[i].process;
        }
    }
    return n;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void describe(const struct left *left, const struct left_all *all, char *to, size_t size) {
    struct pri_process list[16];
    size_t n = own_processes(left, all->marked, all->marked_count, list, 16), length = 0;
    to[0] = '\0';
    if (left->set >= 0) {
        length = (size_t)snprintf(to, size, "semaphore set %d", left->set);
    }
    if (left->hint != NULL && length < size) {
        length += (size_t)snprintf(to + length, size - length, "%s%s", length > 0 ? ", " : "",
                                   left->hint);
    }
    for (size_t i = 0; i < n && length < size; i++) {
        char path[32], name[64];
        snprintf(path, sizeof path, "/proc/%u/comm", (unsigned)list[i].pid);
        if (pri_read_text(path, name, sizeof name) > 0) {
            name[strcspn(name, "\n")] = '\0';
        }
        length += (size_t)snprintf(to + length, size - length, "%sprocess %u (%s)",
                                   length > 0 ? ", " : "", (unsigned)list[i].pid, name);
    }
}

/* ---- Removing -------------------------------------------------------------------------------- */

static void end_processes(const struct left *left) {
    struct pri_process list[64];
    int64_t deadline_ns = pri_deadline(10000);
    for (int round = 0; round < 4; round++) {
        struct doctor_marked *marked;
        size_t count = doctor_scan(&marked);
        size_t n = own_processes(left, marked, count, list, 64);
        free(marked);
        for (size_t i = 0; i < n; i++) {
            pri_process_signal(&list[i], round == 0 ? SIGTERM : SIGKILL);
            pri_process_signal(&list[i], SIGCONT);
        }
        for (size_t i = 0; i < n; i++) {
            procref_waitable watch = pri_process_watch(&list[i]);
            if (watch >= 0) {
                pri_link_wait(watch, deadline_ns);
                pri_link_close(watch);
            }
        }
        deadline_ns = pri_deadline(2000);
    }
}

/* Under the barrier: nobody can begin, nobody can attach (that needs a keeper), so what is 0 stays
 * 0. */
static const char *remove_service(struct left *left) {
    struct pri_counter counter = {.id = left->set};
    if (left->set >= 0) {
        if (!left_set_is(left)) {
            return "somebody is at it";
        }
        if (pri_counter_read(&counter, PRI_REG_KEEPER) != 0 ||
            pri_counter_read(&counter, PRI_REG_REFS) != 0 ||
            pri_counter_read(&counter, PRI_REG_CALL) != 0) {
            return "somebody holds it";
        }
    }
    if (left->set >= 0 || left->process_is_hinted) {
        end_processes(left);
    }
    if (left->set >= 0) {
        pri_counter_remove(&counter);
    }
    if (left->hint != NULL) {
        left_remove_hint(left->hint);
    }
    return NULL;
}

/* NULL, or why not. */
static const char *clean_one(struct left *left) {
    struct pri_ident ident = {.user = pri_own_user(), .hash = left->hash, .name = "doctor"};
    procref_waitable listeners[2] = {-1, -1};
    const char *why = NULL, *op;
    uint32_t owner;
    int os;
    if (left->raw) {
        pri_raw_sweep(&ident); /* its rows ask whether anybody holds it */
        return left_set_is(left) ? "somebody holds it" : NULL;
    }
    for (int i = 0; i < (left->half ? 2 : 1) && why == NULL; i++) {
        ident.hash = left->hash ^ (i == 1 ? LEFT_TOP : 0);
        if (pri_rendezvous_bind(&ident, &listeners[i], &os, &op, &owner) < 0) {
            why = "somebody is at it";
        }
    }
    if (why == NULL) {
        why = remove_service(left);
    }
    pri_link_close(listeners[1]);
    pri_link_close(listeners[0]);
    return why;
}

/* ---- All ------------------------------------------------------------------------------------- */

static void judge(struct left *left, const struct left_all *all, bool clean) {
    char text[1024];
    describe(left, all, text, sizeof text);
    if (left->refs > 0) {
        doctor_say(DOCTOR_WARN, what,
                   "%s: %d still hold%s a service whose keepers were killed; the next acquire of "
                   "it takes it up, or end who holds it",
                   text, left->refs, left->refs == 1 ? "s" : "");
        return;
    }
    if (left->set < 0 && left->hint == NULL) {
        doctor_say(DOCTOR_WARN, what,
                   "%s: a service left it behind and no keeper knows it; end it by kill if nobody "
                   "wants it",
                   text);
        return;
    }
    if (left->no_process) {
        doctor_say(
            DOCTOR_WARN, what,
            "%s: a service without a process, whose keepers were killed; procref run it once "
            "more, so that its ExecStop= is carried out",
            text);
        return;
    }
    const char *why = clean ? clean_one(left) : NULL;
    if (!clean) {
        doctor_say(DOCTOR_WARN, what, "%s: nobody holds or keeps it; procref doctor --clean", text);
    } else if (why != NULL) {
        doctor_say(DOCTOR_WARN, what, "%s: left alone, %s now; try again later", text, why);
    } else {
        doctor_say(DOCTOR_OK, what, "%s: removed", text);
    }
}

void doctor_leftovers(const char *const *folders, bool clean) {
    struct left_all all = {0};
    size_t running = 0, left = 0;
    all.marked_count = doctor_scan(&all.marked);
    left_find_sets(&all);
    left_find_hints(&all, folders);
    left_find_processes(&all);
    for (size_t i = 0; i < all.count; i++) {
        struct left *one = &all.list[i];
        if (one->keeper || has_socket(one) || has_keeper(one, &all)) {
            running++;
        } else if (!one->raw || one->refs == 0) {
            judge(one, &all, clean);
            left++;
        }
    }
    if (left == 0) {
        doctor_say(DOCTOR_OK, what, "none; %zu service%s", running,
                   running == 1 ? " runs" : "s run");
    }
    left_free(&all);
}
