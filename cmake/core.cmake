# The engine and what it stands on, without Node.
include(cmake/scoring.cmake)
find_package(Threads REQUIRED)

add_library(spct_engine STATIC
  native/engine/engine.cpp
  native/engine/prefix_tree.cpp
  native/engine/scheduler.cpp
  native/engine/stop_matcher.cpp)
target_include_directories(spct_engine PUBLIC ${CMAKE_SOURCE_DIR}/native)
target_link_libraries(spct_engine PUBLIC spct_scoring Threads::Threads)

add_library(spct_model STATIC
  native/model/copy_budget.cpp
  native/model/graph_sampler.cpp
  native/model/head_file.cpp
  native/model/llama_model.cpp
  native/model/model_weights.cpp
  native/model/openmp_waiting.cpp
  native/model/random_model.cpp
  native/model/token_memory.cpp
  native/model/vocabulary.cpp
  native/model/weight_update.cpp)
# The tensors of a loaded model by name; only llama.cpp's internal header has them.
target_include_directories(spct_model PRIVATE ${LLAMA_CPP_DIR}/src)
target_link_libraries(spct_model PUBLIC spct_scoring PRIVATE llama spct_accel spct_cuda)
if(GGML_OPENMP)
  find_package(OpenMP COMPONENTS CXX)
  if(OpenMP_CXX_FOUND)
    target_link_libraries(spct_model PRIVATE OpenMP::OpenMP_CXX)
  endif()
endif()
target_compile_definitions(spct_model PRIVATE $<$<BOOL:${SPCT_CUDA}>:SPCT_CUDA>)
