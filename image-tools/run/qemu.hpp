// SPDX-License-Identifier: Apache-2.0
// image-tools/run/qemu.hpp - finding a QEMU and its command line for an appliance.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace run {

struct Qemu {
    std::string program;
    unsigned major = 0;
    unsigned minor = 0;
};

// $CAISSON_QEMU, else qemu-system-x86_64 in PATH; 8.2 or newer. Throws E0703 (none, too old) with the apt
// line.
Qemu find_qemu();

// A network card of the machine, on QEMU's user network: the world behind it is this computer.
struct NetworkCard {
    std::string subnet, gateway,
        address; // "192.0.2.0/24", "192.0.2.1", "192.0.2.10"; empty: QEMU's own, by DHCP
    struct Forward {
        bool udp = false;
        std::uint16_t port = 0;   // there, and here, at localhost
        std::uint16_t here = 0;   // another one here; 0: the same
        std::string partition{};  // whose it is,
        std::uint16_t inside = 0; // where it has that number
    };
    std::vector<Forward> forwards{};
};

struct QemuOptions {
    std::filesystem::path elf;
    std::filesystem::path bundle;
    std::string cpu = "max,+svm";
    std::uint32_t cpus = 1;
    std::uint64_t memory = 0; // bytes
    bool icount = false;      // instructions as time: the same run each time
    std::vector<std::string> extra{};
    std::vector<NetworkCard> cards{}; // with a remapping unit that keeps them apart
    bool debug_exit = true;           // the device with which the hypervisor ends QEMU and gives its status
};

// The machine docs/cli.md describes; the serial line is the process's stdout.
std::vector<std::string> command_line(const Qemu& qemu, const QemuOptions& options);

// "QEMU emulator version 10.0.2 (...)" -> true and the numbers.
bool parse_version(const std::string& text, unsigned& major, unsigned& minor);

} // namespace run
