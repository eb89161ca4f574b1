# jansson writes the command's JSON. The archive, where there is one: what `procref run` adds to a command is counted in
# tenths of a millisecond, and a shared library more costs one.
if(NOT TARGET procref::jansson)
  find_package(PkgConfig)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(JANSSON jansson)
  endif()
  if(NOT JANSSON_FOUND)
    message(FATAL_ERROR "The command needs jansson (Debian and Ubuntu: libjansson-dev, pkg-config). Without it: -DPROCREF_COMMAND=OFF")
  endif()
  find_library(JANSSON_LIBRARY_FILE NAMES libjansson.a jansson HINTS ${JANSSON_LIBRARY_DIRS} ${JANSSON_LIBDIR})
  add_library(procref::jansson UNKNOWN IMPORTED)
  set_target_properties(procref::jansson PROPERTIES IMPORTED_LOCATION "${JANSSON_LIBRARY_FILE}"
    INTERFACE_INCLUDE_DIRECTORIES "${JANSSON_INCLUDE_DIRS}")
endif()
