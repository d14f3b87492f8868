# The library graft::cuda: the kernels and the runtime, built by nvcc, so that who links it needs no nvcc.
include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(GRAFT_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATH_SUFFIXES bin PATHS /usr/local/cuda/bin /opt/cuda/bin)
  if(GRAFT_NVCC)
    set(CMAKE_CUDA_COMPILER ${GRAFT_NVCC})
  endif()
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 75-real;80-real;86-real;90) # the last one as PTX too, for GPUs to come
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(FATAL_ERROR "graft: GRAFT_CUDA is ON, but nvcc is not found; install the CUDA toolkit 12 or newer, or set CMAKE_CUDA_COMPILER to its nvcc.")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "graft: GRAFT_CUDA needs the CUDA toolkit 12 or newer for C++20, but ${CMAKE_CUDA_COMPILER} is ${CMAKE_CUDA_COMPILER_VERSION}.")
endif()
find_package(CUDAToolkit REQUIRED)

set(folder ${CMAKE_CURRENT_SOURCE_DIR}/include/graft/kernel/cuda)
add_library(graft_cuda STATIC ${folder}/layers.cu ${folder}/domains.cu ${folder}/losses.cu ${folder}/products.cu ${folder}/rounded.cu
            ${folder}/runtime.cu ${folder}/steps.cu)
add_library(graft::cuda ALIAS graft_cuda)
set_target_properties(graft_cuda PROPERTIES EXPORT_NAME cuda POSITION_INDEPENDENT_CODE ON)
set_property(TARGET graft_cuda PROPERTY CUDA_STANDARD) # given below: CMake does not know that new compilers of CUDA have C++20
target_include_directories(graft_cuda PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/include)
string(REPLACE ";" " " names "${CMAKE_CUDA_ARCHITECTURES}")
target_compile_definitions(graft_cuda PRIVATE "GRAFT_CUDA_ARCHITECTURES=\"${names}\"" INTERFACE GRAFT_WITH_CUDA)
target_compile_options(graft_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra>
                                          $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<CONFIG:Release>>:-O3>)
target_link_libraries(graft_cuda PUBLIC CUDA::cudart_static INTERFACE graft)
install(TARGETS graft_cuda ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
