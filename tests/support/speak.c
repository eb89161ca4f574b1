/* How a helper program speaks with its test (speak.h). */
#include "support/speak.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "support/words.h"

enum { LINE_SIZE = 32768 };

int speak_in = 0, speak_out = 1;

void say(const char *format, ...) {
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    for (int done = 0; done < length;) {
        ssize_t n = write(speak_out, line + done, (size_t)(length - done));
        if (n < 0 && errno != EINTR) {
            _exit(99);
        }
        done += n > 0 ? (int)n : 0;
    }
}

void say_error(const procref_error *e, int code, int64_t began_ms) {
    char message[2048], detail[16384], op[128];
    words_encode(message, sizeof message, e->message);
    words_encode(detail, sizeof detail, e->detail);
    words_encode(op, sizeof op, e->op);
    say("error code=%s same=%d os=%lld op=%s ms=%lld message=%s detail=%s", procref_code_name(code),
        e->code == code, (long long)e->os_code, op, (long long)(now_ms() - began_ms), message,
        detail);
}

bool hear_from(int fd, char *line, size_t size) {
    size_t length = 0;
    while (length < size - 1) {
        ssize_t n = read(fd, line + length, 1);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        if (n == 1 && line[length++] == '\n') {
            break;
        }
    }
    line[length] = '\0';
    return true;
}

bool hear(char *line, size_t size) {
    return hear_from(speak_in, line, size);
}
