/*
 * The benchmarks: what they share. Each group of figures is measured in a process of its own,
 * forked before it has used procref, and sends its results to the runner (main.c), which prints the
 * table and the JSON.
 *
 * Two things are compared only in interleaved blocks of one sitting; a ratio is the median of the
 * ratios of the blocks, so what slows the machine down for a while slows both sides.
 */
#ifndef BENCH_H
#define BENCH_H

#include <procref/procref.h>

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- Results --------------------------------------------------------------------------------- */

struct result {
    char group[24], what[96], unit[12];
    double median, low, high; /* quartiles; all three the same for a figure that is counted once */
    double goal;              /* at most this; negative: none, it is there to compare with */
    char note[240];
    char said[80];            /* words in place of a figure: "never", "not measured: no cargo" */
    char chart[24], line[40]; /* where it stands in a plot; "" if in none */
    double x;                 /* of a curve; 0: a bar */
};

/* Sends a result to the runner. values are sorted in place. A quantile of 0.5 is the median. */
void report(const char *what, const char *unit, double *values, size_t count, double goal,
            const char *note);
void report_quantile(const char *what, const char *unit, double *values, size_t count,
                     double quantile, double goal, const char *note);
void report_one(const char *what, const char *unit, double value, double goal, const char *note);
void report_words(const char *what, const char *said, const char *note);

/* Puts the next result into a plot (plot.py): as a bar, or with x > 0 as a point of a curve. */
void plot(const char *chart, const char *line, double x);

enum { NO_GOAL = -1 };

/* ---- Groups ---------------------------------------------------------------------------------- */

void bench_hot(void);   /* hot.c: acquire and release while the service is up */
void bench_crate(void); /* crate.c: the same work beside the Rust crate */
void bench_scale(void); /* scale.c: the same with many references, many services */
void bench_start(void); /* start.c: cold starts */
void bench_stop(void);  /* stop.c: from SIGKILL to the stop signal */
void bench_idle(void);  /* idle.c: what a running pair costs */
void bench_herd(void);  /* herd.c: up to 1,000 clients at once */
void bench_parts(void); /* parts.c: what the hot path's parts cost; only when asked for */
void bench_raw(void);   /* raw.c: the raw counter */
void bench_run(void);   /* run.c: what `procref run` adds to a command, beside flock(1) */

/* ---- Tools (world.c) ------------------------------------------------------------------------- */

int64_t now_ns(void);

/* Ends the group with a message: a benchmark that goes wrong has no figures. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The running service's tidings: its start and its stop signal, in its own words through a FIFO. */
struct tiding {
    char what; /* 'b' begins, 's' is told to stop */
    int64_t when_ns;
};

struct world {
    char folder[PATH_MAX / 2], fifo_path[PATH_MAX], service_path[PATH_MAX], name[32];
    int fifo; /* both ends: never an end of file, never a writer that blocks */
    const char *command[4];
    procref_service_config config;
};

/* A folder, a service's configuration (ready: NULL or "tcp") and its FIFO. */
void world_begin(struct world *world, const char *ready);
void world_end(struct world *world);

/* Waits for the next tiding. False after timeout_ms. */
bool world_hear(const struct world *world, struct tiding *ret_tiding, int timeout_ms);

/* A service opened and acquired, or the end of this group. */
procref_handle *must_acquire(procref_service *service);
procref_service *must_open(const struct world *world);
void must_release(procref_handle *handle);

/* A forked process with a line to it: child() runs there; then it exits. Lines are single bytes. */
struct child {
    pid_t pid;
    int line;
};
struct child child_start(void (*run)(int line, void *data), void *data);
void child_tell(const struct child *child, char word);
char child_hear(const struct child *child); /* 0: the child has ended */
void child_end(struct child *child);        /* ends the line and waits */

char hear(int line); /* the child's side; 0: the parent ended it */
void tell(int line, char word);

/* A child that holds the service until it is ended. Returns once it holds. */
struct child holder_start(const struct world *world);

/* Nanoseconds of open and acquire in a process that has never used procref. The service must be up.
 */
double fresh_acquire_ns(const struct world *world);

/* A bare set of one semaphore and the pair that all is compared with. */
int bare_begin(void);
void bare_pairs(int set, int pairs);
void bare_end(int set);

#endif
