# SPDX-License-Identifier: Apache-2.0
# Lines of trusted code by cloc, for `caisson version --tcb`: cmake -DCLOC= -DSOURCE= -DTHIRD_PARTY= -DOUTPUT= -P CountLines.cmake
# One line a part: LINES NAME. Comments, blank lines, tests, fuzz targets and build files are not counted, nor are abi/lane.h,
# abi/startup.h and abi/uplink.h, which are for guests alone (scripts/check_includes.py).
function(count name)
  execute_process(COMMAND ${CLOC} --json --quiet --include-lang=C++,C,C/C++\ Header,Assembly
    --not-match-f=_test\\.|_fuzz\\.|_proof\\.|/\(lane|startup|uplink\)\\.h$ --not-match-d=^\(corpus|tests?|fuzz\)$ --fullpath ${ARGN}
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
set(whole ${total})
# What of it is gone before the first guest runs.
file(STRINGS ${SOURCE}/hypervisor/kernel/boot_files.txt boot_files REGEX "^[^#]")
list(TRANSFORM boot_files PREPEND ${SOURCE}/)
set(total 0)
count("of it boot: overwritten and unmapped before the first guest runs" ${boot_files})
math(EXPR resident "${whole} - ${total}")
string(APPEND text "${resident} of it resident\n${whole} trusted code of this project\n")
if(THIRD_PARTY)
  count("third party: libsodium, the files that are linked" ${THIRD_PARTY})
endif()
file(WRITE ${OUTPUT} "${text}")
