/* A command line in one text: words, quotes and backslashes as a shell reads them. */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stdbool.h>

/* Ends with NULL; NULL if a quote is not closed, or without memory. Kept until the process ends. */
char **cli_words(const char *text);

#endif
