# The Node-API addon; cmake-js gives the headers of Node-API itself.
execute_process(
  COMMAND node -p "require('node-addon-api').include_dir"
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE node_addon_api OUTPUT_STRIP_TRAILING_WHITESPACE)

add_library(spct_addon MODULE
  native/binding/addon.cpp
  native/binding/convert.cpp
  native/binding/engine_wrap.cpp
  native/binding/random_model.cpp
  native/binding/trainer_wrap.cpp
  native/binding/training_input.cpp
  native/binding/vocabulary_wrap.cpp
  ${CMAKE_JS_SRC})
set_target_properties(spct_addon PROPERTIES
  PREFIX "" SUFFIX ".node" OUTPUT_NAME spct
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_SOURCE_DIR}/build/Release
  CXX_VISIBILITY_PRESET hidden)
target_include_directories(spct_addon PRIVATE ${CMAKE_JS_INC} ${node_addon_api})
# Without the last one a worker thread that is terminated while a promise settles ends the process (std::terminate).
target_compile_definitions(spct_addon PRIVATE
  NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS_ALL NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
target_link_libraries(spct_addon PRIVATE ${CMAKE_JS_LIB} spct_engine spct_model spct_train)
if(NOT MSVC)
  # nodelete: Node unloads an addon with the last worker thread that used it, but threads of OpenMP stay in it.
  target_link_options(spct_addon PRIVATE "$<$<PLATFORM_ID:Linux>:-Wl,--exclude-libs,ALL;-Wl,-z,nodelete>")
endif()
