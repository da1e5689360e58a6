// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/failure.hpp - the failures of registries, by the codes that the diagnostics carry.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/failure.hpp"

namespace registry {

struct Fault {
    static constexpr diagnostic::Code settings{"E0423"};    // registries.conf, config.json or a lock file
    static constexpr diagnostic::Code certificate{"E0508"}; // the registry is not who it should be
    static constexpr diagnostic::Code drift{"E0509"};       // not what the lock file pins
    static constexpr diagnostic::Code exposure{"E0510"};    // what it asks for would show secrets to others
    static constexpr diagnostic::Code unreachable{"E0604"};
    static constexpr diagnostic::Code refused{"E0605"}; // 401, 403
    static constexpr diagnostic::Code answer{"E0606"};  // an answer that helps nobody, again and again
    static constexpr diagnostic::Code offline{"E0607"}; // --offline, and it is not in the cache
    static constexpr diagnostic::Code cache{"E0602"};
    static constexpr diagnostic::Code helper{"E0707"}; // a credential helper that does not work
    static constexpr diagnostic::Code time_out{"E0905"};
};

} // namespace registry
