/* supervisor_priv.h - what the files of supervisor share.
 *
 *     supervisor          the loop: signals, deaths, when to start another
 *     supervisor_answer   what a server process may ask for
 *     upgrade             the program itself is replaced
 *     upgrade_state       what the next one has to know */
#ifndef PL_PROCESS_SUPERVISOR_PRIV_H
#define PL_PROCESS_SUPERVISOR_PRIV_H

#include "process/process.h"
#include "process/supervisor.h"
#include "process/systemd.h"

/* Server processes at one time: the one that serves, one that starts, and those
 * that finish what they had begun. */
enum { PL_CHILDREN = 8 };

enum pl_child_state {
    PL_CHILD_NONE,
    PL_CHILD_STARTING, /* may ask for what only we may open */
    PL_CHILD_SERVING,  /* at most one */
    PL_CHILD_LEAVING,  /* another one serves */
};

struct pl_child {
    enum pl_child_state state;
    pid_t pid;
    int link;
    bool minding;        /* takes signals by the link */
    bool ending;         /* its site wants the end of all */
    bool pinged;         /* has not answered yet */
    bool ready_once;     /* has served */
    int killed_by_us;    /* sent while it did not mind the link; 0 */
    uint64_t started_ms; /* or since when it serves */
};

/* An address, as somebody has asked for it. */
struct pl_held {
    struct pl_addr asked;
    struct pl_listen_group *group;
    unsigned nth;    /* of port 0: which of several */
    uint32_t users;  /* bit i: children[i] has asked for it */
    bool to_the_end; /* a SHUT does not close it: who serves no more answers */
};

struct pl_supervisor {
    char **argv;
    char *program; /* its path, resolved at start */
    int signals;
    sigset_t before; /* the signal mask we were started with */
    struct pl_child children[PL_CHILDREN];
    struct pl_held *held;
    unsigned nheld;
    struct pl_pid_file pid_file, next_pid_file;
    struct pl_systemd systemd;
    int log; /* the error log of the server process, or -1 */
    unsigned starts, crashes;
    unsigned streak;   /* deaths soon after their start, one after another */
    uint64_t start_ms; /* start one then; 0: no need */
    uint64_t kill_ms;  /* nobody may live any longer; 0: not yet */
    uint64_t ping_ms;  /* systemd wants to hear from us */
    int stop;          /* steps of a stop, as server->stop counts them */
    int raise;         /* end by this signal: the first child did */
    bool served;       /* there was a server process that was ready */
    bool replacing;    /* one is to take the place of the one that serves */
    bool over;
    int code;
    struct pl_upgrade *upgrade; /* the new program is being looked at */
    uint64_t upgrade_ms;        /* and has until then; 0: it has had it */
};

struct pl_child *pl_supervisor_child(struct pl_supervisor *sup,
                                     enum pl_child_state state);

/* Starts another server process, soon, beside the one that serves. */
void pl_supervisor_replace(struct pl_supervisor *sup, const char *why);

/* Tells the server process what has become of what was asked for. */
void pl_supervisor_report(struct pl_supervisor *sup, int code,
                          const char *text);

/* Passes a signal on. */
void pl_child_signal(struct pl_child *child, int number);

/* Reads what child has said. */
void pl_supervisor_listen(struct pl_supervisor *sup, struct pl_child *child);

/* The child serves from now on, and another one no longer. */
void pl_supervisor_promote(struct pl_supervisor *sup, struct pl_child *child);

/* It accepts no more. */
void pl_held_let_go(struct pl_supervisor *sup, const struct pl_child *child);

/* Closes addresses: all of them, or those that nobody uses any more. */
void pl_held_close(struct pl_supervisor *sup);
void pl_held_close_unused(struct pl_supervisor *sup);

/* Releases one of ours, whose path is ours, too. */
void pl_supervisor_drop_pid_file(struct pl_pid_file *file);

/* In a server process: what is the supervisor's alone is closed, and nothing
 * removed. */
void pl_supervisor_leave(struct pl_supervisor *sup);

#endif
