/*
 * Does an acquire cost more with many references, or many services, on the machine? The points of a
 * curve are measured in turn, block by block, up one time and down the next. What stands in for
 * "many" is said in each note:
 *
 * - 30,000 references of 30,000 processes do not fit below the usual pid_max of 32,768, so one
 * helper process adds units to the same semaphore, with undo. Up to 2,000 real processes are
 * measured as well.
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
#include <sys/socket.h>
#include <unistd.h>

enum { BLOCKS = 31, PAIRS = 2000, FRESH = 15 };

/* How many there are, the first client's reference or service among them. */
static const int references[] = {1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000},
                 real_processes[] = {1, 3, 10, 30, 100, 300, 1000, 2000},
                 service_counts[] = {1, 10, 100, 1000, 3000, 10000};
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
enum { PROCESSES = 2000, SETS = 9999, POINTS = 10 };

/* Medians of a curve's points, and the last one over the first, block by block. */
static void curve(const char *chart, const char *line, const char *unit, const int *at, int points,
                  double values[][BLOCKS], const char *ratio_what, const char *note) {
    static double ratio[BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
        ratio[block] = values[points - 1][block] / values[0][block];
    }
    report(ratio_what, "x", ratio, BLOCKS, 1.2, note);
    for (int i = 0; i < points; i++) {
        plot(chart, line, at[i]);
        report(chart, unit, values[i], BLOCKS, NO_GOAL, "");
    }
}

/* The point of a block's turn: up, then down. */
static int turn_of(int block, int turn, int points) {
    return block % 2 == 0 ? turn : points - 1 - turn;
}

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

/* Has as many units as it was last told, by a number; if it dies the kernel takes them away. */
static void add_units(int line, void *data) {
    const struct semaphore *refs = data;
    int have = 0;
    for (int wanted; recv(line, &wanted, sizeof wanted, MSG_WAITALL) == sizeof wanted;) {
        struct sembuf op = {refs->member, (short)(wanted - have), SEM_UNDO | IPC_NOWAIT};
        bool done = wanted == have || semop(refs->set, &op, 1) == 0;
        have = done ? wanted : have;
        tell(line, done ? 'k' : 'n');
    }
}

static bool tell_number(const struct child *child, int number) {
    return send(child->line, &number, sizeof number, MSG_NOSIGNAL) == sizeof number &&
           child_hear(child) == 'k';
}

static void units(procref_service *service) {
    static double ns[POINTS][BLOCKS];
    struct semaphore refs = find_refs(service);
    struct child helper = child_start(add_units, &refs);
    uint32_t most = 0;
    for (int block = 0; block < BLOCKS; block++) {
        for (int turn = 0; turn < COUNT(references); turn++) {
            int i = turn_of(block, turn, COUNT(references));
            uint32_t count;
            if (!tell_number(&helper, references[i] - 1) ||
                procref_service_count(service, &count, NULL) < 0) {
                die("the helper cannot add units");
            }
            most = count > most ? count : most;
            ns[i][block] = pairs_ns(service);
        }
    }
    child_end(&helper);
    char note[200];
    snprintf(note, sizeof note,
             "the count was %u: 1 real reference, the rest units of one helper process", most);
    curve("references", "units of one process", "ns", references, COUNT(references), ns,
          "acquire at 30,000 references over 1", note);
}

/* Over bare pairs of the same moment, since these cannot be interleaved. */
static double pairs_over_bare(procref_service *service, int bare, double *ret_bare_ns) {
    int64_t begin = now_ns();
    bare_pairs(bare, PAIRS);
    *ret_bare_ns = (double)(now_ns() - begin) / PAIRS;
    return pairs_ns(service) / *ret_bare_ns;
}

static int upwards(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void processes(struct world *world, procref_service *service) {
    static struct child holders[PROCESSES];
    static double ns[POINTS][BLOCKS], all_bare[POINTS * BLOCKS];
    int bare = bare_begin(), holding = 1, points = COUNT(real_processes);
    for (int i = 0; i < points; i++) {
        while (holding < real_processes[i]) {
            holders[holding++] = holder_start(world);
        }
        for (int block = 0; block < BLOCKS; block++) {
            ns[i][block] = pairs_over_bare(service, bare, &all_bare[i * BLOCKS + block]);
        }
    }
    for (int i = 1; i < holding; i++) {
        child_end(&holders[i]);
    }
    bare_end(bare);
    qsort(all_bare, (size_t)points * BLOCKS, sizeof *all_bare, upwards);
    for (int i = 0; i < points; i++) { /* the machine's speed at the moment is taken out of it */
        for (int block = 0; block < BLOCKS; block++) {
            ns[i][block] *= all_bare[points * BLOCKS / 2];
        }
    }
    curve("references", "real processes", "ns", real_processes, points, ns,
          "acquire at 2,000 real processes over 1",
          "each block over bare pairs of the same moment, times their median");
}

/* ---- Many services --------------------------------------------------------------------------- */

/*
 * Owns the sets, so that they go with it, also when the benchmark is interrupted. Has as many as it
 * was last told, by a number; none at the end of the line.
 */
static bool have_sets(int *sets, int *have, int wanted) {
    while (*have > 0 && *have > wanted) {
        semctl(sets[--*have], 0, IPC_RMID);
    }
    for (key_t key = 0x0be00000 + 257 * *have; *have < wanted; key += 257) {
        int id = semget(key, 11, IPC_CREAT | IPC_EXCL | 0600);
        if (id >= 0) {
            sets[(*have)++] = id;
        } else if (errno != EEXIST) {
            return false;
        }
    }
    return true;
}

static void own_sets(int line, void *data) {
    static int sets[SETS];
    int have = 0;
    (void)data;
    prctl(PR_SET_PDEATHSIG, 0); /* it outlives the others by the moment that removing takes */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (int wanted; recv(line, &wanted, sizeof wanted, MSG_WAITALL) == sizeof wanted;) {
        tell(line, have_sets(sets, &have, wanted) ? 'k' : 'n');
    }
    have_sets(sets, &have, 0);
}

static double fresh_us(const struct world *world) {
    double sum = 0;
    for (int i = 0; i < FRESH; i++) {
        sum += fresh_acquire_ns(world);
    }
    return sum / FRESH / 1e3;
}

/* With a service: a client that held before. Without: clients that are new. */
static void services(const struct world *world, const struct child *owner, procref_service *service,
                     double values[][BLOCKS]) {
    int points = COUNT(service_counts);
    for (int block = 0; block < BLOCKS; block++) {
        for (int turn = 0; turn < points; turn++) {
            int i = turn_of(block, turn, points);
            if (!tell_number(owner, service_counts[i] - 1)) {
                die("%d semaphore sets cannot be made: see /proc/sys/kernel/sem", (int)SETS);
            }
            values[i][block] = service != NULL ? pairs_ns(service) : fresh_us(world);
        }
    }
    (void)tell_number(owner, 0);
}

static const char sets_note[] =
    "9,999 semaphore sets with keys stand for the other services' kernel objects";

void bench_scale(void) {
    static double ns[POINTS][BLOCKS], us[POINTS][BLOCKS];
    struct world world;
    world_begin(&world, NULL);
    struct child owner = child_start(own_sets, NULL);
    struct child holder = holder_start(&world);
    services(&world, &owner, NULL, us);
    curve("services, first acquire", "fresh process", "us", service_counts, COUNT(service_counts),
          us, "first acquire of a fresh process at 10,000 services over 1",
          "this is where a service is looked up by its key");

    procref_service *service = must_open(&world);
    (void)pairs_ns(service); /* warm */
    services(&world, &owner, service, ns);
    curve("services", "acquire + release", "ns", service_counts, COUNT(service_counts), ns,
          "acquire at 10,000 services over 1", sets_note);
    units(service);
    processes(&world, service);

    procref_service_close(service);
    child_end(&holder);
    child_end(&owner);
    world_end(&world);
}
