// SPDX-License-Identifier: Apache-2.0
// image-tools/trial/dialogue.hpp - one TCP connection to a port of this computer that never waits: says something, hears.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trial {

class Dialogue {
public:
    Dialogue(std::uint16_t port, std::string say);
    Dialogue(const Dialogue&) = delete;
    Dialogue& operator=(const Dialogue&) = delete;
    ~Dialogue();

    // Does what can be done now.
    void step();
    [[nodiscard]] std::string_view heard() const { return heard_; }
    // Nothing more will come: the other end closed, refused, or said more than is read.
    [[nodiscard]] bool over() const { return descriptor_ < 0; }

private:
    void close();

    int descriptor_ = -1;
    std::string say_, heard_;
};

// A port of this computer that nobody listens on just now. Throws E0602.
std::uint16_t free_port();

} // namespace trial
