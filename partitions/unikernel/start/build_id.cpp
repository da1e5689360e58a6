// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/build_id.cpp - the id by which the tool knows that this image is of its own
// build. Nothing here reads it; the link keeps it (-u).
#include "build_id.hpp"

extern "C" {
extern const char caisson_build_id[];
const char caisson_build_id[] = CAISSON_BUILD_ID;
}
