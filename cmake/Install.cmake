# What is installed and where. Four components for who splits packages: procref-runtime (the shared library, the keeper, its manual page),
# procref-command (the command, its manual pages, completions, recipes; it needs none of the others), procref-development (header, links,
# CMake and pkg-config files, the other manual pages) and procref-static.
# All files refer to each other by relative ways, unless a CMAKE_INSTALL_…DIR is absolute, so the prefix may be moved.
include(CMakePackageConfigHelpers)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/procref)

install(FILES include/procref/procref.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/procref COMPONENT procref-development)
install(PROGRAMS ${PROCREF_KEEPER_FILE} DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/procref COMPONENT procref-runtime)

# One export for each library: a distribution may put the static one into another package, or into none.
if(PROCREF_SHARED)
  install(TARGETS procref EXPORT procref-shared INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT procref-runtime NAMELINK_COMPONENT procref-development)
  install(EXPORT procref-shared NAMESPACE procref:: DESTINATION ${cmake_dir} COMPONENT procref-development)
endif()
if(PROCREF_STATIC)
  install(TARGETS procref_static EXPORT procref-static INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT procref-static)
  install(EXPORT procref-static NAMESPACE procref:: DESTINATION ${cmake_dir} COMPONENT procref-static)
endif()

configure_package_config_file(cmake/procref-config.cmake.in ${PROJECT_BINARY_DIR}/procref-config.cmake
  INSTALL_DESTINATION ${cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/procref-config-version.cmake
  COMPATIBILITY SameMinorVersion) # of 0.x: a minor release may change the interface
install(FILES ${PROJECT_BINARY_DIR}/procref-config.cmake ${PROJECT_BINARY_DIR}/procref-config-version.cmake
  DESTINATION ${cmake_dir} COMPONENT procref-development)

# pkg-config. The prefix is where the file is found, if it is found below it.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" pc_prefix "\${pcfiledir}/${pc_prefix}")
endif()
set(pc_libdir "\${prefix}/")
cmake_path(APPEND pc_libdir ${CMAKE_INSTALL_LIBDIR}) # replaced by an absolute one
set(pc_includedir "\${prefix}/")
cmake_path(APPEND pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
set(pc_libs "")
set(pc_libs_private ${CMAKE_THREAD_LIBS_INIT})
if(NOT pc_libs_private)
  set(pc_libs_private -pthread) # in the C library, as of glibc 2.34: harmless
endif()
if(NOT PROCREF_SHARED)
  set(pc_libs " ${pc_libs_private}")
endif()
configure_file(cmake/procref.pc.in ${PROJECT_BINARY_DIR}/procref.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/procref.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT procref-development)

# The command, and what shells know of it. The command finds the recipes beside itself, in ../share, wherever the prefix is moved.
if(TARGET procref-command)
  install(TARGETS procref-command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT procref-command)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.1)
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT procref-command)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.5)
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT procref-command)
  install(FILES completions/procref.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME procref
    COMPONENT procref-command)
  install(FILES completions/_procref DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT procref-command)
  install(FILES completions/procref.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
    COMPONENT procref-command)
  install(FILES docs/json.md docs/status.schema.json DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT procref-command)
  file(GLOB recipes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/data/services/*.service)
  if(recipes)
    install(FILES ${recipes} DESTINATION ${CMAKE_INSTALL_DATADIR}/procref/services COMPONENT procref-command)
  endif()
endif()

# Manual pages. The other names of a page are those of its NAME section, each a file that includes the page.
file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/man/*.3)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT procref-development)
install(FILES man/procref.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 COMPONENT procref-development)
install(FILES man/procref-keeper.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT procref-runtime)
foreach(page ${pages})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
  get_filename_component(file ${page} NAME)
  file(STRINGS ${page} names REGEX "^\\.Nm [a-z_]+")
  foreach(name ${names})
    string(REGEX REPLACE "^\\.Nm ([a-z_]+).*" "\\1.3" name ${name})
    if(NOT name STREQUAL file)
      file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/man/${name} CONTENT ".so man3/${file}\n" @ONLY)
      install(FILES ${PROJECT_BINARY_DIR}/man/${name} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
        COMPONENT procref-development)
    endif()
  endforeach()
endforeach()
