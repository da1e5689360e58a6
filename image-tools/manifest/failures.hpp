// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/failures.hpp - everything that is wrong with a manifest, told in one pass.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <utility>
#include <vector>

namespace manifest {

// Nobody reads more at once.
inline constexpr std::size_t most_failures = 20;

// The first failure, and those that do not follow from it.
class Failures : public diagnostic::Failure {
public:
    Failures(diagnostic::Diagnostic first, std::vector<diagnostic::Diagnostic> rest)
        : Failure(std::move(first)), rest_(std::move(rest)) {}
    [[nodiscard]] const std::vector<diagnostic::Diagnostic>& rest() const { return rest_; }

private:
    std::vector<diagnostic::Diagnostic> rest_;
};

} // namespace manifest
