/* h1_priv.h - what h1_parse.c and h1_framing.c share. */
#ifndef PL_HTTP_H1_PRIV_H
#define PL_HTTP_H1_PRIV_H

#include "http/h1_parse.h"

/* Fills the refusal and ends the parser; returns PL_ERR_PROTO. */
PL_COLD int pl_h1_refuse(struct pl_h1_parser *parser, int status,
                         const char *text);

/* Takes in a complete field that pl_h1_frames(). bytes is the head. */
int pl_h1_frame_field(struct pl_h1_parser *parser,
                      const struct pl_h1_field *field, const char *bytes);

/* Decides by all fields, at the end of the head. */
int pl_h1_frame_end(struct pl_h1_parser *parser);

/* The same two for the head of a response. */
int pl_h1_frame_answer_field(struct pl_h1_parser *parser,
                             const struct pl_h1_field *field,
                             const char *bytes);
int pl_h1_frame_answer_end(struct pl_h1_parser *parser);

/* The fields without which nobody knows where a message ends, or whom it is
 * for. */
PL_INLINE bool pl_h1_frames(enum pl_header_id id)
{
    switch (id) {
    case PL_HEADER_HOST:
    case PL_HEADER_CONNECTION:
    case PL_HEADER_CONTENT_LENGTH:
    case PL_HEADER_TRANSFER_ENCODING:
    case PL_HEADER_UPGRADE:
    case PL_HEADER_EXPECT:
        return true;
    default:
        return false;
    }
}

#endif
