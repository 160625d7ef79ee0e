# A device for ggml that computes products of many rows and attention over shared cells on x86; the products on oneDNN, where that is
# found and the CPU multiplies bfloat16:
#   -DSPCT_ONEDNN=AUTO|ON|OFF
# ggml, the device and oneDNN have to share one OpenMP team of threads, so all must use OpenMP. oneDNN is looked for by hand: its own
# package file wants OpenCL, which nothing here uses.
set(SPCT_ONEDNN AUTO CACHE STRING "Multiply on oneDNN: AUTO (where it is found), ON or OFF")
set_property(CACHE SPCT_ONEDNN PROPERTY STRINGS AUTO ON OFF)
find_package(OpenMP QUIET COMPONENTS CXX)
set(SPCT_HAS_ACCEL OFF)
if(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND OpenMP_CXX_FOUND AND GGML_OPENMP_ENABLED)
  set(SPCT_HAS_ACCEL ON)
endif()
set(SPCT_HAS_ONEDNN OFF)
if(SPCT_ONEDNN)
  find_path(SPCT_ONEDNN_INCLUDE oneapi/dnnl/dnnl.hpp)
  find_library(SPCT_ONEDNN_LIBRARY dnnl)
  if(SPCT_HAS_ACCEL AND SPCT_ONEDNN_INCLUDE AND SPCT_ONEDNN_LIBRARY)
    file(STRINGS ${SPCT_ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_config.h on_openmp
      REGEX "define DNNL_CPU_THREADING_RUNTIME +DNNL_RUNTIME_OMP")
    if(on_openmp)
      set(SPCT_HAS_ONEDNN ON)
    endif()
  endif()
  if(NOT SPCT_HAS_ONEDNN AND NOT SPCT_ONEDNN STREQUAL "AUTO")
    message(FATAL_ERROR "SPCT_ONEDNN=ON needs x86-64, oneDNN built for OpenMP (Debian: libdnnl-dev) and a compiler with OpenMP")
  endif()
endif()

add_library(spct_accel STATIC)
target_include_directories(spct_accel PUBLIC ${CMAKE_SOURCE_DIR}/native)
target_link_libraries(spct_accel PUBLIC ggml)
if(SPCT_HAS_ACCEL)
  target_sources(spct_accel PRIVATE
    native/accel/accel_device.cpp
    native/accel/attention_kernel.cpp
    native/accel/attention_kernel_avx2.cpp
    native/accel/attention_kernel_avx512.cpp
    native/accel/gemm.cpp
    native/accel/gemm_kernel_avx2.cpp
    native/accel/gemm_kernel_avx512.cpp
    native/accel/gemm_race.cpp
    native/accel/packed_weights.cpp
    native/accel/shared_attention.cpp
    native/accel/vector_gemm.cpp)
  # One object per instruction set; gemm.cpp and attention_kernel.cpp pick among them when the program runs.
  set(gcc_bug_105593 $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  set_source_files_properties(native/accel/attention_kernel_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c")
  set_source_files_properties(native/accel/attention_kernel_avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512bw;-mavx512dq;-mavx512vl;${gcc_bug_105593}")
  set_source_files_properties(native/accel/gemm_kernel_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(native/accel/gemm_kernel_avx512.cpp PROPERTIES COMPILE_OPTIONS "-mavx512f;${gcc_bug_105593}")
  # A device of ggml is described by its internal headers.
  target_include_directories(spct_accel PRIVATE ${LLAMA_CPP_DIR}/ggml/src)
  target_link_libraries(spct_accel PRIVATE OpenMP::OpenMP_CXX)
  if(SPCT_NATIVE)
    target_compile_options(spct_accel PRIVATE -march=native)
  endif()
else()
  message(STATUS "Without our own products and attention: they need x86-64, OpenMP and GCC or Clang")
  target_sources(spct_accel PRIVATE native/accel/device_unavailable.cpp)
endif()

if(SPCT_HAS_ONEDNN)
  message(STATUS "oneDNN: ${SPCT_ONEDNN_LIBRARY}")
  target_sources(spct_accel PRIVATE native/accel/onednn_gemm.cpp)
  target_compile_definitions(spct_accel PRIVATE SPCT_ONEDNN)
  target_include_directories(spct_accel SYSTEM PRIVATE ${SPCT_ONEDNN_INCLUDE})
  target_link_libraries(spct_accel PRIVATE ${SPCT_ONEDNN_LIBRARY})
else()
  message(STATUS "Without oneDNN")
endif()
