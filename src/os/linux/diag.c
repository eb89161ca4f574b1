/* Asking the kernel about sockets (diag.h). */
#include "os/linux/diag.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/linux/unseen.h" /* a part of this runs in spawn.c's child */

/* linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h */
enum {
    NETLINK_FAMILY = 16,
    NETLINK_SOCK_DIAG_PROTOCOL = 4,
    SOCK_DIAG_BY_FAMILY_TYPE = 20,
    REQUEST_AND_DUMP = 0x301,
    MESSAGE_ERROR = 2,
    MESSAGE_DONE = 3,
    ANSWERS_SIZE = 8192, /* NLMSG_GOODSIZE at most, for who has not received more before */
    SHOW_NAME = 1,
    SHOW_USER = 0x40,
    ATTRIBUTE_NAME = 0,
    ATTRIBUTE_USER = 7,
};

static size_t aligned(size_t length) {
    return (length + 3) & ~(size_t)3;
}

/* One datagram of answers: 1 there are more, 0 it was the last, -1 the kernel refuses. */
static int take_all(const char *bytes, size_t size,
                    void (*take)(const char *answer, size_t size, void *context), void *context) {
    while (size >= sizeof(struct pri_diag_head)) {
        struct pri_diag_head head;
        memcpy(&head, bytes, sizeof head);
        if (head.type == MESSAGE_DONE || head.type == MESSAGE_ERROR) {
            return head.type == MESSAGE_DONE ? 0 : -1;
        }
        size_t length = aligned(head.length);
        if (length < sizeof head || length > size) {
            return -1;
        }
        take(bytes, length, context);
        bytes += length;
        size -= length;
    }
    return 1;
}

bool pri_diag_ask(void *request, size_t size,
                  void (*take)(const char *answer, size_t size, void *context), void *context) {
    char bytes[ANSWERS_SIZE];
    struct pri_diag_head head = {
        .length = (uint32_t)size, .type = SOCK_DIAG_BY_FAMILY_TYPE, .flags = REQUEST_AND_DUMP};
    memcpy(request, &head, sizeof head);
    int fd = socket(NETLINK_FAMILY, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG_PROTOCOL);
    if (fd < 0) {
        return false;
    }
    int more = send(fd, request, size, 0) == (ssize_t)size ? 1 : -1;
    while (more > 0) {
        ssize_t got =
            recv(fd, bytes, sizeof bytes, 0); /* the kernel has answered before send returned */
        if (got < 0 && errno == EINTR) {
            continue;
        }
        more = got > 0 ? take_all(bytes, (size_t)got, take, context) : -1;
    }
    close(fd);
    return more == 0;
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

struct unix_request {
    struct pri_diag_head head;
    uint8_t family, protocol;
    uint16_t unused;
    uint32_t states, inode, show, cookie[2];
};

struct unix_answer {
    struct pri_diag_head head;
    uint8_t family, type, state, unused;
    uint32_t inode, cookie[2];
};

struct attribute {
    uint16_t length, type;
};

struct wanted {
    const char *name;
    size_t length;
    int type;
    int64_t owner;
};

static void take_unix(const char *answer, size_t size, void *context) {
    struct wanted *wanted = context;
    struct unix_answer head;
    bool named = false;
    int64_t owner = -1;
    size_t at = sizeof head;
    if (size < sizeof head) {
        return;
    }
    memcpy(&head, answer, sizeof head);
    if (head.type != wanted->type) { /* a socket of another type may bear the same name */
        return;
    }
    while (at + sizeof(struct attribute) <= size) {
        struct attribute attribute;
        memcpy(&attribute, answer + at, sizeof attribute);
        if (attribute.length < sizeof attribute || at + attribute.length > size) {
            return;
        }
        const char *value = answer + at + sizeof attribute;
        size_t length = attribute.length - sizeof attribute;
        if (attribute.type == ATTRIBUTE_NAME) {
            named = length == wanted->length && memcmp(value, wanted->name, length) == 0;
        } else if (attribute.type == ATTRIBUTE_USER && length == sizeof(uint32_t)) {
            uint32_t user;
            memcpy(&user, value, sizeof user);
            owner = user;
        }
        at += aligned(attribute.length);
    }
    wanted->owner = named ? owner : wanted->owner;
}

int64_t pri_diag_unix_owner(int type, const char *name, size_t length) {
    struct unix_request request = {
        .family = AF_UNIX, .states = PRI_DIAG_LISTENING, .show = SHOW_NAME | SHOW_USER};
    struct wanted wanted = {name, length, type, -1};
    return pri_diag_ask(&request, sizeof request, take_unix, &wanted) ? wanted.owner : -1;
}
