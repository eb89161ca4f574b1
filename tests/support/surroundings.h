/* What a helper program does to itself before it uses procref: limits, filters, namespaces,
 * signals. Each function returns NULL, or the name of the call that failed (errno tells why). */
#ifndef TEST_SURROUNDINGS_H
#define TEST_SURROUNDINGS_H

#include <stddef.h>

/* words[0] is the verb: nice N, umask OCTAL, chdir PATH, setsid, setenv K=V, unsetenv K, ignore
 * SIGNAL, block SIGNAL, rlimit NAME N, oom_score_adj N, setuid N, setfsuid N, unshare
 * ipc|net|user|mount, alarm MICROSECONDS, seccomp, sysctl PATH VALUE, tmpfs PATH SIZE, fill PATH,
 * files_open N, descriptors_left N, crawl, spin MS. *ret_known becomes 0 if the verb is none of
 * these. */
const char *surroundings_change(char *const *words, size_t count, int *ret_known);

#endif
