# The sampler and the score head. Their results are the same on every machine, so no compiler may contract a * b + c.
add_library(spct_scoring STATIC
  native/scoring/mass_cut.cpp
  native/scoring/sampler.cpp
  native/scoring/sampler_loops.cpp
  native/scoring/sampler_loops_scalar.cpp
  native/scoring/sampling_plan.cpp
  native/scoring/score_head.cpp)
target_include_directories(spct_scoring PUBLIC ${CMAKE_SOURCE_DIR}/native)
if(MSVC)
  set(SPCT_EXACT_FLOATS /fp:precise)
else()
  set(SPCT_EXACT_FLOATS -ffp-contract=off)
  target_compile_options(spct_scoring PRIVATE -Wall -Wextra)
endif()
target_compile_options(spct_scoring PUBLIC
  $<$<COMPILE_LANGUAGE:CXX>:${SPCT_EXACT_FLOATS}>
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false;-Xcompiler=${SPCT_EXACT_FLOATS}>)

# One object per instruction set; sampler_loops.cpp picks among them when the program runs.
if(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  target_sources(spct_scoring PRIVATE
    native/scoring/sampler_loops_avx2.cpp
    native/scoring/sampler_loops_avx512.cpp)
  set_source_files_properties(native/scoring/sampler_loops_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2")
  set_source_files_properties(native/scoring/sampler_loops_avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx512f;-mavx512dq;$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")  # GCC bug 105593
  target_compile_definitions(spct_scoring PRIVATE SPCT_X86_VARIANTS)
elseif(NOT MSVC AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  target_sources(spct_scoring PRIVATE native/scoring/sampler_loops_neon.cpp)
  target_compile_definitions(spct_scoring PRIVATE SPCT_NEON_VARIANT)
endif()
