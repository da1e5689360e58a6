// SPDX-License-Identifier: Apache-2.0
#include "partitions/init/watch.hpp"

#include "partitions/abi/startup.h"

namespace init {
namespace {

constexpr int sigkill = 9, sigterm = 15, sigchld = 17;
constexpr int timed_out = 110; // ETIMEDOUT
constexpr std::int64_t between_probes = 500, patience = 15'000, grace = 10'000, again = 1000,
                       never = INT64_MAX;
constexpr std::uint32_t loopback = 0x7F000001;

std::int64_t now() {
    constexpr long monotonic = 1;
    Time time{};
    call(Call::clock_gettime, monotonic, address(&time));
    return time.seconds * 1000 + time.nanoseconds / 1'000'000;
}

// The tool wrote it: digits alone.
std::uint64_t number(const char* text) {
    std::uint64_t value = 0;
    for (; *text >= '0' && *text <= '9'; ++text)
        value = value * 10 + static_cast<std::uint64_t>(*text - '0');
    return value;
}

// A socket that is connected, or an error's number below 0.
long connected(std::uint32_t to, std::uint16_t port) {
    constexpr long internet = 2, stream = 1;
    struct {
        std::uint16_t family = internet;
        std::uint16_t port;
        std::uint32_t address;
        std::uint64_t zero = 0;
    } name{.port = __builtin_bswap16(port), .address = __builtin_bswap32(to)};
    const long socket = call(Call::socket, internet, stream);
    if (socket < 0)
        return socket;
    const long error = call(Call::connect, socket, address(&name), sizeof name);
    return error < 0 ? error : socket;
}

// What a server of HTTP says to a request for `path`: its status; 0: it says none.
unsigned http_status(long socket, const char* path) {
    const auto say = [socket](const char* text) {
        std::size_t length = 0;
        while (text[length] != '\0')
            ++length;
        while (length != 0) {
            const long written = call(Call::write, socket, address(text), static_cast<long>(length));
            if (written <= 0)
                return;
            text += written;
            length -= static_cast<std::size_t>(written);
        }
    };
    say("GET ");
    say(path);
    say(" HTTP/1.0\r\nHost: localhost\r\nUser-Agent: caisson\r\n\r\n");
    std::array<char, 13> line{}; // "HTTP/1.1 200 "
    std::size_t got = 0;
    while (got < line.size()) {
        const long more =
            call(Call::read, socket, address(line.data() + got), static_cast<long>(line.size() - got));
        if (more <= 0)
            break;
        got += static_cast<std::size_t>(more);
    }
    constexpr char start[] = "HTTP/1.";
    for (std::size_t i = 0; i + 1 < sizeof start; ++i)
        if (line[i] != start[i])
            return 0;
    return got >= 12 && line[8] == ' ' ? static_cast<unsigned>(number(line.data() + 9)) : 0;
}

} // namespace

Watch::Watch(char** words, char** environment, std::uint64_t mask)
    : command_(words), environment_(environment), mask_(mask) {
    if (words[0][0] == '\0')
        read(words + 1);
    began_ = now();
    next_check_ = began_ + interval_;
    next_probe_ = began_;
}

char** Watch::read_health(char** words) {
    if (words[0][0] == '\0')
        return words + 1;
    interval_ = static_cast<std::int64_t>(number(*words++));
    timeout_ = static_cast<std::int64_t>(number(*words++));
    start_period_ = static_cast<std::int64_t>(number(*words++));
    retries_ = static_cast<unsigned>(number(*words++));
    restart_ = number(*words++) != 0;
    const char first = *(*words++);
    kind_ = first == 'h' ? Kind::http : first == 't' ? Kind::tcp : Kind::exec;
    if (kind_ == Kind::exec) {
        word_count_ = static_cast<unsigned>(number(*words++));
        words_ = words;
        return words + word_count_;
    }
    port_ = static_cast<std::uint16_t>(number(*words++));
    if (kind_ == Kind::http) {
        least_ = static_cast<unsigned>(number(*words++));
        most_ = static_cast<unsigned>(number(*words++));
        words_ = words++;
    }
    return words;
}

void Watch::read(char** words) {
    words = read_health(words);
    for (; words[0][0] != '\0'; words += 2)
        if (probe_count_ < most_probes)
            probes_[probe_count_++] = {static_cast<std::uint32_t>(number(words[0])),
                                       static_cast<std::uint16_t>(number(words[1]))};
    command_ = words + 1;
}

template <typename Look> void Watch::start(Child& child, std::int64_t limit, const Look& look) {
    const long pid = call(Call::clone, sigchld);
    if (pid == 0) {
        constexpr int set_mask = 2;
        call(Call::setpgid, 0, 0);
        call(Call::rt_sigprocmask, set_mask, address(&mask_), 0, sizeof mask_);
        look();
        end(1);
    }
    if (pid > 0) {
        call(Call::setpgid, pid, pid); // whoever comes first
        child = {pid, now() + limit};
    }
}

// It ends, and that is heard of as of any end.
void Watch::stop_late(Child& child) const {
    if (child.pid != 0 && now() >= child.until) {
        call(Call::kill, -child.pid, sigkill);
        child.until = never;
    }
}

// In a child: exit status 0 for what is well.
void Watch::look() const {
    if (kind_ == Kind::exec) {
        constexpr long read_write = 2;
        const long nowhere = call(Call::open, address("/dev/null"), read_write);
        for (long i = 0; i < 3 && nowhere >= 0; ++i)
            call(Call::dup2, nowhere, i);
        std::array<char*, 65> words{};
        for (unsigned i = 0; i < word_count_ && i + 1 < words.size(); ++i)
            words[i] = words_[i];
        run(words.data(), environment_);
    }
    const long socket = connected(loopback, port_);
    if (socket < 0)
        end(1);
    if (kind_ == Kind::tcp)
        end(0);
    const unsigned status = http_status(socket, words_[0]);
    end(status >= least_ && status <= most_ ? 0 : 1);
}

void Watch::judge(bool good) {
    next_check_ = now() + interval_;
    if (good) {
        failures_ = 0;
        state_ = CAISSON_HEALTH_HEALTHY;
        return;
    }
    if (state_ == CAISSON_HEALTH_STARTING && now() - began_ < start_period_)
        return;
    if (++failures_ >= retries_)
        state_ = CAISSON_HEALTH_UNHEALTHY;
}

void Watch::take_end(long pid, int status) {
    if (pid == check_.pid) {
        check_ = {};
        judge(status == 0);
    } else if (pid == probing_.pid) {
        probing_ = {};
        probes_[at_].result = (status & 0x7F) != 0 ? timed_out : status >> 8 & 0xFF;
        at_ = at_ + 1 == probe_count_ ? 0 : at_ + 1;
        next_probe_ = at_ == 0 ? now() + between_probes : now();
    }
}

void Watch::look_after_health(long program) {
    stop_late(check_);
    if (state_ == CAISSON_HEALTH_UNHEALTHY && restart_) {
        if (!gave_up_) {
            gave_up_ = true;
            end_at_ = now() + grace;
            call(Call::kill, program, sigterm);
        } else if (now() >= end_at_) {
            end(128 + sigkill);
        }
        return;
    }
    if (check_.pid == 0 && now() >= next_check_)
        start(check_, timeout_, [this] { look(); });
    if (check_.pid == 0 && now() >= next_check_) // there was no process for it
        judge(false);
}

// One after another, and again those that did not come through.
void Watch::look_after_probes() {
    stop_late(probing_);
    if (probing_.pid != 0 || now() < next_probe_)
        return;
    for (unsigned i = 0; i < probe_count_ && probes_[at_].result == 0; ++i)
        at_ = at_ + 1 == probe_count_ ? 0 : at_ + 1;
    if (probes_[at_].result == 0) { // all did
        next_probe_ = never;
        return;
    }
    const Probe& probe = probes_[at_];
    start(probing_, patience, [&probe] {
        const long socket = connected(probe.address, probe.port);
        end(socket < 0 ? static_cast<int>(-socket) : 0);
    });
    next_probe_ = now() + between_probes;
}

bool Watch::has_news() const {
    bool news = kind_ != Kind::none && state_ != told_state_;
    for (unsigned i = 0; i < probe_count_; ++i)
        news = news || probes_[i].result != probes_[i].told;
    return news;
}

// The kernel takes some at once and then one a second; what it does not take is told later, as it then is.
void Watch::tell_news() {
    if (now() < next_tell_)
        return;
    const auto tell = [](long what, long first, long second) {
        return call(Call::prctl, CAISSON_PRCTL_TELL, what, first, second) == 0;
    };
    if (kind_ != Kind::none && state_ != told_state_ && tell(CAISSON_TELL_HEALTH, state_, 0))
        told_state_ = state_;
    for (unsigned i = 0; i < probe_count_; ++i)
        if (probes_[i].result != probes_[i].told && tell(CAISSON_TELL_PROBE, i, probes_[i].result))
            probes_[i].told = probes_[i].result;
    next_tell_ = has_news() ? now() + again : 0;
}

bool Watch::act(long program, Time& left) {
    std::int64_t next = never;
    const auto due = [&next](std::int64_t at) { next = at < next ? at : next; };
    if (kind_ != Kind::none) {
        look_after_health(program);
        due(gave_up_ ? end_at_ : check_.pid != 0 ? check_.until : next_check_);
    }
    if (probe_count_ != 0) {
        look_after_probes();
        due(probing_.pid != 0 ? probing_.until : next_probe_);
    }
    if (has_news()) {
        tell_news();
        if (has_news())
            due(next_tell_);
    }
    if (next == never)
        return false;
    const std::int64_t wait = next > now() ? next - now() : 0;
    left = {wait / 1000, wait % 1000 * 1'000'000};
    return true;
}

} // namespace init
