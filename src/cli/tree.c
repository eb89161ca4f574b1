/* P's side of run --tree (tree.h), and the fork that makes it. M's is tree_holder.c. */
#include "cli/tree.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/tree_words.h"

/* What P is told to hand on to COMMAND. */
static const int handed_on[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,  SIGUSR2, SIGALRM,
                                SIGTERM, SIGCONT, SIGTSTP, SIGWINCH, SIGURG,  SIGIO};

/* Ends as another process did; without a core, which that one has left if anybody has. */
static _Noreturn void end_like(int status) {
    if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        struct rlimit none = {0, 0};
        sigset_t only;
        setrlimit(RLIMIT_CORE, &none);
        signal(number, SIG_DFL);
        sigemptyset(&only);
        sigaddset(&only, number);
        kill(getpid(), number);
        sigprocmask(SIG_UNBLOCK, &only, NULL);
        _exit(128 + number);
    }
    exit(WEXITSTATUS(status));
}

struct caller {
    pid_t holder;
    int line, signals;
    bool started; /* COMMAND runs: M hands signals on, else they are for M itself */
};

/* What the terminal sends, it sends to all of the group; but its hangup to the session's leader. */
static bool all_were_told(const struct signalfd_siginfo *s) {
    return s->ssi_code == SI_KERNEL && !(s->ssi_signo == SIGHUP && getsid(0) == getpid());
}

/* What is for P alone is for COMMAND. */
static void on_signal(const struct caller *p) {
    struct signalfd_siginfo s;
    if (read(p->signals, &s, sizeof s) != sizeof s) {
        return;
    }
    if (s.ssi_signo == SIGCHLD) {
        siginfo_t stopped = {0}; /* its end is the end of the line */
        if (waitid(P_PID, (id_t)p->holder, &stopped, WSTOPPED | WNOHANG) == 0 &&
            stopped.si_pid != 0) {
            kill(getpid(), SIGSTOP); /* Ctrl-Z while M waits for the service */
        }
        return;
    }
    if (all_were_told(&s) || s.ssi_pid == (uint32_t)p->holder) { /* M continues us, not COMMAND */
        return;
    }
    if (p->started) {
        struct tree_word word = {TREE_SIGNAL, (int)s.ssi_signo};
        (void)!send(p->line, &word, sizeof word, MSG_NOSIGNAL);
    } else {
        kill(p->holder, (int)s.ssi_signo);
    }
}

/* M ended without a word of COMMAND's end: its own is all there is to tell. */
static _Noreturn void on_lost_holder(struct caller *p) {
    int status;
    pid_t pid;
    while ((pid = waitpid(p->holder, &status, 0)) < 0 && errno == EINTR) {
    }
    if (p->started || pid < 0) {
        cli_say("the process that held the service was ended; the command may still run");
        exit(CLI_FAILED);
    }
    end_like(status);
}

static void on_word(struct caller *p) {
    struct tree_word word;
    if (recv(p->line, &word, sizeof word, 0) != sizeof word) {
        on_lost_holder(p);
    }
    switch (word.what) {
    case TREE_STARTED:
        p->started = true;
        tree_let_go(-1, -1); /* who reads COMMAND's output waits for its end only */
        break;
    case TREE_ENDED: end_like(word.value);
    default: break;
    }
}

static _Noreturn void be_caller(struct caller *p) {
    struct pollfd fds[2] = {{.fd = p->line, .events = POLLIN},
                            {.fd = p->signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            on_signal(p);
        }
        if (fds[0].revents != 0) {
            on_word(p);
        }
    }
}

/* Those that are ignored stay so, for COMMAND too. */
void tree_add_handed_on(sigset_t *set) {
    struct sigaction action;
    for (size_t i = 0; i < sizeof handed_on / sizeof handed_on[0]; i++) {
        if (sigaction(handed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            sigaddset(set, handed_on[i]);
        }
    }
}

static void block(sigset_t *ret_heard, struct tree *tree) {
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &normal, &tree->on_child);
    sigemptyset(ret_heard);
    sigaddset(ret_heard, SIGCHLD);
    tree_add_handed_on(ret_heard);
    sigprocmask(SIG_BLOCK, ret_heard, &tree->mask);
}

int tree_split(struct tree *tree) {
    sigset_t heard;
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        cli_say("no process for --tree: %s", strerror(errno));
        return CLI_FAILED;
    }
    block(&heard, tree);
    tree->caller = getpid();
    struct caller p = {.line = pair[0], .signals = signalfd(-1, &heard, SFD_CLOEXEC)};
    p.holder = p.signals >= 0 ? fork() : -1;
    if (p.holder < 0) {
        cli_say("no process for --tree: %s", strerror(errno));
        return CLI_FAILED;
    }
    if (p.holder > 0) {
        close(pair[1]);
        be_caller(&p);
    }
    close(pair[0]);
    close(p.signals);
    tree->line = pair[1];
    sigprocmask(SIG_SETMASK, &tree->mask, NULL);
    return -1;
}
