/* Telling apart the kinds of readiness checks; the pattern's syntax is regcomp(3)'s. */
#include "os/ready.h"

#include <regex.h>
#include <stddef.h>
#include <string.h>

int pri_ready_parse(const char *ready, const char **ret_text) {
    static const struct {
        const char *prefix;
        enum pri_ready_kind kind;
    } kinds[] = {{"unix:", PRI_READY_UNIX}, {"exec:", PRI_READY_EXEC}, {"log:", PRI_READY_LOG}};

    *ret_text = NULL;
    if (ready == NULL) {
        return PRI_READY_NONE;
    }
    if (strcmp(ready, "notify") == 0) {
        return PRI_READY_NOTIFY;
    }
    if (strcmp(ready, "tcp") == 0) {
        return PRI_READY_TCP;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(ready, kinds[i].prefix, length) == 0 && ready[length] != '\0') {
            *ret_text = ready + length;
            return (int)kinds[i].kind;
        }
    }
    return -1;
}

bool pri_ready_valid(const char *ready) {
    const char *text;
    regex_t regex;
    int kind = pri_ready_parse(ready, &text);
    if (kind != PRI_READY_LOG) {
        return kind >= 0;
    }
    if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    regfree(&regex);
    return true;
}
