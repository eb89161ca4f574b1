/* M's side of run --tree (tree.h): COMMAND's parent, and that of all that it leaves. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/tree.h"
#include "cli/tree_words.h"

static void close_all_but(int first, int second) {
    int low = first < second ? first : second, high = first < second ? second : first;
    int ends[3][2] = {{3, low - 1}, {low + 1, high - 1}, {high + 1, ~0U >> 1}};
    for (int i = 0; i < 3; i++) {
        if (ends[i][0] <= ends[i][1]) {
            (void)syscall(SYS_close_range, (unsigned)ends[i][0], (unsigned)ends[i][1], 0U);
        }
    }
}

void tree_let_go(int first, int second) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd <= 2; fd++) {
        dup2(null, fd);
    }
    if (null > 2) {
        close(null);
    }
    if (first >= 0) {
        close_all_but(first, second);
    }
}

static void tell(int line, int what, int value) {
    struct tree_word word = {what, value};
    (void)!send(line, &word, sizeof word, MSG_NOSIGNAL);
}

/*
 * Keepers that were started below COMMAND are children of the subreaper, too. They are nobody's
 * descendants (procref.h), and one that waits for this very reference would be waited for in vain.
 */
static bool is_keeper(long pid) {
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fgets(name, sizeof name, file);
        fclose(file);
    }
    return strncmp(name, "procref-keeper", 14) == 0;
}

/* Whether a child is left that is no keeper. If the kernel does not tell, any child counts. */
static bool has_descendants(void) {
    char path[64];
    long pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    bool found = file == NULL;
    while (!found && fscanf(file, "%ld", &pid) == 1) {
        found = !is_keeper(pid);
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

struct holder {
    pid_t caller, command; /* 0: it has ended */
    int line, signals;
};

/*
 * P stops and continues with COMMAND (Ctrl-Z, fg), for the shell's sake. Both are done from here,
 * so that they keep their order: had P to stop itself when told, COMMAND might go on again before
 * it did. Nobody has the pid of a parent but the parent.
 */
static void signal_caller(const struct holder *m, int number) {
    if (getppid() == m->caller) {
        kill(m->caller, number);
    }
}

/* Everything that has a new state. False: nothing is left. */
static bool on_children(struct holder *m) {
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
        if (pid != m->command) {
            continue;
        }
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            signal_caller(m, WIFSTOPPED(status) ? SIGSTOP : SIGCONT);
            continue;
        }
        m->command = 0;
        tell(m->line, TREE_ENDED, status);
        signal_caller(m, SIGCONT); /* it may have been stopped when it was killed */
        close(m->line);
        m->line = -1;
        setsid(); /* the terminal and the shell's job are no more of our business */
    }
    return m->command != 0 || (pid == 0 && has_descendants());
}

/* False: nothing is left. P signals M itself until it knows that COMMAND runs. */
static bool on_signal(struct holder *m) {
    struct signalfd_siginfo s;
    if (read(m->signals, &s, sizeof s) != sizeof s) {
        return true;
    }
    if (s.ssi_signo == SIGCHLD) {
        return on_children(m);
    }
    if (s.ssi_pid == (uint32_t)getppid() && m->command != 0) {
        kill(m->command, (int)s.ssi_signo);
    }
    return true;
}

static void on_word(struct holder *m) {
    struct tree_word word;
    if (recv(m->line, &word, sizeof word, 0) != sizeof word) {
        close(m->line); /* P was killed: COMMAND goes on, and is held for */
        m->line = -1;
    } else if (word.what == TREE_SIGNAL && m->command != 0) {
        kill(m->command, word.value);
    }
}

void tree_run(struct tree *tree, char **argv, int (*become)(char **argv)) {
    sigset_t all, heard;
    struct holder m = {.line = tree->line, .caller = tree->caller};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* M ends when all has ended, not before */
    sigemptyset(&heard);
    sigaddset(&heard, SIGCHLD);
    tree_add_handed_on(&heard);
    m.signals = signalfd(-1, &heard, SFD_CLOEXEC);
    if (m.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || (m.command = fork()) < 0) {
        cli_say("no process for the command: %s", strerror(errno));
        exit(CLI_FAILED);
    }
    if (m.command == 0) {
        sigaction(SIGCHLD, &tree->on_child, NULL);
        sigprocmask(SIG_SETMASK, &tree->mask, NULL);
        exit(become(argv));
    }
    tell(m.line, TREE_STARTED, 0);
    tree_let_go(m.line, m.signals);
    for (bool left = true; left;) {
        struct pollfd fds[2] = {{.fd = m.signals, .events = POLLIN},
                                {.fd = m.line, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            on_word(&m);
        }
        left = fds[0].revents == 0 || on_signal(&m);
    }
    _exit(CLI_OK); /* gives the reference back */
}
