/* procref-table: prints the transition table that this build executes, as JSON, for the checker. */
#include <stdio.h>

#include "core/table.h"

static void print_value(int value) {
    switch (value) {
    case PRI_VALUE_G: printf("\"g\""); break;
    case PRI_VALUE_MINUS_G: printf("\"-g\""); break;
    case PRI_VALUE_FINGERPRINT: printf("\"fingerprint\""); break;
    default: printf("%d", value);
    }
}

int main(void) {
    printf("{\"layout\": %d, \"registers\": [", PRI_LAYOUT_VERSION);
    for (int r = 0; r < PRI_REGISTER_COUNT; r++) {
        printf("%s\"%s\"", r ? ", " : "", pri_register_names[r]);
    }
    printf("], \"table\": {\n");
    for (int t = 0; t < PRI_TRANSITION_COUNT; t++) {
        const struct pri_row *row = &pri_table[t];
        printf("  \"%s\": {\"by\": \"%s\", \"conditions\": [", row->name, row->by);
        for (int i = 0; i < row->conditions_count; i++) {
            const struct pri_condition *c = &row->conditions[i];
            printf("%s[\"%s\", \"%s\", ", i ? ", " : "", pri_register_names[c->reg],
                   c->relation == PRI_EQUALS ? "=" : ">=");
            print_value(c->value);
            printf("]");
        }
        printf("], \"changes\": [");
        for (int i = 0; i < row->changes_count; i++) {
            const struct pri_change *c = &row->changes[i];
            printf("%s[\"%s\", ", i ? ", " : "", pri_register_names[c->reg]);
            print_value(c->delta);
            printf(", %s]", c->undo ? "true" : "false");
        }
        printf("]}%s\n", t + 1 < PRI_TRANSITION_COUNT ? "," : "");
    }
    printf("}}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
