/* record.h - FastCGI records as bytes (FastCGI 1.0, 3 to 5): heads, bodies of a
 * fixed form, name-value pairs; read and written, by a server and by a client.
 * Pure: no state, no connection. */
#ifndef PL_FCGI_RECORD_H
#define PL_FCGI_RECORD_H

#include <perilune.h>

#include "base/compiler.h"

enum pl_fcgi_type {
    PL_FCGI_BEGIN_REQUEST = 1,
    PL_FCGI_ABORT_REQUEST = 2,
    PL_FCGI_END_REQUEST = 3,
    PL_FCGI_PARAMS = 4,
    PL_FCGI_STDIN = 5,
    PL_FCGI_STDOUT = 6,
    PL_FCGI_STDERR = 7,
    PL_FCGI_DATA = 8,
    PL_FCGI_GET_VALUES = 9,
    PL_FCGI_GET_VALUES_RESULT = 10,
    PL_FCGI_UNKNOWN_TYPE = 11,
};

enum pl_fcgi_role {
    PL_FCGI_RESPONDER = 1,
    PL_FCGI_AUTHORIZER = 2,
    PL_FCGI_FILTER = 3,
};

enum pl_fcgi_flag {
    PL_FCGI_KEEP_CONN = 1, /* of BEGIN_REQUEST: the client closes */
};

/* What END_REQUEST says became of a request. */
enum pl_fcgi_status {
    PL_FCGI_REQUEST_COMPLETE = 0,
    PL_FCGI_CANT_MPX_CONN = 1, /* one at a time on a connection, please */
    PL_FCGI_OVERLOADED = 2,
    PL_FCGI_UNKNOWN_ROLE = 3,
};

enum {
    PL_FCGI_VERSION = 1,
    PL_FCGI_HEAD = 8, /* bytes */
    PL_FCGI_BODY = 8, /* of BEGIN_REQUEST, END_REQUEST, UNKNOWN_TYPE */
    PL_FCGI_CONTENT_MAX = 65535,
    PL_FCGI_PADDING_MAX = 255,
    /* A record with a body of that form. */
    PL_FCGI_SMALL = PL_FCGI_HEAD + PL_FCGI_BODY,
    PL_FCGI_PAIR_MAX = INT32_MAX, /* bytes of a name, and of a value */
};

struct pl_fcgi_record {
    uint16_t id;     /* of the request; 0: about the connection */
    uint16_t length; /* of the content, which the padding follows */
    uint8_t padding;
    uint8_t type; /* enum pl_fcgi_type, or one that we do not know */
    uint8_t version;
};

/* bytes has PL_FCGI_HEAD of them. */
void pl_fcgi_record_read(struct pl_fcgi_record *record, const char *bytes);

/* Is the head one that its sender may send: the version, an id where there must
 * be one and none where not, the length of a body with a fixed form? Streams
 * and unknown types may have any length. 0 or PL_ERR_PROTO. */
int pl_fcgi_record_check(const struct pl_fcgi_record *record);

struct pl_fcgi_begin {
    uint16_t role; /* enum pl_fcgi_role, or one that we do not know */
    uint8_t flags;
};

struct pl_fcgi_end {
    uint32_t app_status; /* as a program's exit code */
    uint8_t status;      /* enum pl_fcgi_status, or one that we do not know */
};

/* body has PL_FCGI_BODY bytes. */
void pl_fcgi_begin_read(struct pl_fcgi_begin *begin, const char *body);
void pl_fcgi_end_read(struct pl_fcgi_end *end, const char *body);

/* ---- writing: all return the end of what they wrote ---- */

/* length <= PL_FCGI_CONTENT_MAX; 0 ends a stream. No padding: nobody needs it
 * to read what we write. */
char *pl_fcgi_put_head(char *out, enum pl_fcgi_type type, unsigned id,
                       size_t length);

/* Whole records, PL_FCGI_SMALL bytes. */
char *pl_fcgi_put_begin(char *out, unsigned id, enum pl_fcgi_role role,
                        unsigned flags);
char *pl_fcgi_put_end(char *out, unsigned id, uint32_t app_status,
                      enum pl_fcgi_status status);
char *pl_fcgi_put_unknown_type(char *out, unsigned type);

/* ---- name-value pairs ---- */

struct pl_fcgi_pair {
    struct pl_str name, value; /* slices of what was read */
};

/* Takes the first pair off *rest, which is not empty. PL_ERR_AGAIN if it is cut
 * off: more must come, or at the end of a stream it is malformed; *rest stays
 * as it was then, and *need is how many bytes it must have for another try. */
int pl_fcgi_pair_read(struct pl_str *rest, struct pl_fcgi_pair *pair,
                      size_t *need);

/* What a pair takes (name and value: <= PL_FCGI_PAIR_MAX), and writing it. */
size_t pl_fcgi_pair_size(size_t name, size_t value);
char *pl_fcgi_put_pair(char *out, struct pl_str name, struct pl_str value);

#endif
