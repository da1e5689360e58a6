// SPDX-License-Identifier: Apache-2.0
// partitions/init/watch.hpp - what the reaper looks after besides: the program's health, and whom it reaches (`caisson test`).
//
// Each look is a child of its own, so that none can hold the reaper up; what it came to is told to the kernel.
//
// The words in front of the program's, where the first of them is empty (which no program's name is):
//   ""  HEALTH  PROBE...  ""  PROGRAM...
//   HEALTH is "" or INTERVAL TIMEOUT START-PERIOD RETRIES RESTART and one of
//     http PORT LEAST MOST PATH      its status is from LEAST to MOST
//     tcp PORT
//     exec COUNT WORDS...
//   PROBE is ADDRESS PORT; numbers are decimal, times in ms, ADDRESS an IPv4 address as a number.
#pragma once

#include "partitions/init/calls.hpp"

#include <array>
#include <cstdint>

namespace init {

// At most so many are asked for.
inline constexpr unsigned most_probes = 32;

class Watch {
public:
    // `mask`: of signals, for children.
    Watch(char** words, char** environment, std::uint64_t mask);
    [[nodiscard]] char** command() const { return command_; } // the program's words
    // Does what is due; false: nothing ever will be. `left`: until the next.
    bool act(long program, Time& left);
    // A child of that number has ended, whoever made it.
    void take_end(long pid, int status);
    // The program is unhealthy and is being ended for that.
    [[nodiscard]] bool gave_up() const { return gave_up_; }

private:
    enum class Kind : std::uint8_t { none, http, tcp, exec };
    struct Child {
        long pid = 0; // 0: none
        std::int64_t until = 0;
    };
    struct Probe {
        std::uint32_t address = 0;
        std::uint16_t port = 0;
        int result = -1, told = -1; // error numbers; -1: not yet
    };

    void read(char** words);
    char** read_health(char** words);
    // A child that looks; `limit`: it is killed after so long.
    template <typename Look> void start(Child& child, std::int64_t limit, const Look& look);
    void stop_late(Child& child) const;
    void look_after_health(long program);
    void judge(bool good);
    void look_after_probes();
    void tell_news();
    [[noreturn]] void look() const;
    [[nodiscard]] bool has_news() const;

    char** command_;
    char** environment_;
    std::uint64_t mask_;
    Kind kind_ = Kind::none;
    std::int64_t interval_ = 0, timeout_ = 0, start_period_ = 0; // ms
    unsigned retries_ = 0;
    bool restart_ = false;
    std::uint16_t port_ = 0;
    unsigned least_ = 0, most_ = 0;
    char** words_ = nullptr; // of exec, or the path
    unsigned word_count_ = 0;

    Child check_, probing_;
    std::int64_t began_ = 0, next_check_ = 0, next_probe_ = 0, end_at_ = 0, next_tell_ = 0;
    unsigned failures_ = 0;
    int state_ = 0, told_state_ = -1; // CAISSON_HEALTH_...
    bool gave_up_ = false;
    std::array<Probe, most_probes> probes_{};
    unsigned probe_count_ = 0, at_ = 0;
};

} // namespace init
