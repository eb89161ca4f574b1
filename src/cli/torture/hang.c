/* The witness of hangs: each call says on the board by when it must have ended. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/torture/judge.h"

/* 'T' and the like: proc_pid_stat(5); 0: no such process. */
static char state_of(pid_t pid) {
    char path[32], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    char state = 0;
    if (file != NULL) {
        fclose(file);
    }
    for (size_t i = length; i > 2; i--) {
        if (text[i - 1] == ')') {
            state = text[i + 1];
            break;
        }
    }
    return state;
}

static void tell(struct slot *slot, pid_t pid, int64_t late) {
    static struct sight sight;
    violate("hang", (int)atomic_load(&slot->arena),
            "process %d is in %s %lld ms after its deadline", (int)pid,
            slot_word(atomic_load(&slot->what)), (long long)(late + board->margin_ms));
    slot_end(slot);
    see(&sight);
    for (int i = 0; i < sight.count; i++) {
        if (sight.list[i].pid == pid) {
            signal_seen(&sight.list[i], SIGKILL); /* so that the run can go on */
        }
    }
}

bool some_call_lasts(uint32_t arena, int64_t ms) {
    int64_t begun_before = now_ms() - ms;
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &board->slots[i];
        int64_t limit = atomic_load(&slot->limit_ms);
        if (atomic_load(&slot->pid) != 0 && limit != 0 && atomic_load(&slot->arena) == arena &&
            limit - board->acquire_ms - board->margin_ms < begun_before) {
            return true;
        }
    }
    return false;
}

void look_for_hangs(struct judge *j) {
    int64_t now = now_ms();
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &board->slots[i];
        pid_t pid = atomic_load(&slot->pid);
        if (pid == 0) {
            continue;
        }
        int64_t limit = atomic_load(&slot->limit_ms);
        bool late = limit != 0 && now > limit;
        if (!late && (now / 100 + i) % 32 != 0) {
            continue; /* whether it lives is looked at now and then */
        }
        char state = state_of(pid);
        if (state == 0 || state == 'Z' || state == 'X') {
            slot_leave(slot);
        } else if (late && state == 'T') {
            atomic_compare_exchange_strong(&slot->limit_ms, &limit, now + board->margin_ms);
        } else if (late) {
            read_violations(j);
            tell(slot, pid, now - limit);
            read_violations(j);
        }
    }
}
