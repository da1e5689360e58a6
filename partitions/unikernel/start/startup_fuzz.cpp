// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/start/startup.hpp"

// Every string of an accepted record can be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto startup = uk::start::Startup::parse(std::as_bytes(std::span{data, size}));
    if (!startup)
        return 0;
    std::size_t total = startup->working_directory().size() + startup->hostname().size();
    for (unsigned i = 0; i < startup->header().argc; ++i)
        total += startup->argument(i).size();
    for (unsigned i = 0; i < startup->header().envc; ++i)
        total += startup->environment(i).size();
    for (unsigned i = 0; i < startup->header().group_count; ++i)
        total += startup->group(i);
    for (unsigned i = 0; i < startup->header().tmpfs_count; ++i)
        total += startup->tmpfs(i).path.size();
    return total == ~std::size_t{0} ? 1 : 0;
}
