/*
 * Does an acquire cost more with many references, or many services, on the machine? Blocks with few
 * and with many alternate. What stands in for "many" is said in each note:
 *
 * - 30,000 references of 30,000 processes do not fit below the usual pid_max of 32,768, so one
 * helper process adds 29,999 to the same semaphore, with undo. 2,000 real processes are measured as
 * well.
 * - 10,000 services would be 20,000 keepers. The kernel's share of it is 10,000 semaphore sets with
 * keys.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <unistd.h>

enum { BLOCKS = 31, PAIRS = 2000, UNITS = 29999, PROCESSES = 2000, SETS = 9999, FRESH = 15 };

static double pairs_ns(procref_service *service) {
    int64_t begin = now_ns();
    for (int i = 0; i < PAIRS; i++) {
        must_release(must_acquire(service));
    }
    return (double)(now_ns() - begin) / PAIRS;
}

/* ---- Many references ------------------------------------------------------------------------- */

struct semaphore {
    int set;
    unsigned short member;
};

static bool read_set(int id, unsigned short *values, size_t *ret_count) {
    struct semid_ds status;
    union {
        int val;
        struct semid_ds *buf;
        unsigned short *array;
    } argument = {.buf = &status};
    if (semctl(id, 0, IPC_STAT, argument) < 0 || status.sem_nsems > 64) {
        return false;
    }
    *ret_count = status.sem_nsems;
    argument.array = values;
    return semctl(id, 0, GETALL, argument) == 0;
}

/*
 * The service's semaphore that counts references: of all sets, the one semaphore that rose by one,
 * last used by this process, when this process acquired. So the benchmark needs to know nothing of
 * the layout.
 */
static struct semaphore find_refs(procref_service *service) {
    struct semaphore found = {.set = -1};
    procref_handle *handle = must_acquire(service);
    FILE *file = fopen("/proc/sysvipc/sem", "re");
    char line[256];
    int id;
    while (file != NULL && found.set < 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned short with[64], without[64];
        size_t count;
        if (sscanf(line, "%*d %d", &id) != 1 || !read_set(id, with, &count)) {
            continue;
        }
        must_release(handle);
        (void)read_set(id, without, &count);
        handle = must_acquire(service);
        for (size_t i = 0; i < count; i++) {
            if (with[i] == without[i] + 1 && semctl(id, (int)i, GETPID) == getpid()) {
                found = (struct semaphore){.set = id, .member = (unsigned short)i};
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    must_release(handle);
    if (found.set < 0) {
        die("the semaphore of the references was not found");
    }
    return found;
}

/* On each 'm' adds the units, on each 'f' takes them away; if it dies the kernel does. */
static void add_units(int line, void *data) {
    const struct semaphore *refs = data;
    for (char word; (word = hear(line)) != 0;) {
        short change = word == 'm' ? UNITS : -UNITS;
        struct sembuf op = {refs->member, change, SEM_UNDO | IPC_NOWAIT};
        tell(line, semop(refs->set, &op, 1) == 0 ? 'k' : 0);
    }
}

static void units(procref_service *service) {
    static double ratio[BLOCKS];
    struct semaphore refs = find_refs(service);
    struct child helper = child_start(add_units, &refs);
    uint32_t most = 0;
    for (int block = 0; block < BLOCKS; block++) {
        double few = pairs_ns(service);
        child_tell(&helper, 'm');
        if (child_hear(&helper) != 'k' || procref_service_count(service, &most, NULL) < 0) {
            die("the helper cannot add units");
        }
        double many = pairs_ns(service);
        child_tell(&helper, 'f');
        (void)child_hear(&helper);
        ratio[block] = many / few;
    }
    child_end(&helper);
    char note[200];
    snprintf(note, sizeof note,
             "the count was %u: %d real references, the rest units of one helper process", most, 1);
    report("acquire at 30,000 references over 1", "x", ratio, BLOCKS, 1.2, note);
}

/* Over bare pairs of the same moment, since these cannot be interleaved. */
static double pairs_over_bare(procref_service *service, int bare) {
    int64_t begin = now_ns();
    bare_pairs(bare, PAIRS);
    double bare_ns = (double)(now_ns() - begin) / PAIRS;
    return pairs_ns(service) / bare_ns;
}

static void processes(struct world *world, procref_service *service) {
    static struct child holders[PROCESSES];
    static double few[BLOCKS], many[BLOCKS], ratio[BLOCKS];
    int bare = bare_begin();
    for (int block = 0; block < BLOCKS; block++) {
        few[block] = pairs_over_bare(service, bare);
    }
    for (int i = 0; i < PROCESSES; i++) {
        holders[i] = holder_start(world);
    }
    for (int block = 0; block < BLOCKS; block++) {
        many[block] = pairs_over_bare(service, bare);
    }
    for (int i = 0; i < PROCESSES; i++) {
        child_end(&holders[i]);
    }
    for (int block = 0; block < BLOCKS; block++) {
        few[block] = (few[block] + pairs_over_bare(service, bare)) / 2; /* before and after */
        ratio[block] = many[block] / few[block];
    }
    bare_end(bare);
    report("acquire at 2,000 real processes over 1", "x", ratio, BLOCKS, 1.2,
           "before, with, after; each block over bare pairs of the same moment");
}

/* ---- Many services --------------------------------------------------------------------------- */

/* Owns the sets, so that they go with it, also when the benchmark is interrupted. 'm': make, 'f':
 * remove. */
static bool make_sets(int *sets, int *made) {
    for (key_t key = 0x0be00000; *made < SETS; key += 257) {
        int id = semget(key, 11, IPC_CREAT | IPC_EXCL | 0600);
        if (id >= 0) {
            sets[(*made)++] = id;
        } else if (errno != EEXIST) {
            return false;
        }
    }
    return true;
}

static void own_sets(int line, void *data) {
    static int sets[SETS];
    int made = 0;
    (void)data;
    prctl(PR_SET_PDEATHSIG, 0); /* it outlives the others by the moment that removing takes */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    char word;
    do {
        word = hear(line);
        bool done = word != 'm' || make_sets(sets, &made);
        while ((word != 'm' || !done) && made > 0) {
            semctl(sets[--made], 0, IPC_RMID);
        }
        tell(line, done ? 'k' : 'n');
    } while (word != 0);
}

static double fresh_ns(const struct world *world) {
    double sum = 0;
    for (int i = 0; i < FRESH; i++) {
        sum += fresh_acquire_ns(world);
    }
    return sum / FRESH;
}

static void change_sets(const struct child *owner, char word) {
    child_tell(owner, word);
    if (child_hear(owner) != 'k') {
        die("%d semaphore sets cannot be made: see /proc/sys/kernel/sem", (int)SETS);
    }
}

static void services(const struct child *owner, procref_service *service) {
    static double ratio[BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
        double few = pairs_ns(service);
        change_sets(owner, 'm');
        double many = pairs_ns(service);
        change_sets(owner, 'f');
        ratio[block] = many / few;
    }
    report("acquire at 10,000 services over 1", "x", ratio, BLOCKS, 1.2,
           "9,999 semaphore sets with keys stand for the other services' kernel objects");
}

static void fresh_services(struct world *world, const struct child *owner) {
    static double ratio[BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
        double few = fresh_ns(world);
        change_sets(owner, 'm');
        double many = fresh_ns(world);
        change_sets(owner, 'f');
        ratio[block] = many / few;
    }
    report("first acquire of a fresh process at 10,000 services over 1", "x", ratio, BLOCKS, 1.2,
           "the same sets; this is where a service is looked up by its key");
}

void bench_scale(void) {
    struct world world;
    world_begin(&world, NULL);
    struct child owner = child_start(own_sets, NULL);
    struct child holder = holder_start(&world);
    fresh_services(&world, &owner);

    procref_service *service = must_open(&world);
    (void)pairs_ns(service); /* warm */
    services(&owner, service);
    units(service);
    processes(&world, service);

    procref_service_close(service);
    child_end(&holder);
    child_end(&owner);
    world_end(&world);
}
