// SPDX-License-Identifier: Apache-2.0
// drivers/tpm/interface.hpp - carries one command to a TPM and its response back: the FIFO interface (TIS) and the Command Response
// Buffer (CRB), both in locality 0.
//
// Every wait has a deadline. A TPM that does not answer in time is told to stop and counts as broken: nobody asks it again.
// Trust:      all that registers say is the device's.
// Spec:       TCG PC Client Platform TPM Profile 1.05: 6.4 (interfaces), 6.5.2 (FIFO), 6.5.3 (CRB), 6.5.1.4 (time-outs).
#pragma once

#include "drivers/seams.hpp"
#include "drivers/tpm/command.hpp"

#include <concepts>

namespace drivers::tpm {

inline constexpr std::uint64_t locality_0 = 0xFED4'0000, locality_bytes = 0x1000;

// A wait of so many milliseconds, begun when it is made.
template <typename T>
concept Waits = requires(const T make) {
    { make(std::uint64_t{1}).passed() } -> std::same_as<bool>;
};

// TIMEOUT_A to TIMEOUT_D are at most 2 s; a command that hashes a thousand bytes has 750 ms (CRB: up to the vendor), a first
// self-test on the way a few seconds.
inline constexpr std::uint64_t register_ms = 2'000, command_ms = 10'000;

template <PortAndMemoryIo Io, Waits MakeDeadline> class Interface {
public:
    // `control`: where ACPI says that the CRB's control area lies (its request register), or 0.
    Interface(Io io, MakeDeadline deadline, std::uint64_t control) : io_(io), deadline_(deadline) {
        if (control != 0 && control != locality_0 + crb_request) {
            crb_ = true;
            control_ = control;
            with_locality_ = false;
        } else {
            // Both interfaces have this register; FIFO before 1.3 reads as all ones.
            crb_ = (io_.load32(locality_0 + interface_id) & 0xF) == 1;
            control_ = locality_0 + crb_request;
        }
    }

    // The response, whole; empty: it did not answer, or not as the interface wants.
    [[nodiscard]] Response exchange(std::span<const std::uint8_t> command) {
        return crb_ ? exchange_buffer(command) : exchange_fifo(command);
    }
    [[nodiscard]] bool is_crb() const { return crb_; }

private:
    // FIFO registers
    static constexpr std::uint64_t access = 0x00, status = 0x18, burst = 0x19, data = 0x24,
                                   interface_id = 0x30;
    static constexpr std::uint8_t access_valid = 0x80, active = 0x20, request_use = 0x02;
    static constexpr std::uint8_t status_valid = 0x80, command_ready = 0x40, go = 0x20, data_available = 0x10,
                                  expect = 0x08;
    // CRB registers: of the locality, then of the control area
    static constexpr std::uint64_t locality_state = 0x00, locality_control = 0x08, crb_request = 0x40;
    static constexpr std::uint32_t assigned = 1u << 1, state_valid = 1u << 7, request_access = 1;
    static constexpr std::uint64_t control_status = 0x04, cancel = 0x08, start = 0x0C, command_size = 0x18,
                                   command_at = 0x1C, response_at = 0x28;
    static constexpr std::uint32_t ready = 1, idle = 2, error = 1;

    template <typename Condition> [[nodiscard]] bool until(std::uint64_t milliseconds, Condition holds) {
        auto deadline = deadline_(milliseconds);
        while (!holds())
            if (deadline.passed())
                return holds();
        return true;
    }

    Response exchange_fifo(std::span<const std::uint8_t> command) {
        const auto reg = [](std::uint64_t offset) { return locality_0 + offset; };
        const auto has = [&](std::uint64_t offset, std::uint8_t bits) {
            return (io_.load8(reg(offset)) & bits) == bits;
        };
        io_.store8(reg(access), request_use);
        if (!until(register_ms, [&] { return has(access, access_valid | active); }))
            return {};
        io_.store8(reg(status), command_ready);
        if (!until(register_ms, [&] { return has(status, command_ready); }))
            return {};
        for (const std::uint8_t byte : command) {
            if (!until(register_ms, [&] { return burst_count() != 0; }))
                return {};
            io_.store8(reg(data), byte);
        }
        if (!until(register_ms, [&] { return has(status, status_valid); }) || has(status, expect))
            return {};
        io_.store8(reg(status), go);
        Response out;
        if (until(command_ms, [&] { return has(status, status_valid | data_available); })) {
            std::size_t bytes = header_bytes;
            while (out.size() < bytes) {
                if (!until(register_ms, [&] { return burst_count() != 0; }) || !has(status, data_available)) {
                    out.clear();
                    break;
                }
                (void)out.push_back(io_.load8(reg(data)));
                if (out.size() == header_bytes)
                    bytes = response_bytes(out.view());
            }
        }
        io_.store8(reg(status), command_ready); // to idle; ends a command that still runs
        io_.store8(reg(access), active);        // gives the locality back
        return out;
    }

    // How many bytes may be moved without waiting; read in two, since a device may change it between.
    std::uint32_t burst_count() {
        const std::uint32_t low = io_.load8(locality_0 + burst);
        return low | std::uint32_t{io_.load8(locality_0 + burst + 1)} << 8;
    }

    // What the response's header says that it has, as far as there is room.
    static std::size_t response_bytes(std::span<const std::uint8_t> response) {
        response = response.subspan(2);
        const std::size_t bytes = take<std::uint32_t>(response).value_or(0);
        return bytes < header_bytes || bytes > Response::capacity() ? 0 : bytes;
    }

    Response exchange_buffer(std::span<const std::uint8_t> command) {
        if (with_locality_) {
            io_.store32(locality_0 + locality_control, request_access);
            if (!until(register_ms, [&] {
                    const std::uint32_t state = io_.load32(locality_0 + locality_state);
                    return (state & (assigned | state_valid)) == (assigned | state_valid);
                }))
                return {};
        }
        io_.store32(control_, ready);
        if (!until(register_ms, [&] { return (io_.load32(control_) & ready) == 0; }) || failed())
            return {};
        const std::uint64_t to = address(command_at), from = address(response_at);
        if (command.size() > io_.load32(control_ + command_size) || !in_reach(to) || !in_reach(from))
            return {};
        for (std::size_t i = 0; i < command.size(); ++i)
            io_.store8(to + i, command[i]);
        io_.store32(control_ + start, 1);
        Response out;
        if (until(command_ms, [&] { return (io_.load32(control_ + start) & 1) == 0; }) && !failed()) {
            std::size_t bytes = header_bytes;
            for (std::size_t i = 0; i < bytes; ++i) {
                (void)out.push_back(io_.load8(from + i));
                if (out.size() == header_bytes)
                    bytes = response_bytes(out.view());
            }
            if (bytes == 0)
                out.clear();
        } else {
            io_.store32(control_ + cancel, 1);
        }
        io_.store32(control_, idle);
        return out;
    }

    [[nodiscard]] bool failed() { return (io_.load32(control_ + control_status) & error) != 0; }
    [[nodiscard]] std::uint64_t address(std::uint64_t offset) {
        return io_.load32(control_ + offset) | std::uint64_t{io_.load32(control_ + offset + 4)} << 32;
    }
    // The buffers lie with the control area: what points elsewhere is not followed.
    [[nodiscard]] bool in_reach(std::uint64_t buffer) const {
        const std::uint64_t page = control_ & ~(locality_bytes - 1);
        return buffer >= page && buffer + Response::capacity() <= page + locality_bytes;
    }

    Io io_;
    MakeDeadline deadline_;
    bool crb_ = false, with_locality_ = true;
    std::uint64_t control_ = 0;
};

} // namespace drivers::tpm
