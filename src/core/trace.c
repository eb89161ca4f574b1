/* The trace file and, in builds for tests, the crash points and faults that the environment asks
 * for. */
#include "core/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crash.h"
#include "core/fail.h"
#include "os/clock.h"
#include "os/folder.h"

_Atomic bool pri_tracing;
static char trace_path[1024];
static const char *_Atomic trace_role = "";
static _Atomic bool begun;

void pri_trace_begin(const char *role) {
    atomic_store(&trace_role, role);
    if (atomic_exchange(&begun, true)) {
        return;
    }
    const char *path = pri_environment("PROCREF_TRACE");
    if (path != NULL && path[0] != '\0' && strlen(path) < sizeof trace_path) {
        memcpy(trace_path, path, strlen(path) + 1);
        atomic_store(&pri_tracing, true);
    }
}

void pri_trace_line(const char *format, ...) {
    int saved = errno;
    char line[640];
    int64_t now = pri_clock_ns();
    pri_format(line, sizeof line, "%lld.%06lld %u %s ", (long long)(now / 1000000000),
               (long long)(now % 1000000000 / 1000), pri_own_pid(), trace_role);
    size_t length = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + length, sizeof line - length - 1, format, args);
    va_end(args);
    length = strlen(line);
    line[length] = '\n';
    pri_append_line(trace_path, line, length + 1);
    errno = saved;
}

#ifdef PRI_CRASH_POINTS
bool pri_fault(const char *name) {
    const char *wanted = getenv("PROCREF_FAULT");
    return wanted != NULL && strcmp(wanted, name) == 0;
}

void pri_crash_point(const char *name) {
    const char *plan = getenv("PROCREF_CRASH");
    size_t length = strlen(name);
    while (plan != NULL && *plan != '\0') {
        const char *end = strchr(plan, ';');
        size_t size = end != NULL ? (size_t)(end - plan) : strlen(plan);
        char file[512];
        if (size > length + 1 && memcmp(plan, name, length) == 0 && plan[length] == '@' &&
            size - length - 1 < sizeof file) {
            memcpy(file, plan + length + 1, size - length - 1);
            file[size - length - 1] = '\0';
            if (pri_claim_file(file)) {
                PRI_TRACE("killed at the crash point %s", name);
                pri_kill_self();
            }
        }
        plan = end != NULL ? end + 1 : NULL;
    }
}
#endif
