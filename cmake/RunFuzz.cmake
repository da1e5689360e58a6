# SPDX-License-Identifier: Apache-2.0
# A bounded libFuzzer run: seeds are read from CORPUS (kept in the tree), findings go to WORK. RUNS: so many steps, not five seconds.
if(NOT RUNS)
  set(bound -max_total_time=5)
else()
  set(bound -runs=${RUNS})
endif()
file(MAKE_DIRECTORY ${WORK})
set(seeds "")
if(EXISTS ${CORPUS})
  set(seeds ${CORPUS})
endif()
execute_process(COMMAND ${PROGRAM} ${WORK} ${seeds} ${bound} -timeout=5 -rss_limit_mb=2048
  -artifact_prefix=${WORK}/crash- -print_final_stats=0 RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} failed: the input is in ${WORK}/crash-*")
endif()
