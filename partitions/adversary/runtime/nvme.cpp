// SPDX-License-Identifier: Apache-2.0
#include "partitions/adversary/runtime/nvme.hpp"

namespace guest {

Nvme::Queues Nvme::queues_{};

namespace {

constexpr std::uint32_t configuration = 0x14, status = 0x1c, queue_sizes = 0x24, submission_base = 0x28,
                        completion_base = 0x30, submission_doorbell = 0x1000, completion_doorbell = 0x1004;
// How often a register is looked at: longer than any controller takes, under every emulator.
constexpr unsigned patience = 20'000'000;

volatile std::uint32_t* first_message(const caisson_device& device) {
    const std::uint32_t place = device.msix_table;
    return reinterpret_cast<volatile std::uint32_t*>(device.bars[place & 7].gpa + (place & ~7u));
}

} // namespace

bool Nvme::is_fresh(const caisson_device& device) {
    Nvme controller;
    controller.base_ = registers(device);
    const volatile std::uint32_t* const message = first_message(device);
    return (controller.at(configuration) & 1) == 0 && (controller.at(status) & 1) == 0 && message[0] == 0 &&
           message[2] == 0 && (message[3] & 1) != 0;
}

bool Nvme::wait_ready(bool ready) const {
    for (unsigned i = 0; i < patience; ++i) {
        if ((at(status) & 1) == (ready ? 1u : 0u))
            return true;
        cpu::pause();
    }
    return false;
}

// `queues`: where the controller is told that its queues lie; 0: where they do.
bool Nvme::start(const caisson_device& device, std::uint64_t queues) {
    base_ = registers(device);
    tail_ = head_ = 0;
    phase_ = 1;
    queues_ = {};
    message_ = first_message(device);
    set_message(device.message_address, device.message_data);
    at(configuration) = 0;
    if (!wait_ready(false))
        return false;
    at(queue_sizes) = (entries - 1) << 16 | (entries - 1);
    write64(submission_base,
            queues != 0 ? queues : reinterpret_cast<std::uint64_t>(queues_.submission.data()));
    write64(completion_base,
            queues != 0 ? queues + 4096 : reinterpret_cast<std::uint64_t>(queues_.completion.data()));
    at(configuration) = 6u << 16 | 4u << 20 | 1; // entries of 64 and 16 bytes, enabled
    return wait_ready(true);
}

void Nvme::set_message(std::uint64_t address, std::uint32_t data) const {
    message_[3] = 1; // masked
    message_[0] = static_cast<std::uint32_t>(address);
    message_[1] = static_cast<std::uint32_t>(address >> 32);
    message_[2] = data;
    message_[3] = 0;
}

void Nvme::send_identify(std::uint64_t where) {
    constexpr std::uint32_t opcode = 6, controller = 1;
    Command command;
    command.words[0] = opcode | tail_ << 16;
    command.words[6] = static_cast<std::uint32_t>(where);
    command.words[7] = static_cast<std::uint32_t>(where >> 32);
    command.words[10] = controller;
    queues_.submission[tail_] = command;
    tail_ = (tail_ + 1) % entries;
    asm volatile("" : : : "memory");
    at(submission_doorbell) = tail_;
}

unsigned Nvme::identify(std::uint64_t where, unsigned looks) {
    send_identify(where);
    for (unsigned i = 0; i < looks; ++i) {
        const std::uint32_t word = queues_.completion[head_].words[3];
        if ((word >> 16 & 1) == phase_) {
            head_ = (head_ + 1) % entries;
            phase_ ^= head_ == 0 ? 1u : 0u;
            at(completion_doorbell) = head_;
            return word >> 17;
        }
        cpu::pause();
    }
    return no_answer;
}

} // namespace guest
