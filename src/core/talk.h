/* A client's side of a conversation with the keeper: requests made, answers checked. */
#ifndef PRI_TALK_H
#define PRI_TALK_H

#include "core/shared.h"

/* Fills everything but what belongs to one kind of request. */
void pri_talk_fill(struct pri_request *request, struct pri_shared *shared, enum pri_ask ask);

/*
 * One answer, waited for until the deadline: its size; 0 when the keeper has gone; AGAIN when the
 * deadline passed; CONFLICT, with a text, if it is another version's. *ret_page is a passed page or
 * -1.
 */
ptrdiff_t pri_talk_receive(procref_waitable link, int64_t deadline_ns, const char *name,
                           struct pri_answer *answer, procref_waitable *ret_page,
                           procref_error *err);

/* The error that a FAILED carries. Returns its code. */
int pri_talk_refused(const struct pri_answer *answer, procref_error *err);

#endif
