/* SipHash-2-4 with a fixed key: names and configurations become numbers. Not a defence against
 * collisions made on purpose by this very user; the full name is compared wherever it matters. */
#ifndef PRI_HASH_H
#define PRI_HASH_H

#include <stddef.h>
#include <stdint.h>

/* seed chains several parts: pri_hash(pri_hash(0, a), b) differs from the hash of the bytes joined.
 */
uint64_t pri_hash(uint64_t seed, const void *data, size_t length);
uint64_t pri_hash_text(uint64_t seed, const char *text); /* NULL differs from "" */

#endif
