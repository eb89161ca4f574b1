/* What procref check prints of a unit: for people (check.c), and with --json (check_json.c). */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "cli/unit.h"

extern const char *const check_levels[]; /* by enum unit_level */
extern const char *const check_lists[];  /* by enum pri_step_list: "ExecStartPre" */
extern const char *const check_types[];  /* by enum pri_plan_type */
extern const char *const check_kill_modes[];
extern const char *const check_limits[]; /* by RLIMIT_…: "NOFILE" */
enum { CHECK_LIMITS = 16 };

/* "SIGTERM", "SIGRTMIN+3" */
const char *check_signal_name(int signal, char text[32]);

/* One object on stdout (procref-check(1), "JSON"); an exit status. */
int check_print_json(const struct unit *unit, bool runs);

#endif
