// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/recorded.cpp - see recorded.hpp.
#include "image-tools/policy/recorded.hpp"

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <seccomp.h>

namespace policy {
namespace {

constexpr std::string_view key = "syscalls:";
constexpr std::size_t most_digits = 128; // 512 calls

std::string name_of(unsigned number) {
    const std::unique_ptr<char, decltype(&std::free)> name{
        ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number)), &std::free};
    return name ? name.get() : std::string();
}

} // namespace

void Recorded::take(std::string_view note) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (!note.starts_with(key))
        return;
    note.remove_prefix(key.size());
    if (note.empty() || note.size() > most_digits || note.find_first_not_of(digits) != std::string_view::npos)
        return;
    for (std::size_t i = 0; i < note.size(); ++i) {
        const std::size_t value = digits.find(note[note.size() - 1 - i]);
        for (unsigned bit = 0; bit < 4; ++bit)
            if ((value >> bit & 1) != 0)
                numbers_.insert(static_cast<unsigned>(i) * 4 + bit);
    }
}

std::string Recorded::json() const {
    std::set<std::string> names{"exit", "exit_group", "restart_syscall", "rt_sigreturn"};
    for (const unsigned number : numbers_)
        if (std::string name = name_of(number); !name.empty())
            names.insert(std::move(name));
    nlohmann::ordered_json rule;
    rule["names"] = names;
    rule["action"] = "SCMP_ACT_ALLOW";
    nlohmann::ordered_json document;
    document["defaultAction"] = "SCMP_ACT_ERRNO";
    document["defaultErrnoRet"] = 1;
    document["architectures"] = nlohmann::ordered_json::array({"SCMP_ARCH_X86_64"});
    document["syscalls"] = nlohmann::ordered_json::array({rule});
    return document.dump(2) + "\n";
}

} // namespace policy
