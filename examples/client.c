/*
 * One client, led by lines on its standard input: `client KIND NAME [BASE_DIR [WITNESS]]`, then
 * "acquire", "ask", "release". It answers each with one line; times are CLOCK_MONOTONIC
 * nanoseconds. The demo runs five of these; by hand, run `client server test` in two terminals.
 */
#include "shared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void failed(const procref_error *error) {
    printf("failed %" PRId64 " %s: %s\n", now_ns(), procref_code_name(error->code), error->message);
    fputs(error->detail, stderr);
}

static void acquire(procref_service *service, procref_handle **handle) {
    procref_error error = PROCREF_ERROR_INIT;
    if (procref_service_acquire(service, 10000, handle, &error) < 0) {
        failed(&error);
        return;
    }
    printf("held %" PRId64 " %u %u %" PRIu64 "\n", now_ns(), procref_handle_pid(*handle),
           procref_handle_port(*handle), procref_info_generation(procref_handle_info(*handle)));
}

static void ask(const char *kind, const procref_handle *handle) {
    long count;
    if (shared_ask(kind, procref_handle_port(handle), &count)) {
        printf("answered %" PRId64 " %ld\n", now_ns(), count);
    } else {
        printf("failed %" PRId64 " the service did not answer\n", now_ns());
    }
}

static void release(procref_handle **handle) {
    procref_error error = PROCREF_ERROR_INIT;
    int result = procref_handle_release(*handle, &error);
    *handle = NULL;
    if (result < 0) {
        failed(&error);
        return;
    }
    printf("released %" PRId64 "\n", now_ns());
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct shared shared;
    if (argc < 3 || argc > 5 ||
        !shared_fill(&shared, argv[1], argv[2], argc > 3 ? argv[3] : NULL,
                     argc > 4 ? argv[4] : NULL)) {
        fprintf(stderr, "usage: client server|redis|postgres NAME [BASE_DIR [WITNESS]]\n");
        return 2;
    }
    procref_service *service = NULL;
    procref_handle *handle = NULL;
    procref_error error = PROCREF_ERROR_INIT;
    if (procref_service_open(&shared.config, &service, &error) < 0) {
        failed(&error);
        return 1;
    }
    printf("opened\n");
    for (char line[64]; fgets(line, sizeof line, stdin) != NULL;) {
        if (strcmp(line, "acquire\n") == 0 && handle == NULL) {
            acquire(service, &handle);
        } else if (strcmp(line, "ask\n") == 0 && handle != NULL) {
            ask(argv[1], handle);
        } else if (strcmp(line, "release\n") == 0 && handle != NULL) {
            release(&handle);
        } else {
            printf("failed %" PRId64 " say acquire, ask or release\n", now_ns());
        }
    }
    if (handle != NULL) {
        procref_handle_release(handle, NULL); /* the kernel would do it, too */
    }
    procref_service_close(service);
    return 0;
}
