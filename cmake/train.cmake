# The losses alone, so that the CUDA kernels can be held against them without ggml.
add_library(spct_losses STATIC
  native/train/grpo_cpu.cpp
  native/train/losses_cpu.cpp
  native/train/scalar_losses_cpu.cpp)
target_include_directories(spct_losses PUBLIC ${CMAKE_SOURCE_DIR}/native)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set_source_files_properties(native/train/losses_cpu.cpp PROPERTIES COMPILE_OPTIONS -ffast-math)
endif()

# The trainer: forward and backward of decoder-only transformers on ggml, without Node.
add_library(spct_train STATIC
  native/train/advantages.cpp
  native/train/architecture.cpp
  native/train/forward.cpp
  native/train/gguf_output.cpp
  native/train/gradient_worker.cpp
  native/train/lora.cpp
  native/train/model_file.cpp
  native/train/model_shape.cpp
  native/train/model_tensors.cpp
  native/train/optimizer.cpp
  native/train/outer_product.cpp
  native/train/parallel.cpp
  native/train/parameters.cpp
  native/train/policy_step.cpp
  native/train/reward_head.cpp
  native/train/reward_step.cpp
  native/train/row_layout.cpp
  native/train/score_head_fit.cpp
  native/train/sequence.cpp
  native/train/token_losses.cpp
  native/train/trainer.cpp
  native/train/training_device.cpp)
target_include_directories(spct_train PUBLIC ${CMAKE_SOURCE_DIR}/native)
# ggml_graph_view runs the forward part of a graph alone; only ggml's internal header has it.
target_include_directories(spct_train PRIVATE ${LLAMA_CPP_DIR}/ggml/src)
# spct_cuda goes to whoever links the trainer, without its compile options: they would forbid a * b + c in one rounding
# here too, and the outer products would be slower and other numbers.
target_link_libraries(spct_train PUBLIC ggml spct_losses INTERFACE $<LINK_ONLY:spct_cuda>)
target_include_directories(spct_train PRIVATE ${CMAKE_SOURCE_DIR})
if(SPCT_NATIVE AND NOT MSVC)
  target_compile_options(spct_losses PRIVATE -march=native)
  target_compile_options(spct_train PRIVATE -march=native)
endif()
