// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cli/table.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cli {

std::string table_text(const std::vector<Row>& rows) {
    const std::size_t columns = rows.front().size();
    std::vector<std::size_t> width(columns, 0);
    for (const Row& row : rows)
        for (std::size_t i = 0; i < columns; ++i)
            width[i] = std::max(width[i], row[i].size());
    std::string out;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < columns; ++i)
            line += fmt::format("{:<{}}", row[i], width[i] + (i + 1 < columns ? 2 : 0));
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

} // namespace cli
