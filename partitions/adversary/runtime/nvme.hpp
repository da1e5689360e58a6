// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runtime/nvme.hpp - an NVMe controller as a means to reach memory: one admin queue, and Identify, which writes
// 4 KiB wherever it is told to.
// Spec: NVM Express Base 2.0: 3.1.3 "Controller Registers", 4.1 "Submission Queue Entry", 5.17 "Identify command";
// PCI Local Bus 3.0 section 6.8.2 "MSI-X".
#pragma once

#include "partitions/adversary/runtime/guest.hpp"

#include <array>

namespace guest {

class Nvme {
public:
    // False: it does not get ready. Interrupts by entry 0 of MSI-X.
    [[nodiscard]] bool start(const caisson_device& device, std::uint64_t queues = 0);
    // Identify Controller into `where`; the status field of its completion (0: done), or no_answer after so many looks.
    static constexpr unsigned no_answer = 0xffff;
    [[nodiscard]] unsigned identify(std::uint64_t where, unsigned looks = 20'000'000);
    // Sends it without waiting.
    void send_identify(std::uint64_t where);
    // What the controller writes when it has done something.
    void set_message(std::uint64_t address, std::uint32_t data) const;
    // It is off, and its first message is masked and goes nowhere. (QEMU's keeps where its queues were.)
    [[nodiscard]] static bool is_fresh(const caisson_device& device);
    [[nodiscard]] static std::uint64_t registers(const caisson_device& device) { return device.bars[0].gpa; }

private:
    static constexpr std::uint32_t entries = 8;
    struct Command {
        std::array<std::uint32_t, 16> words{};
    };
    struct Completion {
        std::array<volatile std::uint32_t, 4> words{};
    };
    struct alignas(4096) Queues {
        alignas(4096) std::array<Command, entries> submission;
        alignas(4096) std::array<Completion, entries> completion;
    };
    [[nodiscard]] bool wait_ready(bool ready) const;
    [[nodiscard]] volatile std::uint32_t& at(std::uint32_t offset) const {
        return *reinterpret_cast<volatile std::uint32_t*>(base_ + offset);
    }
    void write64(std::uint32_t offset, std::uint64_t value) const {
        at(offset) = static_cast<std::uint32_t>(value);
        at(offset + 4) = static_cast<std::uint32_t>(value >> 32);
    }

    static Queues queues_;
    std::uint64_t base_ = 0;
    volatile std::uint32_t* message_ = nullptr; // MSI-X entry 0
    std::uint32_t tail_ = 0, head_ = 0, phase_ = 1;
};

} // namespace guest
