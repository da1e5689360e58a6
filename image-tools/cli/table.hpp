// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/table.hpp - rows of words as columns.
#pragma once

#include <string>
#include <vector>

namespace cli {

using Row = std::vector<std::string>;

// Every row as long as the first.
std::string table_text(const std::vector<Row>& rows);

} // namespace cli
