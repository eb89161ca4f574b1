/* Plans (plan.h) in a configuration's block: written by the client, read by the keeper. */
#include "core/plan.h"

#include <string.h>

#include "core/hash.h"

enum { ALIGN = 8 };

/* Writes one thing after the other, or only counts when there is no room given. Offsets are counted
 * from the plan's begin, so the same plan has the same bytes wherever it lies. */
struct writer {
    char *base;
    size_t used;
};

static void put_bytes(struct writer *w, const void *bytes, size_t size) {
    if (w->base != NULL) {
        memcpy(w->base + w->used, bytes, size);
    }
    w->used += size;
}

static uint32_t put_text(struct writer *w, const char *text) {
    if (text == NULL) {
        return 0;
    }
    uint32_t at = (uint32_t)w->used;
    put_bytes(w, text, strlen(text) + 1);
    return at;
}

static struct pri_list put_list(struct writer *w, const char *const *list) {
    struct pri_list put = {.at = (uint32_t)w->used};
    for (; list != NULL && list[put.count] != NULL; put.count++) {
        put_text(w, list[put.count]);
    }
    return put;
}

size_t pri_plan_write(void *base, const struct pri_plan *plan) {
    struct writer w = {base, sizeof(struct pri_plan_block)};
    struct pri_plan_block block;
    memset(&block, 0, sizeof block);
    block.type = plan->type;
    block.kill_mode = plan->kill_mode;
    block.wants_port = plan->wants_port;
    block.never_kill = plan->never_kill;
    block.sigpipe = plan->sigpipe;
    block.restarts_given = plan->restarts_given;
    block.restarts = plan->restarts;
    block.umask = plan->umask;
    block.nice = plan->nice;
    block.start_burst = plan->start_burst;
    block.restart_ms = plan->restart_ms;
    block.start_interval_ms = plan->start_interval_ms;
    memcpy(block.ends, plan->ends, sizeof block.ends);
    block.limit_count = (uint32_t)plan->limit_count;
    block.step_count = (uint32_t)plan->step_count;
    block.limits = (uint32_t)w.used;
    put_bytes(&w, plan->limits, plan->limit_count * sizeof *plan->limits);
    block.steps = (uint32_t)w.used;
    w.used += plan->step_count * sizeof(struct pri_plan_step);
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct pri_step *step = &plan->steps[i];
        struct pri_plan_step put;
        memset(&put, 0, sizeof put);
        put.list = step->list;
        put.flags = step->flags;
        put.program = put_text(&w, step->program);
        put.argv = put_list(&w, step->argv);
        if (base != NULL) {
            memcpy((char *)base + block.steps + i * sizeof put, &put, sizeof put);
        }
    }
    block.pid_file = put_text(&w, plan->pid_file);
    block.output = put_text(&w, plan->output);
    block.error = put_text(&w, plan->error);
    block.unset = put_list(&w, plan->unset);
    block.compared = (uint32_t)w.used; /* what holds the required is not the service's own */
    block.holder = put_list(&w, plan->holder);
    put_text(&w, ""); /* the last byte is a zero, whatever came before */
    block.size = (uint32_t)w.used;
    if (base != NULL) {
        memcpy(base, &block, sizeof block);
    }
    return w.used;
}

uint64_t pri_plan_hash(const struct pri_plan_block *plan) {
    return pri_hash(0, (const char *)plan + sizeof *plan, plan->compared - sizeof *plan) +
           pri_hash(1,
                    (const uint32_t[]){plan->type, plan->kill_mode, (uint32_t)plan->umask,
                                       (uint32_t)plan->nice},
                    4 * sizeof(uint32_t));
}

static bool list_inside(const struct pri_plan_block *plan, struct pri_list list) {
    const char *base = (const char *)plan;
    uint32_t at = list.at;
    for (uint32_t i = 0; i < list.count; i++) {
        if (at < sizeof *plan || at >= plan->size) {
            return false;
        }
        at += (uint32_t)strlen(base + at) + 1; /* ends inside: the block ends with a zero byte */
    }
    return true;
}

bool pri_plan_valid(const struct pri_plan_block *plan, size_t size) {
    const char *base = (const char *)plan;
    if (size < sizeof *plan || plan->size <= sizeof *plan || plan->size > size ||
        base[plan->size - 1] != '\0' || plan->compared > plan->size ||
        plan->compared < sizeof *plan || plan->limit_count > 32 || plan->step_count > 100000) {
        return false;
    }
    size_t limits = plan->limits + plan->limit_count * sizeof(struct pri_plan_limit);
    size_t steps = plan->steps + plan->step_count * sizeof(struct pri_plan_step);
    if (plan->limits < sizeof *plan || limits > plan->size || plan->steps < sizeof *plan ||
        steps > plan->size || plan->pid_file >= plan->size || plan->output >= plan->size ||
        plan->error >= plan->size || !list_inside(plan, plan->unset) ||
        !list_inside(plan, plan->holder)) {
        return false;
    }
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct pri_plan_step *step = pri_plan_step(plan, i);
        if (step->list >= PRI_STEPS_COUNT || step->program < sizeof *plan ||
            step->program >= plan->size || step->argv.count == 0 ||
            !list_inside(plan, step->argv)) {
            return false;
        }
    }
    return true;
}

const char *pri_plan_text(const struct pri_plan_block *plan, uint32_t offset) {
    return offset != 0 ? (const char *)plan + offset : NULL;
}

const struct pri_plan_step *pri_plan_step(const struct pri_plan_block *plan, uint32_t index) {
    const void *at = (const char *)plan + plan->steps + index * sizeof(struct pri_plan_step);
    return at;
}

const struct pri_plan_limit *pri_plan_limits(const struct pri_plan_block *plan) {
    const void *at = (const char *)plan + plan->limits;
    return at;
}

const struct pri_plan_step *pri_plan_first(const struct pri_plan_block *plan,
                                           enum pri_step_list list) {
    for (uint32_t i = 0; plan != NULL && i < plan->step_count; i++) {
        if (pri_plan_step(plan, i)->list == (uint32_t)list) {
            return pri_plan_step(plan, i);
        }
    }
    return NULL;
}

bool pri_plan_has(const struct pri_plan_block *plan, enum pri_step_list list) {
    return pri_plan_first(plan, list) != NULL;
}
