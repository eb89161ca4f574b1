/* procref-table: prints the transition tables that this build executes, as JSON, for the checkers:
 * that of services, and under "raw" that of the raw counter. */
#include <stdio.h>

#include "core/raw_table.h"
#include "core/table.h"

static void print_value(int value) {
    switch (value) {
    case PRI_VALUE_G: printf("\"g\""); break;
    case PRI_VALUE_MINUS_G: printf("\"-g\""); break;
    case PRI_VALUE_FINGERPRINT: printf("\"fingerprint\""); break;
    default: printf("%d", value);
    }
}

static void print_row(const struct pri_row *row, const char *const *registers) {
    printf("  \"%s\": {\"by\": \"%s\", \"conditions\": [", row->name, row->by);
    for (int i = 0; i < row->conditions_count; i++) {
        const struct pri_condition *c = &row->conditions[i];
        printf("%s[\"%s\", \"%s\", ", i ? ", " : "", registers[c->reg],
               c->relation == PRI_EQUALS ? "=" : ">=");
        print_value(c->value);
        printf("]");
    }
    printf("], \"changes\": [");
    for (int i = 0; i < row->changes_count; i++) {
        const struct pri_change *c = &row->changes[i];
        printf("%s[\"%s\", ", i ? ", " : "", registers[c->reg]);
        print_value(c->delta);
        printf(", %s]", c->undo ? "true" : "false");
    }
    printf("]}");
}

static void print_table(int layout, const char *const *registers, int registers_count,
                        const struct pri_row *rows, int rows_count) {
    printf("\"layout\": %d, \"registers\": [", layout);
    for (int r = 0; r < registers_count; r++) {
        printf("%s\"%s\"", r ? ", " : "", registers[r]);
    }
    printf("], \"table\": {\n");
    for (int t = 0; t < rows_count; t++) {
        print_row(&rows[t], registers);
        printf("%s\n", t + 1 < rows_count ? "," : "");
    }
    printf("}");
}

int main(void) {
    printf("{");
    print_table(PRI_LAYOUT_VERSION, pri_register_names, PRI_REGISTER_COUNT, pri_table,
                PRI_TRANSITION_COUNT);
    printf(",\n\"raw\": {");
    print_table(PRI_RAW_LAYOUT_VERSION, pri_raw_register_names, PRI_RAW_REGISTER_COUNT,
                pri_raw_table, PRI_RAW_TRANSITION_COUNT);
    printf("}}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
