/*
 * The port contract for the rendezvous: where clients find the keeper of a service, and the
 * barrier.
 *
 * A system gives: a name in a per-machine name space that vanishes with its last holder, can be
 * taken by one holder at a time, and on which packets with the sender's verified identity and one
 * memory page can be passed. Linux: an abstract SOCK_SEQPACKET socket, bound and listening before
 * the keeper is executed; keeper and standby hold one open file description of it. Windows: a named
 * pipe whose first instance both hold (FILE_FLAG_FIRST_PIPE_INSTANCE), the page as a section
 * handle; macOS: a bootstrap name, whose receive right the keeper has and the standby gets by a
 * port-destroyed notification. Since another user may sit on a name, a short range of names is
 * tried, and whoever answers must be this user. Where a name's queue can be full, the system must
 * tell whose it is: a stranger's is passed over, this user's is waited for and keeps a second pair
 * from coming up. Where it cannot tell, a full queue is taken for this user's.
 */
#ifndef PRI_OS_RENDEZVOUS_H
#define PRI_OS_RENDEZVOUS_H

#include "core/ident.h"

/*
 * Connects to the service's keeper, looking through the whole range. 0; NOT_FOUND: nobody of this
 * user is there; AGAIN: its queue was full until the deadline; LIMIT: no descriptor.
 */
int pri_rendezvous_connect(const struct pri_ident *ident, int64_t deadline_ns,
                           procref_waitable *ret_link, procref_error *err);

/*
 * Takes a name and listens: this is the barrier. CONFLICT (no text): a pair of this user has it.
 * PERMISSION: all names are taken by others, the first by *ret_owner. Allocates nothing: it is
 * called in a child that shares its parent's memory. *ret_os and *ret_op tell of a failure.
 */
int pri_rendezvous_bind(const struct pri_ident *ident, procref_waitable *ret_listener, int *ret_os,
                        const char **ret_op, uint32_t *ret_owner);

/* Connects link, a fresh pri_rendezvous_socket(), to the listener of this very process. */
int pri_rendezvous_join(procref_waitable link, procref_waitable listener);
int pri_rendezvous_socket(procref_waitable *ret_link, procref_error *err);

/* The next connection of this user, AGAIN if there is none; strangers are hung up on. LIMIT: no
 * descriptor now. */
int pri_rendezvous_accept(procref_waitable listener, procref_waitable *ret_link);

/* One packet, never waiting: 0, or a negative code if the other end is gone or cannot take it. page
 * -1: none. */
int pri_link_send(procref_waitable link, const void *packet, size_t size, procref_waitable page);

/*
 * One packet, never waiting. Its size; 0 when the other end has closed (or broke the rules); AGAIN.
 * *ret_pid is the sender as the kernel knows it (for the keeper's side; 0 otherwise), *ret_page a
 * passed page or -1.
 */
ptrdiff_t pri_link_receive(procref_waitable link, void *packet, size_t size, uint32_t *ret_pid,
                           procref_waitable *ret_page);

/* Waits until the link is readable or the deadline passes: true if readable. Signals do not shorten
 * it. */
bool pri_link_wait(procref_waitable link, int64_t deadline_ns);

void pri_link_close(procref_waitable link);

/* Ends the connection for all who have it open: a forked child may hold a copy of the descriptor.
 */
void pri_link_hang_up(procref_waitable link);

#endif
