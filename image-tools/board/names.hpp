// SPDX-License-Identifier: Apache-2.0
// image-tools/board/names.hpp - words for what a board has.
#pragma once

#include "hypervisor/core/board/facts.hpp"

#include <string>
#include <string_view>

namespace board {

// "AMD EPYC 7313P", or its vendor, family and model.
std::string processor_name(const Processor& processor);
// What a PCI class is, for those that partitions may want; else empty.
std::string_view wanted_class(std::uint32_t class_code);

// `board show`: the description for people.
std::string show(const Facts& facts);

} // namespace board
