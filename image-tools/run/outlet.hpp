// SPDX-License-Identifier: Apache-2.0
// image-tools/run/outlet.hpp - a descriptor that is written to without waiting for whoever reads it.
//
// Invariants: bytes go out whole and in order; a failed write is never silent.
#pragma once

#include <string>
#include <string_view>

namespace run {

class Outlet {
public:
    // `name` is for messages: "stdout".
    Outlet(int descriptor, std::string name);
    Outlet(const Outlet&) = delete;
    Outlet& operator=(const Outlet&) = delete;
    ~Outlet();

    void write(std::string_view text); // queued
    // Writes what is taken at once. Throws E0602, diagnostic::BrokenPipe.
    void push();
    void finish(); // waits until all is written
    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] bool pending() const { return done_ < queue_.size(); }
    [[nodiscard]] bool full() const { return queue_.size() - done_ > most_queued; }

private:
    static constexpr std::size_t most_queued = 256 * 1024;
    bool own_ = false; // a description of its own, which does not block
    int descriptor_;
    std::string name_;
    std::string queue_;
    std::size_t done_ = 0;
};

} // namespace run
