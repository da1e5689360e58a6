// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/qmp.hpp - a running QEMU by its machine protocol: stop, go on, registers, physical memory.
//
// Memory goes through a file in a private folder, 2 MiB at a time; what was read is kept until the machine goes on.
// Spec: QEMU's "QMP Reference Manual" (pmemsave, human-monitor-command).
#pragma once

#include "image-tools/prove/live.hpp"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace prove {

class Qmp final : public PhysicalMemory {
public:
    // Connects to the socket QEMU made in `folder`. Throws E0906 when it does not answer.
    explicit Qmp(const std::filesystem::path& folder);
    Qmp(const Qmp&) = delete;
    Qmp& operator=(const Qmp&) = delete;
    ~Qmp() override;

    // QEMU's arguments for it.
    static std::vector<std::string> arguments(const std::filesystem::path& folder);

    void stop();
    void go_on(); // forgets what was read
    void quit();
    [[nodiscard]] std::vector<CpuRegisters> registers();
    [[nodiscard]] std::vector<PciFunction> functions();

    // Only this is memory.
    void set_memory(std::vector<Range> usable) { usable_ = std::move(usable); }
    [[nodiscard]] bool read(std::uint64_t address, std::span<std::byte> to) override;

private:
    nlohmann::json command(const std::string& name,
                           const nlohmann::json& arguments = nlohmann::json::object());
    std::string line();
    const std::vector<std::byte>& chunk(const Range& range);

    std::filesystem::path folder_;
    int socket_ = -1;
    std::string buffered_;
    std::vector<Range> usable_;
    std::map<std::uint64_t, std::vector<std::byte>> chunks_;
};

// What `query-pci` answers. Behind bridges too.
std::vector<PciFunction> parse_functions(const nlohmann::json& buses);

// `info registers -a` as text.
std::vector<CpuRegisters> parse_registers(const std::string& text);

} // namespace prove
