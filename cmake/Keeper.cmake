# The keeper is built first: small and static with musl where the build machine has it, else with the
# system's libc. Two files of one program:
#
#   PROCREF_KEEPER_FILE    with its debug information; installed as the fallback, stripped or not as its packager likes
#   PROCREF_KEEPER_IMAGE   the same, stripped, since each start copies it: carried inside the library
#
# Both have the same build id, so a debugger finds for the carried one (a process without a file) what a distribution made
# of the installed one.
find_program(PROCREF_MUSL_GCC musl-gcc)
if(PROCREF_KEEPER_LIBC STREQUAL "musl" AND NOT PROCREF_MUSL_GCC)
  message(FATAL_ERROR "PROCREF_KEEPER_LIBC is musl, but there is no musl-gcc (package musl-tools)")
endif()
set(PROCREF_KEEPER_FILE ${PROJECT_BINARY_DIR}/procref-keeper)
set(PROCREF_KEEPER_IMAGE ${PROJECT_BINARY_DIR}/procref-keeper.image)

set(with_musl OFF)
if(PROCREF_KEEPER_LIBC STREQUAL "musl")
  set(with_musl ON)
elseif(PROCREF_KEEPER_LIBC STREQUAL "auto" AND PROCREF_MUSL_GCC AND NOT CMAKE_CROSSCOMPILING
       AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize|-m32")
  set(with_musl ON)
endif()

if(with_musl)
  message(STATUS "procref-keeper: static, musl (${PROCREF_MUSL_GCC})")
  # A distribution's flags count here as well (musl-gcc is a gcc), and before ours: what must be so for a small static program wins.
  set(flags "")
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    separate_arguments(flags UNIX_COMMAND "${CMAKE_C_FLAGS} ${CMAKE_EXE_LINKER_FLAGS}")
  endif()
  list(APPEND flags -std=gnu11 -Os -g -static -no-pie -fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
      -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,--build-id=sha1 -D_GNU_SOURCE ${PROCREF_WARNINGS} ${PROCREF_PREFIX_MAP}
      -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/src)
  if(PROCREF_CRASH_POINTS)
    list(APPEND flags -DPRI_CRASH_POINTS)
  endif()
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.h ${PROJECT_SOURCE_DIR}/include/*.h)
  list(TRANSFORM PROCREF_KEEPER_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE sources)
  set(keeper ${PROCREF_KEEPER_FILE})
  add_custom_command(OUTPUT ${PROCREF_KEEPER_FILE}
    COMMAND ${PROCREF_MUSL_GCC} ${flags} -o ${PROCREF_KEEPER_FILE} ${sources}
    DEPENDS ${sources} ${headers} COMMENT "Building procref-keeper with musl" VERBATIM)
else()
  message(STATUS "procref-keeper: the system's libc")
  set(keeper procref-keeper)
  add_executable(procref-keeper ${PROCREF_KEEPER_SOURCES})
  target_include_directories(procref-keeper PRIVATE src include)
  target_compile_definitions(procref-keeper PRIVATE _GNU_SOURCE
    $<$<BOOL:${PROCREF_CRASH_POINTS}>:PRI_CRASH_POINTS>)
  target_link_libraries(procref-keeper PRIVATE Threads::Threads)
  target_link_options(procref-keeper PRIVATE -Wl,--build-id=sha1)
  set_target_properties(procref-keeper PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endif()

# A sanitizer's report of a stripped keeper would name no line.
if(CMAKE_STRIP AND NOT PROCREF_SANITIZE)
  set(make_image ${CMAKE_STRIP} -o ${PROCREF_KEEPER_IMAGE} ${PROCREF_KEEPER_FILE})
else()
  set(make_image ${CMAKE_COMMAND} -E copy ${PROCREF_KEEPER_FILE} ${PROCREF_KEEPER_IMAGE})
endif()
add_custom_command(OUTPUT ${PROCREF_KEEPER_IMAGE} COMMAND ${make_image} DEPENDS ${keeper}
  COMMENT "Making the keeper's image" VERBATIM)
add_custom_target(procref-keeper-image DEPENDS ${PROCREF_KEEPER_IMAGE})
