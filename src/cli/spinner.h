/*
 * A sign of life while a service starts. Nothing for half a second; then, on a terminal, one line
 * that turns, counts and is erased in the end; elsewhere one line.
 */
#ifndef CLI_SPINNER_H
#define CLI_SPINNER_H

#include "cli/target.h"

struct cli_spinner {
    enum { SPINNER_OFF, SPINNER_LINE, SPINNER_TURNS } kind;
    int64_t begin_ns, next_ns;
    unsigned turn;
    bool drawn, utf8, colour;
    bool described, before; /* what is said; before: that an earlier life still ends */
    const struct cli_target *target;
    char what[256];
};

void cli_spinner_begin(struct cli_spinner *spinner, const struct cli_target *target, bool quiet);

/* How long until cli_spinner_turn() has something to do, for poll(2); -1: never. */
int cli_spinner_wait_ms(const struct cli_spinner *spinner);
void cli_spinner_turn(struct cli_spinner *spinner);

/* Erases what it has drawn. */
void cli_spinner_end(struct cli_spinner *spinner);

#endif
