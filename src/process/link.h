/* link.h - what a supervisor and its server process say to each other: one
 * SOCK_SEQPACKET pair, whole messages, descriptors beside them.
 *
 *     server process                                   supervisor
 *     MINDING     reads the link from now on   -->     signals come this way
 *     PID_FILE    asks for it                  -->     RESULT
 *     LISTEN      asks for an address          -->     SOCKETS..., RESULT
 *     LOG         its error log (descriptor)   -->     writes there, too
 *     READY       all workers accept           -->     RESULT
 *     SHUT        accepts no more              -->     closes, if all is over
 *     ENDING      the site wants the end       -->     does not start another
 *     REPLACE     wants a new process          -->     starts one beside it
 *     UPGRADE     wants the new program        -->     as USR2 does
 *     PONG                                     <-->    PING
 *                                              <--     SIGNAL
 *                                              <--     REPORT
 *
 * The numbers of messages and their layout are part of the state that a
 * supervisor hands on when the program is upgraded: a new program talks to old
 * server processes. They may be added to, and never changed.
 *
 * A question waits for its answer, and is asked by the main thread before the
 * workers start; what is only said may be said by any thread. All functions do
 * nothing, successfully, with a link that is NULL: without a supervisor. */
#ifndef PL_PROCESS_LINK_H
#define PL_PROCESS_LINK_H

#include "base/features.h"
#include "net/listener.h"

enum pl_link_kind {
    PL_LINK_RESULT = 1, /* error; code 0: yes */
    PL_LINK_MINDING = 2,
    PL_LINK_PID_FILE = 3, /* text */
    PL_LINK_LISTEN = 4,   /* listen; number 1: open until the end of all */
    PL_LINK_SOCKETS = 5,  /* with number descriptors */
    PL_LINK_LOG = 6,      /* with one descriptor */
    PL_LINK_READY = 7,
    PL_LINK_SHUT = 8,
    PL_LINK_ENDING = 9,
    PL_LINK_REPLACE = 10,
    PL_LINK_UPGRADE = 11,
    PL_LINK_PING = 12,
    PL_LINK_PONG = 13,
    PL_LINK_SIGNAL = 14, /* number */
    PL_LINK_REPORT = 15, /* error: why there is no new process */
};

enum {
    PL_LINK_TEXT = 4096,
    PL_LINK_NAME = 64,   /* of a user or a group */
    PL_LINK_FDS = 64,    /* most of one message */
    PL_LINK_QUEUED = 16, /* signals that came while an answer was awaited */
};

/* What of an address's options is its sockets'. */
struct pl_link_listen {
    struct pl_addr addr;
    uint32_t sockets, mode;
    int32_t backlog;
    bool v6only, eager;
    char owner[PL_LINK_NAME], group[PL_LINK_NAME]; /* "": none */
};

struct pl_link_message {
    uint32_t kind;
    int32_t number;
    union {
        struct pl_error error;
        struct pl_link_listen listen;
        char text[PL_LINK_TEXT];
    };
};

/* ---- both ends ---- */

/* fds may be NULL. 0, or PL_ERR_*: PL_ERR_AGAIN when the other does not read.
 */
int pl_link_send(int fd, const struct pl_link_message *message, const int *fds,
                 unsigned count);

/* Reads one message whose fields are whole and whose texts end. GIVES up to
 * PL_LINK_FDS descriptors. Returns 1, 0 if there is none (and wait is not
 * set), or PL_ERR_CLOSED and other PL_ERR_*. */
int pl_link_receive(int fd, bool wait, struct pl_link_message *message,
                    int fds[PL_LINK_FDS], unsigned *count);

/* ---- the server process's end ---- */

struct pl_server_link {
    int fd;           /* readable: pl_link_turn() */
    pid_t supervisor; /* which has started us, */
    unsigned starts;  /* not as the first one: how many there were before */
    unsigned crashes; /* how many of those ended by themselves */
    bool gone;        /* the supervisor is no more */
    unsigned reports; /* REPLACE or UPGRADE that came to nothing, */
    struct pl_error report; /* the last one: why */
    unsigned nqueued;
    int queued[PL_LINK_QUEUED];
};

/* Is there a supervisor at the other end? */
PL_INLINE bool pl_link_is(const struct pl_server_link *link)
{
    return PL_WITH_SUPERVISOR && link != NULL;
}

/* For MINDING, SHUT, ENDING, REPLACE, UPGRADE, PONG. Any thread. */
void pl_link_say(struct pl_server_link *link, enum pl_link_kind kind);

/* The supervisor writes its lines where we do. After each reopening, too. */
void pl_link_log(struct pl_server_link *link);

/* The next signal that was sent to the supervisor, or 0; answers its PINGs.
 * Sets link->gone. */
int pl_link_turn(struct pl_server_link *link);

/* Questions. 0 or PL_ERR_* with *error, as the supervisor found it. */
int pl_link_pid_file(struct pl_server_link *link, const char *path,
                     struct pl_error *error);
int pl_link_ready(struct pl_server_link *link, struct pl_error *error);

/* The sockets of an address: as pl_listen_open(), which does it without a
 * supervisor. to_the_end: a SHUT does not close it. */
int pl_link_listen(struct pl_server_link *link, const struct pl_addr *addr,
                   const struct pl_listen_options *options, bool to_the_end,
                   struct pl_listen_group **out, struct pl_error *error);

#endif
