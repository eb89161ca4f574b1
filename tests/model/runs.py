"""Data: the rules that are not rows, the worlds to explore, the mutants that should survive."""

# All hold in the design; a mutant drops one.
RULES = {
    'barrier': 'only one pair can be bound',
    'record_first': 'the service is on record before it runs',
    'hint_up_first': 'page and hint say "up" before publish, not after',
    'stop_after_gen': 'page and hint say "stopping" only after drain or close, not before',
    'told_up_waits': 'no drain while a client told "up" has neither attached nor hung up',
    'spawner_connected': 'who spawns a pair is connected to it from birth',
    'keeper_opens': 'only a keeper that holds the barrier creates the set '
                    '(else: a client opens it, then spawns)',
    'trust': 'a client believes only a set whose id is the fingerprint',
    'probe': 'a keeper that opens a set probes for undo before it begins',
    'probe_found': 'one that finds a set opened by another probes too, if nothing has begun on it',
    'probe_again': 'a probing child that was killed before it could say how it went is followed '
                   'by another',
    'probe_waits': 'call is given time to be 0 before the kernel is called UNSUPPORTED: the child '
                   'of a killed keeper may be in there',
    'begin_before_end': 'a successor begins (raises gen) before it ends any remains',
    'retire_at_zero': 'after remains were ended the set is removed only at refs = 0, else the '
                      'service is started anew',
    'token': 'when both keepers died and the hint is lost, the service is found by its token',
    'hand_over': 'a keeper that becomes the standby gives back keeper and ready first',
    # the set is removed
    'old_holders_count': 'no drain while the page lists holders of a removed set',
    'flag_first': 'the held flag is stored before attach, not after',
    'page_first': 'a client that has no page, or whose set is gone, connects before it attaches',
    'gen0_refounds': 'a successor that finds gen = 0 under a page that says "up" refounds',
    'ask_old_set': 'a keeper that gave up looks after a removed set too (refound, no publish)',
    'dead_old_set': 'a keeper whose service died and whose set is gone does not think it unwanted',
    'begin_notes': 'a keeper that begins on a new set, not only one that refounds, notes who '
                   'holds the removed one',
    'ending_old_set': 'a keeper that ended remains and finds the set gone begins on a new one',
    # callback services
    'starter_undoes': 'a starter whose keeper died before it named the service ends it itself',
    'one_election': 'an election ends with the starter\'s answer or its end of file, with '
                    'nothing else',
    'old_info': 'whoever is elected gets the old info and ends what it names, not only the one '
                'that said "unhealthy"',
    # both
    'calls_flag': 'the page says who runs a callback; a keeper waits for them before it begins '
                  'or refounds on a new set',
    'elect_old_set': 'a keeper that elects looks after a removed set too (refound, no publish)',
    'no_close_old': 'while the page lists holders of a removed set, who asks for close just '
                    'detaches',
    'close_on_page': 'the page says "stopping" before a client is told to run on_last_release',
}

# The arguments of world.Run. What is not said: 2 clients once, 1 crash, command mode.
WORLDS = {
    'command, 1 client, 2 crashes': dict(clients=1, crashes=2),
    'command, 2 clients, 1 crash': dict(),
    'command, 2 clients, 2 crashes': dict(crashes=2),
    'command, 3 clients, 1 crash': dict(clients=3),
    'command, 2 clients twice, 1 crash': dict(rounds=2),
    'command, 2 clients, 1 crash, 1 gives up': dict(cancels=1),
    'command, 2 clients, 2 crashes, hint lost': dict(crashes=2, lost_hints=1),
    'command, 2 clients, 2 crashes, no undo': dict(crashes=2, undo=False),
    'callback, 1 client, 1 crash, unhealthy': dict(callback=True, clients=1, sickness=1),
    'callback, 2 clients, 1 crash': dict(callback=True),
    'callback, 2 clients, 2 crashes': dict(callback=True, crashes=2),
    'callback, 3 clients, 1 crash': dict(callback=True, clients=3),
    'callback, 2 clients, 1 crash, unhealthy': dict(callback=True, sickness=1),
    'callback, 2 clients, 1 crash, 1 gives up': dict(callback=True, cancels=1),
    'ipcrm, 1 client, 1 crash': dict(removals=1, clients=1),
    'ipcrm, 1 client, 2 crashes': dict(removals=1, clients=1, crashes=2),
    'ipcrm, 2 clients, 1 crash': dict(removals=1),
    'ipcrm, 2 clients twice, 1 crash': dict(removals=1, rounds=2),
    'ipcrm, callback, 1 client, 1 crash': dict(removals=1, callback=True, clients=1),
    'ipcrm, callback, 2 clients, 1 crash': dict(removals=1, callback=True),
}
LARGER = {
    'larger: command, 3 clients, 2 crashes': dict(clients=3, crashes=2),
    'larger: command, 2 clients, 3 crashes': dict(crashes=3),
    'larger: command, 3 clients, 1 crash, 2 give up': dict(clients=3, cancels=2),
    'larger: command, 2 clients, 3 crashes, hint lost': dict(crashes=3, lost_hints=1),
    'larger: callback, 2 clients twice, 1 crash': dict(callback=True, rounds=2),
    'larger: callback, 2 clients, 2 crashes, unhealthy': dict(callback=True, crashes=2, sickness=1),
    'larger: callback, 2 clients, 1 crash, unhealthy, 1 gives up': dict(
        callback=True, sickness=1, cancels=1),
    'larger: callback, 3 clients, 2 crashes': dict(callback=True, clients=3, crashes=2),
    'larger: ipcrm, 2 clients, 1 crash, 1 gives up': dict(removals=1, cancels=1),
    'larger: ipcrm, 2 clients, 2 crashes': dict(removals=1, crashes=2),
    'larger: ipcrm, 3 clients, 1 crash': dict(removals=1, clients=3),
    'larger: ipcrm twice, 2 clients twice, 1 crash': dict(removals=2, rounds=2),
    'larger: ipcrm, callback, 2 clients twice, 1 crash': dict(removals=1, callback=True, rounds=2),
    'larger: ipcrm, callback, 3 clients, 1 crash': dict(removals=1, callback=True, clients=3),
}

# Mutants that nothing here kills, and why. The run fails if another one survives, or if one of
# these is killed.
BARRIER = 'the barrier allows one pair, and a successor is forked after the death was seen; the ' \
          'register is the defence where two network namespaces share one IPC namespace'
ASSERTION = 'the keeper alone changes gen and ready: an assertion'
CLAMPED = 'the undo is clamped at 0, and keeper or set are about to go; keep the flag, both ' \
          'sides must match'
SURVIVORS = {
    'enter: without condition call = 0':
        'begin waits for call = 0, and an election ends only with an answer or an end of file',
    'begin: without condition keeper = 0': BARRIER,
    'adopt: without condition keeper = 0': BARRIER,
    'refound: without condition keeper = 0': BARRIER,
    'refound: without condition gen = 0':
        'only a keeper that found no set, or gen = 0, comes here: an assertion',
    'publish: without condition gen = g': ASSERTION,
    'withdraw: without condition ready = g': ASSERTION,
    'withdraw: ready -g without undo': CLAMPED,
    'drain: ready -g without undo': CLAMPED,
    'close: ready -g without undo': CLAMPED,
    'no register keeper': BARRIER,
    'none of the conditions that survive alone, no register keeper': 'the reasons above, together',
    'rule trust': 'a set of ours that was not opened yet has ready = 0; the rule is for foreign '
                  'sets, which are not modelled',
}

# The world that kills a mutant soonest, where that is not one of the smallest. It only saves time.
HINTS = {
    'probe: without change call +1': 'command, 2 clients, 2 crashes, no undo',
    'refound: gen g with undo': 'ipcrm, 1 client, 2 crashes',
    'drain: without change gen +1': 'ipcrm, 1 client, 2 crashes',
    'drain: gen +1 with undo': 'ipcrm, 1 client, 2 crashes',
    'close: without change gen +1': 'callback, 2 clients, 1 crash, unhealthy',
    'rule begin_notes': 'ipcrm, 1 client, 2 crashes',
    'rule ending_old_set': 'ipcrm, 1 client, 2 crashes',
    'rule old_info': 'callback, 2 clients, 1 crash, unhealthy',
    'rule probe_again': 'command, 2 clients, 2 crashes, no undo',
}
