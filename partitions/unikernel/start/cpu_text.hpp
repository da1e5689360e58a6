// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/cpu_text.hpp - /proc/cpuinfo.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"

namespace uk::start {

void put_cpu_information(fs::TextSink& out);

} // namespace uk::start
