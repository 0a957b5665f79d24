/* html.h - what a character of text is in HTML. */
#ifndef PL_BASE_HTML_H
#define PL_BASE_HTML_H

#include <perilune.h>

#include "base/compiler.h"

/* For element content and for attributes in quotes; NULL: c itself. */
PL_INLINE const char *pl_html_entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

#endif
