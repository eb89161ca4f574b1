/* For a helper program whose first thread ends while others go on. */
#ifndef TEST_FIRST_THREAD_H
#define TEST_FIRST_THREAD_H

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Until the first thread is a zombie, which the kernel announces in no way. (ThreadSanitizer does
 * not know how to join it, and pthread_join(3) would return a moment too early.)
 */
static inline void first_thread_await_end(void) {
    char text[512];
    const char *after_name = NULL;
    while (after_name == NULL || strncmp(after_name, ") Z", 3) != 0) {
        sched_yield();
        FILE *file = fopen("/proc/self/stat", "re");
        size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
        text[length] = '\0';
        after_name = strrchr(text, ')');
        if (file != NULL) {
            fclose(file);
        }
    }
}

#endif
