// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/decoder.hpp"

#include <array>
#include <isa-l/igzip_lib.h>
#include <new>
#include <utility>
#include <variant>
#include <vector>
#include <zstd.h>

namespace oci {

namespace {

constexpr std::size_t input_bytes = std::size_t{128} << 10;
constexpr std::size_t output_bytes = std::size_t{256} << 10;
constexpr int largest_window_log = 27; // 128 MiB, what every zstd decoder must offer

std::string gzip_cause(int code) {
    switch (code) {
    case ISAL_INVALID_WRAPPER:
        return "no gzip header where one must be";
    case ISAL_UNSUPPORTED_METHOD:
        return "a gzip compression method other than deflate";
    case ISAL_INCORRECT_CHECKSUM:
        return "the gzip checksum is wrong";
    default:
        return "the gzip data is damaged";
    }
}

} // namespace

class Decoder::Codec {
    struct Plain {};

    struct Gzip {
        inflate_state state{};
        bool inside_member = false;
    };

    struct Zstd {
        struct Free {
            void operator()(ZSTD_DStream* decoder) const { ZSTD_freeDStream(decoder); }
        };
        std::unique_ptr<ZSTD_DStream, Free> stream{ZSTD_createDStream()};
        std::size_t wanted = 0; // 0: between frames
    };

public:
    Codec(files::FileRange blob, Compression compression)
        : blob_(std::move(blob)), inputs_(input_bytes),
          outputs_(compression == Compression::none ? 0 : output_bytes) {
        switch (compression) {
        case Compression::none:
            break;
        case Compression::gzip:
            kind_ = std::make_unique<Gzip>();
            break;
        case Compression::zstd: {
            auto zstd = std::make_unique<Zstd>();
            if (zstd->stream == nullptr) {
                throw std::bad_alloc();
            }
            ZSTD_DCtx_setParameter(zstd->stream.get(), ZSTD_d_windowLogMax, largest_window_log);
            kind_ = std::move(zstd);
            break;
        }
        }
    }

    std::span<const std::uint8_t> next() {
        if (auto* gzip = std::get_if<std::unique_ptr<Gzip>>(&kind_)) {
            return next_gzip(**gzip);
        }
        if (auto* zstd = std::get_if<std::unique_ptr<Zstd>>(&kind_)) {
            return next_zstd(**zstd);
        }
        refill();
        return std::exchange(pending_, {});
    }

    [[nodiscard]] std::uint64_t packed_read() const { return read_; }

private:
    // Buffers taken in turn, so that a run stays as it is while the next ones are made.
    class Ring {
    public:
        explicit Ring(std::size_t bytes) {
            for (auto& buffer : buffers_)
                buffer.resize(bytes);
        }
        std::span<std::uint8_t> next() { return buffers_[turn_++ % buffers_.size()]; }

    private:
        std::array<std::vector<std::uint8_t>, runs_kept> buffers_;
        std::size_t turn_ = 0;
    };

    void refill() {
        const std::span<std::uint8_t> input = inputs_.next();
        const std::size_t got = blob_.read(read_, input);
        read_ += got;
        pending_ = input.first(got);
    }

    std::span<const std::uint8_t> next_gzip(Gzip& gzip) {
        inflate_state& state = gzip.state;
        const std::span<std::uint8_t> output = outputs_.next();
        state.next_out = output.data();
        state.avail_out = static_cast<std::uint32_t>(output.size());
        while (state.avail_out == output.size()) {
            if (!gzip.inside_member) {
                if (pending_.empty()) {
                    refill();
                }
                if (pending_.empty()) {
                    if (read_ == 0) {
                        throw DecodeError("the gzip stream is empty");
                    }
                    return {};
                }
                isal_inflate_init(&state);
                state.crc_flag = ISAL_GZIP;
                state.next_out = output.data();
                state.avail_out = static_cast<std::uint32_t>(output.size());
                gzip.inside_member = true;
            } else if (pending_.empty()) {
                refill();
            }
            const std::size_t before = pending_.size();
            state.next_in = pending_.data();
            state.avail_in = static_cast<std::uint32_t>(pending_.size());
            const int result = isal_inflate(&state);
            if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT) {
                throw DecodeError(gzip_cause(result));
            }
            pending_ = pending_.last(state.avail_in);
            if (state.block_state == ISAL_BLOCK_FINISH) {
                gzip.inside_member = false;
            } else if (before == 0 && state.avail_out == output.size()) {
                throw DecodeError("the gzip stream ends early");
            }
        }
        return output.first(output.size() - state.avail_out);
    }

    std::span<const std::uint8_t> next_zstd(Zstd& zstd) {
        const std::span<std::uint8_t> output = outputs_.next();
        ZSTD_outBuffer out{output.data(), output.size(), 0};
        while (out.pos == 0) {
            if (pending_.empty()) {
                refill();
            }
            const bool at_end = pending_.empty();
            if (at_end && zstd.wanted == 0) {
                if (read_ == 0) {
                    throw DecodeError("the zstd stream is empty");
                }
                return {};
            }
            ZSTD_inBuffer in{pending_.data(), pending_.size(), 0};
            const std::size_t result = ZSTD_decompressStream(zstd.stream.get(), &out, &in);
            if (ZSTD_isError(result)) {
                throw DecodeError(std::string("the zstd stream is damaged: ") + ZSTD_getErrorName(result));
            }
            zstd.wanted = result;
            pending_ = pending_.subspan(in.pos);
            if (at_end && out.pos == 0 && result != 0) {
                throw DecodeError("the zstd stream ends early");
            }
        }
        return output.first(out.pos);
    }

    files::FileRange blob_;
    std::uint64_t read_ = 0;
    Ring inputs_;
    Ring outputs_;
    std::span<std::uint8_t> pending_;
    std::variant<Plain, std::unique_ptr<Gzip>, std::unique_ptr<Zstd>> kind_;
};

Decoder::Decoder(files::FileRange blob, Compression compression)
    : codec_(std::make_unique<Codec>(std::move(blob), compression)) {}
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

std::span<const std::uint8_t> Decoder::next() {
    return codec_->next();
}
std::uint64_t Decoder::packed_read() const {
    return codec_->packed_read();
}

Compression Decoder::detect(const files::FileRange& blob) {
    std::array<std::uint8_t, 4> magic{};
    if (blob.read(0, magic) == magic.size()) {
        if (magic[0] == 0x1f && magic[1] == 0x8b) {
            return Compression::gzip;
        }
        const bool frame = magic == std::array<std::uint8_t, 4>{0x28, 0xb5, 0x2f, 0xfd};
        const bool skippable =
            (magic[0] & 0xf0) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18;
        if (frame || skippable) {
            return Compression::zstd;
        }
    }
    return Compression::none;
}

} // namespace oci
