# Which file belongs to what. The build picks the system's files, the code has no #ifdef for it.
set(PROCREF_CORE_SOURCES # in both the library and the keeper
    src/core/config.c src/core/expand.c src/core/fail.c src/core/hash.c src/core/ident.c src/core/plan.c src/core/table.c
    src/core/trace.c
    src/os/linux/counter.c src/os/linux/diag.c src/os/linux/process.c src/os/linux/rendezvous.c src/os/linux/sets.c
    src/os/posix/clock.c src/os/posix/folder.c src/os/posix/ready.c)
set(PROCREF_LIBRARY_SOURCES ${PROCREF_CORE_SOURCES}
    src/core/attempt.c src/core/call.c src/core/counter.c src/core/info.c src/core/pending.c src/core/process.c
    src/core/raw_table.c src/core/release.c src/core/service.c src/core/shared.c src/core/talk.c
    src/os/linux/alarm.c src/os/linux/fork.c src/os/linux/image.c src/os/linux/lock.c src/os/linux/pages.c src/os/linux/poller.c src/os/linux/raw.c
    src/os/linux/spawn.c)

# The library compiles these as one file, so that the hot path's functions become one (src/core/hot.h). Not by link-time
# optimisation, which would need the same compiler where libprocref.a is linked; not by a header, so that each function stays
# where it belongs. Names of these files' static functions must differ; the keeper and the tests compile them one by one.
set(PROCREF_HOT_SOURCES src/core/release.c src/core/service.c src/core/shared.c src/os/linux/counter.c)
set_source_files_properties(${PROCREF_HOT_SOURCES} PROPERTIES UNITY_GROUP hot)

set(PROCREF_KEEPER_SOURCES ${PROCREF_CORE_SOURCES}
    src/keeper/answers.c src/keeper/clients.c src/keeper/end.c src/keeper/files.c src/keeper/forking.c src/keeper/log.c src/keeper/loop.c
    src/keeper/machine.c src/keeper/main.c src/keeper/outcome.c src/keeper/port.c src/keeper/readiness.c src/keeper/requests.c src/keeper/rows.c
    src/keeper/run.c src/keeper/slots.c src/keeper/standby.c src/keeper/start.c src/keeper/status.c src/keeper/steps.c
    src/os/linux/arrival.c src/os/linux/growth.c src/os/linux/launch.c src/os/linux/listeners.c src/os/linux/pair.c src/os/linux/poller.c src/os/linux/signals.c src/os/linux/tree.c src/os/linux/waiter.c
    src/os/posix/port.c)

# The command. A file in src/cli or src/cli/unit belongs to it; it may use the library's private headers.
file(GLOB PROCREF_COMMAND_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c ${PROJECT_SOURCE_DIR}/src/cli/*/*.c)
list(APPEND PROCREF_COMMAND_SOURCES src/keeper/files.c src/os/linux/inspect.c)
