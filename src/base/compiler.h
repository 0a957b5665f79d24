/* compiler.h - what the compiler can be told, under names of our own. */
#ifndef PL_BASE_COMPILER_H
#define PL_BASE_COMPILER_H

#include <stddef.h>
#include <string.h>

#define PL_LIKELY(x) __builtin_expect(!!(x), 1)
#define PL_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PL_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PL_MAX(a, b) ((a) > (b) ? (a) : (b))

#define PL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define PL_NODISCARD __attribute__((warn_unused_result))
#define PL_NORETURN __attribute__((noreturn))
#define PL_NOINLINE __attribute__((noinline))
#define PL_INLINE static inline __attribute__((always_inline, unused))
#define PL_COLD __attribute__((cold))
/* clang goes on counting calls and returns for TSan unless it is told more. */
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define PL_NO_SANITIZE                                                         \
    __attribute__((disable_sanitizer_instrumentation,                          \
                   no_sanitize("address", "undefined")))
#else
#define PL_NO_SANITIZE                                                         \
    __attribute__((no_sanitize("address", "thread", "undefined")))
#endif
#define PL_UNUSED __attribute__((unused))
#define PL_TARGET(isa) __attribute__((target(isa)))

/* memset by the C library even where the size is known, which the asm hides:
 * for some 100 bytes and more the compiler's own "rep stos" takes longer to get
 * going. */
PL_INLINE void pl_zero(void *ptr, size_t size)
{
    __asm__("" : "+r"(size));
    memset(ptr, 0, size);
}

/* The struct of which ptr is the given member. */
#define PL_CONTAINER_OF(ptr, type, member)                                     \
    ((type *)((char *)(1 ? (ptr) : &((type *)0)->member) -                     \
              offsetof(type, member)))

#if defined(__SANITIZE_ADDRESS__)
#define PL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define PL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PL_TSAN 1
#endif
#endif
#ifndef PL_ASAN
#define PL_ASAN 0
#endif
#ifndef PL_TSAN
#define PL_TSAN 0
#endif

#endif
