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
foreach(part COMMON TESTS EXAMPLES TOOLS SERVER APP)
  set(LLAMA_BUILD_${part} OFF CACHE BOOL "" FORCE)
endforeach()
set(LLAMA_OPENSSL OFF CACHE BOOL "" FORCE)
add_subdirectory(${LLAMA_CPP_DIR} ${CMAKE_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL)
