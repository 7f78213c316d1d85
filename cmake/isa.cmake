# ISA name -> compiler flags. The only file that names -mavx2 and its like; core/cpu.cc asks the machine for the same extensions.
set(SK_ISA_FLAGS_scalar -O2)
set(SK_ISA_FLAGS_scalar16 -O1) # runs in tests only: compile it fast
set(SK_ISA_FLAGS_avx2 -mavx2 -mfma -mbmi2 -mf16c)
set(SK_ISA_FLAGS_avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mbmi2 -mprefer-vector-width=512)
set(SK_ISA_FLAGS_avx2vnni ${SK_ISA_FLAGS_avx2} -mavxvnni)
set(SK_ISA_FLAGS_avx512vnni ${SK_ISA_FLAGS_avx512} -mavx512vnni)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(SK_ISAS scalar scalar16 avx2 avx2vnni avx512 avx512vnni)
else()
  set(SK_ISAS scalar scalar16)
endif()

# Adds a verb to sk_native: native/<verb>/ with the given sources and, where it has kernels.def, its <isa>.cc and <isa>_<part>.cc of all
# ISAs of this processor family (object library <verb>_isa); native/<verb>/cuda/kernels.cu where there is nvcc; native/napi/<verb>_napi.cc
# and, if it is there, <verb>_cuda_napi.cc to the boundary.
function(sk_add_verb verb)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/native/${verb}/)
  target_sources(sk_native PRIVATE ${ARGN})
  if(SK_HAS_CUDA AND EXISTS ${PROJECT_SOURCE_DIR}/native/${verb}/cuda/kernels.cu)
    target_sources(sk_native PRIVATE ${PROJECT_SOURCE_DIR}/native/${verb}/cuda/kernels.cu)
  endif()
  if(TARGET sk_napi)
    target_sources(sk_napi PRIVATE ${PROJECT_SOURCE_DIR}/native/napi/${verb}_napi.cc)
    if(EXISTS ${PROJECT_SOURCE_DIR}/native/napi/${verb}_cuda_napi.cc)
      target_sources(sk_napi PRIVATE ${PROJECT_SOURCE_DIR}/native/napi/${verb}_cuda_napi.cc)
    endif()
  endif()
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/native/${verb}/kernels.def)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY SK_ISA_VERBS ${verb})
  foreach(isa IN LISTS SK_ISAS)
    file(GLOB parts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/native/${verb}/${isa}.cc ${PROJECT_SOURCE_DIR}/native/${verb}/${isa}_*.cc)
    if(NOT parts)
      continue() # an extension of another ISA, which helps other verbs
    endif()
    list(APPEND sources ${parts})
    set_source_files_properties(${parts} PROPERTIES COMPILE_OPTIONS "-fno-exceptions;${SK_ISA_FLAGS_${isa}}") # which would call the C++ runtime
  endforeach()
  add_library(${verb}_isa OBJECT ${sources})
  target_sources(sk_native PRIVATE $<TARGET_OBJECTS:${verb}_isa>)
endfunction()
