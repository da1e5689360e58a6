// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/recorded.hpp - a profile of what a partition was seen to call.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace policy {

class Recorded {
public:
    // The text of an audit note, "syscalls:" and a number in hexadecimal whose bit N is call N; others are passed over.
    void take(std::string_view note);
    [[nodiscard]] std::size_t size() const { return numbers_.size(); }
    // Docker's JSON: these calls, and those that any program may come to make (exit, the return from a signal's handler, a
    // call that goes on after a stop); every other is EPERM.
    [[nodiscard]] std::string json() const;

private:
    std::set<unsigned> numbers_;
};

} // namespace policy
