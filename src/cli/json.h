/* What ps and status print with --json (docs/json.md, docs/status.schema.json). */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/look.h"

/* One service, or a list of all, on stdout. An exit status. */
int json_print_service(const struct look *look);
int json_print_services(const struct look *list, size_t count);

#endif
