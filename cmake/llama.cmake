# llama.cpp, static, from LLAMA_CPP_DIR or from the pinned release that scripts/fetch-llama.mjs unpacks.
if(NOT LLAMA_CPP_DIR)
  set(LLAMA_CPP_DIR ${CMAKE_SOURCE_DIR}/.cache/llama.cpp CACHE PATH "" FORCE)
  if(NOT EXISTS ${LLAMA_CPP_DIR}/CMakeLists.txt)
    execute_process(
      COMMAND node ${CMAKE_SOURCE_DIR}/scripts/fetch-llama.mjs ${LLAMA_CPP_DIR}
      RESULT_VARIABLE fetched)
    if(NOT fetched EQUAL 0)
      message(FATAL_ERROR "llama.cpp could not be fetched; pass -DLLAMA_CPP_DIR=<checkout> to use your own")
    endif()
  endif()
endif()
if(NOT EXISTS ${LLAMA_CPP_DIR}/include/llama.h)
  message(FATAL_ERROR "LLAMA_CPP_DIR=${LLAMA_CPP_DIR} is not a llama.cpp checkout: include/llama.h is missing")
endif()

set(BUILD_SHARED_LIBS OFF)
set(GGML_NATIVE ${SPCT_NATIVE} CACHE BOOL "" FORCE)
set(GGML_CUDA ${SPCT_CUDA} CACHE BOOL "" FORCE)
foreach(part COMMON TOOLS SERVER)
  set(LLAMA_BUILD_${part} ${SPCT_PEERS} CACHE BOOL "" FORCE)
endforeach()
foreach(part BUILD_TESTS BUILD_EXAMPLES BUILD_APP BUILD_UI USE_PREBUILT_UI OPENSSL)
  set(LLAMA_${part} OFF CACHE BOOL "" FORCE)
endforeach()
set(LLAMA_ALL_WARNINGS OFF CACHE BOOL "" FORCE)
set(GGML_ALL_WARNINGS OFF CACHE BOOL "" FORCE)
add_subdirectory(${LLAMA_CPP_DIR} ${CMAKE_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND TARGET ggml-cpu)
  set_property(SOURCE ${LLAMA_CPP_DIR}/ggml/src/ggml-cpu/amx/mmq.cpp TARGET_DIRECTORY ggml-cpu
    APPEND PROPERTY COMPILE_OPTIONS -Wno-maybe-uninitialized -include ${CMAKE_SOURCE_DIR}/cmake/gcc_amx.h)
endif()

# With one cache for all sequences llama.cpp looks for coupled ones among 256 x 256 pairs in each batch, also where it has
# just found that none are. A step of a very small model is not much longer than that.
set(batch_original ${LLAMA_CPP_DIR}/src/llama-batch.cpp)
set(batch_changed ${CMAKE_BINARY_DIR}/llama.cpp/llama-batch.cpp)
file(READ ${batch_original} batch_text)
string(REPLACE "if (memory) {\n        for (uint32_t s0 = 0;" "if (memory && has_cpl) {\n        for (uint32_t s0 = 0;"
  batch_text "${batch_text}")
file(WRITE ${batch_changed}.new "${batch_text}")
configure_file(${batch_changed}.new ${batch_changed} COPYONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${batch_original})
get_target_property(llama_sources llama SOURCES)
list(TRANSFORM llama_sources REPLACE "^llama-batch.cpp$" ${batch_changed})
set_target_properties(llama PROPERTIES SOURCES "${llama_sources}")
