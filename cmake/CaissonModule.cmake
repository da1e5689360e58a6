# SPDX-License-Identifier: Apache-2.0
# One place for compile flags and for the ways a module is built.
#
#   caisson_pure(NAME core_bundle SOURCES a.cpp DEPENDS core_bytes TESTS a_test.cpp FUZZ a_fuzz.cpp)
#       the same sources as  core_bundle        hosted library (the tool)
#                            core_bundle.san    hosted, ASan + UBSan (its tests)
#                            core_bundle.hv     freestanding, for the hypervisor image
#                            core_bundle.uk     freestanding, for the unikernel image
#                            core_bundle.weak   as .hv with the weaknesses of base/weakness.hpp (CAISSON_TESTS)
#       DEPENDS names pure modules; each flavour links the same flavour. HOST_ONLY leaves out .hv and .uk,
#       FREESTANDING_ONLY leaves out the hosted two. Every *_test.cpp becomes part of one GoogleTest program NAME_test,
#       every *_fuzz.cpp a libFuzzer program (CAISSON_FUZZ, clang only) with seeds from NAME's corpus/ folder.
#   caisson_test(NAME x_test SOURCES x_test.cpp LIBRARIES a.san)   a further GoogleTest program, sanitized
# Objects of two environments are never linked together.

set(CAISSON_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wcast-qual -Werror)
set(CAISSON_CXX_WARNINGS ${CAISSON_WARNINGS} -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(CAISSON_GENERAL_REGS -mno-sse -mno-mmx)
  list(APPEND CAISSON_CXX_WARNINGS -Wno-gnu-statement-expression)
else()
  set(CAISSON_GENERAL_REGS -mgeneral-regs-only)
  # g++ 12 warns about std::string's own insert and operator+ when it inlines them (GCC bug 105651).
  list(APPEND CAISSON_CXX_WARNINGS -Wno-restrict)
endif()

set(CAISSON_FREESTANDING -O2 -g1 -ffreestanding -fno-pic -fno-pie -fno-asynchronous-unwind-tables
    ${CAISSON_GENERAL_REGS} -mno-red-zone -fcf-protection=none -fstack-protector-strong -mstack-protector-guard=global
    -ffunction-sections -fdata-sections -fno-strict-aliasing -fno-delete-null-pointer-checks
    -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
set(CAISSON_FREESTANDING_CXX -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-use-cxa-atexit)
# Every function of the hypervisor that an indirect jump may reach begins with ENDBR64 (kernel/cpu switches the check on), and
# no switch is an indirect jump, which a guest's number would index.
set(CAISSON_HV_FLAGS ${CAISSON_FREESTANDING} -mcmodel=kernel -fcf-protection=branch -fno-jump-tables)
# For what is to be small: no padding between functions and loops, and a function is only copied into its callers where the
# source says `inline` or there is one caller. (-Os calls what is a few instructions: often that is more.)
set(CAISSON_SMALL -falign-functions=1 -fno-inline-functions)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND CAISSON_SMALL -falign-jumps=1 -falign-loops=1 -falign-labels=1 -fno-ipa-cp-clone -fno-partial-inlining
    -freorder-blocks-algorithm=simple --param=max-jump-thread-duplication-stmts=3) # blocks are not copied for a jump less
endif()
# Every byte of the unikernel is hashed before each boot and taken from the partition's memory.
set(CAISSON_UK_FLAGS ${CAISSON_FREESTANDING} -mcmodel=kernel -fomit-frame-pointer ${CAISSON_SMALL})
# The UEFI loader runs where firmware puts it, in firmware's mode: nothing in it needs a relocation.
set(CAISSON_EFI_FLAGS ${CAISSON_FREESTANDING} -fpie -fvisibility=hidden -fno-stack-protector -fno-jump-tables)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND CAISSON_EFI_FLAGS -fno-tree-switch-conversion)
endif()
# Precompiled headers serve only who has the same macros as they, and -pthread is one. (Most of the compiler's collections of
# garbage find little.)
set(CAISSON_QUICK_FLAGS $<$<COMPILE_LANGUAGE:CXX>:-pthread>)
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND CAISSON_QUICK_FLAGS "$<$<COMPILE_LANGUAGE:CXX>:SHELL:--param ggc-min-expand=200 --param ggc-min-heapsize=524288>")
endif()
set(CAISSON_SAN_FLAGS -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Flags, include root and definitions common to every target. FLAVOUR: host, san, fuzz, hv, uk, weak, efi.
function(caisson_flavour target flavour)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:${CAISSON_CXX_WARNINGS}> $<$<COMPILE_LANGUAGE:C>:${CAISSON_WARNINGS}>)
  target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  if(flavour MATCHES "^(hv|uk|weak|efi)$")
    set(upper HV)
    if(flavour STREQUAL "uk")
      set(upper UK)
    elseif(flavour STREQUAL "efi")
      set(upper EFI)
    elseif(flavour STREQUAL "weak")
      target_compile_definitions(${target} PRIVATE CAISSON_WEAK=1)
    endif()
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${CAISSON_${upper}_FLAGS};${CAISSON_FREESTANDING_CXX}>
      $<$<COMPILE_LANGUAGE:C>:${CAISSON_${upper}_FLAGS}> $<$<COMPILE_LANGUAGE:ASM>:-fno-pic;-g1;-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=>)
    target_compile_definitions(${target} PRIVATE CAISSON_FREESTANDING=1)
    if(flavour STREQUAL "uk" AND NOT CMAKE_BUILD_TYPE STREQUAL "Quick") # there it is the first of what is compiled once
      target_compile_options(${target} PRIVATE
        "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include cmake/short_assertions.hpp>")
    endif()
  elseif(flavour STREQUAL "host" AND CMAKE_BUILD_TYPE STREQUAL "Quick")
    caisson_standard_headers(${target})
  elseif(flavour STREQUAL "san")
    target_compile_options(${target} PRIVATE ${CAISSON_SAN_FLAGS})
    target_link_options(${target} INTERFACE -fsanitize=address,undefined)
  elseif(flavour STREQUAL "fuzz")
    target_compile_options(${target} PRIVATE ${CAISSON_SAN_FLAGS} -fsanitize=fuzzer-no-link)
  endif()
  if(CAISSON_COVERAGE AND NOT flavour MATCHES "^(hv|uk|weak|efi)$")
    # clang's source-based counts (scripts/coverage.py): branches as they are written, not as they are compiled.
    target_compile_options(${target} PRIVATE -fprofile-instr-generate -fcoverage-mapping)
    target_link_options(${target} PUBLIC -fprofile-instr-generate)
  endif()
endfunction()

# For selftest --quick: what most of a target's files include is compiled once for all of them, which takes half their time.
# Every other build compiles each file by itself, so that an include which is forgotten is found.
function(caisson_compile_once target)
  if(CMAKE_BUILD_TYPE STREQUAL "Quick" AND TARGET ${target})
    list(TRANSFORM ARGN PREPEND "${CMAKE_SOURCE_DIR}/")
    target_precompile_headers(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${ARGN}>")
    set_target_properties(${target} PROPERTIES PCH_WARN_INVALID OFF) # files with options of their own do without
  endif()
endfunction()

# Code of the hypervisor that runs once, in the boot, is small: the UEFI application has at most 300 KiB. With which options
# (-Os or CAISSON_SMALL) is what was measured.
function(caisson_runs_once name)
  foreach(flavour IN ITEMS hv weak)
    if(TARGET ${name}.${flavour})
      target_compile_options(${name}.${flavour} PRIVATE ${ARGN})
    endif()
  endforeach()
endfunction()

# Files that use JSON each make thousands of the same functions, two thirds of their time: ten are compiled as one. A release
# compiles each by itself, so that an include which is forgotten is found. selftest --quick makes those functions once for all.
function(caisson_together)
  foreach(target IN LISTS ARGN)
    if(TARGET ${target} AND NOT CMAKE_BUILD_TYPE STREQUAL "Release")
      set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
      if(CMAKE_BUILD_TYPE STREQUAL "Quick")
        set_target_properties(${target} PROPERTIES UNITY_BUILD_CODE_BEFORE_INCLUDE "#include \"cmake/json_once.hpp\"")
        target_link_libraries(${target} PRIVATE quick_headers)
      endif()
    endif()
  endforeach()
endfunction()

# The same for all hosted targets: the standard library's larger headers, two fifths of the time of each file.
function(caisson_standard_headers target)
  if(NOT TARGET quick_headers)
    add_library(quick_headers STATIC ${CMAKE_SOURCE_DIR}/cmake/json_once.cpp)
    target_include_directories(quick_headers PRIVATE ${CMAKE_SOURCE_DIR})
    target_compile_definitions(quick_headers PRIVATE _GLIBCXX_ASSERTIONS)
    target_compile_options(quick_headers PRIVATE ${CAISSON_CXX_WARNINGS} ${CAISSON_QUICK_FLAGS})
    foreach(header IN ITEMS algorithm array cstdint filesystem functional map memory optional span string string_view variant vector)
      target_precompile_headers(quick_headers PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:<${header}$<ANGLE-R>>")
    endforeach()
  endif()
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    target_precompile_headers(${target} REUSE_FROM quick_headers)
    target_compile_options(${target} PRIVATE ${CAISSON_QUICK_FLAGS})
    set_target_properties(${target} PROPERTIES PCH_WARN_INVALID OFF)
  endif()
endfunction()

function(caisson_library target flavour)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${A_SOURCES})
  caisson_flavour(${target} ${flavour})
  target_link_libraries(${target} PUBLIC ${A_DEPENDS})
endfunction()

function(caisson_pure)
  cmake_parse_arguments(A "HOST_ONLY;FREESTANDING_ONLY" "NAME" "SOURCES;DEPENDS;TESTS;FUZZ" ${ARGN})
  set(flavours "")
  if(NOT A_FREESTANDING_ONLY)
    list(APPEND flavours host)
    if(CAISSON_TESTS)
      list(APPEND flavours san)
    endif()
    if(CAISSON_FUZZ)
      list(APPEND flavours fuzz)
    endif()
  endif()
  if(NOT A_HOST_ONLY)
    list(APPEND flavours hv uk)
    if(CAISSON_TESTS)
      list(APPEND flavours weak)
    endif()
  endif()
  foreach(flavour IN LISTS flavours)
    set(suffix "")
    if(NOT flavour STREQUAL "host")
      set(suffix ".${flavour}")
    endif()
    set(depends "")
    foreach(dependency IN LISTS A_DEPENDS)
      list(APPEND depends ${dependency}${suffix})
    endforeach()
    caisson_library(${A_NAME}${suffix} ${flavour} SOURCES ${A_SOURCES} DEPENDS ${depends})
    # Only what an image calls is linked into it, and only when it is.
    if(flavour MATCHES "^(hv|uk|weak)$")
      set_target_properties(${A_NAME}${suffix} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    endif()
  endforeach()
  if(A_TESTS AND CAISSON_TESTS)
    caisson_test(NAME ${A_NAME}_test SOURCES ${A_TESTS} LIBRARIES ${A_NAME}.san)
  endif()
  foreach(source IN LISTS A_FUZZ)
    caisson_fuzz(${source} ${A_NAME})
  endforeach()
endfunction()

# caisson_fuzz(NAME_fuzz.cpp [LIBRARIES...]): the libFuzzer program of a source, with seeds from corpus/NAME_fuzz beside it.
function(caisson_fuzz source)
  if(NOT CAISSON_FUZZ)
    return()
  endif()
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  caisson_flavour(${name} fuzz)
  set(libraries ${ARGN})
  list(TRANSFORM libraries APPEND .fuzz)
  target_link_libraries(${name} PRIVATE ${libraries})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  # A short, bounded run in the suite; longer by hand: build/fuzz/.../NAME corpus -max_total_time=600
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  add_test(NAME fuzz.${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${name}> -DCORPUS=${corpus}
    -DWORK=${CMAKE_CURRENT_BINARY_DIR}/${name}.corpus -P ${CMAKE_SOURCE_DIR}/cmake/RunFuzz.cmake)
  set_tests_properties(fuzz.${name} PROPERTIES LABELS "fuzz" TIMEOUT 900)
endfunction()

function(caisson_test)
  cmake_parse_arguments(A "" "NAME;LABELS;TIMEOUT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT CAISSON_TESTS)
    return()
  endif()
  add_executable(${A_NAME} ${A_SOURCES})
  caisson_flavour(${A_NAME} san)
  target_link_libraries(${A_NAME} PRIVATE ${A_LIBRARIES} base.san GTest::gtest_main)
  # What is tested is optimised a little, its tests not at all: that took two thirds of their compile time.
  target_compile_options(${A_NAME} PRIVATE -Wno-conversion -Wno-sign-conversion -O0)
  target_link_options(${A_NAME} PRIVATE -fsanitize=address,undefined)
  if(NOT A_LABELS)
    set(A_LABELS "quick;unit")
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 900)
  endif()
  add_test(NAME ${A_NAME} COMMAND ${A_NAME} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${A_NAME} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
endfunction()
