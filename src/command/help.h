/* help.h - the text of --help, which is help.txt. */
#ifndef PL_COMMAND_HELP_H
#define PL_COMMAND_HELP_H

/* What tools/embed-packed.py has made of it. */
extern const char pl_help_packed[];
extern const unsigned long pl_help_packed_len, pl_help_len;

/* Prints it on stdout. Returns an enum pl_exit. */
int pl_help_print(void);

#endif
