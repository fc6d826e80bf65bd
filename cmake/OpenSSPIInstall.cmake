# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
#
# What `cmake --install` puts where: library, headers, command, CMake package, pkg-config files,
# manual pages, documents, completion for bash. Component "development" is what a program is built
# with, "library" what it runs with, "command" is sspi. There is no static library: a process must
# not hold two engines.

if(NOT TARGET opensspi)
  return()
endif()

include(CMakePackageConfigHelpers)
include(OpenSSPIMan)

set(osspi_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/OpenSSPI")

install(TARGETS opensspi osspi_compat_headers EXPORT OpenSSPITargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/opensspi/"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/opensspi"
  COMPONENT development
  FILES_MATCHING PATTERN "*.h")
if(TARGET sspi)
  install(TARGETS sspi RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT command)
  install(FILES "${PROJECT_SOURCE_DIR}/tool/completion/sspi"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT command)
endif()

if(osspi_man_dir)
  install(DIRECTORY "${osspi_man_dir}/man3" "${osspi_man_dir}/man7"
    DESTINATION "${CMAKE_INSTALL_MANDIR}" COMPONENT development)
  if(TARGET sspi)
    install(DIRECTORY "${osspi_man_dir}/man1"
      DESTINATION "${CMAKE_INSTALL_MANDIR}" COMPONENT command)
  endif()
endif()

# Documents for who writes programs, and the examples, in the order of the source tree: their links
# to each other stay good.
install(FILES "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
    "${PROJECT_SOURCE_DIR}/SECURITY.md"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  COMPONENT development
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.png" PATTERN "docs/man" EXCLUDE)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/examples" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
  COMPONENT development
  FILES_MATCHING PATTERN "*.c" PATTERN "*.h" PATTERN "*.md")

install(EXPORT OpenSSPITargets NAMESPACE OpenSSPI:: DESTINATION "${osspi_cmake_dir}"
  COMPONENT development)
configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/OpenSSPIConfig.cmake.in"
  "${CMAKE_CURRENT_BINARY_DIR}/OpenSSPIConfig.cmake"
  INSTALL_DESTINATION "${osspi_cmake_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  "${CMAKE_CURRENT_BINARY_DIR}/OpenSSPIConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/OpenSSPIConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/OpenSSPIConfigVersion.cmake"
  DESTINATION "${osspi_cmake_dir}" COMPONENT development)

# Paths in the .pc files hang on the file's own place, so that an installed tree can be moved and
# `cmake --install --prefix` is honoured; folders given as absolute paths are taken as they are.
function(osspi_pc_path variable folder)
  if(IS_ABSOLUTE "${folder}")
    set(${variable} "${folder}" PARENT_SCOPE)
  else()
    set(${variable} "\${prefix}/${folder}" PARENT_SCOPE)
  endif()
endfunction()

osspi_pc_path(OSSPI_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
osspi_pc_path(OSSPI_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(OSSPI_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH osspi_pc_up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" osspi_pc_up "${osspi_pc_up}")
  set(OSSPI_PC_PREFIX "\${pcfiledir}/${osspi_pc_up}")
endif()
foreach(name IN ITEMS opensspi opensspi-compat)
  configure_file("${PROJECT_SOURCE_DIR}/${name}.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
endforeach()
