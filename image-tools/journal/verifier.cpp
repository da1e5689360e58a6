// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/verifier.cpp - the checks, one record after the other.
#include "image-tools/journal/verifier.hpp"

namespace journal {
namespace {

constexpr std::size_t most_findings = 100;
constexpr std::uint64_t farthest = 1'000'000;

std::string number_text(std::uint64_t value) {
    return std::to_string(value);
}

} // namespace

void Verifier::find(std::string what, bool truncated) {
    if (!found_ && findings_.size() < most_findings)
        findings_.push_back({line_, expected_, truncated, std::move(what)});
    found_ = true;
}

void Verifier::next_line() {
    ++line_;
    found_ = false;
}

void Verifier::line(std::string_view text) {
    if (const auto read = from_line(text)) {
        record(*read);
        return;
    }
    next_line();
    find("is not as the log writes a record: it was changed, or this is no audit log");
    ++expected_;
    said_ = computed_ = std::nullopt;
}

void Verifier::record(const Record& record) {
    next_line();
    if (record.event == "boot" && record.seq == 0)
        begin(record);
    take(record);
}

// A log of its own: what came before must have ended.
void Verifier::begin(const Record& record) {
    if (line_ > 1 && (boots_.empty() || !boots_.back().closed))
        find("does not follow: the log before it has no closing record", true);
    Boot boot;
    boot.first_line = line_;
    boot.name = record.value("name");
    boot.version = record.value("version");
    boot.bundle = record.value("bundle");
    boot.nonce = record.value("nonce");
    boot.operator_key = record.value("operator");
    boot.sealed = record.mac.has_value();
    expected_ = 0;
    said_ = computed_ = audit::Hash{};
    key_ = std::nullopt;
    key_number_ = 0;
    audit::Key sealed{}, operator_key{};
    if (boot.sealed && unseal_ && unhex(record.value("sealed"), sealed) &&
        unhex(record.value("operator"), operator_key)) {
        key_ = unseal_(sealed, operator_key);
        other_key_ = other_key_ || !key_;
    } else if (unseal_) {
        find("has nothing that the key could check: the log was written without one, or was made anew");
    }
    boot.anchored = key_.has_value();
    boots_.push_back(std::move(boot));
}

void Verifier::take(const Record& record) {
    const bool headless = boots_.empty();
    if (headless) {
        boots_.push_back({});
        boots_.back().first_line = line_;
    }
    check_place(record);
    check_chain(record);
    if (headless)
        find("was changed: a log begins with the record 'boot'");
    check_mac(record);
    Boot& boot = boots_.back();
    if (boot.closed)
        find("stands after the closing record");
    if (boot.records++ == 0)
        boot.first = record.hash;
    boot.last = record.hash;
    if (const auto lost = record.value("overflow"); !lost.empty())
        boot.lost = std::strtoull(std::string(lost).c_str(), nullptr, 10);
    if (record.event == "closed") {
        boot.closed = true;
        boot.reason = record.value("reason");
    }
    expected_ = record.seq + 1;
}

void Verifier::check_place(const Record& record) {
    if (record.seq == expected_)
        return;
    find(record.seq > expected_ ? "is missing: record " + number_text(record.seq) + " stands in its place"
                                : "is missing: record " + number_text(record.seq) +
                                      " stands in its place, out of order or repeated");
    said_ = computed_ = std::nullopt;
}

void Verifier::check_chain(const Record& record) {
    const std::string text = record.text();
    const auto follows = [&](const std::optional<audit::Hash>& previous) {
        return previous && audit::chained(*previous, text) == record.hash;
    };
    const bool fits = follows(said_) || follows(computed_);
    if ((said_ || computed_) && !fits)
        find("was changed: its hash does not fit");
    computed_ = fits || !said_ ? record.hash : audit::chained(*said_, text);
    said_ = record.hash;
}

void Verifier::check_mac(const Record& record) {
    if (record.mac.has_value() != boots_.back().sealed)
        find(record.mac ? "was changed: it has a MAC in a log without" : "was changed: its MAC is missing");
    // What is wrong already needs no second reason; a place that only claims to be far on is not followed with the key.
    if (found_ || !key_ || !record.mac || record.seq < key_number_ || record.seq - key_number_ > farthest)
        return;
    for (; key_number_ < record.seq; ++key_number_)
        audit::ratchet(*key_);
    if (audit::mac_of(*key_, record.hash) != *record.mac)
        find("was changed: its MAC does not fit");
}

void Verifier::end() {
    next_line();
    if (line_ == 1)
        find("is missing: the log holds no record at all", true);
    else if (boots_.empty() || !boots_.back().closed)
        find("is missing: the log was truncated, or the machine did not end in order", true);
}

} // namespace journal
