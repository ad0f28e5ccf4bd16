# What other projects use: the runtime, the runtime with texts, and the C interface, for find_package(lathe CONFIG) and
# for pkg-config. README says how; tests/package builds a project outside this tree with each.
include(CMakePackageConfigHelpers)

set_target_properties(lathe_embedder PROPERTIES EXPORT_NAME text)
foreach(name artifact kernels runtime)
  set_target_properties(lathe_${name} PROPERTIES EXPORT_NAME ${name})
endforeach()
set_target_properties(lathe_text PROPERTIES EXPORT_NAME tokenizers)
set_target_properties(lathe_c PROPERTIES EXPORT_NAME c)

# The headers include each other from the root of the project, so that root is a folder of its own when installed.
set(lathe_headers ${CMAKE_INSTALL_INCLUDEDIR}/lathe)
target_include_directories(lathe_artifact INTERFACE $<INSTALL_INTERFACE:${lathe_headers}>)
install(TARGETS lathe_artifact lathe_kernels lathe_runtime lathe_text lathe_embedder EXPORT lathe
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS lathe_c EXPORT lathe LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(FILES runtime/c_api/lathe.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# These headers, and all that they include.
set(lathe_public_headers
  runtime/generation.h
  runtime/session.h
  runtime/text/chat.h
  runtime/text/embedder.h
  runtime/text/stream_decoder.h)
install(CODE "set(LATHE_SOURCE \"${PROJECT_SOURCE_DIR}\")
  set(LATHE_HEADERS \"${lathe_public_headers}\")
  set(LATHE_HEADER_FOLDER \"\${CMAKE_INSTALL_PREFIX}/${lathe_headers}\")" COMPONENT development)
install(SCRIPT cmake/install_headers.cmake COMPONENT development)

set(lathe_package ${CMAKE_INSTALL_LIBDIR}/cmake/lathe)
install(EXPORT lathe NAMESPACE lathe:: FILE lathe-targets.cmake DESTINATION ${lathe_package}
  COMPONENT development)
configure_package_config_file(cmake/lathe-config.cmake.in ${CMAKE_BINARY_DIR}/lathe-config.cmake
  INSTALL_DESTINATION ${lathe_package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lathe-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lathe-config.cmake ${CMAKE_BINARY_DIR}/lathe-config-version.cmake
  DESTINATION ${lathe_package} COMPONENT development)

# lathe: the C interface. lathe-runtime: token ids in C++. lathe-text: texts in C++.
file(RELATIVE_PATH lathe_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(name lathe lathe-runtime lathe-text)
  configure_file(cmake/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()
