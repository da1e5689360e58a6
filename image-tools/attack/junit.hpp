// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/junit.hpp - results as JUnit's XML, which CI systems read.
#pragma once

#include "image-tools/attack/judge.hpp"

#include <span>
#include <string>

namespace attack {

// One test suite a class, one test a case.
std::string junit(std::span<const Item> items);

} // namespace attack
