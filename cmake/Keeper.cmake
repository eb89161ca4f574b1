# The keeper is built first: small and static with musl where the build machine has it, else with the
# system's libc. Its file is carried inside the library and installed as the fallback.
find_program(PROCREF_MUSL_GCC musl-gcc)
if(PROCREF_KEEPER_LIBC STREQUAL "musl" AND NOT PROCREF_MUSL_GCC)
  message(FATAL_ERROR "PROCREF_KEEPER_LIBC is musl, but there is no musl-gcc (package musl-tools)")
endif()
set(PROCREF_KEEPER_FILE ${CMAKE_BINARY_DIR}/procref-keeper)

if(PROCREF_MUSL_GCC AND NOT PROCREF_KEEPER_LIBC STREQUAL "system")
  message(STATUS "procref-keeper: static, musl (${PROCREF_MUSL_GCC})")
  set(flags -std=gnu11 -Os -g0 -static -no-pie -fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
      -Wl,--gc-sections -Wl,-z,noseparate-code -s -D_GNU_SOURCE ${PROCREF_WARNINGS}
      -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_SOURCE_DIR}/src)
  if(PROCREF_CRASH_POINTS)
    list(APPEND flags -DPRI_CRASH_POINTS)
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.h ${CMAKE_SOURCE_DIR}/include/*.h)
  list(TRANSFORM PROCREF_KEEPER_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE sources)
  add_custom_command(OUTPUT ${PROCREF_KEEPER_FILE}
    COMMAND ${PROCREF_MUSL_GCC} ${flags} -o ${PROCREF_KEEPER_FILE} ${sources}
    DEPENDS ${sources} ${headers} COMMENT "Building procref-keeper with musl" VERBATIM)
  add_custom_target(procref-keeper-image DEPENDS ${PROCREF_KEEPER_FILE})
else()
  message(STATUS "procref-keeper: the system's libc")
  add_executable(procref-keeper ${PROCREF_KEEPER_SOURCES})
  target_include_directories(procref-keeper PRIVATE src include)
  target_compile_definitions(procref-keeper PRIVATE _GNU_SOURCE
    $<$<BOOL:${PROCREF_CRASH_POINTS}>:PRI_CRASH_POINTS>)
  target_link_libraries(procref-keeper PRIVATE Threads::Threads)
  add_custom_target(procref-keeper-image DEPENDS procref-keeper)
  set(PROCREF_KEEPER_FILE ${CMAKE_BINARY_DIR}/procref-keeper)
endif()
