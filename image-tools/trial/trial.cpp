// SPDX-License-Identifier: Apache-2.0
#include "image-tools/trial/trial.hpp"

#include "image-tools/trial/answer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trial {
namespace {

constexpr Time between_connections{200};
constexpr std::size_t longest_line = 65536;

std::string request_of(const manifest::Test::Http& http) {
    return "GET " + http.path + " HTTP/1.0\r\nHost: " + http.host +
           "\r\nUser-Agent: caisson\r\nAccept: */*\r\nConnection: close\r\n\r\n";
}

std::string seconds(std::uint32_t milliseconds) {
    return milliseconds % 1000 == 0 ? std::to_string(milliseconds / 1000) + " s"
                                    : std::to_string(milliseconds) + " ms";
}

std::string status_text(const run::Ending& ending) {
    return "status " + std::to_string(ending.status) + " (" + ending.reason +
           (ending.detail == "none" ? "" : ": " + ending.detail) + ")";
}

} // namespace

Trial::Trial(const std::vector<manifest::Test>& tests, Reached reached)
    : tests_(tests), reached_(std::move(reached)) {
    for (const manifest::Test& test : tests_)
        if (std::holds_alternative<manifest::Test::Log>(test.what))
            watched_.push_back({&test});
}

// Lines count from the machine's start, not from their test's turn.
void Trial::output(std::string_view partition, std::string_view bytes, unsigned stream) {
    for (Watched& watched : watched_) {
        if (watched.seen || watched.test->partition.value != partition)
            continue;
        std::string& pending = watched.pending[stream == 2 ? 1 : 0];
        pending += bytes;
        watched.seen = has_line(pending, std::get<manifest::Test::Log>(watched.test->what).text);
        pending.erase(0, pending.rfind('\n') + 1); // npos + 1: there was no end
        if (watched.seen || pending.size() > longest_line)
            pending.clear();
    }
}

// It will not start again.
std::optional<std::string> Trial::ended(const run::PartitionResult& partition) const {
    if (partition.final() == nullptr)
        return std::nullopt;
    return "'" + partition.name + "' ended before, " + status_text(*partition.final());
}

std::optional<std::string> Trial::look(const manifest::Test& test, const manifest::Test::Log&,
                                       const run::PartitionResult& partition) {
    const auto watched = std::ranges::find(watched_, &test, &Watched::test);
    if (watched->seen)
        return std::string();
    seen_ = "no line of its output had it";
    return ended(partition);
}

std::optional<std::string> Trial::look(const manifest::Test&, const manifest::Test::Exit& exit,
                                       const run::PartitionResult& partition) {
    const run::Ending* const last = partition.final();
    if (last == nullptr) {
        seen_ = partition.endings.empty()
                    ? "it has not ended"
                    : "it was started again, before that " + status_text(partition.endings.back());
        return std::nullopt;
    }
    return last->status == exit.status ? std::string() : "it ended with " + status_text(*last);
}

// One connection after another, until one says what is looked for.
void Trial::talk(const manifest::Test& test, std::uint16_t port, std::string say) {
    if (!dialogue_ && now_ >= again_) {
        dialogue_.emplace(reached_(test.partition.value, port), std::move(say));
        again_ = now_ + between_connections;
    }
    if (dialogue_)
        dialogue_->step();
}

std::optional<std::string> Trial::look(const manifest::Test& test, const manifest::Test::Http& http,
                                       const run::PartitionResult& partition) {
    talk(test, http.port, request_of(http));
    if (!dialogue_)
        return ended(partition);
    const auto answer = read_http_answer(dialogue_->heard(), dialogue_->over());
    if (!answer) {
        if (!dialogue_->heard().empty() && seen_.empty()) // a whole answer before it says more
            seen_ = "it began to answer: " + last_line(dialogue_->heard());
        if (dialogue_->over()) {
            if (dialogue_->heard().empty() && seen_.empty())
                seen_ = "nobody answered";
            dialogue_.reset();
        }
        return ended(partition);
    }
    const bool has_body = answer->body.find(http.body) != std::string_view::npos;
    if (answer->status == http.status && has_body)
        return std::string();
    seen_ = answer->status != http.status ? "it answered with status " + std::to_string(answer->status)
                                          : "the body does not have the text";
    dialogue_.reset();
    return ended(partition);
}

std::optional<std::string> Trial::look(const manifest::Test& test, const manifest::Test::Tcp& tcp,
                                       const run::PartitionResult& partition) {
    talk(test, tcp.port, tcp.send);
    if (!dialogue_)
        return ended(partition);
    if (has_line(dialogue_->heard(), tcp.line))
        return std::string();
    if (!dialogue_->heard().empty())
        seen_ = "it said: " + last_line(dialogue_->heard());
    else if (seen_.empty())
        seen_ = "it said nothing";
    if (dialogue_->over())
        dialogue_.reset();
    return ended(partition);
}

// A connection that was refused by the port's own machine came through to it.
std::optional<std::string> Trial::look(const manifest::Test&, const manifest::Test::Reach& reach,
                                       const run::PartitionResult& partition) {
    const auto found = partition.reached.find(static_cast<std::uint32_t>(reach.probe));
    if (found == partition.reached.end())
        return ended(partition);
    const int error = found->second;
    if (error == 0)
        return reach.must ? std::string() : "it connected";
    seen_ = std::string("connect said: ") + std::strerror(error);
    if (!reach.must)
        return error == ECONNREFUSED ? seen_ + ": nobody listens there, but it got through" : std::string();
    return ended(partition);
}

std::optional<std::string> Trial::look(const manifest::Test&, const manifest::Test::Healthy& healthy,
                                       const run::PartitionResult& partition) {
    if (partition.health == (healthy.well ? "healthy" : "unhealthy"))
        return std::string();
    seen_ = "it is " + (partition.health.empty() ? "starting" : partition.health);
    return ended(partition);
}

void Trial::decide(const manifest::Test& test, std::string failure, Time now) {
    verdicts_.push_back({test.name, test.partition.value, std::move(failure), now - turn_});
    dialogue_.reset();
    seen_.clear();
    turn_ = again_ = now;
}

bool Trial::step(Time now, const run::Session& session, bool over) {
    now_ = now;
    while (verdicts_.size() < tests_.size()) {
        const manifest::Test& test = tests_[verdicts_.size()];
        const auto partition =
            std::ranges::find(session.partitions(), test.partition.value, &run::PartitionResult::name);
        std::optional<std::string> result =
            partition == session.partitions().end()
                ? std::optional<std::string>("it is not in the appliance")
                : std::visit(
                      [&]<typename What>(const What& what) -> std::optional<std::string> {
                          if constexpr (std::is_same_v<What, std::monostate>)
                              return "it looks for nothing";
                          else
                              return look(test, what, *partition);
                      },
                      test.what);
        if (!result && over)
            result = "the machine ended before" + (seen_.empty() ? "" : ": " + seen_);
        if (!result && now - turn_ >= Time(test.within_ms))
            result = "not within " + seconds(test.within_ms) + (seen_.empty() ? "" : ": " + seen_);
        if (!result)
            return false;
        decide(test, std::move(*result), now);
    }
    return true;
}

std::size_t Trial::failures() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(verdicts_, [](const Verdict& one) { return !one.failure.empty(); }));
}

} // namespace trial
