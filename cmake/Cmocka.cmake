# cmocka, wrapped once as the target procref::cmocka: some distributions ship a CMake package without a target
# (Debian 12's 1.1.5), some with one, all a pkg-config file.
if(NOT TARGET procref::cmocka)
  find_path(CMOCKA_HEADER_DIR cmocka.h)
  find_library(CMOCKA_LIBRARY_FILE cmocka)
  if(NOT CMOCKA_HEADER_DIR OR NOT CMOCKA_LIBRARY_FILE)
    message(FATAL_ERROR "The tests need cmocka (Debian and Ubuntu: libcmocka-dev). Without tests: -DPROCREF_TESTS=OFF")
  endif()
  add_library(procref::cmocka UNKNOWN IMPORTED)
  set_target_properties(procref::cmocka PROPERTIES IMPORTED_LOCATION "${CMOCKA_LIBRARY_FILE}"
    INTERFACE_INCLUDE_DIRECTORIES "${CMOCKA_HEADER_DIR}")
endif()
