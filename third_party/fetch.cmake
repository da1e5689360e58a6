# SPDX-License-Identifier: Apache-2.0
# Brings every third-party source into the cache, so that configuring needs no network:
#   cmake -DCAISSON_FETCH_ONLY=ON -P third_party/fetch.cmake
# With CAISSON_FETCH_TESTS instead: what only tests read.
# Without either it also unpacks into -DDIRECTORY=... (to read the sources, or to test the patches).
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/FetchSource.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/pins.cmake)
if(CAISSON_FETCH_ONLY)
  caisson_fetch_debian_source(${CAISSON_SODIUM_SOURCE})
  caisson_fetch_debian_source(${CAISSON_LWIP_SOURCE})
elseif(CAISSON_FETCH_TESTS)
  caisson_fetch_file(${CAISSON_REDIS_TESTS} OUTPUT redis)
elseif(DIRECTORY)
  get_filename_component(DIRECTORY "${DIRECTORY}" ABSOLUTE)
  caisson_fetch_debian_source(${CAISSON_SODIUM_SOURCE} UNPACK "${DIRECTORY}/sodium")
  caisson_fetch_debian_source(${CAISSON_LWIP_SOURCE} UNPACK "${DIRECTORY}/lwip")
else()
  message(FATAL_ERROR "Say -DCAISSON_FETCH_ONLY=ON, or -DDIRECTORY=... to unpack there.")
endif()
