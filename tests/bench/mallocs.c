/* mallocs.c - counts what a program asks of malloc, while it runs.
 *
 *     LD_PRELOAD=libmallocs.so MALLOCS=FILE program
 *
 * FILE holds the count, as a 64-bit number of this machine, at any moment. The
 * allocators of a Lua that brings its own (LuaJIT) are not seen. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own names of what is put in front of them here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);

#define EXPORT __attribute__((visibility("default")))

static _Atomic uint64_t before_main;
static _Atomic uint64_t *count = &before_main;

__attribute__((constructor)) static void open_count(void)
{
    const char *path = getenv("MALLOCS");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *map;

    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof(*count)) == 0) {
        map = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   0);
        if (map != MAP_FAILED)
            count = map;
    }
    close(fd);
}

static void add(void)
{
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

EXPORT void *malloc(size_t size)
{
    add();
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
    add();
    return __libc_calloc(n, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    add();
    return __libc_realloc(block, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    add();
    return __libc_memalign(align, size);
}
