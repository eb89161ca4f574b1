/* [X-Procref]: what procref knows and systemd does not. systemd ignores sections that begin with
 * X-.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/unit/loader.h"
#include "core/fail.h"
#include "os/ready.h"

void unit_parse_ready(struct loader *l, const char *value) {
    const char *ready = *value != '\0' ? unit_specify(l, value) : NULL;
    l->set.ready = NULL;
    char expected[PRI_READY_EXPECTED];
    if (ready != NULL && !pri_ready_valid(ready, expected)) {
        unit_bad(l, ready, expected);
        return;
    }
    l->set.ready = ready;
    l->set.ready_at = unit_here(l);
}

void unit_parse_port(struct loader *l, const char *value) {
    uint64_t port = 0;
    l->set.port_auto = strcmp(value, "auto") == 0;
    const char *text = *value != '\0' ? unit_specify(l, value) : NULL;
    if (text != NULL && !l->set.port_auto &&
        (!unit_number(text, &port) || port == 0 || port > 65535)) {
        unit_bad(l, text, "a number from 1 to 65535, or auto");
        return;
    }
    l->unit->config.port = (uint16_t)port;
}

void unit_parse_linger(struct loader *l, const char *value) {
    int64_t ms = 0;
    if (*value != '\0' && (!cli_timespan(value, &ms) || ms < 0)) {
        unit_bad(l, value, "a time such as 30, 500ms or '1min 30s'");
        return;
    }
    l->unit->config.linger_ms = ms < UNIT_FOREVER_MS ? ms : UNIT_FOREVER_MS;
}

void unit_parse_export(struct loader *l, const char *value) {
    struct texts words = {0};
    if (*value == '\0') {
        l->set.exports.count = 0;
        return;
    }
    if (!unit_words(l, value, &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        if (unit_env_valid(words.list[i])) {
            texts_add(l, &l->set.exports, words.list[i]);
        } else {
            unit_find(l, UNIT_ERROR,
                      "Export=: '%.200s' is no NAME=VALUE: quote what has spaces in it",
                      words.list[i]);
        }
    }
}

/* As in systemd's Requires=, a backslash is part of a name: "it@x\x2dy". */
static const char *without_escapes(struct loader *l, const char *value) {
    char *to = unit_get(l, 2 * strlen(value) + 1);
    for (char *put = to; *value != '\0'; value++) {
        *put++ = *value;
        if (*value == '\\') {
            *put++ = *value;
        }
    }
    return to;
}

void unit_parse_requires(struct loader *l, const char *value) {
    struct texts words = {0};
    if (*value == '\0') {
        l->set.requires.count = 0;
        return;
    }
    if (!unit_words(l, without_escapes(l, value), &words)) {
        return;
    }
    for (size_t i = 0; i < words.count; i++) {
        const char *name = words.list[i];
        size_t length = strlen(name);
        if (length > 8 && strcmp(name + length - 8, ".service") == 0) {
            length -= 8;
            name = unit_copy(l, name, length);
        }
        if (length == 0 || length > 255 || strchr(name, '/') != NULL) {
            unit_bad(l, name, "names of services, such as redis or redis@test");
        } else {
            size_t count = l->set.requires.count;
            l->set.required_at = unit_grow(l, l->set.required_at, count, &l->set.required_room,
                                           sizeof *l->set.required_at);
            l->set.required_at[count] = unit_here(l);
            texts_add(l, &l->set.requires, name);
        }
    }
}

void unit_parse_health(struct loader *l, const char *value) {
    l->set.health = *value != '\0' ? unit_specify(l, value) : NULL;
}
