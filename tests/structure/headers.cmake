# Every header compiles alone, without the precompiled ones: it includes what it uses. The target `headers` makes a
# source of each, which Ninja compiles again only when the header or what it includes has changed. Left out: parts of
# sources (*.inl.h), which their sources include in a fixed order.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/formats/*.h
  ${PROJECT_SOURCE_DIR}/runtime/*.h ${PROJECT_SOURCE_DIR}/compress/*.h ${PROJECT_SOURCE_DIR}/cli/*.h
  ${PROJECT_SOURCE_DIR}/tests/*.h)
# The module needs CUDA's headers, the worker those of libhdf5.
list(FILTER headers EXCLUDE REGEX "\\.inl\\.h$|^runtime/cuda/module/|^formats/hdf5/worker/")
set(alone)
set(alone_with_torch)
foreach(header IN LISTS headers)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n")
  if(header MATCHES "compress/training/torch/")
    list(APPEND alone_with_torch ${source})
  else()
    list(APPEND alone ${source})
  endif()
  if(header MATCHES "simd_avx512\\.h$")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq")
  elseif(header MATCHES "simd_avx2\\.h$")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  endif()
endforeach()

function(lathe_headers name)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${ARGN})
  target_link_libraries(${name} PRIVATE lathe_options Catch2::Catch2 $<TARGET_NAME_IF_EXISTS:lathe_linear_algebra>)
endfunction()
set(header_targets headers)
lathe_headers(headers ${alone})
target_compile_options(headers PRIVATE -O0)  # nothing of it runs
if(TARGET lathe_torch)
  # The headers of LibTorch take seconds to parse and bring all of the standard library with them: once is enough.
  lathe_headers(headers_with_torch ${alone_with_torch})
  target_link_libraries(headers_with_torch PRIVATE lathe_torch)
  target_precompile_headers(headers_with_torch REUSE_FROM lathe_torch)
  target_compile_options(headers_with_torch PRIVATE -fPIC)
  list(APPEND header_targets headers_with_torch)
endif()

add_test(NAME headers COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target ${header_targets})
set_tests_properties(headers PROPERTIES LABELS structure TIMEOUT 600)
