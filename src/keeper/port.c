/* Which port a service gets, if it wants one that is free. */
#include <string.h>

#include "keeper/keeper.h"
#include "os/port.h"

enum { PORT_TRIES = 5 };

static bool wants_port(const struct pri_config *config) {
    const struct pri_plan_block *plan = pri_config_plan(config);
    if (plan != NULL) {
        return plan->wants_port;
    }
    const char *ready = pri_config_text(config, config->ready);
    if (ready != NULL && (strcmp(ready, "tcp") == 0 || strstr(ready, "${PORT}") != NULL)) {
        return true;
    }
    const char *text = pri_config_text(config, config->command);
    for (uint32_t i = 0; i < config->command_count; i++, text = pri_config_next(text)) {
        if (strstr(text, "${PORT}") != NULL) {
            return true;
        }
    }
    text = pri_config_text(config, config->environment);
    for (uint32_t i = 0; i < config->environment_count; i++, text = pri_config_next(text)) {
        if (strstr(text, "${PORT}") != NULL) {
            return true;
        }
    }
    return false;
}

static bool port_is_picked(const struct pri_keeper *k) {
    return k->pair->config->port == 0 && k->port != 0;
}

/* One that is started anew keeps its port while that is free: its holders have it in their
 * environment. */
static bool port_stays(const struct pri_keeper *k) {
    const struct pri_page *page = k->pair->page;
    return page->port != 0 && k->port_tries == 0 &&
           memcmp(page->parts, k->pair->config->parts, sizeof page->parts) == 0 &&
           !pri_port_is_taken(page->port);
}

void pri_port_choose(struct pri_keeper *k) {
    k->port = k->pair->config->port;
    if (k->port == 0 && wants_port(k->pair->config)) {
        k->port = port_stays(k) ? k->pair->page->port : pri_port_pick();
    }
}

/* The service ended before it was ready: because somebody else took the port that we had picked? */
bool pri_port_was_lost(const struct pri_keeper *k) {
    return port_is_picked(k) && k->port_tries + 1 < PORT_TRIES && pri_port_is_taken(k->port);
}
