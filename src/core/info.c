/* procref_info: what is known of a running service. */
#include <stdlib.h>

#include "core/shared.h"

procref_info *procref_info_copy(const procref_info *info) {
    procref_info *copy = info != NULL ? malloc(sizeof *copy) : NULL;
    if (copy != NULL) {
        *copy = (procref_info){.users = 1,
                               .generation = info->generation,
                               .process = info->process,
                               .port = info->port};
    }
    return copy;
}

procref_info *procref_info_free(procref_info *info) {
    free(info);
    return NULL;
}

uint32_t procref_info_pid(const procref_info *info) {
    return info->process.pid;
}

uint16_t procref_info_port(const procref_info *info) {
    return info->port;
}

uint64_t procref_info_generation(const procref_info *info) {
    return info->generation;
}

bool procref_info_is_alive(const procref_info *info) {
    return info->process.pid != 0 && pri_process_alive(&info->process);
}
