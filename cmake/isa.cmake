# ISA name -> compiler flags. The only file that names -mavx2 and its like; core/cpu.cc asks the machine for the same extensions.
set(SK_ISA_FLAGS_scalar -O2)
set(SK_ISA_FLAGS_scalar16 -O1) # runs in tests only: compile it fast
set(SK_ISA_FLAGS_avx2 -mavx2 -mfma -mbmi2)
set(SK_ISA_FLAGS_avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma -mbmi2 -mprefer-vector-width=512)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(SK_ISAS scalar scalar16 avx2 avx512)
else()
  set(SK_ISAS scalar scalar16)
endif()

# Compiles native/<verb>/<isa>.cc for every ISA of this processor family into the object library <verb>_isa.
function(sk_add_isa_kernels verb)
  foreach(isa IN LISTS SK_ISAS)
    set(source ${PROJECT_SOURCE_DIR}/native/${verb}/${isa}.cc)
    list(APPEND sources ${source})
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${SK_ISA_FLAGS_${isa}}")
  endforeach()
  add_library(${verb}_isa OBJECT ${sources})
endfunction()
