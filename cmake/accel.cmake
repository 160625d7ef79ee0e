# Products of many rows on oneDNN, where it is found:
#   -DSPCT_ONEDNN=AUTO|ON|OFF
# ggml and oneDNN have to share one OpenMP team of threads, so both must use OpenMP. Looked for by hand: oneDNN's own package file
# wants OpenCL, which nothing here uses.
set(SPCT_ONEDNN AUTO CACHE STRING "Multiply on oneDNN: AUTO (where it is found), ON or OFF")
set_property(CACHE SPCT_ONEDNN PROPERTY STRINGS AUTO ON OFF)
set(SPCT_HAS_ONEDNN OFF)
if(SPCT_ONEDNN)
  find_path(SPCT_ONEDNN_INCLUDE oneapi/dnnl/dnnl.hpp)
  find_library(SPCT_ONEDNN_LIBRARY dnnl)
  find_package(OpenMP QUIET COMPONENTS CXX)
  if(SPCT_ONEDNN_INCLUDE AND SPCT_ONEDNN_LIBRARY AND OpenMP_CXX_FOUND AND GGML_OPENMP_ENABLED)
    file(STRINGS ${SPCT_ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_config.h on_openmp
      REGEX "define DNNL_CPU_THREADING_RUNTIME +DNNL_RUNTIME_OMP")
    if(on_openmp)
      set(SPCT_HAS_ONEDNN ON)
    endif()
  endif()
  if(NOT SPCT_HAS_ONEDNN AND NOT SPCT_ONEDNN STREQUAL "AUTO")
    message(FATAL_ERROR "SPCT_ONEDNN=ON needs oneDNN built for OpenMP (Debian: libdnnl-dev) and a compiler with OpenMP")
  endif()
endif()

if(SPCT_HAS_ONEDNN)
  message(STATUS "oneDNN: ${SPCT_ONEDNN_LIBRARY}")
  add_library(spct_accel STATIC
    native/accel/accel_device.cpp
    native/accel/attention_kernel.cpp
    native/accel/gemm_race.cpp
    native/accel/packed_matrix.cpp
    native/accel/packed_weights.cpp
    native/accel/shared_attention.cpp)
  set_source_files_properties(native/accel/attention_kernel.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")  # GCC bug 105593
  # A device of ggml is described by its internal headers.
  target_include_directories(spct_accel PRIVATE ${LLAMA_CPP_DIR}/ggml/src)
  target_include_directories(spct_accel SYSTEM PRIVATE ${SPCT_ONEDNN_INCLUDE})
  target_link_libraries(spct_accel PRIVATE ${SPCT_ONEDNN_LIBRARY} OpenMP::OpenMP_CXX PUBLIC ggml)
  if(SPCT_NATIVE AND NOT MSVC)
    target_compile_options(spct_accel PRIVATE -march=native)
  endif()
else()
  message(STATUS "Without oneDNN")
  add_library(spct_accel STATIC native/accel/unavailable.cpp)
endif()
target_include_directories(spct_accel PUBLIC ${CMAKE_SOURCE_DIR}/native)
