/*
 * Callback services in helper programs: the client's own functions start and stop the helper
 * service. Settings (words of `open`; the service's arguments are arg=…, ${PORT} is replaced by a
 * port that is picked):
 *
 *   callbacks=1               on_first_acquire and on_last_release; last=0: without the second
 *   careful=1                 what is forked runs the service only once it was named, and ends if
 *                             its client ends before
 *   leave=1                   on_last_release leaves the process running
 *   health=FILE               on_health_check says no while FILE exists
 *   heal=1                    on_first_acquire takes FILE away
 *   recover=new|keep|nothing  on_recover takes FILE away, and replaces the process, or keeps it if
 *                             it lives
 *   mount=DIR                 no process: a folder is made and removed
 *   gate=WHERE:FIFO           waits there until somebody opens FIFO for writing
 *   fail=WHERE:CODE:TEXT or fail=WHERE:NUMBER
 *                             first, last, recover: fails at its end
 *   metadata=KEY:VALUE, metadata_size=N
 *                             what it says of the service ("big" is N bytes of x)
 *   inside=WHERE:same|command|other
 *                             first, last, recover, health: acquires the same service (by
 *                             functions, by a command) or another from within
 *   fingerprint=TEXT
 *
 * WHERE: first-begin, first-forked (before it is named), first-named, first-end, the same with
 * recover-, last-begin, last-end. Each begin, end and gate is a line in the file of --events, as
 * the service's own events are, and so is "forked PID".
 */
#ifndef TEST_CALLBACKS_H
#define TEST_CALLBACKS_H

#include "procref/procref.h"

/* Takes the functions into config if the words ask for them; its command is theirs then. */
void callbacks_configure(procref_service_config *config, char **words, size_t count,
                         const char *const *command);

#endif
