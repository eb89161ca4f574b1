/* What an unfriendly user does to names that are not his: squat_key KEY [UID], free_key KEY,
 * squat_socket @NAME, squat_stream @NAME, connect_socket @NAME, fill_socket @NAME, signal PID
 * SIGNAL. Returns as surroundings_change(). */
#ifndef TEST_SQUATTING_H
#define TEST_SQUATTING_H

#include <stddef.h>

const char *squatting_do(char *const *words, size_t count, int *ret_known);

#endif
