/*
 * The port contract for a service's whole tree of processes, daemonised ones included.
 *
 * A system gives some way to name "everything that this service started": ancestry below a pair of
 * subreapers on Linux, a job object on Windows, ancestry and the token on macOS. What belongs to
 * another service's keeper (its environment carries PRI_KEEPER_MARK, or another service's token) is
 * not part of the tree, nor is anything below it: a service may itself be a client that started
 * another service.
 */
#ifndef PRI_OS_TREE_H
#define PRI_OS_TREE_H

#include "os/process.h"

/* What the environment of every keeper and standby has an entry of, and no service's ever has. */
#define PRI_KEEPER_MARK "PROCREF_KEEPER="

struct pri_tree {
    uint32_t keeper;  /* descendants of these two belong to the tree, they themselves do not; */
    uint32_t standby; /* 0 if the standby is dead */
    struct pri_process main; /* the service's first process, pid 0 if none is known */
    const char *token; /* "PROCREF_TOKEN=…" as it stands in the environment of all of the tree */
    const struct pri_process
        *roots; /* members that are known already, with all below them; or NULL */
    int roots_count;
    const struct pri_process *asked; /* what had its polite signal already; or NULL */
    int asked_count;
    bool scattered; /* a keeper or standby died since the service was started: ancestry may be
                       broken, so look for carriers of the token in the whole system too */
};

/*
 * Sends signal (0: none, only looks) to the processes of the tree that live now and returns how
 * many it found alive (zombies are not). *ret_one becomes one of them, to watch, pid 0 if none.
 * Identity is verified between finding and signalling. The result is a snapshot: what forks
 * meanwhile shows at the next call (SIGKILL chases it for a few rounds). A polite signal is not
 * sent to what was asked already; after it SIGCONT is sent too, so that a stopped process hears of
 * it. What refuses our signals (a program that runs as another user) is counted all the same.
 */
int pri_tree_signal(const struct pri_tree *tree, int signal, struct pri_process *ret_one);

/* The same, without a signal: fills list with what lives now, at most `most`, and returns how many.
 */
int pri_tree_list(const struct pri_tree *tree, struct pri_process *list, int most);

/* Whether pid is main or another process of the tree; one that ended but was not reaped yet still
 * counts. */
bool pri_tree_contains(const struct pri_tree *tree, uint32_t pid);

/* The identity of pid, if it is a living process of the tree: what is said of it is believed. */
bool pri_tree_identify(const struct pri_tree *tree, uint32_t pid, struct pri_process *ret_process);

/* Whether a process of the tree has a socket open that listens on 127.0.0.1:port (or on any
 * address). True too when the system does not let us look (a service that changed its user). */
bool pri_tree_listens(const struct pri_tree *tree, uint16_t port);

/* Looks through all processes of this user for a carrier of token whose parent does not carry it:
 * the first process of a service whose keepers are all dead. False if there is none. */
bool pri_tree_find_by_token(const char *token, struct pri_process *ret_main);

#endif
