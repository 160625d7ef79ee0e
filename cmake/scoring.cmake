# The sampler and the score head. Their results are the same on every machine, so no compiler may contract a * b + c.
add_library(spct_scoring STATIC
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
target_compile_options(spct_scoring PUBLIC ${SPCT_EXACT_FLOATS})
