// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/blob_fetch.hpp"

#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace registry {
namespace {

constexpr std::size_t most_at_once = 4;
constexpr unsigned most_attempts = 100; // of one blob at one place, however far each of them came
constexpr std::chrono::milliseconds lock_poll{50}, turn_time{200};

// The first byte that "bytes 100-199/200" gives; nothing: it says no such thing.
std::optional<std::uint64_t> range_start(const std::string& text) {
    constexpr std::string_view unit = "bytes ";
    constexpr std::size_t most_digits = 18;
    const auto dash = text.find('-');
    if (!text.starts_with(unit) || dash == std::string::npos)
        return std::nullopt;
    const std::string number = text.substr(unit.size(), dash - unit.size());
    if (number.empty() || number.size() > most_digits ||
        number.find_first_not_of("0123456789") != std::string::npos)
        return std::nullopt;
    return std::stoull(number);
}

} // namespace

BlobFetch::BlobFetch(Source& source, const std::vector<oci::Descriptor>& blobs) : source_(source) {
    std::set<files::Digest> seen;
    for (const oci::Descriptor& blob : blobs)
        if (seen.insert(blob.digest).second) {
            jobs_.emplace_back();
            jobs_.back().blob = blob;
            total_ += std::min(blob.size, source.options_.limits.unpacked_bytes + 1);
            if (total_ > source.options_.limits.unpacked_bytes)
                throw diagnostic::fail(oci::Fault::limit,
                                       source.name_.text() + ": its layers are larger than " +
                                           std::to_string(source.options_.limits.unpacked_bytes >> 30) +
                                           " GiB");
        }
}

BlobFetch::~BlobFetch() {
    source_.http_.abandon(); // they would write into what is no more
}

std::string BlobFetch::name_of(const Job& job) const {
    return source_.name_.text() + ": blob " + job.blob.digest.text();
}

void BlobFetch::run() {
    const auto unfinished = [](const Job& job) { return job.state != State::done; };
    while (std::any_of(jobs_.begin(), jobs_.end(), unfinished)) {
        check_deadline(source_.options_.deadline, source_.name_.text());
        auto running = static_cast<std::size_t>(std::count_if(
            jobs_.begin(), jobs_.end(), [](const Job& job) { return job.state == State::running; }));
        Clock::time_point wake = Clock::now() + turn_time;
        for (std::size_t i = 0; i < jobs_.size() && running < most_at_once; ++i)
            if (jobs_[i].state == State::waiting) {
                if (jobs_[i].not_before <= Clock::now())
                    start(i);
                running += jobs_[i].state == State::running ? 1 : 0;
                if (jobs_[i].state == State::waiting)
                    wake = std::min(wake, jobs_[i].not_before);
            }
        const auto most = std::chrono::ceil<std::chrono::milliseconds>(wake - Clock::now());
        for (const Http::Ended& item : source_.http_.turn(std::max(most, std::chrono::milliseconds(0))))
            ended(jobs_[item.id], item.answer);
        report();
    }
}

bool BlobFetch::is_there(Job& job) {
    const auto range = source_.cache_.find(job.blob.digest);
    if (!range || range->size != job.blob.size)
        return false;
    if (job.partial)
        job.partial->discard();
    job.partial.reset();
    job.state = State::done;
    return true;
}

void BlobFetch::start(std::size_t index) {
    Job& job = jobs_[index];
    if (is_there(job))
        return;
    if (!job.partial) {
        job.partial = source_.cache_.begin(job.blob.digest);
        if (!job.partial) { // another tool brings it
            job.not_before = Clock::now() + lock_poll;
            return;
        }
        if (is_there(job)) // it has, meanwhile
            return;
    }
    if (job.partial->size() > job.blob.size)
        job.partial->restart();
    job.began_at = job.partial->size();
    if (job.began_at == job.blob.size) {
        whole(job);
        return;
    }
    try {
        Request request = endpoint_of(job).blob_request(job.blob.digest);
        job.authorization = request.authorization;
        request.from = job.began_at;
        request.begin = [this, index](const Answer& answer) { return begin_body(jobs_[index], answer); };
        request.sink = [this, index](std::span<const std::uint8_t> bytes) {
            return take_body(jobs_[index], bytes);
        };
        job.fault = Fault::none;
        job.state = State::running;
        ++job.attempts;
        source_.http_.begin(index, std::move(request));
    } catch (const diagnostic::Failure& failure) {
        next_place(job, failure);
    }
}

bool BlobFetch::begin_body(Job& job, const Answer& answer) {
    if (answer.status == 206) {
        if (range_start(answer.header("content-range")) == job.began_at)
            return true;
        job.fault = Fault::wrong_range;
        return false;
    }
    if (job.began_at > 0) { // it gives everything, whatever was asked for
        job.partial->restart();
        job.began_at = 0;
    }
    return true;
}

bool BlobFetch::take_body(Job& job, std::span<const std::uint8_t> bytes) {
    if (bytes.size() > job.blob.size - job.partial->size()) {
        job.fault = Fault::too_long;
        return false;
    }
    job.partial->append(bytes);
    return true;
}

void BlobFetch::later(Job& job, std::chrono::milliseconds delay) {
    job.state = State::waiting;
    job.not_before = Clock::now() + delay;
}

void BlobFetch::ended(Job& job, const Answer& answer) {
    if (job.partial->size() > job.began_at) // it came further
        job.failures = job.authorized = 0;
    if (job.fault == Fault::too_long) {
        job.partial->restart();
        next_place(
            job, diagnostic::fail(oci::Fault::digest, name_of(job) + " is longer than its descriptor says"));
        return;
    }
    // Ranges that are not what was asked for, or not to be had: from the start.
    if (job.fault == Fault::wrong_range || (answer.trouble == Trouble::none && answer.status == 416)) {
        job.partial->restart();
        later(job, first_delay);
        if (++job.failures >= most_failures)
            next_place(job, endpoint_of(job).failure(answer, name_of(job)));
        return;
    }
    if (answer.good() && job.partial->size() == job.blob.size) {
        whole(job);
        return;
    }
    Answer seen = answer;
    if (answer.good()) { // it ended well and is not whole
        seen.trouble = Trouble::broken_off;
        seen.reason = "the transfer ended after " + std::to_string(job.partial->size()) + " of " +
                      std::to_string(job.blob.size) + " bytes";
    }
    const Step step = next_step(seen, job.failures, std::chrono::system_clock::now());
    try {
        constexpr unsigned most_authorized = 8; // others may have used the token up
        if (step.next == Next::authorize && job.authorized++ < most_authorized &&
            endpoint_of(job).authorization().answer(seen, job.authorization)) {
            later(job, std::chrono::milliseconds(0));
            return;
        }
    } catch (const diagnostic::Failure& failure) {
        next_place(job, failure);
        return;
    }
    if (step.next == Next::again && job.attempts < most_attempts) {
        ++job.failures;
        later(job, step.after);
        return;
    }
    next_place(job, endpoint_of(job).failure(seen, name_of(job)));
}

void BlobFetch::whole(Job& job) {
    const bool resumed = job.began_at > 0;
    if (job.partial->finish()) {
        source_.fetched_ += job.blob.size - (resumed ? std::min(job.began_at, job.blob.size) : 0);
        job.partial.reset();
        job.state = State::done;
        return;
    }
    // The part from before may be to blame; once more from nothing.
    if (resumed && !std::exchange(job.again_from_zero, true)) {
        later(job, std::chrono::milliseconds(0));
        return;
    }
    next_place(job, diagnostic::fail(oci::Fault::digest, name_of(job) + ": what came has another digest")
                        .note("from " + endpoint_of(job).place().text()));
}

void BlobFetch::next_place(Job& job, const diagnostic::Failure& failure) {
    if (job.endpoint + 1 == source_.endpoints_.size() ||
        failure.diagnostic().exit == diagnostic::ExitCode::time_out) {
        diagnostic::Failure last = failure;
        for (const std::string& note : job.before)
            last.note(note);
        throw last;
    }
    job.before.push_back("before that, the mirror: " + failure.diagnostic().message);
    ++job.endpoint;
    job.failures = job.authorized = job.attempts = 0;
    job.again_from_zero = false;
    later(job, std::chrono::milliseconds(0));
}

void BlobFetch::report() {
    std::uint64_t bytes = 0;
    for (const Job& job : jobs_)
        bytes += job.state == State::done ? job.blob.size : job.partial ? job.partial->size() : 0;
    if (source_.options_.progress && bytes != shown_)
        source_.options_.progress("fetch", bytes, total_);
    shown_ = bytes;
}

} // namespace registry
