/* Noticing a fork by MADV_WIPEONFORK: costs a load on the hot path, and sees raw clone(2) too. */
#include "os/fork.h"

#include <sys/mman.h>
#include <unistd.h>

_Atomic(_Atomic uint32_t *) pri_fork_mark;
static _Atomic uint32_t
    last_epoch; /* survives a fork, so no number comes twice in a line of descent */
static _Atomic uint32_t fallback_pid; /* without wiping: the pid that the epoch belongs to */
static _Atomic uint32_t fallback_epoch;

static _Atomic uint32_t *make_mark(void) {
    long size = sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    if (madvise(page, (size_t)size, MADV_WIPEONFORK) < 0) {
        munmap(page, (size_t)size);
        return NULL;
    }
    _Atomic uint32_t *expected = NULL;
    if (!atomic_compare_exchange_strong(&pri_fork_mark, &expected, (_Atomic uint32_t *)page)) {
        munmap(page, (size_t)size);
        return expected;
    }
    return page;
}

/* A kernel before 4.14, or gVisor: a system call each time. */
static uint32_t epoch_by_pid(void) {
    uint32_t pid = (uint32_t)getpid();
    if (atomic_load(&fallback_pid) != pid) {
        atomic_store(&fallback_epoch, atomic_fetch_add(&last_epoch, 1) + 1);
        atomic_store(&fallback_pid, pid);
    }
    return atomic_load(&fallback_epoch);
}

uint32_t pri_fork_new_epoch(void) {
    _Atomic uint32_t *page = atomic_load(&pri_fork_mark);
    if (page == NULL) {
        page = make_mark();
    }
    if (page == NULL) {
        return epoch_by_pid();
    }
    uint32_t expected = 0, fresh = atomic_fetch_add(&last_epoch, 1) + 1;
    return atomic_compare_exchange_strong(page, &expected, fresh) ? fresh : expected;
}
