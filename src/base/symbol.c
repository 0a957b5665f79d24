#include "base/symbol.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

/* ---- what is mapped ---- */

enum { MAPPINGS = 256 };
#define COPY "/memfd:"

struct mapping {
    uintptr_t start, end, offset; /* offset: of start, in the file */
    unsigned long inode;
    char path[256];
};

struct pl_symbols {
    unsigned count;
    struct mapping mappings[MAPPINGS]; /* of code in files */
};

/* "55d0c0a00000-55d0c0a21000 r-xp 00002000 08:01 1234   /usr/bin/perilune" */
static bool parse_line(const char *line, struct mapping *mapping)
{
    unsigned long start, end, offset, inode;
    char rights[8];
    int path = 0;

    if (sscanf(line, "%lx-%lx %7s %lx %*s %lu %n", &start, &end, rights,
               &offset, &inode, &path) < 5 ||
        rights[2] != 'x' || path == 0 || line[path] != '/')
        return false;
    mapping->start = start;
    mapping->end = end;
    mapping->offset = offset;
    mapping->inode = inode;
    snprintf(mapping->path, sizeof(mapping->path), "%s", line + path);
    return true;
}

/* As many lines as a read gives at a time; a cut one is completed by the next
 * read. */
static void read_mappings(struct pl_symbols *symbols, int fd)
{
    char text[8192], *line, *end;
    size_t len = 0;
    ssize_t n;

    while ((n = pl_sys_read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        for (line = text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = '\0';
            if (symbols->count < MAPPINGS &&
                parse_line(line, &symbols->mappings[symbols->count]))
                symbols->count++;
        }
        len = strlen(line);
        memmove(text, line, len);
    }
}

struct pl_symbols *pl_symbols_new(void)
{
    struct pl_symbols *symbols = pl_malloc(sizeof(*symbols));
    int fd;

    if (symbols == NULL)
        return NULL;
    symbols->count = 0;
    fd = pl_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        read_mappings(symbols, fd);
        pl_sys_close(fd);
    }
    return symbols;
}

void pl_symbols_free(struct pl_symbols *symbols)
{
    pl_free(symbols);
}

static const struct mapping *find(const struct pl_symbols *symbols,
                                  uintptr_t address)
{
    for (unsigned i = 0; symbols != NULL && i < symbols->count; i++)
        if (address >= symbols->mappings[i].start &&
            address < symbols->mappings[i].end)
            return &symbols->mappings[i];
    return NULL;
}

/* ---- calls ---- */

#if defined(__x86_64__)
/* The ways to write a call: how long it is, and its first two bytes under a
 * mask. E8 has the distance; FF /2 a register or a place in memory, with or
 * without an index and a displacement. */
static const struct {
    unsigned char length, first, second, mask;
} calls[] = {
    {5, 0xe8, 0x00, 0x00}, {2, 0xff, 0xd0, 0xf8}, {2, 0xff, 0x10, 0xf8},
    {3, 0xff, 0x50, 0xf8}, {3, 0xff, 0x14, 0xff}, {4, 0xff, 0x54, 0xff},
    {6, 0xff, 0x15, 0xff}, {6, 0xff, 0x90, 0xf8}, {7, 0xff, 0x94, 0xff},
};

PL_NO_SANITIZE static bool ends_in_call(const unsigned char *at)
{
    for (size_t i = 0; i < PL_COUNT(calls); i++) {
        const unsigned char *begin = at - calls[i].length;

        if (begin[0] == calls[i].first &&
            (begin[1] & calls[i].mask) == calls[i].second)
            return true;
    }
    return false;
}
#elif defined(__aarch64__)
PL_NO_SANITIZE static bool ends_in_call(const unsigned char *at)
{
    uint32_t before;

    memcpy(&before, at - sizeof(before), sizeof(before));
    return before >> 26 == 0x25 || (before & 0xfffffc1f) == 0xd63f0000;
}
#else
static bool ends_in_call(const unsigned char *at)
{
    (void)at;
    return false;
}
#endif

bool pl_symbols_is_return(const struct pl_symbols *symbols, uintptr_t address)
{
    const struct mapping *mapping = find(symbols, address);

    return mapping != NULL && address - mapping->start >= 8 &&
           ends_in_call((const unsigned char *)address);
}

/* ---- its symbols ---- */

struct image {
    const char *bytes;
    size_t size;
};

/* n things of that size at offset, if the file has them. */
static const void *part(const struct image *image, uint64_t offset, uint64_t n,
                        size_t size)
{
    if (offset > image->size || n > (image->size - offset) / size)
        return NULL;
    return image->bytes + offset;
}

/* From an offset in the file to an address as its symbols have it. */
static uintptr_t to_virtual(const struct image *image, const ElfW(Ehdr) * head,
                            uintptr_t offset)
{
    const ElfW(Phdr) *parts =
        part(image, head->e_phoff, head->e_phnum, sizeof(*parts));

    for (unsigned i = 0; parts != NULL && i < head->e_phnum; i++)
        if (parts[i].p_type == PT_LOAD && offset >= parts[i].p_offset &&
            offset - parts[i].p_offset < parts[i].p_filesz)
            return offset - parts[i].p_offset + parts[i].p_vaddr;
    return offset;
}

static const char *find_in(const struct image *image, const ElfW(Shdr) * table,
                           const ElfW(Shdr) * strings, uintptr_t address)
{
    size_t n = table->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *symbols =
        part(image, table->sh_offset, n, sizeof(*symbols));
    const char *names = part(image, strings->sh_offset, strings->sh_size, 1);

    if (symbols == NULL || names == NULL || strings->sh_size == 0 ||
        names[strings->sh_size - 1] != '\0')
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC &&
            symbols[i].st_shndx != SHN_UNDEF &&
            address >= symbols[i].st_value &&
            address - symbols[i].st_value < symbols[i].st_size &&
            symbols[i].st_name < strings->sh_size)
            return names + symbols[i].st_name;
    return NULL;
}

static const char *find_symbol(const struct image *image,
                               const ElfW(Ehdr) * head, uintptr_t address)
{
    const ElfW(Shdr) *sections =
        part(image, head->e_shoff, head->e_shnum, sizeof(*sections));
    const char *name = NULL;

    for (unsigned i = 0; sections != NULL && name == NULL && i < head->e_shnum;
         i++)
        if ((sections[i].sh_type == SHT_SYMTAB ||
             sections[i].sh_type == SHT_DYNSYM) &&
            sections[i].sh_link < head->e_shnum)
            name = find_in(image, &sections[i], &sections[sections[i].sh_link],
                           address);
    return name;
}

/* Sets *address to where the file has it, and copies the function's name. */
static void look_into(const struct image *image, uintptr_t *address, char *name,
                      size_t size)
{
    const ElfW(Ehdr) *head = part(image, 0, 1, sizeof(*head));
    const char *found;

    if (head == NULL || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
        return;
    *address = to_virtual(image, head, *address);
    found = find_symbol(image, head, *address);
    if (found != NULL)
        snprintf(name, size, "%s", found);
}

/* ---- files ---- */

/* The names of copies of modules (base/module.c) cannot be opened. */
static bool is_copy(const struct mapping *mapping)
{
    return strncmp(mapping->path, COPY, strlen(COPY)) == 0;
}

static int open_if_same(int folder, const char *name,
                        const struct mapping *mapping)
{
    char path[sizeof(mapping->path) + 1];
    ssize_t n = pl_sys_readlinkat(folder, name, path, sizeof(path) - 1);
    struct stat st;
    int fd;

    path[PL_MAX(n, 0)] = '\0';
    if (strcmp(path, mapping->path) != 0)
        return -1;
    fd = pl_sys_openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0 || (pl_sys_fstat(fd, &st) == 0 && st.st_ino == mapping->inode))
        return fd;
    pl_sys_close(fd); /* its number has been used again */
    return -1;
}

/* They have a descriptor, as long as they are loaded. */
static int open_copy(const struct mapping *mapping)
{
    int fd =
        pl_sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *folder = fd < 0 ? NULL : pl_sys_fdopendir(fd);
    struct dirent *entry;
    int found = -1;

    if (folder == NULL) {
        if (fd >= 0)
            pl_sys_close(fd);
        return -1;
    }
    while (found < 0 && (entry = pl_sys_readdir(folder)) != NULL)
        found = open_if_same(fd, entry->d_name, mapping);
    closedir(folder);
    return found;
}

static void read_file(const struct mapping *mapping, uintptr_t *address,
                      char *name, size_t size)
{
    int fd = is_copy(mapping)
                 ? open_copy(mapping)
                 : pl_sys_open(mapping->path, O_RDONLY | O_CLOEXEC, 0);
    struct image image;
    struct stat st;
    void *bytes;

    if (fd < 0)
        return;
    if (pl_sys_fstat(fd, &st) == 0 && st.st_size > 0) {
        image.size = (size_t)st.st_size;
        bytes = pl_sys_mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            image.bytes = bytes;
            look_into(&image, address, name, size);
            pl_sys_munmap(bytes, image.size);
        }
    }
    pl_sys_close(fd);
}

/* "libc.so.6"; of a copy, the name of what it is one of. */
static void name_file(const struct mapping *mapping,
                      char out[static sizeof(mapping->path)])
{
    char *end;

    if (!is_copy(mapping)) {
        strcpy(out, strrchr(mapping->path, '/') + 1);
        return;
    }
    strcpy(out, mapping->path + strlen(COPY));
    end = strstr(out, " (deleted)");
    if (end != NULL)
        *end = '\0';
}

/* ---- the whole ---- */

size_t pl_symbols_name(const struct pl_symbols *symbols, uintptr_t address,
                       char *out, size_t size)
{
    const struct mapping *mapping = find(symbols, address);
    char file[sizeof(mapping->path)], name[256] = "";
    int n;

    if (mapping == NULL) {
        n = snprintf(out, size, "%#lx", (unsigned long)address);
    } else {
        name_file(mapping, file);
        address = address - mapping->start + mapping->offset;
        read_file(mapping, &address, name, sizeof(name));
        n = snprintf(out, size, name[0] == '\0' ? "%s%s+%#lx" : "%s (%s+%#lx)",
                     name, file, (unsigned long)address);
    }
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t pl_symbols_stack(const struct pl_symbols *symbols,
                        const uintptr_t *words, size_t n, unsigned most,
                        char *out, size_t size)
{
    uintptr_t last = 0;
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n && most > 0 && size - len > 4; i++) {
        if (words[i] == last || /* of a function that calls itself */
            !pl_symbols_is_return(symbols, words[i]))
            continue;
        last = words[i];
        if (len > 0)
            len += (size_t)snprintf(out + len, size - len, " < ");
        /* The function may end with the call. */
        len += pl_symbols_name(symbols, last - 1, out + len, size - len);
        most--;
    }
    return len;
}
