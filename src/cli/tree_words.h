/* What P and M of run --tree (tree.h) say to each other, one word a packet. */
#ifndef CLI_TREE_WORDS_H
#define CLI_TREE_WORDS_H

enum {
    TREE_STARTED, /* M: COMMAND runs */
    TREE_STOPPED, /* M: it was stopped (Ctrl-Z) */
    TREE_ENDED,   /* M: value is its wait status */
    TREE_SIGNAL,  /* P: value is a signal for it */
};

struct tree_word {
    int what, value;
};

/* Points stdin, stdout and stderr to /dev/null; closes all others but two (-1: none) if `first` is
 * not -1. */
void tree_let_go(int first, int second);

#endif
