// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/blob_fetch.hpp - bringing blobs into the cache: several at once, going on where an earlier attempt
// ended, from the next place where one fails.
//
// Invariants: no more bytes are written than the descriptor says; a blob gets its name in the cache by its digest only.
#pragma once

#include "image-tools/registry/source.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace registry {

class BlobFetch {
public:
    BlobFetch(Source& source, const std::vector<oci::Descriptor>& blobs);
    BlobFetch(const BlobFetch&) = delete;
    BlobFetch& operator=(const BlobFetch&) = delete;
    ~BlobFetch();
    // Throws E0407 where no place has the right bytes, and as Endpoint::manifest().
    void run();

private:
    using Clock = std::chrono::steady_clock;
    enum class State : std::uint8_t { waiting, running, done };
    // Why a transfer was ended by us.
    enum class Fault : std::uint8_t { none, too_long, wrong_range };

    struct Job {
        oci::Descriptor blob;
        State state = State::waiting;
        Clock::time_point not_before{};
        std::optional<PartialBlob> partial{};
        std::size_t endpoint = 0;
        std::uint64_t began_at = 0; // bytes that were there when the last transfer began
        unsigned failures = 0, authorized = 0, attempts = 0;
        bool again_from_zero = false; // tried since the bytes were wrong
        Fault fault = Fault::none;
        std::string authorization;         // that the last request carried
        std::vector<std::string> before{}; // failures of the places before
    };

    [[nodiscard]] Endpoint& endpoint_of(const Job& job) { return source_.endpoints_[job.endpoint]; }
    [[nodiscard]] std::string name_of(const Job& job) const;
    // Whether it needs nothing any more.
    bool is_there(Job& job);
    void start(std::size_t index);
    bool begin_body(Job& job, const Answer& answer);
    bool take_body(Job& job, std::span<const std::uint8_t> bytes);
    void ended(Job& job, const Answer& answer);
    void whole(Job& job);
    void later(Job& job, std::chrono::milliseconds delay);
    // This place will not do.
    void next_place(Job& job, const diagnostic::Failure& failure);
    void report();

    Source& source_;
    std::vector<Job> jobs_;
    std::uint64_t total_ = 0, shown_ = 0;
};

} // namespace registry
