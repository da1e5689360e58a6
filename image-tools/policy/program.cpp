// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/program.cpp - see program.hpp.
#include "image-tools/policy/program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

namespace policy {
namespace {

constexpr std::size_t most_instructions = 4096; // BPF_MAXINSNS
constexpr std::uint16_t no_such_call = 38;

struct Release {
    void operator()(void* context) const { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

std::uint32_t value_of(const Action& action) {
    switch (action.kind) {
    case Action::Kind::allow:
        return SCMP_ACT_ALLOW;
    case Action::Kind::error:
        return SCMP_ACT_ERRNO(std::uint32_t{action.error});
    case Action::Kind::kill_process:
        return SCMP_ACT_KILL_PROCESS;
    case Action::Kind::kill_thread:
        return SCMP_ACT_KILL_THREAD;
    case Action::Kind::trap:
        return SCMP_ACT_TRAP;
    case Action::Kind::log:
        return SCMP_ACT_LOG;
    }
    return SCMP_ACT_KILL_PROCESS;
}

scmp_arg_cmp comparison_of(const Condition& condition) {
    const auto operation = [&] {
        switch (condition.operation) {
        case Condition::Operator::equal:
            return SCMP_CMP_EQ;
        case Condition::Operator::not_equal:
            return SCMP_CMP_NE;
        case Condition::Operator::less:
            return SCMP_CMP_LT;
        case Condition::Operator::at_most:
            return SCMP_CMP_LE;
        case Condition::Operator::at_least:
            return SCMP_CMP_GE;
        case Condition::Operator::greater:
            return SCMP_CMP_GT;
        case Condition::Operator::masked_equal:
            return SCMP_CMP_MASKED_EQ;
        }
        return SCMP_CMP_EQ;
    };
    return {condition.argument, operation(), condition.value, condition.other};
}

[[noreturn]] void refused(const std::string& file, const std::string& name, int error) {
    throw diagnostic::fail("E0430",
                           "the rules for '" + name + "' cannot stand together: " + std::strerror(-error))
        .at({file, 0, 0, {}, 1})
        .help("two rules for one call with the same conditions and other actions contradict each other");
}

void add(void* context, const Rule& rule, const std::string& file, Program& out, int& highest) {
    for (const std::string& name : rule.names) {
        const int number = ::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str());
        if (number < 0) { // unknown, or of another machine
            out.unknown.push_back(name);
            continue;
        }
        highest = std::max(highest, number);
        std::vector<scmp_arg_cmp> comparisons;
        for (const Condition& condition : rule.conditions)
            comparisons.push_back(comparison_of(condition));
        const int result =
            ::seccomp_rule_add_array(context, value_of(rule.action), number,
                                     static_cast<unsigned>(comparisons.size()), comparisons.data());
        if (result != 0 && result != -EEXIST)
            refused(file, name, result);
    }
}

std::vector<std::uint64_t> exported(void* context) {
    const int memory = ::memfd_create("filter", MFD_CLOEXEC);
    if (memory < 0)
        throw diagnostic::fail_system("E0603", "cannot make a file in memory", errno);
    const int result = ::seccomp_export_bpf(context, memory);
    const off_t bytes = ::lseek(memory, 0, SEEK_END);
    std::vector<std::uint64_t> out(bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / sizeof(std::uint64_t));
    const ssize_t got = ::pread(memory, out.data(), out.size() * sizeof(std::uint64_t), 0);
    ::close(memory);
    if (result != 0 || got != bytes || out.empty())
        throw diagnostic::fail("E0603", "libseccomp made no program: " + std::string(std::strerror(-result)));
    return out;
}

// struct sock_filter: code, jump if true, jump if not, constant.
constexpr std::uint64_t instruction(std::uint16_t code, std::uint8_t if_true, std::uint8_t if_not,
                                    std::uint32_t k) {
    return code | std::uint64_t{if_true} << 16 | std::uint64_t{if_not} << 24 | std::uint64_t{k} << 32;
}

} // namespace

Program compile(const Profile& profile, const std::string& file) {
    Program out;
    const Context context{::seccomp_init(value_of(profile.otherwise))};
    if (!context)
        throw diagnostic::fail("E0430", "libseccomp does not take this default action")
            .at({file, 0, 0, {}, 1});
    // Another architecture's calls, the x32 ones too, are calls that this kernel does not have.
    (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH,
                             SCMP_ACT_ERRNO(std::uint32_t{no_such_call}));
    (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); // a binary tree of numbers
    int highest = -1;
    for (const Rule& rule : profile.rules)
        if (rule.action != profile.otherwise) // libseccomp refuses what changes nothing
            add(context.get(), rule, file, out, highest);
        else
            for (const std::string& name : rule.names)
                highest =
                    std::max(highest, ::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name.c_str()));
    out.instructions = exported(context.get());
    if (profile.otherwise.kind != Action::Kind::allow && profile.otherwise.kind != Action::Kind::log) {
        constexpr std::uint16_t load_word = 0x20, jump_greater = 0x25, give = 0x06;
        constexpr std::uint32_t error = 0x00050000;
        const std::array<std::uint64_t, 3> beyond{
            instruction(load_word, 0, 0, 0),
            instruction(jump_greater, 0, 1, static_cast<std::uint32_t>(std::max(highest, 0))),
            instruction(give, 0, 0, error | no_such_call)};
        out.instructions.insert(out.instructions.begin(), beyond.begin(), beyond.end());
    }
    if (out.instructions.size() > most_instructions)
        throw diagnostic::fail("E0805", "the profile takes " + std::to_string(out.instructions.size()) +
                                            " instructions; a filter has at most " +
                                            std::to_string(most_instructions))
            .at({file, 0, 0, {}, 1})
            .help("join rules of one action, or leave conditions out");
    return out;
}

} // namespace policy
