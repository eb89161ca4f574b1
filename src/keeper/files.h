/*
 * The keeper's files: a hint and a log in one directory. Files are hints: each function here may
 * fail for any reason, and the keeper goes on without. Nothing here follows a link or opens what is
 * not a regular file of ours with one name.
 */
#ifndef PRI_FILES_H
#define PRI_FILES_H

#include "core/config.h"
#include "os/process.h"

struct pri_hint {
    char phase[12]; /* "starting", "up" */
    uint64_t key;   /* hash of the full name, so a hint of another service is not believed */
    uint32_t generation;
    struct pri_process process;
    uint16_t port;
    uint64_t parts[PRI_PART_COUNT]; /* fingerprints of the running configuration */
    uint64_t metadata;              /* what pri_metadata_write() returned; 0: none */
    int64_t since_ms;               /* wall clock of the start, for people */
};

/* Opens (after creating it, mode 0700) the directory, which must be a directory, ours, and not
 * writable by others; returns a descriptor or a negative code. */
int pri_directory_open(const char *path, procref_error *err);

/* A regular file of ours with one name, which nobody else can write. */
struct stat;
bool pri_file_is_ours(const struct stat *status);

/* The file's name for a service's name: name + suffix, or shortened with a hash where that is too
 * long for a file. Suffixes in use: .hint .info .log .log.1 .log.new */
void pri_file_name(const char *name, const char *suffix, char *to /* [256] */);

/*
 * One write of a fixed length; a reader that sees half of it notices by the sum. The boot's id is
 * in it: a hint of another boot is not read, nor is anything that write would not have written, but
 * for lines that a later version may have put before the sum.
 * False: there is no hint; *ret_hint is untouched.
 */
bool pri_hint_write(int dir, const char *name, const struct pri_hint *hint);
bool pri_hint_read(int dir, const char *name, struct pri_hint *ret_hint);
bool pri_hint_exists(int dir, const char *name); /* whatever it says */
void pri_hint_remove(int dir, const char *name);

/*
 * What a client said of its service beside pid and port, in a file of its own. write returns its
 * hash, which the hint has, 0 if it could not be written; read returns its size, 0 unless it is
 * what was written.
 */
uint64_t pri_metadata_write(int dir, const char *name, const char *bytes, size_t size);
size_t pri_metadata_read(int dir, const char *name, uint64_t hash, char *to, size_t room);
void pri_metadata_remove(int dir, const char *name);

struct pri_log {
    int fd;                /* append-only; handed to the service; a memfd if no file can be had */
    procref_waitable grew; /* readable when the log may have grown too long; -1: none */
    int64_t start;         /* where the output of this start begins */
    int64_t next_ns;       /* pri_log_trim() wants to be called at this time; INT64_MAX: never */
    /* private */
    int dir;          /* borrowed; -1: a memfd */
    int64_t seen;     /* its length at the last look */
    int64_t pause_ns; /* until the next look */
    char name[256];
};
enum { PRI_LOG_LIMIT = 1024 * 1024 };

/*
 * dir -1: no directory, a memfd. Never fails but for lack of memory or descriptors (-1 in fd). What
 * is found under the log's name and is no regular file of ours alone is neither opened nor removed;
 * the log is a memfd then. An older log of ours is continued.
 */
void pri_log_open(struct pri_log *log, int dir, const char *name);

/* Marks where the next start's output begins and cuts the file if it is too long. */
void pri_log_mark(struct pri_log *log);

/*
 * Call when grew is readable or next_ns has come: beyond PRI_LOG_LIMIT the end of the log (half of
 * the limit) moves to NAME.log.1 and the log starts empty. Between a look and the next at least 100
 * ms pass, and none if nobody writes (without inotify, of which a user has 128, the looks grow
 * rarer, up to one a minute). Let a readiness check that reads the log take its step first. Lines
 * written during the cut itself may be lost.
 */
void pri_log_trim(struct pri_log *log);

/* The last lines since the mark, at most size - 1 bytes, whole lines, valid UTF-8 (other bytes and
 * control characters but tab become '?'). Returns the length. */
size_t pri_log_tail(const struct pri_log *log, char *to, size_t size);

/* The same of a file that the service appends to, of what is behind its length at the start. */
int64_t pri_log_file_length(const char *path);
size_t pri_log_file_tail(const char *path, int64_t start, char *to, size_t size);

/* Appends a line of procref's own, between two of the service's. */
void pri_log_say(const struct pri_log *log, const char *message);

void pri_log_close(struct pri_log *log);

#endif
