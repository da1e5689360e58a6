// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/tar_writer.hpp - a deterministic PAX tar: what `image create` puts into a layer.
//
// Extended records only where the ustar header cannot hold a value.
// Spec: POSIX.1-2017 pax; GNU tar manual, "Storing Sparse Files" (PAX 1.0).
#pragma once

#include "image-tools/oci/tar_reader.hpp"

#include <functional>
#include <span>
#include <string>

namespace oci {

class TarWriter {
public:
    using Sink = std::function<void(std::span<const std::uint8_t>)>;
    explicit TarWriter(Sink sink) : sink_(std::move(sink)) {}

    // Then exactly entry.size bytes by data(), if it is a regular file; of a sparse one those of its extents.
    void begin(const TarEntry& entry);
    void data(std::span<const std::uint8_t> bytes);
    void end_entry(); // pads
    void finish();    // the end mark

private:
    void header(const TarEntry& entry, char type, const std::string& name, const std::string& link,
                std::uint64_t size);

    Sink sink_;
    std::uint64_t written_ = 0;
};

} // namespace oci
