# SPDX-License-Identifier: Apache-2.0
# Lines of trusted code by cloc, for `caisson version --tcb`: cmake -DCLOC= -DSOURCE= -DTHIRD_PARTY= -DOUTPUT= -P CountLines.cmake
# One line a part: LINES NAME. Comments, blank lines, tests, fuzz targets and build files are not counted.
function(count name)
  execute_process(COMMAND ${CLOC} --json --quiet --include-lang=C++,C,C/C++\ Header,Assembly
    --not-match-f=_test\\.|_fuzz\\.|_proof\\. --not-match-d=^\(corpus|tests?|fuzz\)$ --fullpath ${ARGN}
    OUTPUT_VARIABLE json ERROR_QUIET RESULT_VARIABLE result)
  set(lines 0)
  if(result EQUAL 0 AND json)
    string(JSON lines ERROR_VARIABLE ignored GET "${json}" SUM code)
  endif()
  if(NOT lines MATCHES "^[0-9]+$")
    set(lines 0)
  endif()
  math(EXPR total "${total} + ${lines}")
  set(total ${total} PARENT_SCOPE)
  set(text "${text}${lines} ${name}\n" PARENT_SCOPE)
endfunction()
set(text "")
set(total 0)
foreach(part IN ITEMS hypervisor/base hypervisor/core hypervisor/kernel arch/x86_64 drivers loader partitions/abi)
  count(${part} ${SOURCE}/${part})
endforeach()
string(APPEND text "${total} trusted code of this project\n")
if(THIRD_PARTY)
  count("third party: libsodium, the files that are linked" ${THIRD_PARTY})
endif()
file(WRITE ${OUTPUT} "${text}")
