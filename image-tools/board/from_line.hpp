// SPDX-License-Identifier: Apache-2.0
// image-tools/board/from_line.hpp - the description that a scan wrote to its serial line.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace board {

// The text in the frames of type 'd' of a recorded line; nothing where there is none. Throws E0903 where frames are missing or
// damaged from the first to the last of them.
std::optional<std::string> description_on(std::string_view line, const std::string& file);

} // namespace board
