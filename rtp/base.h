/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - the few macros every folder may use. Nothing here allocates, logs or reads a clock. */
#ifndef RTP_BASE_H
#define RTP_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller must look at the result. */
#define MUST_CHECK __attribute__((warn_unused_result))
/* printf-like function: format string is argument f, first variadic argument is a. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* A local variable that is written before it is read, on a path where the zeroes that the build
 * puts into all others (-ftrivial-auto-var-init) would cost. */
#define UNINITIALIZED __attribute__((uninitialized))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* sys/param.h has the same two. */
#undef MIN
#undef MAX
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The struct of type T whose member m is at p. */
#define container_of(p, T, m) ((T *)(void *)((char *)(p)-offsetof(T, m)))

#define US_PER_MS 1000
#define US_PER_S  1000000

#endif
