// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/qmp.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace prove {
namespace {

constexpr std::uint64_t chunk_bytes = 2 << 20;
constexpr std::size_t most_kept = 256; // chunks
constexpr int patience_ms = 60'000;

[[noreturn]] void failed(const std::string& what) {
    throw diagnostic::fail("E0907", "QEMU's machine protocol: " + what);
}

std::uint64_t hex_after(std::string_view text, std::string_view key) {
    std::size_t at = text.find(key);
    if (at == std::string_view::npos)
        return 0;
    at += key.size();
    while (at < text.size() && text[at] == ' ')
        ++at;
    std::uint64_t value = 0;
    std::from_chars(text.data() + at, text.data() + text.size(), value, 16);
    return value;
}

} // namespace

std::vector<CpuRegisters> parse_registers(const std::string& text) {
    std::vector<CpuRegisters> out;
    for (std::size_t at = text.find("CPU#"); at != std::string::npos;) {
        const std::size_t next = text.find("CPU#", at + 4);
        const std::string_view one = std::string_view(text).substr(at, next - at);
        out.push_back({hex_after(one, "RIP="), hex_after(one, "CR3="), hex_after(one, "GDT=")});
        at = next;
    }
    return out;
}

std::vector<std::string> Qmp::arguments(const std::filesystem::path& folder) {
    return {"-qmp", "unix:" + (folder / "qmp").string() + ",server=on,wait=off", "-no-shutdown"};
}

std::vector<PciFunction> parse_functions(const nlohmann::json& buses) {
    using nlohmann::json;
    std::vector<PciFunction> out;
    const auto number = [](const json& from, const char* key) {
        return from.is_object() && from.contains(key) && from[key].is_number_unsigned()
                   ? from[key].get<std::uint64_t>()
                   : 0;
    };
    const auto list = [](const json& from, const char* key) {
        return from.is_object() && from.contains(key) && from[key].is_array() ? from[key] : json::array();
    };
    for (const json& bus : buses.is_array() ? buses : json::array())
        for (const json& one : list(bus, "devices")) {
            PciFunction function;
            function.requester = static_cast<std::uint16_t>(
                number(one, "bus") << 8 | number(one, "slot") << 3 | number(one, "function"));
            const json id = one.value("id", json::object());
            function.vendor = static_cast<std::uint16_t>(number(id, "vendor"));
            function.device = static_cast<std::uint16_t>(number(id, "device"));
            for (const json& region : list(one, "regions"))
                if (const std::uint64_t bar = number(region, "bar");
                    bar < function.bars.size() && region.value("type", std::string()) == "memory")
                    function.bars[bar] = {number(region, "address"), number(region, "size")};
            out.push_back(function);
            if (one.contains("pci_bridge"))
                for (const PciFunction& below : parse_functions(json::array({one["pci_bridge"]})))
                    out.push_back(below);
        }
    return out;
}

Qmp::Qmp(const std::filesystem::path& folder) : folder_(folder) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (folder / "qmp").string();
    if (path.size() >= sizeof address.sun_path)
        failed("the path of its socket is too long: " + path);
    path.copy(address.sun_path, path.size());
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (socket_ < 0 || ::connect(socket_, generic, sizeof address) != 0) {
        const int error = errno;
        ::close(socket_);
        failed(std::string("cannot connect: ") + std::strerror(error));
    }
    try {
        line(); // the greeting
        command("qmp_capabilities");
    } catch (...) {
        ::close(socket_);
        throw;
    }
}

Qmp::~Qmp() {
    ::close(socket_);
}

std::string Qmp::line() {
    for (;;) {
        if (const std::size_t end = buffered_.find('\n'); end != std::string::npos) {
            std::string out = buffered_.substr(0, end);
            buffered_.erase(0, end + 1);
            return out;
        }
        pollfd wait{socket_, POLLIN, 0};
        if (::poll(&wait, 1, patience_ms) <= 0)
            failed("no answer");
        std::array<char, 65536> buffer{};
        const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (got <= 0)
            failed("the machine ended");
        buffered_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

nlohmann::json Qmp::command(const std::string& name, const nlohmann::json& arguments) {
    nlohmann::json request{{"execute", name}};
    if (!arguments.empty())
        request["arguments"] = arguments;
    const std::string text = request.dump() + "\n";
    if (::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        failed("the machine ended");
    for (;;) {
        const auto answer = nlohmann::json::parse(line(), nullptr, false);
        if (!answer.is_object() || answer.contains("event"))
            continue;
        if (answer.contains("error"))
            failed(name + ": " + answer["error"].value("desc", "refused"));
        return answer.value("return", nlohmann::json());
    }
}

void Qmp::stop() {
    command("stop");
}

void Qmp::go_on() {
    chunks_.clear();
    command("cont");
}

void Qmp::quit() {
    command("quit");
}

std::vector<CpuRegisters> Qmp::registers() {
    const auto answer = command("human-monitor-command", {{"command-line", "info registers -a"}});
    return parse_registers(answer.is_string() ? answer.get<std::string>() : std::string());
}

std::vector<PciFunction> Qmp::functions() {
    return parse_functions(command("query-pci"));
}

const std::vector<std::byte>& Qmp::chunk(const Range& range) {
    if (const auto known = chunks_.find(range.base); known != chunks_.end())
        return known->second;
    if (chunks_.size() >= most_kept)
        chunks_.clear();
    const std::filesystem::path file = folder_ / "memory";
    command("pmemsave", {{"val", range.base}, {"size", range.bytes}, {"filename", file.string()}});
    const std::string bytes = files::read_file(file, range.bytes);
    if (bytes.size() != range.bytes)
        failed("pmemsave wrote " + std::to_string(bytes.size()) + " bytes");
    std::vector<std::byte>& out = chunks_[range.base];
    out.resize(bytes.size());
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}

bool Qmp::read(std::uint64_t address, std::span<std::byte> to) {
    while (!to.empty()) {
        const auto usable = std::find_if(usable_.begin(), usable_.end(),
                                         [&](const Range& range) { return range.holds(address); });
        if (usable == usable_.end())
            return false;
        const std::uint64_t first = std::max(address / chunk_bytes * chunk_bytes, usable->base);
        const std::uint64_t end = std::min(address / chunk_bytes * chunk_bytes + chunk_bytes, usable->end());
        const std::vector<std::byte>& bytes = chunk({first, end - first});
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), end - address));
        std::memcpy(to.data(), bytes.data() + (address - first), length);
        to = to.subspan(length);
        address += length;
    }
    return true;
}

} // namespace prove
