/*
 * run --tree: the service is held until every descendant of COMMAND has ended, for commands that go
 * to the background. Three processes then:
 *
 *     P  the one that was called: hands signals on, ends as COMMAND ended and when it did
 *     M  holds the reference; a subreaper, so that orphans become its children
 *     C  COMMAND
 *
 * A forked child holds nothing of its parent's, so M is forked first and acquires itself. All are
 * in one process group, for the terminal's sake; M is deaf to what the terminal sends.
 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <signal.h>
#include <sys/types.h>

struct tree {
    int line;                  /* between P and M */
    pid_t caller;              /* P */
    sigset_t mask;             /* as this program was called, and so for C */
    struct sigaction on_child; /* the same of SIGCHLD */
};

/* Forks M and returns there: -1. In P it never returns. Otherwise the exit status. */
int tree_split(struct tree *tree);

/* In M, once it holds: starts C; ends when nothing of it is left. It never returns. */
_Noreturn void tree_run(struct tree *tree, char **argv, int (*become)(char **argv));

#endif
