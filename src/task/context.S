/* context.S - the switch from one stack to another.
 *
 * void pl_context_swap(void **save, void *load): pushes what the calling
 * convention says a function preserves, stores the stack pointer in *save,
 * takes load as the stack pointer and pops the same there. The layout is that
 * of struct frame in context.c.
 *
 * void pl_context_start(void): where a new context begins. Calls the entry
 * function, with registers that context.c has filled; what that returns points
 * to the stack pointer to go on with. It marks the outermost frame, so that
 * debuggers stop there.
 *
 * Processors predict that a return goes to the last call. A swap does not, and
 * jumps. But the return from an entry function that has never waited does: from
 * there the calls and returns of both stacks are in step again. */

#if defined(__linux__) && defined(__LP64__) && !defined(PL_FIBER_UCONTEXT)

#define FUNCTION(name)          \
        .globl  name;           \
        .hidden name;           \
        .type   name, %function;\
        .p2align 4;             \
name:

#if defined(__x86_64__)

        .macro  POP_REGISTERS
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        .irp    register, %r12, %r13, %r14, %r15, %rbx, %rbp
        popq    \register
        .cfi_adjust_cfa_offset -8
        .cfi_restore \register
        .endr
        .endm

        .text
FUNCTION(pl_context_swap)
        .cfi_startproc
        .irp    register, %rbp, %rbx, %r15, %r14, %r13, %r12
        pushq   \register
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset \register, 0
        .endr
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)

        movq    %rsp, (%rdi)
        movq    %rsi, %rsp

        POP_REGISTERS
        popq    %rcx            /* 10 ns there and back; with ret 33 */
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmp     *%rcx
        .cfi_endproc
        .size   pl_context_swap, .-pl_context_swap

FUNCTION(pl_context_start)
        .cfi_startproc
        .cfi_undefined %rip
        movq    %r12, %rdi
        call    *%r13
        movq    (%rax), %rsp
        .cfi_endproc
        .cfi_startproc          /* on the other stack now */
        .cfi_def_cfa_offset 64
        POP_REGISTERS
        ret
        .cfi_endproc
        .size   pl_context_start, .-pl_context_start

#elif defined(__aarch64__)

        .macro  POP_REGISTERS   /* overwrites x9, x10 */
        mrs     x9, fpcr
        ldr     x10, [sp, #160]
        cmp     x9, x10         /* writing fpcr is slow: only if it differs */
        b.eq    1f
        msr     fpcr, x10
1:
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #176
        .cfi_def_cfa_offset 0
        .endm

        .text
FUNCTION(pl_context_swap)
        .cfi_startproc
        sub     sp, sp, #176
        .cfi_def_cfa_offset 176
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        .cfi_rel_offset x29, 80
        .cfi_rel_offset x30, 88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]

        mov     x10, sp
        str     x10, [x0]
        mov     sp, x1

        POP_REGISTERS
        ret
        .cfi_endproc
        .size   pl_context_swap, .-pl_context_swap

FUNCTION(pl_context_start)
        .cfi_startproc
        .cfi_undefined x30
        mov     x0, x19
        blr     x20
        ldr     x10, [x0]
        mov     sp, x10
        .cfi_endproc
        .cfi_startproc          /* on the other stack now */
        .cfi_def_cfa_offset 176
        POP_REGISTERS
        ret
        .cfi_endproc
        .size   pl_context_start, .-pl_context_start

#endif
#endif

        .section .note.GNU-stack, "", %progbits
