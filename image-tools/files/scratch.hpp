// SPDX-License-Identifier: Apache-2.0
// image-tools/files/scratch.hpp - unfinished files and work folders, removed however the tool ends.
//
// Destructors remove them in the ordinary ways out; a handler does so when SIGINT, SIGTERM or SIGHUP ends the tool.
// Whoever handles those signals differently (a running appliance) blocks them, and its destructors run.
#pragma once

#include <cstddef>
#include <filesystem>

namespace files {

class Scratch {
public:
    explicit Scratch(const std::filesystem::path& path);
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch();  // removes it, with everything in it
    void keep(); // it is no scratch any more

private:
    std::filesystem::path path_;
    std::size_t slot_;
};

} // namespace files
