/* symbol.h - the names of code addresses, for people: "spin
 * (libsite.so+0x1a2)".
 *
 * Names come from the symbol tables of the files that are mapped, static
 * functions included where the file was not stripped. Nothing of the dynamic
 * linker is used, whose lock a thread that hangs may hold. Reads files, so not
 * for signal handlers. */
#ifndef PL_BASE_SYMBOL_H
#define PL_BASE_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code that is mapped now. */
struct pl_symbols;

/* NULL when out of memory, or if /proc cannot be read. All functions take it
 * for "nothing is known". */
struct pl_symbols *pl_symbols_new(void);
void pl_symbols_free(struct pl_symbols *symbols);

/* Writes the name of the code at address, cut to size: "function (file+0x12)",
 * where the offset is the one that addr2line(1) takes; "file+0x12"; or the bare
 * address. Returns the length. */
size_t pl_symbols_name(const struct pl_symbols *symbols, uintptr_t address,
                       char *out, size_t size);

/* Does a call instruction end at address? So a word of a stack that is one of
 * these is most likely a return address. Always false for processors other than
 * x86-64 and ARM64. */
bool pl_symbols_is_return(const struct pl_symbols *symbols, uintptr_t address);

/* Writes "f (file+0x1) < g (file+0x2) < ...", cut to size: the innermost calls,
 * at most `most`, whose return addresses are among the n words of a stack, from
 * the innermost outwards. Calls that were over may stand between them. Returns
 * the length; 0: there is none. */
size_t pl_symbols_stack(const struct pl_symbols *symbols,
                        const uintptr_t *words, size_t n, unsigned most,
                        char *out, size_t size);

#endif
