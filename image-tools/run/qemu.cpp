// SPDX-License-Identifier: Apache-2.0
// image-tools/run/qemu.cpp - finding a QEMU and its command line.
#include "image-tools/run/qemu.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/run/process.hpp"

#include <charconv>
#include <cstdlib>

namespace run {
namespace {

constexpr unsigned oldest_major = 8, oldest_minor = 2;
constexpr std::string_view install_help = "sudo apt-get install qemu-system-x86   (8.2 or newer; on Debian "
                                          "12: -t bookworm-backports), or set CAISSON_QEMU";

[[noreturn]] void missing(std::string message) {
    throw diagnostic::fail("E0703", std::move(message)).help(std::string(install_help));
}

} // namespace

bool parse_version(const std::string& text, unsigned& major, unsigned& minor) {
    constexpr std::string_view marker = "version ";
    const std::size_t at = text.find(marker);
    if (at == std::string::npos)
        return false;
    const char* start = text.data() + at + marker.size();
    const char* const end = text.data() + text.size();
    const auto [dot, error] = std::from_chars(start, end, major);
    if (error != std::errc{} || dot == end || *dot != '.')
        return false;
    return std::from_chars(dot + 1, end, minor).ec == std::errc{};
}

Qemu find_qemu() {
    const char* chosen = std::getenv("CAISSON_QEMU");
    const bool named = chosen != nullptr && chosen[0] != '\0';
    Qemu qemu;
    qemu.program = named ? chosen : "qemu-system-x86_64";
    const auto text = output_of({qemu.program, "--version"}, 65536, std::chrono::seconds(20));
    if (!text)
        missing(named ? "CAISSON_QEMU names " + qemu.program + ", which cannot be run"
                      : "no QEMU found: there is no " + qemu.program);
    if (!parse_version(*text, qemu.major, qemu.minor))
        missing(qemu.program + " is not a QEMU");
    if (qemu.major < oldest_major || (qemu.major == oldest_major && qemu.minor < oldest_minor))
        missing(qemu.program + " is version " + std::to_string(qemu.major) + "." +
                std::to_string(qemu.minor) + "; 8.2 or newer is needed");
    return qemu;
}

namespace {

// One card of the model that containers have a driver for, and its network.
void add_card(const NetworkCard& card, std::size_t number, std::vector<std::string>& out) {
    const std::string id = "caisson" + std::to_string(number);
    std::string network = "user,id=" + id;
    if (!card.subnet.empty())
        network += ",net=" + card.subnet;
    if (!card.gateway.empty())
        network += ",host=" + card.gateway;
    for (const NetworkCard::Forward& forward : card.forwards) {
        const std::uint16_t here = forward.here != 0 ? forward.here : forward.port;
        network += std::string(",hostfwd=") + (forward.udp ? "udp" : "tcp") +
                   ":127.0.0.1:" + std::to_string(here) + "-" + card.address + ":" +
                   std::to_string(forward.port);
    }
    // Every second slot: its virtual functions take others.
    const std::size_t slot = 2 * (number + 1);
    out.insert(out.end(), {"-netdev", std::move(network), "-device",
                           "igb,addr=" + std::to_string(slot) + ",netdev=" + id});
}

} // namespace

std::vector<std::string> command_line(const Qemu& qemu, const QemuOptions& options) {
    std::vector<std::string> out{qemu.program, "-M", "q35", "-cpu", options.cpu};
    if (options.icount) {
        for (const char* word : {"-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc",
                                 "clock=vm,base=2026-01-01"})
            out.emplace_back(word);
    } else {
        out.insert(out.end(), {"-accel", "tcg"});
    }
    const std::uint64_t mebibytes = (options.memory + (1 << 20) - 1) >> 20;
    out.insert(out.end(), {"-smp", std::to_string(options.cpus), "-m", std::to_string(mebibytes) + "M"});
    for (const char* word : {"-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"})
        out.emplace_back(word);
    if (options.debug_exit)
        out.insert(out.end(), {"-device", "isa-debug-exit,iobase=0xf4,iosize=4"});
    if (!options.cards.empty())
        out.insert(out.end(), {"-device", "intel-iommu,intremap=on,eim=on"});
    for (std::size_t i = 0; i < options.cards.size(); ++i)
        add_card(options.cards[i], i, out);
    out.insert(out.end(), {"-kernel", options.elf.string(), "-initrd", options.bundle.string()});
    out.insert(out.end(), options.extra.begin(), options.extra.end());
    return out;
}

} // namespace run
