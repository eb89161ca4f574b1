/* Each kind of readiness on a real service; and who may say "ready". */
#include "support/world.h"

#define ON_PORT "--port ${PORT}"

/* Held only after the service did what the kind of readiness asks for, which it does after 150 ms.
 */
static struct reply ready_by(struct world *w, const char *options, const char *settings) {
    struct client *c = client_start(w);
    char all[512];
    snprintf(all, sizeof all, "--start-delay-ms 150 %s", options);
    client_open(c, all, settings);
    struct reply held = client_hold(c);
    struct event started;
    assert_true(events_last(w, "start", &started));
    assert_int_equal(started.pid, held.pid);
    assert_true(held.ms >= 140);
    return held;
}

TEST(notify_waits_for_ready_1) {
    ready_by(w, "--notify", "ready=notify");
}

TEST(notify_believes_a_child_of_the_service) {
    ready_by(w, "--notify-by-child", "ready=notify");
}

TEST(notify_does_not_believe_a_stranger) {
    struct client *c = client_start(w);
    client_open(c, "--tell-environment", "ready=notify start_timeout=1500");
    client_tell(c, "acquire 20000");
    await_events(w, "environment NOTIFY_SOCKET=", 1);
    struct event e;
    assert_true(events_last(w, "environment NOTIFY_SOCKET=", &e));
    world_shell(w,
                "NOTIFY_SOCKET='%s' python3 -c \"import os,socket; s=os.environ['NOTIFY_SOCKET']; "
                "s='\\\\0'+s[1:] if s[0]=='@' else s; "
                "socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM).sendto(b'READY=1',s)\"",
                e.text + strlen("environment NOTIFY_SOCKET="));
    struct reply r = client_reply(c);
    assert_error(&r, "TIMEOUT");
}

TEST(tcp_waits_for_the_port) {
    struct reply held = ready_by(w, ON_PORT, "ready=tcp");
    assert_true(held.port > 0);
    client_answered(w->clients[0], held.pid);
}

TEST(tcp_does_not_believe_a_stranger_on_the_port) {
    struct client *stranger = client_start(w), *c = client_start(w);
    char name[96], settings[96];
    snprintf(name, sizeof name, "%s-stranger", w->name);
    client_open_named(stranger, name, ON_PORT, "ready=tcp");
    struct reply other = client_hold(stranger);
    snprintf(settings, sizeof settings, "ready=tcp port=%u start_timeout=700", other.port);
    client_open(c, "", settings); /* does not listen at all */
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "TIMEOUT");
}

TEST(unix_waits_for_the_socket_file) {
    char options[256], settings[256];
    snprintf(options, sizeof options, "--unix %s/s", w->dir);
    snprintf(settings, sizeof settings, "ready=unix:%s/s", w->dir);
    ready_by(w, options, settings);
}

TEST(unix_is_not_fooled_by_the_socket_file_of_a_dead_service) {
    char options[256], settings[256];
    assert_int_equal(
        world_shell(w, "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\""), 0);
    snprintf(options, sizeof options, "--unix %s/s", w->dir);
    snprintf(settings, sizeof settings, "ready=unix:%s/s", w->dir);
    ready_by(w, options, settings);
}

TEST(exec_waits_for_the_command_to_succeed) {
    char options[256], settings[512];
    snprintf(options, sizeof options, "--ready-file %s/there", w->dir);
    snprintf(settings, sizeof settings, "ready=exec:test%%20-e%%20%s/there", w->dir);
    ready_by(w, options, settings);
}

TEST(exec_is_ended_when_it_hangs_past_the_start_timeout) {
    struct client *c = client_start(w);
    client_open(c, "", "ready=exec:sleep%201000 start_timeout=500");
    struct reply r = client_ask(c, "acquire 20000");
    assert_error(&r, "TIMEOUT");
    await_no_trace(w);
}

TEST(log_waits_for_a_line_that_matches) {
    ready_by(w, "--print not-yet-READY --ready-line READY-to-serve",
             "ready=log:^READY-(to|for)-serve$");
}

TEST(log_does_not_believe_a_line_of_an_earlier_start) {
    struct client *c = client_start(w);
    client_open(c, "--ready-line UP", "ready=log:^UP$");
    client_hold(c);
    client_quit(c);
    await_no_trace(w);
    struct client *d = client_start(w);
    client_open(d, "", "ready=log:^UP$ start_timeout=500");
    struct reply r = client_ask(d, "acquire 20000");
    assert_error(&r, "TIMEOUT");
}

TEST(without_a_check_a_program_that_runs_is_ready) {
    struct client *c = client_start(w);
    client_open_raw(c, w->name, "arg=sleep arg=1000");
    struct reply held = client_hold(c);
    assert_int_equal(held.port, 0);
    char line[64];
    look_command_line(held.pid, line, sizeof line);
    assert_string_equal(line, "sleep 1000");
}

TEST(the_placeholders_are_replaced_everywhere) {
    struct client *c = client_start(w);
    char settings[1024];
    snprintf(settings, sizeof settings,
             "arg=/bin/sh arg=-c "
             "arg=echo%%20\"$0$1$2\"%%20>%s/out;echo%%20\"$V\">>%s/out;pwd>>%s/"
             "out;exec%%20sleep%%201000 "
             "arg=${NAME} arg=:${PORT}: arg=${HOME} env=V=${DIR} working_dir=${DIR}/${NAME} "
             "ready=exec:test%%20${PORT}%%20-gt%%200",
             w->dir, w->dir, w->dir);
    struct reply r = client_open_raw(c, w->name, settings);
    assert_string_equal(r.verb, "ok");
    assert_int_equal(world_shell(w, "mkdir base/%s", w->name), 0);
    w->keeps_files = true;
    struct reply held = client_hold(c);
    char text[1024], wanted[1024];
    snprintf(wanted, sizeof wanted, "%s:%u:${HOME}\n%s\n%s/%s\n", w->name, held.port, w->base,
             w->base, w->name);
    AWAIT((file_text(world_path(w, "out"), text, sizeof text), strcmp(text, wanted) == 0));
}

TEST_MAIN(T(notify_waits_for_ready_1), T(notify_believes_a_child_of_the_service),
          T(notify_does_not_believe_a_stranger), T(tcp_waits_for_the_port),
          T(tcp_does_not_believe_a_stranger_on_the_port), T(unix_waits_for_the_socket_file),
          T(unix_is_not_fooled_by_the_socket_file_of_a_dead_service),
          T(exec_waits_for_the_command_to_succeed),
          T(exec_is_ended_when_it_hangs_past_the_start_timeout),
          T(log_waits_for_a_line_that_matches), T(log_does_not_believe_a_line_of_an_earlier_start),
          T(without_a_check_a_program_that_runs_is_ready),
          T(the_placeholders_are_replaced_everywhere))
