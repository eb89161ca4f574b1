/* keeper/files.h: the directory, the hint and the log, with all that can stand in their way. */
#include "unit/family.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/fail.h"
#include "core/hash.h"
#include "keeper/files.h"
#include "os/clock.h"

static char scratch[64];
static int dir = -1;

/* Every test has a directory of its own. */
static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    dir = pri_directory_open(scratch, NULL);
    return dir >= 0 ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    close(dir);
    scratch_remove(scratch);
    return 0;
}

static const char *in_scratch(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

static void put(const char *name, const void *bytes, size_t length) {
    int fd = open(in_scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, bytes, length) == (ssize_t)length, "write");
    close(fd);
}

static size_t get(const char *name, char *to, size_t size) {
    int fd = open(in_scratch(name), O_RDONLY | O_CLOEXEC);
    must(fd >= 0, "open");
    ssize_t length = read(fd, to, size);
    must(length >= 0, "read");
    close(fd);
    return (size_t)length;
}

static unsigned files_in_scratch(void) {
    unsigned count = 0;
    DIR *all = opendir(scratch);
    must(all != NULL, "opendir");
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(all);
    return count;
}

/* ---- The directory ---- */

static void a_directory_is_created_for_us_alone(void **state) {
    (void)state;
    struct stat status;
    mode_t before = umask(0);
    int fd = pri_directory_open(in_scratch("new"), NULL);
    umask(before);
    assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true((status.st_mode & 07777) == 0700 && S_ISDIR(status.st_mode));
    close(fd);
    fd = pri_directory_open(in_scratch("new"), NULL);
    assert_true(fd >= 0);
    close(fd);
}

static void what_is_no_directory_of_ours_alone_is_refused(void **state) {
    (void)state;
    procref_error error = PROCREF_ERROR_INIT;
    put("file", "", 0);
    assert_int_equal(pri_directory_open(in_scratch("file"), &error), PROCREF_E_IO);
    assert_int_equal(pri_directory_open(in_scratch("no/such"), &error), PROCREF_E_IO);
    must(symlink("/tmp", in_scratch("link")) == 0, "symlink");
    assert_int_equal(pri_directory_open(in_scratch("link"), &error), PROCREF_E_IO);
    must(mkdir(in_scratch("open"), 0700) == 0 && chmod(in_scratch("open"), 0770) == 0, "mkdir");
    assert_int_equal(pri_directory_open(in_scratch("open"), &error), PROCREF_E_PERMISSION);
    assert_non_null(strstr(error.message, "chmod go-w"));
    if (geteuid() == 0) {
        must(mkdir(in_scratch("other"), 0700) == 0 && chown(in_scratch("other"), 12345, 0) == 0,
             "chown");
        assert_int_equal(pri_directory_open(in_scratch("other"), &error), PROCREF_E_PERMISSION);
        assert_non_null(strstr(error.message, "user 12345"));
    }
}

/* ---- Names ---- */

static void a_short_name_is_kept_and_a_long_one_is_shortened_to_fit(void **state) {
    (void)state;
    char to[256], other[256], name[256], umlauts[256];
    pri_file_name("redis", ".log", to);
    assert_string_equal(to, "redis.log");
    pri_file_name("..", ".hint", to);
    assert_string_equal(to, "...hint");

    memset(name, 'n', 255);
    name[255] = '\0';
    pri_file_name(name, "", to);
    assert_string_equal(to, name);
    pri_file_name(name + 4, ".log", to);
    assert_int_equal(strlen(to), 255);
    assert_null(strchr(to, '~'));
    pri_file_name(name, ".log", to);
    assert_int_equal(strlen(to), 255);
    assert_string_equal(to + 251, ".log");
    name[254] = 'm'; /* a difference beyond the cut */
    pri_file_name(name, ".log", other);
    assert_string_not_equal(to, other);

    for (size_t i = 0; i < 254; i += 2) {
        memcpy(umlauts + i, "\xc3\xa4", 2);
    }
    memcpy(umlauts + 254, "x", 2);
    pri_file_name(umlauts, ".hint.new", to); /* never in the middle of a character */
    size_t cut = strcspn(to, "~");
    assert_true(cut % 2 == 0 && strlen(to) <= 255 && (unsigned char)to[cut - 1] == 0xa4);
}

/* ---- The hint ---- */

static const struct pri_hint a_hint = {
    .phase = "up",
    .key = UINT64_MAX,
    .generation = 32767,
    .process = {.pid = 4194304, .start = UINT64_C(123456789012)},
    .port = 65535,
    .parts = {0, 1, UINT64_C(0x8000000000000000), UINT64_MAX, UINT64_MAX, UINT64_MAX},
    .metadata = UINT64_MAX,
    .since_ms = INT64_C(1700000000123),
};

static void assert_is_the_hint(const struct pri_hint *read) {
    assert_string_equal(read->phase, a_hint.phase);
    assert_true(read->key == a_hint.key && read->generation == a_hint.generation);
    assert_true(read->process.pid == a_hint.process.pid &&
                read->process.start == a_hint.process.start);
    assert_true(read->port == a_hint.port && read->since_ms == a_hint.since_ms);
    assert_memory_equal(read->parts, a_hint.parts, sizeof a_hint.parts);
}

static bool is_read(void) {
    struct pri_hint hint = {.generation = 99};
    bool good = pri_hint_read(dir, "s", &hint);
    if (!good) {
        assert_int_equal(hint.generation, 99); /* untouched */
    }
    return good;
}

static void what_was_written_is_read(void **state) {
    (void)state;
    static const char *const phases[] = {"starting", "up", "stopping"};
    struct pri_hint read;
    assert_false(is_read());
    assert_true(pri_hint_write(dir, "s", &a_hint));
    assert_true(pri_hint_read(dir, "s", &read));
    assert_is_the_hint(&read);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        struct pri_hint least = {0};
        strcpy(least.phase, phases[i]);
        assert_true(pri_hint_write(dir, "s", &least));
        assert_true(pri_hint_read(dir, "s", &read));
        assert_string_equal(read.phase, phases[i]);
        assert_true(read.process.pid == 0 && read.key == 0);
    }
    assert_int_equal(files_in_scratch(), 1);
    pri_hint_remove(dir, "s");
    assert_int_equal(files_in_scratch(), 0);
    assert_false(is_read());
}

static void a_hint_that_would_not_be_read_is_not_written(void **state) {
    (void)state;
    struct pri_hint hint = a_hint;
    strcpy(hint.phase, "down");
    assert_false(pri_hint_write(dir, "s", &hint));
    memset(hint.phase, 'x', sizeof hint.phase);
    assert_false(pri_hint_write(dir, "s", &hint));
    assert_int_equal(files_in_scratch(), 0);
}

static void no_damaged_hint_is_read(void **state) {
    (void)state;
    char text[512], damaged[1024];
    assert_true(pri_hint_write(dir, "s", &a_hint));
    size_t length = get("s.hint", text, sizeof text);
    assert_true(is_read());

    for (size_t i = 0; i < length; i++) { /* cut anywhere */
        put("s.hint", text, i);
        assert_false(is_read());
    }
    for (size_t i = 0; i < length;
         i++) { /* any byte replaced; another digit may make another valid hint */
        static const char bytes[] = {'\0', '\n', ' ', '-', '\xff', 'Z'};
        for (size_t k = 0; k < sizeof bytes; k++) {
            memcpy(damaged, text, length);
            if (damaged[i] == bytes[k]) {
                continue;
            }
            damaged[i] = bytes[k];
            put("s.hint", damaged, length);
            assert_false(is_read());
        }
    }
    for (size_t i = 0; i <= length; i++) { /* a byte too many */
        memcpy(damaged, text, i);
        damaged[i] = '\0';
        memcpy(damaged + i + 1, text + i, length - i);
        put("s.hint", damaged, length + 1);
        assert_false(is_read());
    }
    put("s.hint", text, length);
    assert_true(is_read());
}

static void no_rubbish_is_read(void **state) {
    (void)state;
    static char huge[65536];
    unsigned seed = 20240501;
    put("s.hint", huge, sizeof huge);
    assert_false(is_read());
    for (int round = 0; round < 2000; round++) {
        char bytes[600];
        size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < length; i++) {
            bytes[i] = (char)rand_r(&seed);
        }
        put("s.hint", bytes, length);
        assert_false(is_read());
    }
}

/* Replaces the first from by to in the hint, whose sum is made right again or not, and says whether it is still read. */
static bool is_read_changed(const char *from, const char *to, bool summed) {
    char text[512], changed[1024];
    assert_true(pri_hint_write(dir, "s", &a_hint));
    size_t length = get("s.hint", text, sizeof text - 1);
    text[length] = '\0';
    const char *at = strstr(text, from);
    assert_non_null(at);
    int changed_length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                                  at + strlen(from));
    char *sum = strstr(changed, "\nsum ");
    assert_non_null(sum);
    if (summed) {
        size_t before = (size_t)(++sum - changed);
        changed_length = (int)before + snprintf(sum, sizeof changed - before, "sum %" PRIu64 "\n",
                                                pri_hash(0, changed, before));
    }
    while (changed_length < 512) { /* as long as it was */
        changed[changed_length++] = '\n';
    }
    put("s.hint", changed, (size_t)changed_length);
    return is_read();
}

static bool is_read_with(const char *from, const char *to) {
    return is_read_changed(from, to, true);
}

static void a_hint_that_somebody_altered_is_not_read(void **state) {
    (void)state;
    assert_true(is_read_changed("pid 4194304", "pid 4194303", true));
    assert_false(is_read_changed("pid 4194304", "pid 4194303", false));
}

static void numbers_that_do_not_fit_are_not_read(void **state) {
    (void)state;
    assert_true(is_read_with("port 65535", "port 65534"));
    assert_false(is_read_with("port 65535", "port 65536"));
    assert_false(is_read_with("port 65535", "port 00001"));
    assert_false(is_read_with("port 65535", "port +1"));
    assert_false(is_read_with("port 65535", "port "));
    assert_false(is_read_with("pid 4194304", "pid 4294967295"));
    assert_false(is_read_with("pid 4194304", "pid -1"));
    assert_false(is_read_with("generation 32767", "generation 4294967296"));
    assert_false(is_read_with("key 18446744073709551615", "key 18446744073709551616"));
    assert_false(is_read_with("key 18446744073709551615", "key 99999999999999999999999999"));
    assert_false(is_read_with("since 1700000000123", "since 9223372036854775808"));
    assert_false(is_read_with("phase up", "phase upp"));
    assert_false(is_read_with("procref 2", "procref 3"));
}

static void lines_that_a_later_version_adds_do_not_hide_the_hint(void **state) {
    (void)state;
    const char *since = "since 1700000000123\n";
    assert_true(is_read_with(since, "since 1700000000123\nnewer 1\n"));
    assert_true(is_read_with(since, "since 1700000000123\nsummary of it\nlast word\n"));
    assert_false(is_read_changed(since, "since 1700000000123\nnewer 1\n", false));
    assert_false(is_read_with(since, "since 1700000000123\n\nnewer 1\n"));
    assert_false(is_read_with(since, "since 1700000000123\n1 newer\n"));
    assert_false(is_read_with("pid ", "newer 1\npid ")); /* at the end only */
}

static void a_hint_of_another_boot_is_not_read(void **state) {
    (void)state;
    assert_false(is_read_with("boot ", "boot 0"));
    char text[512];
    assert_true(pri_hint_write(dir, "s", &a_hint));
    size_t length = get("s.hint", text, sizeof text);
    char *digit = text + strlen("procref 2\nboot ");
    *digit = *digit == '0' ? '1' : '0';
    put("s.hint", text, length);
    assert_false(is_read());
}

static void what_others_could_have_planted_is_not_read(void **state) {
    (void)state;
    char text[512], path[128], target[128];
    assert_true(pri_hint_write(dir, "s", &a_hint));
    size_t length = get("s.hint", text, sizeof text);
    snprintf(path, sizeof path, "%s", in_scratch("s.hint"));
    snprintf(target, sizeof target, "%s", in_scratch("elsewhere"));

    must(chmod(path, 0620) == 0, "chmod");
    assert_false(is_read());
    must(chmod(path, 0600) == 0 && link(path, target) == 0, "link");
    assert_false(is_read()); /* two names */
    must(unlink(path) == 0 && symlink(target, path) == 0, "symlink");
    assert_false(is_read());
    must(unlink(path) == 0 && mkfifo(path, 0600) == 0, "mkfifo");
    assert_false(is_read()); /* and does not hang */
    must(unlink(path) == 0 && mkdir(path, 0700) == 0, "mkdir");
    assert_false(is_read());
    must(rmdir(path) == 0, "rmdir");
    if (geteuid() == 0) {
        put("s.hint", text, length);
        must(chown(path, 12345, 0) == 0, "chown");
        assert_false(is_read());
    }
}

static void what_stands_in_a_hints_way_is_replaced_but_never_followed(void **state) {
    (void)state;
    char target[128], text[16];
    put("precious", "precious", 8);
    snprintf(target, sizeof target, "%s", in_scratch("precious"));
    must(symlink(target, in_scratch("s.hint")) == 0, "symlink");
    assert_true(pri_hint_write(dir, "s", &a_hint));
    assert_true(is_read());
    assert_int_equal(get("precious", text, sizeof text), 8);

    pri_hint_remove(dir, "s");
    must(mkdir(in_scratch("s.hint"), 0700) == 0, "mkdir");
    assert_false(pri_hint_write(dir, "s", &a_hint));
    assert_int_equal(files_in_scratch(), 2); /* the precious file and what stands in the way */

    must(rmdir(in_scratch("s.hint")) == 0 && link(target, in_scratch("s.hint")) == 0, "link");
    assert_true(pri_hint_write(dir, "s", &a_hint));
    assert_true(is_read());
    assert_int_equal(get("precious", text, sizeof text), 8);
}

/* Like a full disk, but without one: the kernel refuses to let files grow. */
static void limit_file_size(rlim_t bytes, struct rlimit *before) {
    struct rlimit limit;
    must(getrlimit(RLIMIT_FSIZE, before) == 0, "getrlimit");
    limit = (struct rlimit){.rlim_cur = bytes, .rlim_max = before->rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    must(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
}

static void unlimit_file_size(const struct rlimit *before) {
    must(setrlimit(RLIMIT_FSIZE, before) == 0, "setrlimit");
    signal(SIGXFSZ, SIG_DFL);
}

static void a_full_disk_leaves_no_hint_rather_than_half_of_one(void **state) {
    (void)state;
    struct rlimit before;
    struct pri_hint other = a_hint;
    other.generation = 7;
    assert_true(pri_hint_write(dir, "s", &a_hint));
    limit_file_size(100, &before);
    bool written = pri_hint_write(dir, "s", &other);
    unlimit_file_size(&before);
    assert_false(written);
    struct pri_hint read;
    assert_false(pri_hint_read(dir, "s", &read));
    assert_int_equal(files_in_scratch(), 0);
}

static void a_deleted_directory_only_means_no_files(void **state) {
    (void)state;
    struct pri_log log;
    int gone = pri_directory_open(in_scratch("gone"), NULL);
    must(gone >= 0 && rmdir(in_scratch("gone")) == 0, "rmdir");
    assert_false(pri_hint_write(gone, "s", &a_hint));
    struct pri_hint read;
    assert_false(pri_hint_read(gone, "s", &read));
    pri_hint_remove(gone, "s");
    pri_log_open(&log, gone, "s");
    assert_true(log.fd >= 0);
    assert_int_equal(write(log.fd, "x\n", 2), 2);
    char tail[16];
    assert_int_equal(pri_log_tail(&log, tail, sizeof tail), 2);
    pri_log_close(&log);
    close(gone);
    assert_int_equal(files_in_scratch(), 0);
    assert_false(pri_hint_write(-1, "s", &a_hint)); /* no directory at all */
    assert_false(pri_hint_read(-1, "s", &read));
}

/* ---- Metadata ---- */

static size_t read_metadata(uint64_t hash, size_t room) {
    static char to[PROCREF_METADATA_MAX + 1];
    return pri_metadata_read(dir, "s", hash, to, room);
}

static void metadata_that_was_written_is_read(void **state) {
    (void)state;
    static char most[PROCREF_METADATA_MAX], to[PROCREF_METADATA_MAX];
    memset(most, 'x', sizeof most);
    uint64_t hash = pri_metadata_write(dir, "s", most, sizeof most);
    assert_true(hash != 0);
    assert_int_equal(pri_metadata_read(dir, "s", hash, to, sizeof to), sizeof most);
    assert_memory_equal(to, most, sizeof most);
    hash = pri_metadata_write(dir, "s", "k\0v", 4); /* nothing of the longer one stays */
    assert_int_equal(pri_metadata_read(dir, "s", hash, to, sizeof to), 4);
    assert_memory_equal(to, "k\0v", 4);
    assert_int_equal(pri_metadata_read(dir, "s", hash, to, 4), 4);
    assert_int_equal(pri_metadata_read(dir, "s", hash, to, 3), 0);
    pri_metadata_remove(dir, "s");
    assert_int_equal(read_metadata(hash, 4), 0);
    assert_int_equal(files_in_scratch(), 0);
}

static void metadata_that_is_not_what_was_written_is_none(void **state) {
    (void)state;
    static char large[PROCREF_METADATA_MAX + 1];
    uint64_t hash = pri_metadata_write(dir, "s", "k\0v", 4);
    assert_int_equal(read_metadata(hash + 1, 64), 0);
    assert_int_equal(read_metadata(0, 64), 0);
    put("s.info", "k\0", 2); /* truncated */
    assert_int_equal(read_metadata(hash, 64), 0);
    put("s.info", "k\0w", 4); /* altered */
    assert_int_equal(read_metadata(hash, 64), 0);
    put("s.info", "", 0);
    assert_int_equal(read_metadata(hash, 64), 0);
    put("s.info", large, sizeof large);
    assert_int_equal(read_metadata(pri_hash(0, large, sizeof large), PROCREF_METADATA_MAX), 0);
    hash = pri_metadata_write(dir, "s", "k\0v", 4); /* one that is too large gives way */
    assert_int_equal(read_metadata(hash, 64), 4);
}

static void metadata_follows_no_link_and_touches_no_foreign_file(void **state) {
    (void)state;
    char path[128], target[128], text[8] = "";
    snprintf(path, sizeof path, "%s", in_scratch("s.info"));
    snprintf(target, sizeof target, "%s", in_scratch("elsewhere"));
    uint64_t hash = pri_metadata_write(dir, "s", "k\0v", 4);
    must(rename(path, target) == 0 && symlink(target, path) == 0, "symlink");
    assert_int_equal(read_metadata(hash, 64), 0);
    assert_true(pri_metadata_write(dir, "s", "other", 5) != 0); /* the link is replaced */
    assert_int_equal(get("elsewhere", text, sizeof text), 4);
    must(unlink(path) == 0 && link(target, path) == 0, "link");
    assert_int_equal(read_metadata(hash, 64), 0);
    assert_true(pri_metadata_write(dir, "s", "other", 5) != 0);
    assert_int_equal(get("elsewhere", text, sizeof text), 4);
    must(unlink(path) == 0 && mkfifo(path, 0600) == 0, "mkfifo");
    assert_int_equal(read_metadata(hash, 64), 0); /* and does not hang */
    must(unlink(path) == 0 && rename(target, path) == 0 && chmod(path, 0620) == 0, "chmod");
    assert_int_equal(read_metadata(hash, 64), 0); /* others may write to it */
    must(chmod(path, 0600) == 0, "chmod");
    assert_int_equal(read_metadata(hash, 64), 4);
    must(unlink(path) == 0 && mkdir(path, 0700) == 0, "mkdir");
    assert_int_equal(read_metadata(hash, 64), 0);
    assert_true(pri_metadata_write(dir, "s", "other", 5) == 0);
    assert_int_equal(pri_metadata_write(-1, "s", "other", 5), 0);
}

/* ---- The log ---- */

static void say(const struct pri_log *log, const char *text) {
    must(write(log->fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

/* length bytes in numbered lines of 64 bytes */
static void say_much(const struct pri_log *log, size_t length) {
    char line[65];
    for (size_t at = 0; at < length; at += 64) {
        snprintf(line, sizeof line, "%063zu\n", at);
        must(write(log->fd, line, 64) == 64, "write");
    }
}

static int64_t size_of(const char *name) {
    struct stat status;
    return stat(in_scratch(name), &status) == 0 ? (int64_t)status.st_size : -1;
}

static void a_log_is_appended_to_and_kept(void **state) {
    (void)state;
    char text[64], tail[64];
    struct pri_log log;
    for (int i = 0; i < 2; i++) {
        pri_log_open(&log, dir, "s");
        assert_true(log.fd >= 0 && (fcntl(log.fd, F_GETFD) & FD_CLOEXEC) != 0);
        int flags = fcntl(log.fd, F_GETFL);
        assert_true((flags & O_APPEND) != 0 && (flags & O_NONBLOCK) == 0);
        say(&log, i == 0 ? "first\n" : "second\n");
        pri_log_tail(&log, tail, sizeof tail);
        assert_string_equal(tail, i == 0 ? "first\n" : "second\n");
        pri_log_close(&log);
        pri_log_close(&log);
    }
    assert_int_equal(get("s.log", text, sizeof text), 13);
    assert_memory_equal(text, "first\nsecond\n", 13);
    assert_int_equal(files_in_scratch(), 1);
}

static void what_is_planted_under_a_logs_name_is_neither_opened_nor_removed(void **state) {
    (void)state;
    char path[128], target[128], text[16];
    struct stat before, after;
    put("precious", "precious", 8);
    snprintf(target, sizeof target, "%s", in_scratch("precious"));
    snprintf(path, sizeof path, "%s", in_scratch("s.log"));
    for (int kind = 0; kind < 6; kind++) {
        int made = kind == 0   ? symlink(target, path)
                   : kind == 1 ? symlink("/nowhere/at/all", path)
                   : kind == 2 ? mkfifo(path, 0600)
                   : kind == 3 ? mkdir(path, 0700)
                   : kind == 4 ? link(target, path)
                               : 0;
        if (kind == 5) {
            put("s.log", "", 0);
            made = chmod(path, 0622);
        }
        must(made == 0 && lstat(path, &before) == 0, "plant");
        struct pri_log log;
        pri_log_open(&log, dir, "s");
        assert_true(log.fd >= 0);
        assert_int_equal(log.dir, -1);
        say(&log, "hello\n");
        assert_int_equal(pri_log_tail(&log, text, sizeof text), 6);
        pri_log_close(&log);
        must(lstat(path, &after) == 0, "lstat");
        assert_true(before.st_ino == after.st_ino && before.st_mode == after.st_mode);
        must(remove(path) == 0, "remove");
        assert_int_equal(get("precious", text, sizeof text), 8);
    }
}

static void a_new_start_begins_at_the_mark(void **state) {
    (void)state;
    char tail[64];
    struct pri_log log;
    pri_log_open(&log, dir, "s");
    say(&log, "old\n");
    pri_log_mark(&log);
    assert_int_equal(log.start, 4);
    assert_int_equal(pri_log_tail(&log, tail, sizeof tail), 0);
    assert_string_equal(tail, "");
    say(&log, "new\nlast");
    pri_log_tail(&log, tail, sizeof tail);
    assert_string_equal(tail, "new\nlast");
    pri_log_close(&log);
}

static void the_tail_has_whole_lines_and_is_text(void **state) {
    (void)state;
    static const struct {
        const char *said;
        size_t length;
        size_t size;
        const char *tail;
    } cases[] = {
        {"one\ntwo\nthree\n", 14, 64, "one\ntwo\nthree\n"},
        {"one\ntwo\nthree\n", 14, 14, "two\nthree\n"}, /* one byte short of all */
        {"one\ntwo\nthree\n", 14, 11, "two\nthree\n"}, /* just as much as fits */
        {"one\ntwo\nthree\n", 14, 10, "three\n"},
        {"one\ntwo\nthree\n", 14, 4, "ee\n"}, /* no whole line fits: the end of one */
        {"one\ntwo\nthree\n", 14, 1, ""},
        {"a\0b\x1b[1mc\td\r\ne\rf\x7f", 16, 64, "a?b?[1mc\td\ne?f?"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15, 64,
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff \xc3 \xe2\x82 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \xc2\x9b \x80", 23, 64,
         "? ? ?? ??? ?? ???? ?? ?"},
        {"\xe2\x82\xac\xe2\x82\xac", 6, 6, "??\xe2\x82\xac"}, /* cut within a character */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char tail[64];
        struct pri_log log;
        memset(tail, 'T', sizeof tail);
        pri_log_open(&log, -1, "s");
        must(write(log.fd, cases[i].said, cases[i].length) == (ssize_t)cases[i].length, "write");
        assert_int_equal(pri_log_tail(&log, tail, cases[i].size), strlen(cases[i].tail));
        assert_string_equal(tail, cases[i].tail);
        pri_log_close(&log);
    }
}

/* What the keeper's loop does: wait until the log wants a look, then look. False if it wants none
 * for timeout_ms. */
static bool look(struct pri_log *log, int timeout_ms) {
    int64_t end = pri_deadline(timeout_ms);
    int64_t until = log->next_ns < end ? log->next_ns : end;
    struct pollfd poll_for = {.fd = log->grew, .events = POLLIN};
    int ready = poll(&poll_for, 1, pri_deadline_poll_ms(until));
    if (ready == 0 && pri_clock_ns() >= end && log->next_ns > end) {
        return false;
    }
    pri_log_trim(log);
    return true;
}

static void a_log_that_grows_too_long_is_cut_and_its_end_is_kept(void **state) {
    (void)state;
    static char old[PRI_LOG_LIMIT];
    struct pri_log log;
    pri_log_open(&log, dir, "s");
    assert_true(log.grew >= 0);
    say_much(&log, PRI_LOG_LIMIT);
    while (look(&log, 250)) { /* until it is quiet */
    }
    assert_int_equal(size_of("s.log"), PRI_LOG_LIMIT);
    say_much(&log, 64);
    while (size_of("s.log") > 0) {
        assert_true(look(&log, FAMILY_PATIENCE_MS));
    }
    assert_int_equal(log.start, 0);
    size_t length = get("s.log.1", old, sizeof old);
    assert_true(length > PRI_LOG_LIMIT / 2 - 128 && length <= PRI_LOG_LIMIT / 2);
    assert_int_equal(length % 64, 0); /* begins with a line */
    assert_int_equal(strtoul(old + length - 64, NULL, 10), 0);
    assert_int_equal(strtoul(old + length - 128, NULL, 10), PRI_LOG_LIMIT - 64);
    say(&log, "on\n"); /* appends at the new end */
    assert_int_equal(size_of("s.log"), 3);
    pri_log_close(&log);
    assert_int_equal(files_in_scratch(), 2);
}

static void a_busy_log_is_looked_at_ten_times_a_second_and_a_quiet_one_never(void **state) {
    (void)state;
    struct pri_log log;
    int64_t begin = pri_clock_ns();
    unsigned looks = 0;
    pri_log_open(&log, dir, "s");
    while (pri_clock_ns() < begin + 450 * PRI_MS) {
        struct pollfd poll_for = {.fd = log.grew, .events = POLLIN};
        say(&log, "busy\n");
        if (poll(&poll_for, 1, 0) == 1 || pri_clock_ns() >= log.next_ns) {
            pri_log_trim(&log);
            looks++;
        }
    }
    assert_true(looks >= 1 && looks <= 10); /* 5, and as many wake-ups for what was queued before */
    while (look(&log, 250)) {
    }
    assert_true(log.next_ns == PRI_NEVER);
    pri_log_close(&log);
}

static void without_inotify_the_clock_looks_more_and_more_rarely(void **state) {
    (void)state;
    struct pri_log log;
    pri_log_open(&log, dir, "s");
    close(log.grew); /* as if inotify_init1 had failed */
    log.grew = -1;
    log.next_ns = 0;
    pri_log_trim(&log);
    int64_t first = log.next_ns - pri_clock_ns();
    log.next_ns = 0;
    pri_log_trim(&log);
    int64_t second = log.next_ns - pri_clock_ns();
    assert_true(second > first);
    say_much(&log, PRI_LOG_LIMIT + 64);
    log.next_ns = 0;
    pri_log_trim(&log);
    assert_true(log.next_ns - pri_clock_ns() < second);
    assert_int_equal(size_of("s.log"), 0);
    pri_log_close(&log);
}

static void a_log_in_memory_is_cut_too(void **state) {
    (void)state;
    char tail[64];
    struct pri_log log;
    pri_log_open(&log, -1, "s");
    assert_true(log.fd >= 0);
    say_much(&log, PRI_LOG_LIMIT + 64);
    int64_t end = pri_deadline(FAMILY_PATIENCE_MS);
    do {
        assert_true(look(&log, FAMILY_PATIENCE_MS));
        pri_log_tail(&log, tail, sizeof tail);
    } while (tail[0] != '\0' && pri_clock_ns() < end);
    assert_string_equal(tail, "");
    say(&log, "on\n");
    pri_log_tail(&log, tail, sizeof tail);
    assert_string_equal(tail, "on\n");
    pri_log_close(&log);
    assert_int_equal(files_in_scratch(), 0);
}

static void a_full_disk_cuts_the_log_all_the_same(void **state) {
    (void)state;
    struct rlimit before;
    struct pri_log log;
    pri_log_open(&log, dir, "s");
    say_much(&log, PRI_LOG_LIMIT + 64);
    limit_file_size(1000, &before);
    pri_log_mark(&log);
    unlimit_file_size(&before);
    assert_int_equal(size_of("s.log"), 0);
    assert_int_equal(log.start, 0);
    assert_int_equal(size_of("s.log.new"), -1);
    pri_log_close(&log);
}

static void a_log_deleted_while_open_is_still_the_log(void **state) {
    (void)state;
    char tail[16];
    struct pri_log log;
    pri_log_open(&log, dir, "s");
    must(unlink(in_scratch("s.log")) == 0, "unlink");
    say(&log, "hello\n");
    assert_true(look(&log, FAMILY_PATIENCE_MS));
    assert_int_equal(pri_log_tail(&log, tail, sizeof tail), 6);
    pri_log_close(&log);
    assert_int_equal(files_in_scratch(), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_directory_is_created_for_us_alone),
        TEST(what_is_no_directory_of_ours_alone_is_refused),
        TEST(a_short_name_is_kept_and_a_long_one_is_shortened_to_fit),
        TEST(what_was_written_is_read),
        TEST(a_hint_that_would_not_be_read_is_not_written),
        TEST(no_damaged_hint_is_read),
        TEST(no_rubbish_is_read),
        TEST(numbers_that_do_not_fit_are_not_read),
        TEST(a_hint_that_somebody_altered_is_not_read),
        TEST(lines_that_a_later_version_adds_do_not_hide_the_hint),
        TEST(a_hint_of_another_boot_is_not_read),
        TEST(what_others_could_have_planted_is_not_read),
        TEST(what_stands_in_a_hints_way_is_replaced_but_never_followed),
        TEST(a_full_disk_leaves_no_hint_rather_than_half_of_one),
        TEST(a_deleted_directory_only_means_no_files),
        TEST(metadata_that_was_written_is_read),
        TEST(metadata_that_is_not_what_was_written_is_none),
        TEST(metadata_follows_no_link_and_touches_no_foreign_file),
        TEST(a_log_is_appended_to_and_kept),
        TEST(what_is_planted_under_a_logs_name_is_neither_opened_nor_removed),
        TEST(a_new_start_begins_at_the_mark),
        TEST(the_tail_has_whole_lines_and_is_text),
        TEST(a_log_that_grows_too_long_is_cut_and_its_end_is_kept),
        TEST(a_busy_log_is_looked_at_ten_times_a_second_and_a_quiet_one_never),
        TEST(without_inotify_the_clock_looks_more_and_more_rarely),
        TEST(a_log_in_memory_is_cut_too),
        TEST(a_full_disk_cuts_the_log_all_the_same),
        TEST(a_log_deleted_while_open_is_still_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
