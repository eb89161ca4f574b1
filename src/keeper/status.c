/* What the keeper tells people who ask how it stands: copied from its state, nothing decided. */
#include <string.h>

#include "core/fail.h"
#include "keeper/keeper.h"
#include "os/clock.h"
#include "os/folder.h"

/* Until the state ends by itself. */
static int64_t left_ms(const struct pri_keeper *k) {
    int64_t until_ns;
    switch (k->machine.state) {
    case PRI_S_LINGERING: until_ns = k->linger_ns; break;
    case PRI_S_STARTING: until_ns = pri_run_start_end_ns(k); break;
    case PRI_S_WAITING: until_ns = k->back_off_ns; break;
    default: until_ns = k->end_ns;
    }
    if (until_ns == PRI_NEVER) {
        return -1;
    }
    int64_t left_ns = until_ns - pri_clock_ns();
    return left_ns > 0 ? left_ns / PRI_MS : 0;
}

static void fill_command(const struct pri_config *config, struct pri_status *status) {
    const char *text = pri_config_text(config, config->command);
    for (uint32_t i = 0; i < config->command_count; i++, text = pri_config_next(text)) {
        size_t size = strlen(text) + 1, room = sizeof status->command - status->command_size;
        size_t most = size < room ? size : room;
        memcpy(status->command + status->command_size, text, most);
        status->command_size += (uint32_t)most;
    }
    status->command[sizeof status->command - 1] = '\0';
}

/* The kept error is one that people should know of, not just the outcome of a row. */
static bool has_failed(const struct pri_machine *m) {
    switch (m->state) {
    case PRI_S_FAILING:
    case PRI_S_GAVE_UP:
    case PRI_S_REFUSING:
    case PRI_S_EXHAUSTED:
    case PRI_S_ORPHANED: return true;
    default: return m->failures > 0;
    }
}

static void copy(char *to, size_t size, const char *text) {
    pri_format(to, size, "%s", text != NULL ? text : "");
}

void pri_status_fill(const struct pri_keeper *k, struct pri_status *status) {
    const struct pri_config *config = k->pair->config;
    const struct pri_page *page = k->pair->page;
    const struct pri_machine *m = &k->machine;
    *status = (struct pri_status){
        .magic = PRI_WIRE_MAGIC,
        .version = PRI_WIRE_VERSION,
        .tell = PRI_TELL_STATUS,
        .generation = atomic_load(&page->generation), /* m's is the next one once this ends */
        .keeper = pri_own_pid(),
        .standby = k->pair->standby,
        .pid = page->main.pid,
        .alive = page->main.pid != 0 && pri_process_alive(&page->main),
        .start = page->main.start,
        .launched_ms = page->since_ms,
        .up_ms = page->up_ms,
        .linger_ms = config->linger_ms > 0 ? config->linger_ms : 0,
        .left_ms = left_ms(k),
        .refs = pri_counter_read(&k->counter, PRI_REG_REFS),
        .stamp = k->counter.id >= 0 ? pri_counter_stamp(&k->counter) : 0,
        .asking = k->clients_in[CLIENT_ASKING],
        .told = k->clients_in[CLIENT_TOLD],
        .old_holders = k->old_count,
        .restarts = page->ups > 0 ? page->ups - 1 : 0,
        .failures = m->failures,
        .error_code = has_failed(m) ? k->error.code : 0,
        .port = page->port,
        .callbacks = pri_config_has_callbacks(config),
    };
    status->refs = status->refs >= 0 ? status->refs : -1;
    copy(status->state, sizeof status->state, pri_state_name(m->state));
    copy(status->name, sizeof status->name, config->ident.name);
    copy(status->ready, sizeof status->ready, pri_config_text(config, config->ready));
    copy(status->message, sizeof status->message, has_failed(m) ? k->error.message : "");
    copy(status->dir, sizeof status->dir, pri_config_text(config, config->dir));
    fill_command(config, status);
}
