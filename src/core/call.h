/*
 * Running a service's callbacks: on_first_acquire and on_recover by the client that the keeper
 * elected, on_last_release by the one that is the last. While one of these runs the register `call`
 * is 1, and the client's slot on the record page says so for the case that the set is removed.
 */
#ifndef PRI_CALL_H
#define PRI_CALL_H

#include "core/shared.h"

/* Whether this thread is inside a callback of that service: acquiring it would wait for itself. */
bool pri_call_is_inside(const struct pri_ident *ident);

/*
 * Runs on_first_acquire or on_recover, as the answer says, and reports to the keeper over link;
 * closes page in every case. 0: it is told to be ready, its answer is next. AGAIN: the keeper has
 * gone, or another was elected since; nothing of what was started runs on. FORKED: this is a child
 * of the callback, which returned from it too. Else an error: with
 * *ret_told the callback's, which the keeper has too; without it this process could not run the
 * callback, and the keeper elects another once the link is closed.
 */
int pri_call_start(struct pri_shared *shared, struct pri_terms *terms,
                   const struct pri_answer *answer, procref_waitable page, procref_waitable link,
                   int64_t deadline_ns, bool *ret_told, procref_error *err);

/* Runs on_last_release as the answer says and closes page. 0, also if it turned out that it must
 * not run, or the callback's error. */
int pri_call_last(struct pri_shared *shared, struct pri_terms *terms,
                  const struct pri_answer *answer, procref_waitable page, procref_error *err);

/* on_health_check, true if there is none. */
bool pri_call_health(struct pri_shared *shared, struct pri_terms *terms, const procref_info *info);

#endif
