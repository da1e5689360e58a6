# SPDX-License-Identifier: Apache-2.0
# Tests cmake/FetchSource.cmake without a network: a made-up source package in a directory named by CAISSON_SOURCES.
#   cmake -DWORK=directory -P third_party/fetch_test.cmake
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/FetchSource.cmake)
if(NOT WORK)
  message(FATAL_ERROR "Say -DWORK=directory.")
endif()
get_filename_component(WORK "${WORK}" ABSOLUTE)

function(fail what)
  message(FATAL_ERROR "fetch_test: ${what}")
endfunction()

# A package "thing" 1.0-1+x1 with one file and one patch to it, in "a mirror" (the path has a space).
function(make_package)
  file(REMOVE_RECURSE "${WORK}")
  set(mirror "${WORK}/a mirror")
  file(WRITE "${WORK}/make/thing-1.0/greeting" "hello\n")
  file(WRITE "${WORK}/make/debian/patches/series" "# one\nfix.patch\n")
  file(WRITE "${WORK}/make/debian/patches/fix.patch"
    "--- a/greeting\n+++ b/greeting\n@@ -1 +1 @@\n-hello\n+hello, world\n")
  file(MAKE_DIRECTORY "${mirror}")
  execute_process(COMMAND ${CMAKE_COMMAND} -E tar czf "${mirror}/thing_1.0.orig.tar.gz" thing-1.0
    WORKING_DIRECTORY "${WORK}/make" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} -E tar cJf "${mirror}/thing_1.0-1+x1.debian.tar.xz" debian
    WORKING_DIRECTORY "${WORK}/make" COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 "${mirror}/thing_1.0.orig.tar.gz" upstream)
  file(SHA256 "${mirror}/thing_1.0-1+x1.debian.tar.xz" packaging)
  file(WRITE "${mirror}/thing_1.0-1+x1.dsc" "Format: 3.0 (quilt)\nChecksums-Sha1:\n aa 1 thing_1.0.orig.tar.gz\n"
    "Checksums-Sha256:\n ${upstream} 1 thing_1.0.orig.tar.gz\n ${packaging} 1 thing_1.0-1+x1.debian.tar.xz\nFiles:\n"
    " bb 1 thing_1.0.orig.tar.gz\n")
endfunction()

# Fetches in a process of its own (a failure ends it); `result` and `said` are its exit code and what it printed.
function(fetch sources result said)
  file(SHA256 "${WORK}/pinned.dsc" pin)
  file(WRITE "${WORK}/script.cmake" "include([[${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../cmake/FetchSource.cmake]])\n"
    "function(caisson_archive_bases output)\n  set(\${output} \"\" PARENT_SCOPE)\nendfunction()\n"
    "caisson_fetch_debian_source(POOL pool/t DSC thing_1.0-1+x1.dsc SHA256 ${pin} UNPACK [[${WORK}/unpacked]])\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -E env "CAISSON_CACHE=${WORK}/cache" "CAISSON_SOURCES=${sources}"
    ${CMAKE_COMMAND} -P "${WORK}/script.cmake" RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE out)
  set(${result} "${code}" PARENT_SCOPE)
  set(${said} "${out}" PARENT_SCOPE)
endfunction()

make_package()
set(mirror "${WORK}/a mirror")
configure_file("${mirror}/thing_1.0-1+x1.dsc" "${WORK}/pinned.dsc" COPYONLY)

# Nowhere to be found: the message names file, hash and place.
fetch("${WORK}/nowhere" code said)
file(SHA256 "${WORK}/pinned.dsc" pin)
if(code EQUAL 0)
  fail("a missing file was not noticed")
endif()
foreach(word IN ITEMS "thing_1.0-1+x1.dsc" "${pin}" "sources/sha256" "CAISSON_SOURCES")
  string(FIND "${said}" "${word}" at)
  if(at EQUAL -1)
    fail("the message lacks ${word}: ${said}")
  endif()
endforeach()

# A file with another hash is refused and does not reach the cache.
file(APPEND "${mirror}/thing_1.0.orig.tar.gz" "x")
fetch("${mirror}" code said)
if(code EQUAL 0 OR NOT said MATCHES "another SHA-256" OR EXISTS "${WORK}/unpacked")
  fail("a wrong hash was not noticed: ${said}")
endif()

# The right ones are fetched, unpacked and patched.
make_package()
configure_file("${mirror}/thing_1.0-1+x1.dsc" "${WORK}/pinned.dsc" COPYONLY)
fetch("${mirror}" code said)
if(NOT code EQUAL 0)
  fail("fetching failed: ${said}")
endif()
file(READ "${WORK}/unpacked/greeting" greeting)
if(NOT greeting STREQUAL "hello, world\n")
  fail("the patch was not applied")
endif()

# With the cache filled nothing else is needed; a damaged cache entry is noticed.
file(REMOVE_RECURSE "${mirror}" "${WORK}/unpacked")
fetch("${WORK}/nowhere" code said)
if(NOT code EQUAL 0 OR NOT EXISTS "${WORK}/unpacked/greeting")
  fail("the cache was not used: ${said}")
endif()
file(SHA256 "${WORK}/pinned.dsc" pin)
file(APPEND "${WORK}/cache/sources/sha256/${pin}" "x")
fetch("${WORK}/nowhere" code said)
if(code EQUAL 0)
  fail("a damaged cache entry was used")
endif()
file(GLOB parts "${WORK}/cache/sources/sha256/.*.part")
if(NOT parts STREQUAL "")
  fail("partial files were left behind")
endif()
file(REMOVE_RECURSE "${WORK}")
