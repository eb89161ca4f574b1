/*
 * What a bystander can see of procref: processes in /proc, semaphore sets in /proc/sysvipc/sem,
 * abstract sockets in /proc/net/unix. Nothing here asks procref.
 */
#ifndef TEST_LOOK_H
#define TEST_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOOK_MAX = 4096 };

struct process_seen {
    pid_t pid, parent;
    char state;
    uint64_t start;
};

/* False if there is no such process. */
bool look_process(pid_t pid, struct process_seen *ret);

/* All processes but zombies whose argv is `procref-keeper NAME`; returns how many. */
size_t look_keepers(const char *name, struct process_seen *to, size_t max);

/* The keeper: the one whose parent is also one of them, or the only one there is. 0 if none. */
pid_t look_keeper(const char *name);
/* The keeper's parent; 0 if there are not two. */
pid_t look_standby(const char *name);

/* argv of a process, its zero bytes as blanks; "" for a zombie. */
void look_command_line(pid_t pid, char *to, size_t size);

/* A line "key:<blanks>value" of /proc/PID/status; false if there is none. */
bool look_status(pid_t pid, const char *key, char *to, size_t size);

/* Calls `each` for every process that is not a zombie. */
void look_processes(void (*each)(pid_t pid, void *context), void *context);

struct set_seen {
    int id;
    uint32_t key;
    unsigned registers;
    uid_t owner;
    unsigned mode;
};

/* All sets of this user's (all: of everybody). */
size_t look_sets(struct set_seen *to, size_t max, bool all);

/* The process that last changed register `index`; -1 if the set is gone. */
pid_t look_set_user(int id, unsigned index);

/* Its value; -1 if the set is gone. */
int look_set_value(int id, unsigned index);

/* The inodes of the abstract sockets that are bound to a name which begins with "procref/", and
 * their names if names is not NULL. Connections are not among them. */
size_t look_sockets(unsigned long *inodes, char (*names)[108], size_t max);

/* The process that has the socket open; 0 if nobody has. */
pid_t look_socket_owner(unsigned long inode);

#endif
