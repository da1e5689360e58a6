# SPDX-License-Identifier: Apache-2.0
# Which third-party sources are used: one place, read by the build and by fetch.cmake.
set(CAISSON_SODIUM_SOURCE POOL pool/main/libs/libsodium DSC libsodium_1.0.18-1+deb12u1.dsc
  SHA256 2c23c57b5a9385dab5a1916014c9b5f2cdd7dadeb8a35b28c1bfb603ce7095c4)
set(CAISSON_SODIUM_VERSION 1.0.18-1+deb12u1)
