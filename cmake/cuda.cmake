# Finds a CUDA compiler, or fetches one, before llama.cpp looks for it; then our own kernels.
#   -DSPCT_CUDA=ON          the CUDA backend of llama.cpp and our kernels
#   -DSPCT_CUDA_KERNELS=ON  our kernels alone, to check them: quick to build, no cuBLAS
option(SPCT_CUDA_KERNELS "Build the CUDA kernels even without the CUDA backend" ${SPCT_CUDA})

if(SPCT_CUDA OR SPCT_CUDA_KERNELS)
  set(own_toolkit ${CMAKE_SOURCE_DIR}/.cache/cuda)
  find_program(SPCT_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER ${own_toolkit}/bin/nvcc)
    if(SPCT_NVCC)
      set(CMAKE_CUDA_COMPILER ${SPCT_NVCC})
    endif()
  endif()
  if("${CMAKE_CUDA_COMPILER}" STREQUAL "${own_toolkit}/bin/nvcc")
    set(parts)
    if(NOT SPCT_CUDA)
      set(parts --kernels)
    endif()
    execute_process(
      COMMAND node ${CMAKE_SOURCE_DIR}/scripts/cuda-toolkit.mjs ${parts} ${own_toolkit}
      RESULT_VARIABLE fetched)
    if(NOT fetched EQUAL 0)
      message(FATAL_ERROR "There is no CUDA compiler: install the CUDA toolkit or leave out -DSPCT_CUDA=ON")
    endif()
    set(CUDAToolkit_ROOT ${own_toolkit})
    set(GGML_CUDA_NO_VMM ON CACHE BOOL "" FORCE)  # the wheels have no libcuda to link to
  endif()

  # Must be known before a CUDA target is made. llama.cpp's backend takes long to build for each architecture, ours does
  # not: without a GPU at hand, ours get every current one.
  if(DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(SPCT_CUDA_ARCHITECTURES ${CMAKE_CUDA_ARCHITECTURES})
  else()
    find_program(SPCT_NVIDIA_SMI nvidia-smi)
    set(no_gpu 1)
    if(SPCT_NVIDIA_SMI AND CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
      execute_process(COMMAND ${SPCT_NVIDIA_SMI} -L RESULT_VARIABLE no_gpu OUTPUT_QUIET ERROR_QUIET)
    endif()
    if(no_gpu EQUAL 0)
      set(CMAKE_CUDA_ARCHITECTURES native)
      set(SPCT_CUDA_ARCHITECTURES native)
    else()
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
      set(SPCT_CUDA_ARCHITECTURES 80-real 90 100-real 120)
    endif()
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
    list(REMOVE_ITEM SPCT_CUDA_ARCHITECTURES 100-real 120)  # unknown to it
  endif()

  add_library(spct_cuda STATIC cuda/device_scratch.cu cuda/sampler.cu cuda/score_head.cu cuda/token_loss.cu)
  set_target_properties(spct_cuda PROPERTIES
    CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_ARCHITECTURES "${SPCT_CUDA_ARCHITECTURES}")
  target_link_libraries(spct_cuda PUBLIC CUDA::cudart_static)
else()
  add_library(spct_cuda STATIC cuda/unavailable.cpp)
endif()
target_include_directories(spct_cuda PUBLIC ${CMAKE_SOURCE_DIR})
target_link_libraries(spct_cuda PUBLIC spct_scoring)
