// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/layer_writer.hpp"

#include "image-tools/files/range.hpp"
#include "image-tools/oci/failure.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#include <zlib.h>

namespace oci {

struct LayerWriter::Deflate {
    z_stream stream{};

    Deflate() {
        constexpr int gzip_window = 15 + 16;
        constexpr int memory_level = 8;
        constexpr int level = 6; // gzip's: 9 takes thrice the time for a hundredth of the size
        if (deflateInit2(&stream, level, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    Deflate(const Deflate&) = delete;
    Deflate& operator=(const Deflate&) = delete;
    ~Deflate() { deflateEnd(&stream); }
};

LayerWriter::LayerWriter(const std::filesystem::path& file, bool compress) : path_(file) {
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
        throw diagnostic::fail_system("E0602", "cannot write " + file.string(), errno);
    }
    if (compress) {
        deflate_ = std::make_unique<Deflate>();
    }
}

LayerWriter::~LayerWriter() {
    ::close(descriptor_);
}

void LayerWriter::emit(std::span<const std::uint8_t> data) {
    blob_hash_.update(data);
    bytes_ += data.size();
    files::write_all(descriptor_, data, path_.string());
}

void LayerWriter::deflate_all(std::span<const std::uint8_t> data, int flush) {
    std::array<std::uint8_t, 65536> out;
    z_stream& stream = deflate_->stream;
    stream.next_in = const_cast<Bytef*>(data.data()); // zlib's interface; it only reads
    stream.avail_in = static_cast<uInt>(data.size());
    do {
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        deflate(&stream, flush);
        emit(std::span(out).first(out.size() - stream.avail_out));
    } while (stream.avail_out == 0);
}

void LayerWriter::write(std::span<const std::uint8_t> data) {
    tar_hash_.update(data);
    if (deflate_ != nullptr) {
        deflate_all(data, Z_NO_FLUSH);
    } else {
        emit(data);
    }
}

LayerWriter::Result LayerWriter::finish() {
    if (deflate_ != nullptr) {
        deflate_all({}, Z_FINISH);
    }
    return {tar_hash_.finish(), blob_hash_.finish(), bytes_};
}

} // namespace oci
