// SPDX-License-Identifier: Apache-2.0
// image-tools/run/console.hpp - several consoles on one terminal: a prefix a line, nothing that drives the terminal.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace run {

struct ConsoleOptions {
    bool prefix = true;  // "name | "
    bool colour = false; // of the prefix
    bool raw = false;    // escape sequences and control bytes pass
};

// `text` with control bytes as ^X and C1 control characters as \xNN; tab, LF and CR pass.
std::string neutral(std::string_view text);

class Console {
public:
    // `names` gives the prefixes' width; `hv` is the hypervisor's.
    Console(std::FILE* out, const std::vector<std::string>& names, ConsoleOptions options);
    void write(std::size_t partition, std::string_view bytes);
    void hypervisor_line(std::string_view line); // to stderr
    void flush();                                // unfinished lines

private:
    void line(std::FILE* to, std::string_view name, std::size_t colour, std::string_view text) const;

    std::FILE* out_;
    std::vector<std::string> names_;
    std::vector<std::string> pending_;
    std::size_t width_ = 2;
    ConsoleOptions options_;
};

} // namespace run
