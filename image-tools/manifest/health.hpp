// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/health.hpp - `health`: how a container says that it is well.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

Health read_health(const Binder& binder, const Node& node);

// Texts and numbers that tests have too.
std::string read_line(const Binder& binder, const Node& node, const char* what); // text of one line
std::string read_word(const Binder& binder, const Node& node, const char* what); // and without spaces
std::string read_path(const Binder& binder, const Node& node);                   // that begins with /
std::uint16_t read_port(const Binder& binder, const Node& node);

} // namespace manifest
