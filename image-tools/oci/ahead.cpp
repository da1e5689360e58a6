// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/ahead.hpp"

#include <utility>

namespace oci {

AheadDecoder::AheadDecoder(files::FileRange blob, Compression compression)
    : decoder_(std::move(blob), compression), thread_([this] { decode(); }) {}

AheadDecoder::~AheadDecoder() {
    {
        const std::scoped_lock lock(mutex_);
        enough_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void AheadDecoder::decode() {
    bool more = true;
    while (more) {
        Run run;
        try {
            run.bytes = decoder_.next();
        } catch (...) {
            run.error = std::current_exception();
        }
        run.packed_read = decoder_.packed_read();
        more = !run.bytes.empty(); // neither the end nor an error
        more = put(std::move(run)) && more;
    }
}

bool AheadDecoder::put(Run run) {
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return enough_ || waiting_.size() < most_waiting; });
        if (enough_)
            return false;
        waiting_.push_back(std::move(run));
    }
    changed_.notify_all();
    return true;
}

std::span<const std::uint8_t> AheadDecoder::next() {
    if (!ended_) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !waiting_.empty(); });
        taken_ = std::move(waiting_.front());
        waiting_.pop_front();
        ended_ = taken_.bytes.empty();
    }
    changed_.notify_all();
    if (taken_.error)
        std::rethrow_exception(taken_.error);
    return taken_.bytes;
}

} // namespace oci
