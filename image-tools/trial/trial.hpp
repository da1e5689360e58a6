// SPDX-License-Identifier: Apache-2.0
// image-tools/trial/trial.hpp - a manifest's tests, one after another, against a machine that runs.
//
// Without a clock of its own: time is handed in. What containers say is hostile.
#pragma once

#include "image-tools/manifest/manifest.hpp"
#include "image-tools/run/session.hpp"
#include "image-tools/trial/dialogue.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trial {

using Time = std::chrono::milliseconds; // since the machine's start

struct Verdict {
    std::string name, partition;
    std::string failure; // empty: passed
    Time took{};
};

// Where that port inside that partition is reached, on this computer.
using Reached = std::function<std::uint16_t(const std::string& partition, std::uint16_t port)>;

class Trial {
public:
    Trial(const std::vector<manifest::Test>& tests, Reached reached);

    // A partition's output, as it comes.
    void output(std::string_view partition, std::string_view bytes, unsigned stream);
    // Looks, and says whether all tests are decided. `over`: the machine has ended.
    bool step(Time now, const run::Session& session, bool over = false);
    // In the order of the tests, as far as they are decided.
    [[nodiscard]] const std::vector<Verdict>& verdicts() const { return verdicts_; }
    [[nodiscard]] std::size_t failures() const;

private:
    struct Watched { // a log test
        const manifest::Test* test;
        std::array<std::string, 2> pending{}; // a stream's line without its end
        bool seen = false;
    };
    // What is known of the test whose turn it is: nothing yet, or why it failed; empty: it passed.
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Log& log,
                                    const run::PartitionResult& partition);
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Exit& exit,
                                    const run::PartitionResult& partition);
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Http& http,
                                    const run::PartitionResult& partition);
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Tcp& tcp,
                                    const run::PartitionResult& partition);
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Reach& reach,
                                    const run::PartitionResult& partition);
    std::optional<std::string> look(const manifest::Test& test, const manifest::Test::Healthy& healthy,
                                    const run::PartitionResult& partition);
    std::optional<std::string> ended(const run::PartitionResult& partition) const;
    void talk(const manifest::Test& test, std::uint16_t port, std::string say);
    void decide(const manifest::Test& test, std::string failure, Time now);

    const std::vector<manifest::Test>& tests_;
    Reached reached_;
    std::vector<Watched> watched_;
    std::vector<Verdict> verdicts_;
    Time turn_{}, now_{}, again_{}; // again_: when a new connection is made at the earliest
    std::optional<Dialogue> dialogue_;
    std::string seen_; // last, of the test whose turn it is
};

} // namespace trial
