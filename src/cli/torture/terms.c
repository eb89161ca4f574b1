/* What the service of an arena is like in a round: by the seed, so every process knows it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>

#include "cli/torture/torture.h"

struct terms terms_of(uint32_t arena, uint32_t round) {
    struct dice dice = dice_of(board->seed, 1000 + arena, round);
    static const enum torture_kind kinds[] = {KIND_TCP,       KIND_TCP,           KIND_NOTIFY,
                                              KIND_NOTIFY,    KIND_RUNNING,       KIND_RUNNING,
                                              KIND_CALLBACKS, KIND_CALLBACKS_STOP};
    struct terms terms = {.kind = kinds[roll(&dice, sizeof kinds / sizeof kinds[0])]};
    terms.linger_ms = chance(&dice, 35) ? 10 + roll(&dice, 200) : 0;
    terms.stop_timeout_ms = 2000;
    terms.start_delay_ms = chance(&dice, 50) ? roll(&dice, 60) : 0;
    terms.child = chance(&dice, 40) && !terms_call_back(&terms);
    terms.stubborn = chance(&dice, 15);
    terms.fails = !chance(&dice, 20) ? 0 : chance(&dice, 25) ? 100 : 30;
    terms.stop_delay_ms = chance(&dice, 40) ? roll(&dice, 150) : 0;
    if (terms.kind == KIND_CALLBACKS_STOP) {
        terms.linger_ms = 0; /* on_last_release and a linger exclude each other */
        terms.gentle = chance(&dice, 50);
        terms.fails = terms.gentle ? 0 : terms.fails;
    }
    terms.another = chance(&dice, 25) && !terms_call_back(&terms);
    if (terms.stubborn) {
        terms.stop_timeout_ms = 300;
    }
    return terms;
}

bool terms_call_back(const struct terms *terms) {
    return terms->kind == KIND_CALLBACKS || terms->kind == KIND_CALLBACKS_STOP;
}

bool terms_ready(const struct terms *terms) {
    return terms->kind != KIND_RUNNING;
}

socklen_t terms_socket(pid_t pid, struct sockaddr_un *to) {
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length =
        snprintf(to->sun_path + 1, sizeof to->sun_path - 1, "procref-%s/%d", board->run, (int)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

void terms_name(uint32_t arena, char *to, size_t size) {
    snprintf(to, size, "%s.%u", board->run, (unsigned)arena);
}

void role_words(struct role_words *words, const char *role, const char *more) {
    int count = 0;
    static const char *const fixed[] = {"torture", "--role"};
    memset(words, 0, sizeof *words);
    words->argv[count++] = board_self;
    for (size_t i = 0; i < 2; i++) {
        words->argv[count++] = fixed[i];
    }
    words->argv[count++] = role;
    words->argv[count++] = "--dir";
    snprintf(words->dir, sizeof words->dir, "%s", board_dir);
    words->argv[count++] = words->dir;
    while (*more != '\0' && count < ROLE_WORDS) {
        size_t length = strcspn(more, " ");
        snprintf(words->text[count], ROLE_WORD, "%.*s", (int)length, more);
        words->argv[count] = words->text[count];
        count++;
        more += length + (more[length] == ' ');
    }
}

int terms_open(uint32_t arena, uint32_t round, bool another, procref_service **ret_service,
               procref_error *err) {
    struct terms terms = terms_of(arena, round);
    struct role_words words;
    char name[64], base[PATH_ROOM], more[128];
    terms_name(arena, name, sizeof name);
    snprintf(base, sizeof base, "%s", board_path("base"));
    procref_service_config config = PROCREF_SERVICE_CONFIG_INIT;
    config.name = name;
    config.base_dir = base;
    config.stop_timeout_ms = terms.stop_timeout_ms;
    config.linger_ms = terms.linger_ms;
    if (terms_call_back(&terms)) {
        callbacks_fill(&config, arena, round);
        return procref_service_open(&config, ret_service, err);
    }
    snprintf(more, sizeof more, "arena=%u round=%u%s%s", (unsigned)arena, (unsigned)round,
             terms.kind == KIND_TCP ? " port=${PORT}" : "", another ? " another=1" : "");
    role_words(&words, "service", more);
    config.command = words.argv;
    config.ready = terms.kind == KIND_TCP ? "tcp" : terms.kind == KIND_NOTIFY ? "notify" : NULL;
    return procref_service_open(&config, ret_service, err);
}
