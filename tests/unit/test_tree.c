/* os/tree.h on real processes. The test process is a subreaper and plays the keeper, or the
 * standby. */
#include "unit/family.h"

#include "os/tree.h"

static char token[64], other_token[64];

static int become_subreaper(void **state) {
    (void)state;
    snprintf(token, sizeof token, "PROCREF_TOKEN=unit-%d", (int)getpid());
    snprintf(other_token, sizeof other_token, "PROCREF_TOKEN=unit-%d-other", (int)getpid());
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static struct pri_tree below_us(void) {
    return (struct pri_tree){.keeper = (uint32_t)getpid(), .token = token};
}

/* A tree of which nothing but its carriers of the token can be found: its pair is a process without
 * children. */
static struct pri_tree below(const struct family *pair) {
    return (struct pri_tree){.keeper = (uint32_t)pair->pid, .token = token};
}

static int count(const struct pri_tree *tree) {
    return pri_tree_signal(tree, 0, NULL);
}

static struct pri_process identity(unsigned pid) {
    struct pri_process process;
    must(pri_process_identify(pid, &process), "identify");
    return process;
}

static void an_empty_tree_has_nobody(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct pri_process one = {.pid = 1, .start = 1};
    assert_int_equal(pri_tree_signal(&tree, SIGKILL, &one), 0);
    assert_int_equal(one.pid, 0);
    assert_false(pri_tree_contains(&tree, (uint32_t)getpid()));
    assert_false(pri_tree_contains(&tree, 1));
    assert_false(pri_tree_contains(&tree, 0));
}

static void descendants_belong_in_every_generation(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct pri_process one;
    struct family f;
    family_start(&f, "chain", "3", NULL, token);
    tree.main = identity(family_says(&f));
    for (int i = 0; i < 3; i++) {
        assert_true(pri_tree_contains(&tree, family_says(&f)));
    }
    assert_int_equal(pri_tree_signal(&tree, 0, &one), 4);
    assert_int_equal(one.pid, tree.main.pid);
    tree.scattered = true; /* the look through all of /proc finds the same */
    assert_int_equal(count(&tree), 4);
    family_end(&f);
    assert_int_equal(count(&tree), 0);
}

static void a_daemonised_grandchild_belongs(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "daemon", NULL, NULL, token);
    unsigned first = family_says(&f), grandchild = family_says(&f);
    tree.main = identity(first);
    assert_int_equal(count(&tree), 2);
    assert_true(pri_tree_contains(&tree, grandchild));
    pri_process_signal(&tree.main, SIGKILL);
    family_reap(f.pid);
    assert_int_equal(count(&tree), 1);
    family_end(&f);
}

static void a_child_of_any_thread_belongs(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "threads", NULL, NULL, token);
    tree.main = identity(family_says(&f));
    assert_true(pri_tree_contains(&tree, family_says(&f)));
    assert_int_equal(count(&tree), 2);
    family_end(&f);
}

static void the_pair_is_not_part_of_the_tree(void **state) {
    (void)state;
    struct family f;
    family_start(&f, "chain", "2", NULL,
                 token); /* its first process plays the keeper, we the standby */
    family_says(&f);
    family_says(&f);
    unsigned last = family_says(&f);
    struct pri_tree tree = below(&f);
    tree.standby = (uint32_t)getpid();
    assert_int_equal(count(&tree), 2);
    assert_false(pri_tree_contains(&tree, tree.keeper));
    assert_false(pri_tree_contains(&tree, tree.standby));
    assert_true(pri_tree_contains(&tree, last));
    family_end(&f);
}

static void orphans_under_the_standby_belong(void **state) {
    (void)state;
    struct family keeper, f;
    family_start(&keeper, "chain", "0", NULL, NULL);
    family_says(&keeper);
    family_start(&f, "chain", "1", NULL, token);
    family_says(&f);
    unsigned last = family_says(&f);
    struct pri_tree tree = below(&keeper);
    tree.standby = (uint32_t)getpid();
    assert_int_equal(count(&tree), 2);
    assert_true(pri_tree_contains(&tree, last));
    close(keeper.hold);
    keeper.hold = -1;
    family_end(&f);
    close(keeper.says);
}

static void the_next_owner_of_the_standbys_pid_is_not_believed(void **state) {
    (void)state;
    struct family keeper, stranger;
    family_start(&keeper, "chain", "0", NULL, NULL);
    family_says(&keeper);
    family_start(&stranger, "chain", "1", NULL, NULL);
    unsigned pid = family_says(&stranger), child = family_says(&stranger);
    struct pri_tree tree = below(&keeper);
    tree.standby = pid; /* lives, but is not the keeper's parent */
    assert_int_equal(count(&tree), 0);
    assert_false(pri_tree_contains(&tree, child));
    close(keeper.hold);
    family_end(&stranger);
    close(keeper.says);
}

static void another_services_keeper_and_what_is_below_do_not_belong(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family ours, nested;
    family_start(&ours, "chain", "0", NULL, token);
    tree.main = identity(family_says(&ours));
    family_start(&nested, "bare", NULL, NULL, PRI_KEEPER_MARK "other");
    family_says(&nested);
    unsigned below_nested = family_says(&nested);
    for (int scattered = 0; scattered < 2; scattered++) {
        tree.scattered = scattered;
        assert_int_equal(count(&tree), 1);
        assert_false(pri_tree_contains(&tree, (uint32_t)nested.pid));
        assert_false(pri_tree_contains(&tree, below_nested));
    }
    assert_int_equal(pri_tree_signal(&tree, SIGKILL, NULL), 1);
    family_reap(ours.pid);
    assert_int_equal(count(&tree), 0);
    struct pri_process spared = identity(below_nested);
    assert_true(pri_process_alive(&spared));
    close(ours.hold);
    family_end(&nested);
    close(ours.says);
}

static void another_services_orphans_do_not_belong(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "bare", NULL, NULL, other_token);
    family_says(&f);
    unsigned child = family_says(&f);
    assert_int_equal(count(&tree), 0);
    assert_false(pri_tree_contains(&tree, child));
    family_end(&f);
}

static void main_belongs_while_its_environment_is_still_the_keepers(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "chain", "0", NULL, PRI_KEEPER_MARK "ours");
    tree.main = identity(family_says(&f));
    assert_true(pri_tree_contains(&tree, tree.main.pid));
    assert_int_equal(count(&tree), 1);
    tree.main.start--; /* but not the next owner of its pid */
    assert_false(pri_tree_contains(&tree, tree.main.pid));
    assert_int_equal(pri_tree_signal(&tree, SIGKILL, NULL), 0);
    tree.main.start++;
    assert_true(pri_process_alive(&tree.main));
    family_end(&f);
}

static void carriers_of_the_token_are_found_anywhere_when_ancestry_is_broken(void **state) {
    (void)state;
    struct family pair, carrier, stranger;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    family_start(&carrier, "bare", NULL, NULL, token);
    family_says(&carrier);
    unsigned child = family_says(&carrier);
    family_start(&stranger, "chain", "0", NULL, other_token);
    family_says(&stranger);
    struct pri_tree tree = below(&pair);
    assert_int_equal(count(&tree), 0);
    tree.scattered = true;
    assert_int_equal(count(&tree), 2);
    assert_true(pri_tree_contains(&tree, child));
    assert_false(pri_tree_contains(&tree, (uint32_t)stranger.pid));
    assert_int_equal(pri_tree_signal(&tree, SIGKILL, NULL), 2);
    family_reap(carrier.pid);
    family_reap((pid_t)child);
    close(pair.hold);
    close(carrier.hold);
    family_end(&stranger);
    close(pair.says);
    close(carrier.says);
}

static void a_carrier_is_found_while_a_shell_reads_its_environment(void **state) {
    (void)state;
    struct family pair, f;
    struct pri_process found;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    family_start(&f, "cut", NULL, NULL, token);
    unsigned pid = family_says(&f);
    struct pri_tree tree = below(&pair);
    tree.scattered = true;
    assert_int_equal(count(&tree), 1);
    assert_true(pri_tree_find_by_token(token, &found));
    assert_int_equal(found.pid, pid);
    tree.token = other_token;
    assert_int_equal(count(&tree), 0);
    close(f.hold);
    family_reap(f.pid);
    close(f.says);
    family_end(&pair);
}

static void a_carrier_is_found_in_the_midst_of_an_exec(void **state) {
    (void)state;
    struct family pair, f;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    family_start(&f, "execs", NULL, NULL, token);
    unsigned pid = family_says(&f);
    struct pri_tree tree = below(&pair);
    tree.scattered = true;
    for (int i = 0; i < 2000; i++) {
        assert_true(pri_tree_contains(&tree, pid));
    }
    tree = below_us(); /* ours by ancestry, but another service's by its token */
    tree.token = other_token;
    for (int i = 0; i < 2000; i++) {
        assert_false(pri_tree_contains(&tree, pid));
    }
    close(f.hold);
    family_reap(f.pid);
    close(f.says);
    family_end(&pair);
}

static void a_longer_or_shorter_token_is_another(void **state) {
    (void)state;
    char longer[80], shorter[64];
    struct family pair, f;
    snprintf(longer, sizeof longer, "%s0", token);
    snprintf(shorter, sizeof shorter, "%.*s", (int)strlen(token) - 1, token);
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    const char *tokens[] = {longer, shorter};
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct pri_process found;
        family_start(&f, "chain", "0", NULL, tokens[i]);
        family_says(&f);
        struct pri_tree tree = below(&pair);
        tree.scattered = true;
        assert_int_equal(count(&tree), 0);
        assert_false(pri_tree_find_by_token(token, &found));
        close(f.hold);
        family_reap(f.pid);
        close(f.says);
    }
    family_end(&pair);
}

static void the_first_carrier_of_a_token_is_found(void **state) {
    (void)state;
    struct pri_process found = {.pid = 5};
    struct family f;
    assert_false(pri_tree_find_by_token(token, &found));
    assert_int_equal(found.pid, 5);
    family_start(&f, "chain", "2", NULL, token);
    unsigned first = family_says(&f);
    family_says(&f);
    family_says(&f);
    assert_true(pri_tree_find_by_token(token, &found));
    assert_int_equal(found.pid, first);
    assert_true(pri_process_alive(&found));
    family_end(&f);
}

static void sigkill_ends_all_and_leaves_nobody(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family chain, daemon;
    family_start(&chain, "chain", "5", NULL, token);
    for (int i = 0; i < 6; i++) {
        family_says(&chain);
    }
    family_start(&daemon, "daemon", NULL, NULL, token);
    family_says(&daemon);
    family_says(&daemon);
    tree.main = identity((unsigned)chain.pid);
    assert_int_equal(pri_tree_signal(&tree, SIGKILL, NULL), 8);
    while (waitpid(-1, NULL, 0) > 0) { /* all are ours by now; it would hang if one lived on */
    }
    assert_int_equal(count(&tree), 0);
    close(chain.hold);
    family_end(&daemon);
    close(chain.says);
}

static void a_stopped_process_gets_a_polite_signal_at_once(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "chain", "0", NULL, token);
    tree.main = identity(family_says(&f));
    must(kill(f.pid, SIGSTOP) == 0 && waitpid(f.pid, NULL, WUNTRACED) == f.pid, "stop");
    assert_int_equal(pri_tree_signal(&tree, SIGTERM, NULL), 1);
    int status = family_reap(f.pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    family_end(&f);
}

static void a_zombie_is_contained_but_not_counted(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    siginfo_t info;
    family_start(&f, "chain", "0", NULL, token);
    family_says(&f);
    must(kill(f.pid, SIGKILL) == 0 && waitid(P_PID, (id_t)f.pid, &info, WEXITED | WNOWAIT) == 0,
         "waitid");
    assert_int_equal(count(&tree), 0);
    assert_true(pri_tree_contains(&tree, (uint32_t)f.pid));
    family_reap(f.pid);
    assert_false(pri_tree_contains(&tree, (uint32_t)f.pid));
    family_end(&f);
}

static void a_listener_of_the_tree_is_told_from_others(void **state) {
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "0.0.0.0", "::"};
    struct family pair;
    family_start(&pair, "chain", "0", NULL, NULL);
    family_says(&pair);
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct pri_tree ours = below_us(), others = below(&pair);
        struct family f;
        family_start(&f, "listen", addresses[i], NULL, token);
        uint16_t port = (uint16_t)family_says(&f);
        if (port == 0) {
            print_message("no listening on %s here\n", addresses[i]);
        } else {
            ours.main = identity((unsigned)f.pid);
            others.main = identity((unsigned)pair.pid);
            assert_true(pri_tree_listens(&ours, port));
            assert_false(pri_tree_listens(&others, port));
        }
        close(f.hold);
        family_reap(f.pid);
        close(f.says);
        assert_false(pri_tree_listens(&ours, port));
    }
    family_end(&pair);
}

static void an_address_that_loopback_does_not_reach_does_not_count(void **state) {
    (void)state;
    struct pri_tree tree = below_us();
    struct family f;
    family_start(&f, "listen", "127.0.0.7", NULL, token);
    uint16_t port = (uint16_t)family_says(&f);
    assert_int_not_equal(port, 0);
    assert_false(pri_tree_listens(&tree, port));
    family_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_tree_has_nobody),
        cmocka_unit_test(descendants_belong_in_every_generation),
        cmocka_unit_test(a_daemonised_grandchild_belongs),
        cmocka_unit_test(a_child_of_any_thread_belongs),
        cmocka_unit_test(the_pair_is_not_part_of_the_tree),
        cmocka_unit_test(orphans_under_the_standby_belong),
        cmocka_unit_test(the_next_owner_of_the_standbys_pid_is_not_believed),
        cmocka_unit_test(another_services_keeper_and_what_is_below_do_not_belong),
        cmocka_unit_test(another_services_orphans_do_not_belong),
        cmocka_unit_test(main_belongs_while_its_environment_is_still_the_keepers),
        cmocka_unit_test(carriers_of_the_token_are_found_anywhere_when_ancestry_is_broken),
        cmocka_unit_test(a_carrier_is_found_while_a_shell_reads_its_environment),
        cmocka_unit_test(a_carrier_is_found_in_the_midst_of_an_exec),
        cmocka_unit_test(a_longer_or_shorter_token_is_another),
        cmocka_unit_test(the_first_carrier_of_a_token_is_found),
        cmocka_unit_test(sigkill_ends_all_and_leaves_nobody),
        cmocka_unit_test(a_stopped_process_gets_a_polite_signal_at_once),
        cmocka_unit_test(a_zombie_is_contained_but_not_counted),
        cmocka_unit_test(a_listener_of_the_tree_is_told_from_others),
        cmocka_unit_test(an_address_that_loopback_does_not_reach_does_not_count),
    };
    return cmocka_run_group_tests(tests, become_subreaper, NULL);
}
