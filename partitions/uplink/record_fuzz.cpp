// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/record_fuzz.cpp - any bytes as the uplink's record: refused, or all of it can be read and tables be made of it.
#include "partitions/uplink/containers.hpp"
#include "partitions/uplink/host_seam.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace uplink;
    const auto record = Record::parse(std::as_bytes(std::span{data, size}));
    if (!record)
        return 0;
    for (unsigned i = 0; i < record->header().container_count; ++i)
        if (record->name(i).size() > size)
            __builtin_trap();
    if (!make_tables(*record))
        __builtin_trap();
    host::give_memory_back();
    return 0;
}
