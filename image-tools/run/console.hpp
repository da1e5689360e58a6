// SPDX-License-Identifier: Apache-2.0
// image-tools/run/console.hpp - several consoles on one terminal: a prefix a line, nothing that drives the terminal.
#pragma once

#include "image-tools/diagnostic/neutral.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace run {

struct ConsoleOptions {
    bool prefix = true;  // "name | "
    bool colour = false; // of the prefix
    bool raw = false;    // escape sequences and control bytes pass
    bool merge = false;  // stream 2 goes where stream 1 goes
};

// Where text goes; it must not block.
using Sink = std::function<void(std::string_view)>;

class Console {
public:
    // Stream 1 goes to `out`, stream 2 to `errors`. `names` gives the prefixes' width; `hv` is the hypervisor's.
    Console(Sink out, Sink errors, const std::vector<std::string>& names, ConsoleOptions options);
    void write(std::size_t partition, std::string_view bytes, unsigned stream = 1);
    void hypervisor_line(std::string_view line); // to the errors
    void flush();                                // unfinished lines

private:
    struct Stream {
        diagnostic::Neutral neutral;
        std::string pending; // a line without its end
    };
    void show(std::size_t index, std::string_view text, bool last);
    void line(const Sink& to, std::string_view name, std::size_t colour, std::string_view text) const;

    Sink out_;
    Sink errors_;
    std::vector<std::string> names_;
    std::vector<Stream> streams_; // of each partition two
    std::size_t width_ = 2;
    ConsoleOptions options_;
};

} // namespace run
