/* Finding services and asking their keepers (look.h). */
#include "cli/look.h"
#include "cli/lookup.h"
#include "cli/scope.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/show.h"
#include "core/fail.h"
#include "os/clock.h"
#include "os/folder.h"
#include "os/inspect.h"
#include "os/pages.h"
#include "os/rendezvous.h"

enum {
    ASKS_MOST = 4, /* a count that differs may be one that just changes */
    LEAST_MS = 100,
};

int look_ask(const struct pri_ident *ident, enum pri_ask ask, uint32_t flags, int64_t deadline_ns,
             procref_waitable *ret_link, procref_error *err) {
    struct pri_process self = pri_process_self();
    struct pri_request request = {.magic = PRI_WIRE_MAGIC,
                                  .version = PRI_WIRE_VERSION,
                                  .ask = ask,
                                  .flags = flags,
                                  .hash = ident->hash,
                                  .start = self.start,
                                  .slot = PRI_NO_SLOT};
    memcpy(request.name, ident->name, sizeof request.name);
    int code = pri_rendezvous_connect(ident, deadline_ns, ret_link, err);
    if (code == PROCREF_E_AGAIN) {
        return pri_fail(err, PROCREF_E_TIMEOUT, 0, "connect", "the keeper's queue is full");
    }
    if (code == 0 && pri_link_send(*ret_link, &request, sizeof request, -1) < 0) {
        pri_link_close(*ret_link); /* it hung up: it is about to go */
        *ret_link = -1;
        return pri_fail(err, PROCREF_E_AGAIN, 0, "sendmsg", "the keeper hung up");
    }
    return code;
}

/* ---- Holders --------------------------------------------------------------------------------- */

/* Each slot that says so and whose very process still runs: a pid that is another's now is not. */
static void find_holders(struct look *look, const struct pri_record *record) {
    uint32_t used = atomic_load(&record->used);
    used = used < PRI_RECORD_SLOTS ? used : PRI_RECORD_SLOTS;
    for (uint32_t i = 0; i < used; i++) {
        const struct pri_slot *slot = &record->slots[i];
        uint32_t held = atomic_load(&slot->held);
        struct pri_process process = {atomic_load(&slot->pid), atomic_load(&slot->start)};
        if (held == 0 || process.pid == 0 || !pri_process_alive(&process)) {
            continue;
        }
        struct look_holder *more =
            realloc(look->holders, (look->holder_count + 1) * sizeof *look->holders);
        if (more == NULL) {
            return; /* the sum shows that some are missing */
        }
        look->holders = more;
        look->holders[look->holder_count++] =
            (struct look_holder){.process = process,
                                 .since_ms = atomic_load(&slot->since_ms),
                                 .old = look->status.stamp != 0 && held != look->status.stamp,
                                 .command = show_command_of(process.pid)};
    }
}

static int by_process(const void *a, const void *b) {
    const struct look_holder *x = a, *y = b;
    return x->process.pid != y->process.pid ? (x->process.pid < y->process.pid ? -1 : 1)
           : x->old != y->old               ? (int)x->old - (int)y->old
                              : (x->since_ms > y->since_ms) - (x->since_ms < y->since_ms);
}

static void forget_holders(struct look *look) {
    for (size_t i = 0; i < look->holder_count; i++) {
        free(look->holders[i].command);
    }
    free(look->holders);
    look->holders = NULL;
    look->holder_count = 0;
}

void look_free(struct look *look) {
    forget_holders(look);
    pri_link_close(look->link);
    look->link = -1;
}

/* ---- One keeper's answer --------------------------------------------------------------------- */

/* False: there is none yet. */
static bool take_answer(struct look *look) {
    struct pri_status status;
    uint32_t pid;
    procref_waitable page = -1;
    ptrdiff_t got = pri_link_receive(look->link, &status, sizeof status, &pid, &page);
    if (got == PROCREF_E_AGAIN) {
        return false;
    }
    struct pri_record *record = got > 0 ? pri_record_map(page) : NULL;
    if (got == (ptrdiff_t)sizeof status && status.magic == PRI_WIRE_MAGIC &&
        status.version == PRI_WIRE_VERSION && status.tell == PRI_TELL_STATUS) {
        look->found = LOOK_KEPT;
        look->status = status;
        pri_format(look->name, sizeof look->name, "%.*s", (int)sizeof status.name - 1, status.name);
        pri_format(look->dir, sizeof look->dir, "%.*s", (int)sizeof status.dir - 1, status.dir);
        if (record != NULL) {
            find_holders(look, record);
            if (look->holder_count > 0) {
                qsort(look->holders, look->holder_count, sizeof *look->holders, by_process);
            }
        }
    } else {
        look->found = got > 0 ? LOOK_FOREIGN : LOOK_NOTHING;
    }
    pri_record_unmap(record);
    return true;
}

/* What a keeper that says nothing is about stands in its arguments. */
static void look_at_listener(struct look *look) {
    char command[PRI_NAME_SIZE + 32];
    uint32_t pid = pri_inspect_listener(look->link);
    ptrdiff_t length = pid != 0 ? pri_inspect_command(pid, command, sizeof command) : -1;
    size_t first = length > 0 ? strlen(command) + 1 : 0;
    if (length > 0 && strcmp(command, "procref-keeper") == 0 && (ptrdiff_t)first < length) {
        if (look->name[0] == '\0') {
            pri_format(look->name, sizeof look->name, "%s", command + first);
        }
        look->status.standby = pid;
        look->stopped = pri_inspect_is_stopped(pid);
    }
}

/* The hint is believed as far as its process runs; one without a process (a mount, a container) is
 * up for all that one can see. */
static bool may_run(const struct pri_hint *hint) {
    return hint->process.pid != 0 ? pri_process_alive(&hint->process)
                                  : strcmp(hint->phase, "up") == 0;
}

static bool take_hint(struct look *look, const char *dir, const char *name) {
    struct pri_hint hint;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    bool found = fd >= 0 && pri_hint_read(fd, name, &hint) &&
                 (look->hash == 0 || look->hash == hint.key) && may_run(&hint);
    pri_link_close(fd);
    if (!found) {
        return false;
    }
    look->hash = hint.key;
    look->status.pid = hint.process.pid;
    look->status.start = hint.process.start;
    look->status.port = hint.port;
    look->status.generation = hint.generation;
    look->status.launched_ms = hint.since_ms;
    look->status.alive = hint.process.pid != 0;
    pri_format(look->name, sizeof look->name, "%s", name);
    pri_format(look->dir, sizeof look->dir, "%s", dir);
    return true;
}

static bool sums_up(const struct look *look) {
    return look->found != LOOK_KEPT || look->status.refs < 0 ||
           (size_t)look->status.refs + look->status.old_holders == look->holder_count;
}

static void look_once(const struct pri_ident *ident, const char *dir, bool watch,
                      int64_t deadline_ns, struct look *ret) {
    procref_error error = PROCREF_ERROR_INIT;
    *ret = (struct look){.link = -1, .hash = ident->hash};
    pri_format(ret->name, sizeof ret->name, "%s", ident->name);
    pri_format(ret->dir, sizeof ret->dir, "%s", dir);
    int code = PROCREF_E_AGAIN;
    while (ret->found == LOOK_NOTHING && code == PROCREF_E_AGAIN && pri_clock_ns() < deadline_ns) {
        code = look_ask(ident, PRI_ASK_STATUS, watch ? PRI_ASK_WATCH : 0, deadline_ns, &ret->link,
                        &error);
        if (code < 0) {
            continue;
        }
        ret->found = LOOK_SILENT;
        while (pri_link_wait(ret->link, deadline_ns) && !take_answer(ret)) {
        }
        if (ret->found == LOOK_NOTHING) { /* the end of file: that keeper went, look again */
            pri_link_close(ret->link);
            ret->link = -1;
            code = PROCREF_E_AGAIN;
            pri_link_wait(-1, pri_deadline(1));
        }
    }
    if (code == PROCREF_E_TIMEOUT) {
        ret->found = LOOK_SILENT;
    }
    if (ret->found == LOOK_SILENT) {
        look_at_listener(ret);
        take_hint(ret, dir, ident->name);
    } else if (ret->found == LOOK_NOTHING && take_hint(ret, dir, ident->name)) {
        ret->found = LOOK_UNKEPT;
    }
    if (!watch || ret->found != LOOK_KEPT) {
        pri_link_close(ret->link);
        ret->link = -1;
    }
}

void look_at(const struct pri_ident *ident, const char *dir, bool watch, int64_t deadline_ns,
             struct look *ret) {
    look_once(ident, dir, watch, deadline_ns, ret);
    for (int i = 1; i < ASKS_MOST && !sums_up(ret); i++) {
        look_free(ret);
        look_once(ident, dir, watch, deadline_ns, ret);
    }
}

int64_t look_deadline(int64_t deadline_ns) {
    int64_t least_ns = pri_deadline(LEAST_MS), most_ns = pri_deadline(LOOK_ANSWER_MS);
    return deadline_ns < least_ns ? least_ns : deadline_ns > most_ns ? most_ns : deadline_ns;
}

int look_parse(const struct cli_command *command, const struct cli_option *options,
               struct cli_target_options *wanted, int argc, char **argv, struct cli_target *ret) {
    int operands;
    int status = cli_parse(command, options, argc, argv, &operands, NULL);
    if (status >= 0) {
        return status;
    }
    int names = cli_target_names(wanted);
    if (operands > names) {
        cli_say("'%s' is one too many: see %s --help", argv[1 + names], cli_name);
        return CLI_USAGE;
    }
    wanted->name = operands > 0 ? argv[1] : NULL;
    return cli_target_find(wanted, TARGET_ASKED, ret);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void await_answers(struct look *list, size_t count, int64_t deadline_ns) {
    struct pollfd *polled = calloc(count > 0 ? count : 1, sizeof *polled);
    for (;;) {
        size_t waiting = 0;
        for (size_t i = 0; polled != NULL && i < count; i++) {
            bool waits =
                list[i].found == LOOK_SILENT && list[i].link >= 0 && !take_answer(&list[i]);
            polled[i] = (struct pollfd){.fd = waits ? list[i].link : -1, .events = POLLIN};
            waiting += waits;
        }
        if (waiting == 0 || pri_clock_ns() >= deadline_ns) {
            break;
        }
        poll(polled, count, pri_deadline_poll_ms(deadline_ns));
    }
    free(polled);
}

static bool is_listed(const struct look *list, size_t count, uint64_t hash) {
    for (size_t i = 0; i < count; i++) {
        if (list[i].hash == hash) {
            return true;
        }
    }
    return false;
}

struct all {
    struct look *list;
    size_t count;
};

static struct look *add(struct all *all) {
    struct look *more = realloc(all->list, (all->count + 1) * sizeof *more);
    if (more == NULL) {
        return NULL;
    }
    all->list = more;
    more[all->count] = (struct look){.link = -1};
    return &more[all->count++];
}

/* A hint tells of a service that nobody keeps, or of one whose keeper does not answer. */
static void use_hint(struct all *all, const char *dir, const char *stem) {
    struct look look = {.link = -1};
    if (!take_hint(&look, dir, stem)) {
        return;
    }
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].hash == look.hash && all->list[i].found == LOOK_SILENT) {
            look.found = LOOK_SILENT;
            look.stopped = all->list[i].stopped;
            look.status.standby = all->list[i].status.standby;
            all->list[i] = look;
        }
    }
    if (!is_listed(all->list, all->count, look.hash)) {
        struct look *at = add(all);
        if (at != NULL) {
            look.found = LOOK_UNKEPT;
            *at = look;
        }
    }
}

static void use_hints(struct all *all, const char *path, int depth) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char below[4096], stem[256];
        size_t length = strlen(entry->d_name);
        if (length > 5 && strcmp(entry->d_name + length - 5, ".hint") == 0) {
            pri_format(stem, sizeof stem, "%.*s", (int)length - 5, entry->d_name);
            use_hint(all, path, stem);
        } else if (depth > 0 && entry->d_name[0] != '.') {
            pri_format(below, sizeof below, "%s/%s", path, entry->d_name);
            use_hints(all, below, depth - 1); /* opendir says no to what is no folder */
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static int by_name(const void *a, const void *b) {
    const struct look *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : strcmp(x->dir, y->dir);
}

/* What is to be shown of each: who went since is left out, who seems miscounted is asked again. A
 * keeper that does not answer may have used up the time. */
static void settle(struct all *all, int64_t deadline_ns) {
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct look *look = &all->list[i];
        if (look->found == LOOK_SILENT || look->found == LOOK_FOREIGN) {
            look_at_listener(look);
        }
        pri_link_close(look->link);
        look->link = -1;
        if (!sums_up(look)) {
            struct pri_ident ident = {.user = pri_own_user(), .hash = look->hash};
            char dir[sizeof look->dir];
            memcpy(dir, look->dir, sizeof dir);
            memcpy(ident.name, look->name, sizeof ident.name);
            look_free(look);
            look_at(&ident, dir, false, look_deadline(deadline_ns), look);
        }
        if (look->found != LOOK_NOTHING) {
            all->list[kept++] = *look;
        }
    }
    all->count = kept;
}

int look_all(int64_t deadline_ns, struct look **ret_list, size_t *ret_count, procref_error *err) {
    struct all all = {0};
    uint64_t *hashes = NULL;
    size_t hash_count = 0;
    char folder[PRI_PATH_SIZE];
    int code = pri_inspect_services(&hashes, &hash_count, err);
    if (code < 0) {
        return code;
    }
    for (size_t i = 0; i < hash_count; i++) {
        struct pri_ident ident = {.user = pri_own_user(), .hash = hashes[i]};
        struct look *look = add(&all);
        if (look == NULL) {
            break;
        }
        look->hash = hashes[i];
        code = look_ask(&ident, PRI_ASK_STATUS, 0, pri_clock_ns(), &look->link, NULL);
        if (code == 0 || code == PROCREF_E_TIMEOUT) {
            look->found = LOOK_SILENT;
        }
    }
    free(hashes);
    await_answers(all.list, all.count, deadline_ns);
    settle(&all, deadline_ns);
    pri_folder_default(folder);
    use_hints(&all, folder, 1);
    if (all.count > 0) {
        qsort(all.list, all.count, sizeof *all.list, by_name);
    }
    *ret_list = all.list;
    *ret_count = all.count;
    return 0;
}

void look_suggest(const struct cli_target *target) {
    struct look *list = NULL;
    size_t count = 0, used = 0;
    char log[PRI_PATH_SIZE + 256], file[256], dir[PRI_PATH_SIZE];
    pri_file_name(target->ident.name, ".log", file);
    pri_format(log, sizeof log, "%s/%s", target->dir, file);
    if (target->unit != NULL || access(log, F_OK) == 0) {
        return; /* it has a file, or has run: its name is no mistake */
    }
    scope_canonical(target->dir, dir);
    look_all(pri_deadline(LOOK_ANSWER_MS), &list, &count, NULL);
    const char **names = calloc(count + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < count; i++) {
        bool same_scope = strcmp(list[i].dir, target->dir) == 0 || strcmp(list[i].dir, dir) == 0;
        if (same_scope) {
            names[used++] = list[i].name;
        }
    }
    const char *meant = lookup_nearest(target->ident.name, names, used);
    if (meant != NULL) {
        cli_say("no service file '%s.service'; the nearest is '%s'", target->ident.name, meant);
    }
    for (size_t i = 0; i < count; i++) {
        look_free(&list[i]);
    }
    free(list);
    free(names);
}
