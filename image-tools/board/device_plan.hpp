// SPDX-License-Identifier: Apache-2.0
// image-tools/board/device_plan.hpp - the question whether one function can be a partition's, put to bind() itself.
#pragma once

#include "image-tools/board/bind.hpp"

#include <optional>
#include <string>

namespace board {

// Why bind() would not give it to a partition that owns nothing else; nothing: it would.
std::optional<std::string> refused_alone(const Facts& facts, const Described& described,
                                         const pci::Function& function);

} // namespace board
