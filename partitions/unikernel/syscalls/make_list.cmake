# SPDX-License-Identifier: Apache-2.0
# numbers.txt -> syscall_list.inc: one macro line a system call. Run as
#   cmake -DINPUT=numbers.txt -DOUTPUT=syscall_list.inc -P make_list.cmake
file(STRINGS ${INPUT} lines)
set(text "// Generated from syscalls/numbers.txt.\n")
foreach(line IN LISTS lines)
  if(line MATCHES "^([0-9]+) ([a-z0-9_]+) ([a-z0-9_]+)$")
    string(APPEND text "CAISSON_SYSTEM_CALL(${CMAKE_MATCH_1}, ${CMAKE_MATCH_2})\n")
  elseif(line MATCHES "^([0-9]+) ([a-z0-9_]+) -$")
    string(APPEND text "CAISSON_SYSTEM_CALL_ABSENT(${CMAKE_MATCH_1}, ${CMAKE_MATCH_2})\n")
  elseif(NOT line MATCHES "^#")
    message(FATAL_ERROR "${INPUT}: cannot read the line '${line}'")
  endif()
endforeach()
file(WRITE ${OUTPUT} "${text}")
