# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
#
# The manual pages: made from docs/man/ and docs/reference/ by script/man where python3 and lowdown
# are there, and left out elsewhere. osspi_man_dir is where they are, or empty.

find_program(OSSPI_PYTHON3 python3)
find_program(OSSPI_LOWDOWN lowdown)

set(osspi_man_dir "")
if(NOT OSSPI_PYTHON3 OR NOT OSSPI_LOWDOWN)
  message(STATUS "No manual pages: they need python3 and lowdown")
  return()
endif()

file(GLOB osspi_man_sources CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/docs/man/*.md" "${PROJECT_SOURCE_DIR}/docs/reference/*.md")
set(osspi_man_dir "${PROJECT_BINARY_DIR}/man")
add_custom_command(OUTPUT "${osspi_man_dir}/made"
  COMMAND "${CMAKE_COMMAND}" -E rm -rf "${osspi_man_dir}"
  COMMAND "${OSSPI_PYTHON3}" "${PROJECT_SOURCE_DIR}/script/man" --version "${PROJECT_VERSION}"
    --docdir "${CMAKE_INSTALL_FULL_DOCDIR}/docs" "${osspi_man_dir}"
  COMMAND "${CMAKE_COMMAND}" -E touch "${osspi_man_dir}/made"
  DEPENDS ${osspi_man_sources} "${PROJECT_SOURCE_DIR}/script/man"
  COMMENT "Making the manual pages"
  VERBATIM)
add_custom_target(osspi_man ALL DEPENDS "${osspi_man_dir}/made")
