// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runner.cpp - runs the cases over the partition's lives and says what it saw.
//
// Prints, a line each:   attack table CASES VENDOR           attack case NUMBER CLASS NAME EXPECTED AUDIT   (life 1)
//                        attack try NUMBER                   attack saw NUMBER VERDICT        attack done   (last life)
//                        attack aims REQUESTER ADDRESS       (in hexadecimal, of the case that is tried)
// The hypervisor reports a kind of refusal at its first time in a life. So that every case leaves its own record, a life
// runs at most one case of a kind, and at its end one that is stopped; the life's number comes from the hypervisor.
#include "partitions/adversary/attack.hpp"

#include "build_id.hpp"

#include <array>

namespace attack {
namespace {

struct Class {
    std::string_view name;
    std::span<const Case> (*cases)();
};
constexpr std::array<Class, 18> classes{{{"memory", memory_cases},
                                         {"cacheability", cacheability_cases},
                                         {"ports", port_cases},
                                         {"msrs", msr_cases},
                                         {"control", control_cases},
                                         {"apic", apic_cases},
                                         {"hypercalls", hypercall_cases},
                                         {"instructions", instruction_cases},
                                         {"exceptions", exception_cases},
                                         {"debug", debug_cases},
                                         {"time", time_cases},
                                         {"console", console_cases},
                                         {"floods", flood_cases},
                                         {"line", line_cases},
                                         {"boot", boot_cases},
                                         {"lanes", lane_cases},
                                         {"dma", dma_cases},
                                         {"dma", card_cases}}};

constexpr std::array<std::string_view, 10> verdict_names{
    "granted", "harmless", "ignored", "error", "#GP", "#UD", "#PF", "exception", "contained", "stopped"};
constexpr std::array<std::string_view, static_cast<std::size_t>(Audit::count_)> audit_names{
    "none",
    "msr_read",
    "msr",
    "port",
    "port_legacy",
    "port_string",
    "hypercall_privilege",
    "hypercall",
    "hypercall_argument",
    "hypercall_rate",
    "ipi",
    "instruction",
    "rdpmc",
    "cache",
    "xcr0",
    "npf",
    "shutdown",
    "invalid",
    "loop",
    "unexpected",
    "dma"};

// Which life runs a case: the ordinal among those that leave the same kind of record. Stops share one row of lives, and
// cases without a record are spread over them.
class Schedule {
public:
    // Lives are counted from 1.
    std::uint64_t life_of(const Answer& answer) {
        if (answer.audit == Audit::none)
            return quiet_++ % lives_ + 1;
        const bool stop = answer.verdict == Verdict::stopped;
        return ++used_[stop ? 0 : static_cast<std::size_t>(answer.audit)];
    }
    [[nodiscard]] std::uint64_t longest() const {
        std::uint64_t most = 2; // a life that finds what another left
        for (const std::uint64_t used : used_)
            most = used > most ? used : most;
        return most;
    }
    void restart(std::uint64_t lives) {
        *this = {};
        lives_ = lives;
    }

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Audit::count_)> used_{}; // [0]: stops
    std::uint64_t quiet_ = 0, lives_ = 1;
};

// What stands before the first `mark`, which is taken off `text` with it.
std::string_view take_word(std::string_view& text, char mark) {
    const std::size_t at = text.find(mark);
    const std::string_view word{text.data(), at < text.size() ? at : text.size()};
    text.remove_prefix(word.size() < text.size() ? word.size() + 1 : text.size());
    return word;
}

bool listed(std::string_view list, std::string_view name) {
    if (list.empty())
        return true;
    while (!list.empty())
        if (take_word(list, ',') == name)
            return true;
    return false;
}

// Calls visit(number, class, case, answer) for every case that is asked for.
template <typename Visit> void each_case(std::string_view list, Visit visit) {
    unsigned number = 0;
    for (const Class& group : classes)
        if (listed(list, group.name))
            for (const Case& one : group.cases())
                if (one.offered == nullptr || one.offered())
                    visit(number++, group, one, on_intel() ? one.expected.vmx : one.expected.svm);
}

void print_table(std::string_view list) {
    unsigned count = 0;
    each_case(list, [&](unsigned, const Class&, const Case&, const Answer&) { ++count; });
    base::Text<160> text;
    text << "attack table " << count << (on_intel() ? " vmx\n" : " svm\n");
    guest::print(text);
    each_case(list, [](unsigned number, const Class& group, const Case& one, const Answer& answer) {
        base::Text<160> line;
        line << "attack case " << number << ' ' << group.name << ' ' << one.name << ' '
             << name_of(answer.verdict) << ' ' << name_of(answer.audit) << '\n';
        guest::print(line);
    });
}

void run_one(unsigned number, const Case& one) {
    base::Text<64> before, after;
    before << "\nattack try " << number << '\n';
    guest::print(before);
    const Verdict seen = one.run(one.first, one.second);
    after << "\nattack saw " << number << ' ' << name_of(seen) << '\n';
    guest::print(after);
}

} // namespace

std::string_view name_of(Verdict verdict) {
    return verdict_names[static_cast<std::size_t>(verdict)];
}
std::string_view name_of(Audit audit) {
    return audit_names[static_cast<std::size_t>(audit)];
}

std::uint64_t number_in(std::string_view digits) {
    std::uint64_t out = 0;
    for (const char digit : digits) {
        if (digit < '0' || digit > '9')
            break;
        out = out * 10 + static_cast<unsigned>(digit - '0');
    }
    return out;
}

void aim(std::uint16_t requester, std::uint64_t address) {
    base::Text<80> text;
    text << "\nattack aims " << base::hex(requester) << ' ' << base::hex(address) << '\n';
    guest::print(text);
}

void run_cases(std::string_view list) {
    look_at_memory();
    look_at_lanes();
    look_at_landing();
    const auto life =
        static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_GENERATION).value);
    if (life == 1)
        print_table(list);
    Schedule schedule;
    each_case(list, [&](unsigned, const Class&, const Case&, const Answer& answer) {
        (void)schedule.life_of(answer);
    });
    const std::uint64_t lives = schedule.longest();
    for (const bool stops : {false, true}) {
        schedule.restart(lives);
        each_case(list, [&](unsigned number, const Class&, const Case& one, const Answer& answer) {
            if (schedule.life_of(answer) == life && (answer.verdict == Verdict::stopped) == stops)
                run_one(number, one);
        });
    }
    leave_transfers();
    if (life < lives)
        guest::exit(1); // on-failure: the next life
    guest::print("\nattack done\n");
    guest::exit(0);
}

} // namespace attack

void guest_main() {
    // A copy: one of the cases destroys what the hypervisor wrote.
    static std::array<char, 512> text;
    std::size_t size = 0;
    for (const char c : guest::command_line())
        if (size < text.size())
            text[size++] = c;
    const std::string_view words{text.data(), size};
    std::string_view rest = words;
    const std::string_view first = attack::take_word(rest, ' ');
    if (first == "attack")
        attack::run_cases(rest);
    if (first == "witness")
        attack::run_witness();
    if (first == "random")
        attack::run_random(rest);
    attack::run_single(words);
    guest::print("adversary of ");
    guest::print(CAISSON_BUILD_ID); // by this the tool knows its own
    guest::print(": no such attack: ");
    guest::print(words);
    guest::print("\n");
    guest::exit(2);
}
