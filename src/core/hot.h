/*
 * The mark of the hot path: acquire and release while the service is up.
 *
 * Measured (bench/parts.c, an AMD EPYC): a function that is called before the system call and
 * returns after it costs 10 ns, as if the processor's return predictor did not survive the kernel.
 * One that begins and ends on the same side costs next to nothing. So each function between the
 * public one and its system call bears this mark and becomes part of it; what they call besides
 * needs none. The build compiles their files as one (PROCREF_HOT_SOURCES in cmake/Sources.cmake);
 * one by one they do the same, slower.
 */
#ifndef PRI_HOT_H
#define PRI_HOT_H

/* At the definition only: the declaration in a header has no `inline`, so other files can call the
 * function as any other (C11 6.7.4). GCC wants the word, clang takes it for a mistake there. */
#ifdef __clang__
#define PRI_HOT __attribute__((always_inline))
#else
#define PRI_HOT inline __attribute__((always_inline))
#endif

#endif
