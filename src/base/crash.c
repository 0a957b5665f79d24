#include "base/crash.h"

#include <link.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"

/* Everything from here to "installing" runs in the signal handler. */

enum { OBJECTS = 48, FRAMES = 24, SCANNED = 4096, PAGE = 4096, STACK = 65536 };

/* What is loaded: written before a fault can come, read in the handler. */
static struct object {
    const char *name;
    uintptr_t base, start, end; /* of its code */
} objects[OBJECTS];
static size_t loaded;

struct text {
    size_t len;
    char bytes[1000];
};

static void add(struct text *text, const char *what)
{
    size_t n = PL_MIN(strlen(what), sizeof(text->bytes) - 1 - text->len);

    memcpy(text->bytes + text->len, what, n);
    text->len += n;
    text->bytes[text->len] = '\0';
}

static void add_number(struct text *text, uintptr_t value, unsigned base)
{
    char digits[24], *at = digits + sizeof(digits) - 1;

    *at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (base == 16)
        add(text, "0x");
    add(text, at);
}

static const struct object *object_at(uintptr_t address)
{
    for (size_t i = 0; i < loaded; i++)
        if (address >= objects[i].start && address < objects[i].end)
            return &objects[i];
    return NULL;
}

/* "perilune+0x1234", or the bare address. */
static void add_code(struct text *text, uintptr_t address)
{
    const struct object *object = object_at(address);

    if (object != NULL) {
        add(text, object->name);
        add(text, "+");
        address -= object->base;
    }
    add_number(text, address, 16);
}

static const char *name_of(int signal)
{
    switch (signal) {
    case SIGSEGV:
        return " SIGSEGV";
    case SIGBUS:
        return " SIGBUS";
    case SIGILL:
        return " SIGILL";
    case SIGFPE:
        return " SIGFPE";
    default:
        return " SIGABRT";
    }
}

static void registers(const ucontext_t *context, uintptr_t *pc, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *pc = (uintptr_t)context->uc_mcontext.pc;
    *sp = (uintptr_t)context->uc_mcontext.sp;
#else
    *pc = 0;
    *sp = (uintptr_t)__builtin_frame_address(0);
#endif
}

/* The end of the stack may come sooner than SCANNED, and reading beyond kills
 * the process at once: so this is the last thing that is tried, and what it
 * found so far is written in any case by the caller's earlier lines. */
PL_NOINLINE __attribute__((no_sanitize("address"))) static void
add_stack(struct text *text, uintptr_t sp)
{
    const uintptr_t *word = (const uintptr_t *)(sp & ~(sizeof(sp) - 1));
    int frames = 0;

    for (size_t i = 0; i < SCANNED / sizeof(*word) && frames < FRAMES; i++) {
        if (object_at(word[i]) == NULL)
            continue;
        add(text, " ");
        add_code(text, word[i]);
        frames++;
    }
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    uintptr_t pc, sp, address = (uintptr_t)info->si_addr;
    bool sent = info->si_code <= 0; /* by kill() or abort(): no address */
    char thread[16] = "";
    struct text text = {0};

    registers(context, &pc, &sp);
    prctl(PR_GET_NAME, thread);
    add(&text, "signal ");
    add_number(&text, (uintptr_t)signal, 10);
    add(&text, name_of(signal));
    if (!sent) {
        add(&text, " address=");
        add_number(&text, address, 16);
    }
    add(&text, " pc=");
    add_code(&text, pc);
    add(&text, " thread=");
    add(&text, thread);
    if (!sent && address - sp + STACK < STACK + PAGE) {
        add(&text, " (out of stack)");
        sp = (sp | (PAGE - 1)) + 1; /* the page of sp is the guard */
    }
    pl_log_crash(text.bytes);
    raise(signal); /* pending until the return, or the fault below */
    text.len = 0;
    add(&text, "stack");
    add_stack(&text, sp);
    pl_log_crash(text.bytes);
}

/* ---- installing -------------------------------------------------------- */

static int note_object(struct dl_phdr_info *info, size_t size, void *unused)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash == NULL ? info->dlpi_name : slash + 1;

    for (int i = 0; i < info->dlpi_phnum && loaded < OBJECTS; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        objects[loaded++] = (struct object){
            .name = name[0] == '\0' ? program_invocation_short_name : name,
            .base = info->dlpi_addr,
            .start = info->dlpi_addr + part->p_vaddr,
            .end = info->dlpi_addr + part->p_vaddr + part->p_memsz,
        };
    }
    return 0;
}

void pl_crash_install(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {
        .sa_sigaction = on_fault,
        .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND),
    };

    if (PL_ASAN || PL_TSAN)
        return;
    loaded = 0;
    dl_iterate_phdr(note_object, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < PL_COUNT(signals); i++)
        sigaction(signals[i], &action, NULL);
}

static _Thread_local void *own_stack;

int pl_crash_thread_enter(void)
{
    stack_t stack = {.ss_size = STACK};

    if (PL_ASAN || PL_TSAN)
        return 0;
    own_stack = stack.ss_sp = pl_malloc(STACK);
    if (own_stack == NULL)
        return PL_ERR_NOMEM;
    sigaltstack(&stack, NULL);
    return 0;
}

void pl_crash_thread_leave(void)
{
    if (own_stack == NULL)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    pl_free(own_stack);
    own_stack = NULL;
}
