/* form_data.h - multipart/form-data (RFC 7578; RFC 2046, 5.1), bit by bit: the
 * parser is shown what has come of a body, and says what the front of it is.
 *
 *     PART  DATA DATA ... PART_END   PART  PART_END   ...   END
 *
 * It keeps the header fields of one part and nothing of the data, which stay
 * where they are. Strict: CRLF ends a line, a line does not go on in the next,
 * every part says "form-data" and a name, once. */
#ifndef PL_HTTP_FORM_DATA_H
#define PL_HTTP_FORM_DATA_H

#include "http/form_header.h"

enum pl_form_data_event {
    PL_FORM_PART = 1, /* its header has been read: part */
    PL_FORM_DATA,     /* the bytes used are the part's */
    PL_FORM_PART_END,
    PL_FORM_END, /* the last delimiter; what follows is used and ignored */
};

enum { PL_PART_FIELDS = 32 }; /* most header fields of a part */

struct pl_form_data_field {
    uint16_t at, name_len, value_len; /* in head, the value behind the name */
};

struct pl_form_data {
    uint8_t state;
    uint8_t delimiter_len;
    int err;                             /* once refused: why */
    char delimiter[4 + PL_BOUNDARY_MAX]; /* CRLF "--" boundary */
    unsigned parts;                      /* begun */
    unsigned max_parts;                  /* 0: no limit */
    size_t max_head;                     /* bytes of a part's header */
    size_t head_len;                     /* ... so far, or of the preamble */
    size_t seen; /* bytes at the front that hold no line end */
    struct pl_buf head;
    const char *wrong; /* after PL_ERR_PROTO or LIMIT: what, for people */
    /* The current part; in head, until the next one begins. */
    struct pl_disposition names;
    struct pl_str type; /* Content-Type; absent: not said */
    unsigned nfields;
    struct pl_form_data_field fields[PL_PART_FIELDS];
};

/* For a body of that Content-Type. BORROWS pool and account (may be NULL).
 * max_head is at most 32 KiB. Returns 0, PL_ERR_UNSUPPORTED if the body is
 * something else, or PL_ERR_PROTO; only after 0 it needs the _fini(). */
int pl_form_data_init(struct pl_form_data *form, struct pl_str content_type,
                      struct pl_pool *pool, struct pl_account *account);
void pl_form_data_fini(struct pl_form_data *form);

/* in is what follows the bytes used so far. Returns an event, with the bytes
 * that it has used in *used; PL_ERR_AGAIN when more than in is needed to tell,
 * where some bytes may be used all the same; or PL_ERR_PROTO, LIMIT (too many
 * parts, too long a header or name), NOMEM, and that for ever. Less than
 * max_head + 512 bytes are always enough to go on. */
int pl_form_data_step(struct pl_form_data *form, struct pl_str in,
                      size_t *used);

/* The fields of the current part, by index from 0; false at the end. */
bool pl_form_data_field(const struct pl_form_data *form, unsigned index,
                        struct pl_str *name, struct pl_str *value);

/* For the parser and its tests: how many bytes at the front of in are surely no
 * part of needle, which begins with CR and holds no other; *found: needle
 * follows them. Linear whatever in is, because of that CR. */
size_t pl_form_data_find(struct pl_str in, struct pl_str needle, bool *found);

#endif
