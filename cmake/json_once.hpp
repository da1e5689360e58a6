// SPDX-License-Identifier: Apache-2.0
// cmake/json_once.hpp - for selftest --quick (cmake/CaissonModule.cmake): the JSON library's functions are made once, in
// json_once.cpp, and not in every file that uses them.
#pragma once

#include <nlohmann/json.hpp>

extern template class nlohmann::basic_json<>;
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
