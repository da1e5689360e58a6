// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/allowed.hpp - which files may be run (security.allowExec).
//
// A file is known by its number in the root image, so another name, a copy or a file that took its place is another file. One that was
// written to since is not run either.
#pragma once

#include "partitions/unikernel/fs/context.hpp"

#include <cstdint>

namespace uk::exec {

// From now on nothing is run but what allow() named; room for `most` of them. Errors: nomem.
[[nodiscard]] Status allow_only(std::uint32_t most);
// `file`: of the root image; another is passed over.
void allow(const fs::Node& file);

// acces, and an audit note: it is not one of them.
[[nodiscard]] Status may_run(const fs::Context& context, fs::Node& file);

} // namespace uk::exec
