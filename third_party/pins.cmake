# SPDX-License-Identifier: Apache-2.0
# Which third-party sources are used: one place, read by the build and by fetch.cmake.
set(CAISSON_SODIUM_SOURCE POOL pool/main/libs/libsodium DSC libsodium_1.0.18-1+deb12u1.dsc
  SHA256 2c23c57b5a9385dab5a1916014c9b5f2cdd7dadeb8a35b28c1bfb603ce7095c4)
set(CAISSON_SODIUM_VERSION 1.0.18-1+deb12u1)
# For a test alone (qemu-tests/redis): never compiled.
set(CAISSON_REDIS_TESTS NAME redis_7.0.15.orig.tar.gz POOL pool/main/r/redis
  SHA256 4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982)
set(CAISSON_LWIP_SOURCE POOL pool/main/l/lwip DSC lwip_2.2.1+dfsg1-1+deb13u1.dsc
  SHA256 07ecb7122b2882a5265c6d1413947dd9a054d5ae25150b7042885d3f3d0b5aad)
set(CAISSON_LWIP_VERSION 2.2.1+dfsg1-1+deb13u1)
