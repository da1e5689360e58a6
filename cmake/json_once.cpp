// SPDX-License-Identifier: Apache-2.0
// cmake/json_once.cpp - what json_once.hpp promises.
#include "cmake/json_once.hpp"

template class nlohmann::basic_json<>;
template class nlohmann::basic_json<nlohmann::ordered_map>;
