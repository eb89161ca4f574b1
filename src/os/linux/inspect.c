/* Looking around on Linux: /proc/net/unix and /proc/PID (proc(5)). */
#include "os/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/fail.h"
#include "os/folder.h"
#include "os/linux/diag.h"

enum { ACCEPTS = 0x10000 }; /* __SO_ACCEPTCON: it listens; connections carry its name as well */

/* "Num RefCount Protocol Flags Type St Inode Path"; the path "@procref/UID/HASH/PROBE". */
static bool is_ours(const char *line, uint32_t user, uint64_t *ret_hash) {
    unsigned flags, owner, probe;
    int end = -1;
    if (sscanf(line, "%*s %*x %*x %x %*x %*x %*u @procref/%u/%16" SCNx64 "/%u%n", &flags, &owner,
               ret_hash, &probe, &end) < 4 ||
        end < 0 || (line[end] != '\n' && line[end] != '\0')) {
        return false;
    }
    return (flags & ACCEPTS) != 0 && owner == user;
}

static bool add(uint64_t **list, size_t *count, uint64_t hash) {
    for (size_t i = 0; i < *count; i++) {
        if ((*list)[i] == hash) {
            return true; /* somebody else sits on another name of the range */
        }
    }
    if ((*count & (*count + 1)) == 0 || *list == NULL) {
        uint64_t *more = realloc(*list, 2 * (*count + 1) * sizeof **list);
        if (more == NULL) {
            return false;
        }
        *list = more;
    }
    (*list)[(*count)++] = hash;
    return true;
}

int pri_inspect_services(uint64_t **ret_hashes, size_t *ret_count, procref_error *err) {
    uint64_t *list = NULL;
    size_t count = 0, room = 0;
    char *line = NULL;
    int code = 0;
    FILE *file = fopen("/proc/net/unix", "re");
    if (file == NULL) {
        int os = errno;
        return pri_fail(err, PROCREF_E_PLATFORM, os, "fopen",
                        "cannot read /proc/net/unix, which lists the services");
    }
    while (code == 0 && getline(&line, &room, file) >= 0) {
        uint64_t hash;
        if (is_ours(line, pri_own_user(), &hash) && !add(&list, &count, hash)) {
            code = pri_fail(err, PROCREF_E_NO_MEMORY, 0, "realloc", "no memory to list services");
        }
    }
    free(line);
    fclose(file);
    if (code < 0) {
        free(list);
        return code;
    }
    *ret_hashes = list;
    *ret_count = count;
    return 0;
}

uint32_t pri_inspect_listener(procref_waitable link) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(link, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (uint32_t)peer.pid : 0;
}

int64_t pri_inspect_owner(procref_waitable listener) {
    struct sockaddr_un address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        return -1;
    }
    return pri_diag_unix_owner(SOCK_SEQPACKET, address.sun_path,
                               size - offsetof(struct sockaddr_un, sun_path));
}

/* The first process id in a line of stat is followed by the name in parentheses, then the state. */
static bool read_stat(uint32_t pid, char name[32], char *ret_state) {
    char path[48], text[512];
    pri_format(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
    if (pri_read_text(path, text, sizeof text) <= 0) {
        return false;
    }
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close < open || close[1] != ' ') {
        return false;
    }
    pri_format(name, 32, "[%.*s]", (int)(close - open - 1), open + 1);
    *ret_state = close[2];
    return true;
}

ptrdiff_t pri_inspect_command(uint32_t pid, char *to, size_t size) {
    char path[48], name[32], state;
    pri_format(path, sizeof path, "/proc/%u/cmdline", (unsigned)pid);
    ptrdiff_t length = pri_read_text(path, to, size);
    if (length > 0) {
        bool ended = to[length - 1] == '\0';
        return ended ? length : length + 1;
    }
    if (!read_stat(pid, name, &state)) {
        return -1;
    }
    pri_format(to, size, "%s", name);
    return (ptrdiff_t)strlen(to) + 1;
}

bool pri_inspect_is_stopped(uint32_t pid) {
    char name[32], state;
    return read_stat(pid, name, &state) && (state == 'T' || state == 't');
}
