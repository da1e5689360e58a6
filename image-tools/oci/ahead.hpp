// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/ahead.hpp - a decoder on a thread of its own, a few runs ahead of who takes them.
//
// Inflating is half of what an image's build costs; the other half waits for it no more.
#pragma once

#include "image-tools/oci/decoder.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace oci {

class AheadDecoder {
public:
    AheadDecoder(files::FileRange blob, Compression compression);
    AheadDecoder(const AheadDecoder&) = delete;
    AheadDecoder& operator=(const AheadDecoder&) = delete;
    ~AheadDecoder();

    // As Decoder::next; the run stays as it is until the next call.
    std::span<const std::uint8_t> next();
    // Of the run that was taken last.
    [[nodiscard]] std::uint64_t packed_read() const { return taken_.packed_read; }

private:
    struct Run {
        std::span<const std::uint8_t> bytes;
        std::uint64_t packed_read = 0;
        std::exception_ptr error{}; // instead of bytes
    };
    // One is taken, one is being made, the others wait.
    static constexpr std::size_t most_waiting = Decoder::runs_kept - 2;

    void decode();
    bool put(Run run); // false: nobody takes any more

    Decoder decoder_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Run> waiting_;
    bool enough_ = false;
    Run taken_;
    bool ended_ = false; // taken_ is the last, which every later call gives again
    std::thread thread_;
};

} // namespace oci
