// SPDX-License-Identifier: Apache-2.0
#include "image-tools/policy/program.hpp"
#include "image-tools/policy/recorded.hpp"
#include "partitions/unikernel/policy/filter.hpp"

#include <bit>
#include <cerrno>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <seccomp.h>
#include <sstream>

namespace {

using policy::Capabilities;
using policy::Profile;

// What Docker gives a container.
const Capabilities usual{"CAP_CHOWN",      "CAP_DAC_OVERRIDE",     "CAP_FOWNER", "CAP_FSETID",
                         "CAP_KILL",       "CAP_SETGID",           "CAP_SETUID", "CAP_SETPCAP",
                         "CAP_NET_RAW",    "CAP_NET_BIND_SERVICE", "CAP_MKNOD",  "CAP_AUDIT_WRITE",
                         "CAP_SYS_CHROOT", "CAP_SETFCAP"};

constexpr std::uint32_t last_call = 450;
constexpr std::uint32_t allowed = uk::policy::action::allow;

constexpr std::uint32_t denied(std::uint32_t error) {
    return uk::policy::action::error | error;
}

// A profile as the partition's kernel has it: checked by its checker, run by its interpreter.
class Filter {
public:
    explicit Filter(const Profile& profile) : program_(policy::compile(profile, "test")) {
        for (const std::uint64_t word : program_.instructions)
            instructions_.push_back(std::bit_cast<uk::policy::Instruction>(word));
        EXPECT_TRUE(uk::policy::check(instructions_).ok());
    }
    [[nodiscard]] std::uint32_t says(std::uint32_t number,
                                     std::array<std::uint64_t, 6> arguments = {}) const {
        return uk::policy::run(instructions_, {number, uk::policy::architecture_x86_64, 0, arguments});
    }
    [[nodiscard]] std::uint32_t says(const char* name, std::array<std::uint64_t, 6> arguments = {}) const {
        return says(static_cast<std::uint32_t>(::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name)),
                    arguments);
    }
    [[nodiscard]] bool always_allows(const char* name) const {
        return uk::policy::always_allows(
            instructions_,
            static_cast<std::uint32_t>(::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, name)));
    }
    [[nodiscard]] const policy::Program& program() const { return program_; }

private:
    policy::Program program_;
    std::vector<uk::policy::Instruction> instructions_;
};

Profile read(const std::string& rules, const Capabilities& capabilities = usual,
             const std::string& head = R"("defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1)") {
    return policy::read_profile("{" + head + R"(, "syscalls": [)" + rules + "]}", "profile.json",
                                capabilities);
}

std::string name_of(std::uint32_t number) {
    char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number));
    std::string out = name == nullptr ? "" : name;
    std::free(name);
    return out;
}

void expect_refused(const std::string& json, const std::string& place, const std::string& text) {
    try {
        static_cast<void>(policy::compile(policy::read_profile(json, "profile.json", usual), "profile.json"));
        ADD_FAILURE() << "accepted: " << json;
    } catch (const diagnostic::Failure& failure) {
        const std::string all = diagnostic::to_text(failure.diagnostic(), false);
        EXPECT_EQ(failure.diagnostic().code, "E0430");
        EXPECT_NE(all.find(place), std::string::npos) << all;
        EXPECT_NE(all.find(text), std::string::npos) << all;
        EXPECT_NE(all.find("help: "), std::string::npos) << all;
    }
}

TEST(Profile, WhatIsNamedIsAllowedTheRestDeniedAndTheUnknownIsNotThere) {
    const Filter filter(
        read(R"({"names": ["read", "write", "no_such_call", "oldstat"], "action": "SCMP_ACT_ALLOW"},
                                {"names": ["mseal_or_so", "fsmount"], "action": "SCMP_ACT_ALLOW"})"));
    EXPECT_EQ(filter.says("read"), allowed);
    EXPECT_EQ(filter.says("open"), denied(EPERM));
    EXPECT_EQ(filter.says("fsmount"), allowed);
    EXPECT_EQ(filter.says("fspick"), denied(ENOSYS)) << "beyond what the profile knows";
    EXPECT_EQ(filter.says(9999), denied(ENOSYS));
    EXPECT_EQ(filter.says(0x40000000), denied(ENOSYS)) << "x32";
    EXPECT_TRUE(filter.always_allows("read")) << "costs a bit's test";
    EXPECT_FALSE(filter.always_allows("open"));
    EXPECT_EQ(filter.program().unknown, (std::vector<std::string>{"no_such_call", "oldstat", "mseal_or_so"}));
}

TEST(Profile, ActionsAndErrors) {
    const Filter filter(read(R"({"names": ["read"], "action": "SCMP_ACT_KILL"},
                                {"names": ["write"], "action": "SCMP_ACT_KILL_PROCESS"},
                                {"names": ["open"], "action": "SCMP_ACT_TRAP"},
                                {"names": ["close"], "action": "SCMP_ACT_LOG"},
                                {"names": ["stat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
                                {"names": ["fstat"], "action": "SCMP_ACT_ERRNO", "errno": "EINVAL"},
                                {"names": ["lstat"], "action": "SCMP_ACT_ERRNO"})",
                             usual, R"("defaultAction": "SCMP_ACT_ALLOW")"));
    EXPECT_EQ(filter.says("read"), uk::policy::action::kill_thread);
    EXPECT_EQ(filter.says("write"), uk::policy::action::kill_process);
    EXPECT_EQ(filter.says("open"), uk::policy::action::trap);
    EXPECT_EQ(filter.says("close"), uk::policy::action::log);
    EXPECT_EQ(filter.says("stat"), denied(EACCES));
    EXPECT_EQ(filter.says("fstat"), denied(EINVAL));
    EXPECT_EQ(filter.says("lstat"), denied(EPERM));
    EXPECT_EQ(filter.says("poll"), allowed);
    EXPECT_EQ(filter.says(9999), allowed) << "the kernel itself says that it has no such call";
}

TEST(Profile, EveryComparison) {
    const auto with = [](const char* operation, const char* value, const char* other = "0") {
        return Filter(
            read(std::string(
                     R"({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": )") +
                 value + R"(, "valueTwo": )" + other + R"(, "op": "SCMP_CMP_)" + operation + "\"}]}"));
    };
    struct Case {
        const char *operation, *value, *other;
        std::vector<std::uint64_t> yes, no;
    };
    const std::vector<Case> cases{
        {"EQ", "4294967296", "0", {1ull << 32}, {0, 1ull << 33, 1}},
        {"NE", "7", "0", {6, 8, 7 | 1ull << 32}, {7}},
        {"LT", "7", "0", {0, 6}, {7, 8, 1ull << 32}},
        {"LE", "7", "0", {0, 7}, {8, 1ull << 32}},
        {"GE", "7", "0", {7, 8, 1ull << 32}, {0, 6}},
        {"GT", "7", "0", {8, 1ull << 63}, {0, 7}},
        {"MASKED_EQ", "15", "3", {3, 0x13, 3 | 1ull << 40}, {0, 2, 0x14}},
    };
    for (const Case& one : cases) {
        const Filter filter = with(one.operation, one.value, one.other);
        for (const std::uint64_t value : one.yes)
            EXPECT_EQ(filter.says("socket", {0, value}), allowed) << one.operation << ' ' << value;
        for (const std::uint64_t value : one.no)
            EXPECT_EQ(filter.says("socket", {0, value}), denied(EPERM)) << one.operation << ' ' << value;
        EXPECT_FALSE(filter.always_allows("socket"));
    }
}

TEST(Profile, ConditionsOfARuleAllHoldButTwoOnOneArgumentAreEither) {
    const Filter filter(read(R"({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]},
        {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
        {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]})"));
    EXPECT_EQ(filter.says("socket", {1, 2}), allowed);
    EXPECT_EQ(filter.says("socket", {1, 3}), denied(EPERM));
    EXPECT_EQ(filter.says("socket", {2, 2}), denied(EPERM));
    EXPECT_EQ(filter.says("personality", {0}), allowed);
    EXPECT_EQ(filter.says("personality", {8}), allowed);
    EXPECT_EQ(filter.says("personality", {1}), denied(EPERM));
}

TEST(Profile, RulesForOthersAreLeftOut) {
    const std::string rules = R"(
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["chroot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}},
        {"names": ["syslog"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_CHROOT"]}},
        {"names": ["modify_ldt"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["kcmp"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.10"}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}})";
    const Filter without(read(rules)), with(read(rules, {"CAP_SYS_ADMIN"}));
    EXPECT_EQ(without.says("mount"), denied(EPERM));
    EXPECT_EQ(with.says("mount"), allowed);
    EXPECT_EQ(without.says("chroot"), allowed);
    EXPECT_EQ(without.says("syslog"), denied(EPERM));
    EXPECT_EQ(with.says("syslog"), allowed);
    EXPECT_EQ(without.says("modify_ldt"), denied(EPERM));
    EXPECT_EQ(without.says("arch_prctl"), allowed);
    EXPECT_EQ(without.says("ptrace"), allowed);
    EXPECT_EQ(without.says("kcmp"), denied(EPERM));
    EXPECT_EQ(without.says("clone3"), denied(ENOSYS));
}

TEST(Profile, MistakesAreNamedByTheirPlace) {
    expect_refused("{\n  \"defaultAction\": \"SCMP_ACT_ALLOW\",\n  oops}", "profile.json:3:3", "not JSON");
    expect_refused("[]", "profile.json", "not an object");
    expect_refused(R"({"defaultErrnoRet": 2e22222})", "profile.json", "larger than any field");
    expect_refused("{}", "profile.json", "no 'defaultAction'");
    expect_refused(R"({"defaultAction": "ALLOW"})", "/defaultAction", "one of SCMP_ACT_ALLOW");
    expect_refused(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscals": []})", "the document",
                   "unknown field 'syscals'");
    expect_refused(
        R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]})",
        "/syscalls/0", "names no system call");
    const auto rule = [](const std::string& text) {
        return R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], )" + text + "}]}";
    };
    expect_refused(rule(R"("action": "SCMP_ACT_NOTIFY")"), "/syscalls/0/action", "not an action here");
    expect_refused(rule(R"("action": "SCMP_ACT_ERRNO", "errnoRet": 5000)"), "/syscalls/0/errnoRet",
                   "0 to 4095");
    expect_refused(rule(R"("action": "SCMP_ACT_ERRNO", "errno": "EWHAT")"), "/syscalls/0/errno", "EPERM");
    expect_refused(
        rule(R"("action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])"),
        "/syscalls/0/args/0/index", "0 to 5");
    expect_refused(rule(R"("action": "SCMP_ACT_LOG", "args": [{"index": 1, "value": 1, "op": "=="}])"),
                   "/syscalls/0/args/0/op", "SCMP_CMP_EQ");
    expect_refused(rule(R"("action": "SCMP_ACT_LOG", "includes": {"minKernel": "six"})"), "minKernel",
                   "no kernel's version");
    expect_refused(R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"})", "/listenerPath",
                   "another program");
    expect_refused(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]})",
                   "/architectures", "SCMP_ARCH_X86_64");
}

TEST(Profile, DefaultIsWhatAnEngineRefuses) {
    const Filter filter(policy::default_profile(usual));
    for (const char* call :
         {"mount", "unshare", "setns", "bpf", "reboot", "kexec_load", "settimeofday", "iopl", "keyctl"})
        EXPECT_EQ(filter.says(call), denied(EPERM)) << call;
    EXPECT_EQ(filter.says("clone3"), denied(ENOSYS));
    EXPECT_EQ(filter.says("clone", {0x3D0F00}), allowed) << "a thread";
    for (const std::uint64_t space : {0x20000ull, 0x10000000ull, 0x40000000ull | 17})
        EXPECT_EQ(filter.says("clone", {space}), denied(EPERM)) << "a namespace";
    for (const char* call : {"read", "chroot", "socket", "execve", "futex", "openat"})
        EXPECT_TRUE(filter.always_allows(call)) << call;
    Capabilities admin = usual;
    admin.insert("CAP_SYS_ADMIN");
    const Filter more(policy::default_profile(admin));
    EXPECT_EQ(more.says("mount"), allowed);
    EXPECT_EQ(more.says("clone3"), allowed);
    EXPECT_EQ(more.says("reboot"), denied(EPERM));
}

TEST(Profile, StrictRefusesMore) {
    const Filter usual_one(policy::default_profile(usual)), filter(policy::strict_profile(usual));
    for (const char* call : {"ptrace", "process_vm_readv", "mknod", "io_uring_setup", "mount"})
        EXPECT_EQ(filter.says(call), denied(EPERM)) << call;
    EXPECT_EQ(filter.says("socket", {1, 1}), allowed);
    EXPECT_EQ(filter.says("socket", {2, 1 | 0x80000}), allowed);
    EXPECT_EQ(filter.says("socket", {16, 3}), allowed) << "netlink, as getifaddrs asks";
    EXPECT_EQ(filter.says("socket", {2, 3 | 0x80000}), denied(EPERM)) << "a raw socket";
    EXPECT_EQ(filter.says("socket", {17, 2}), denied(EAFNOSUPPORT)) << "AF_PACKET";
    EXPECT_EQ(filter.says("ioctl", {0, 0x5412}), denied(EPERM));
    EXPECT_EQ(filter.says("ioctl", {0, 0x5413}), allowed);
    for (std::uint32_t number = 0; number < last_call; ++number)
        if (usual_one.says(number) != allowed) {
            EXPECT_EQ(filter.says(number), usual_one.says(number)) << name_of(number);
        }
}

TEST(Recorded, WhatWasSeenIsAProfileThatAllowsJustThat) {
    policy::Recorded recorded;
    recorded.take("syscalls:3");                // read, write
    recorded.take("syscalls:8000000000000001"); // read, and 63: uname
    recorded.take("enosys=213:epoll_ctl_old");  // of something else
    recorded.take("syscalls:3g");
    recorded.take("syscalls:" + std::string(129, 'f'));
    EXPECT_EQ(recorded.size(), 3u);
    const Filter filter(policy::read_profile(recorded.json(), "recorded", usual));
    for (const char* call :
         {"read", "write", "uname", "exit", "exit_group", "rt_sigreturn", "restart_syscall"})
        EXPECT_TRUE(filter.always_allows(call)) << call;
    EXPECT_EQ(filter.says("open"), denied(EPERM));
    EXPECT_EQ(filter.says("clone3"), denied(ENOSYS)) << "beyond what was seen";
}

// Debian's profile of podman and buildah: what it says of every call, beside the one built in.
TEST(Profile, TheOracleIsReadAndDefaultRefusesWhatItRefuses) {
    std::ifstream file("/usr/share/containers/seccomp.json");
    if (!file)
        GTEST_SKIP() << "golang-github-containers-common is not installed";
    std::stringstream text;
    text << file.rdbuf();
    const Filter oracle(policy::read_profile(text.str(), "seccomp.json", usual));
    const Filter ours(policy::default_profile(usual));
    // Which it refuses and other engines, and this one, do not.
    const std::set<std::string> theirs_alone{"io_pgetevents"};
    EXPECT_EQ(oracle.says("read"), allowed);
    EXPECT_EQ(oracle.says("socket", {16, 3, 9}), allowed) << "CAP_AUDIT_WRITE is there";
    EXPECT_EQ(oracle.says("personality", {8}), allowed);
    EXPECT_EQ(oracle.says("personality", {9}), denied(ENOSYS));
    for (std::uint32_t number = 0; number < last_call; ++number) {
        const std::string name = name_of(number);
        if (oracle.says(number) == denied(EPERM) && !theirs_alone.contains(name)) {
            EXPECT_EQ(ours.says(number), denied(EPERM)) << name;
        }
    }
    Capabilities less = usual;
    less.erase("CAP_AUDIT_WRITE");
    const Filter quiet(policy::read_profile(text.str(), "seccomp.json", less));
    EXPECT_EQ(quiet.says("socket", {16, 3, 9}), denied(EINVAL));
    EXPECT_EQ(quiet.says("socket", {16, 3, 0}), allowed);
    EXPECT_EQ(quiet.says("socket", {1, 1, 0}), allowed);
}

} // namespace
