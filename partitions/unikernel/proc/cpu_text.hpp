// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/proc/cpu_text.hpp - /proc/cpuinfo.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"

namespace uk::proc {

void put_cpu_information(fs::TextSink& out);

} // namespace uk::proc
