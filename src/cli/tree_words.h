/* What P and M of run --tree (tree.h) say to each other, one word a packet. */
#ifndef CLI_TREE_WORDS_H
#define CLI_TREE_WORDS_H

#include <signal.h>

enum {
    TREE_STARTED, /* M: COMMAND runs */
    TREE_ENDED,   /* M: value is its wait status */
    TREE_SIGNAL,  /* P: value is a signal for it */
};

struct tree_word {
    int what, value;
};

/* Adds the signals that are handed on to COMMAND, but for those that this program ignores. */
void tree_add_handed_on(sigset_t *set);

/* Points stdin, stdout and stderr to /dev/null; closes all others but two (-1: none) if `first` is
 * not -1. */
void tree_let_go(int first, int second);

#endif
