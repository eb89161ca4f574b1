/* Mapping the record page in a client: a sealed memfd (memfd_create(2), fcntl(2) F_GET_SEALS). */
#include "os/pages.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* set_robust_list(2): at a thread's end the kernel sets this bit in the words that carry its thread
 * id. */
enum { OWNER_DIED = 0x40000000 };

static bool lives(const _Atomic uint32_t *word) {
    uint32_t value = atomic_load_explicit(word, memory_order_relaxed);
    return value != 0 && (value & OWNER_DIED) == 0;
}

bool pri_record_is_kept(const struct pri_record *record) {
    return lives(&record->keeper) || lives(&record->standby);
}

struct pri_record *pri_record_map(procref_waitable page) {
    struct stat status;
    struct pri_record *record = NULL;
    if (page < 0) {
        return NULL;
    }
    int seals = fcntl(page, F_GET_SEALS);
    if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(page, &status) == 0 &&
        status.st_size == (off_t)sizeof *record) {
        void *memory = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
        record = memory != MAP_FAILED ? memory : NULL;
    }
    close(page);
    if (record != NULL &&
        (record->magic != PRI_RECORD_MAGIC || record->layout != PRI_RECORD_LAYOUT)) {
        pri_record_unmap(record);
        record = NULL;
    }
    return record;
}

void pri_record_unmap(struct pri_record *record) {
    if (record != NULL) {
        munmap(record, sizeof *record);
    }
}
