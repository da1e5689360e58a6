// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/random.cpp - the random guest: whatever a generator makes of registers, code and requests.
//
// `random seed=N`: a step is one instruction of random bytes (single-stepped, in ring 0 and ring 3) or one random
// request. Prints  random steps=N  now and then and at the end of each life; lives that end by themselves (a stop, a
// triple fault) are part of it, and the next goes on with other numbers. The second CPU ends a life that hangs.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t report_every = 1000;

std::uint64_t state = 1;
volatile std::uint64_t steps = 0;
volatile bool stepping = false;
volatile unsigned budget = 0;

std::uint64_t random() {
    state += 0x9E3779B97F4A7C15;
    std::uint64_t z = state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

alignas(4096) std::array<std::uint64_t, 512> code;
alignas(4096) std::array<std::uint64_t, 512> data;

void say() {
    base::Text<64> text;
    text << "\nrandom steps=" << steps << '\n';
    guest::print(text);
}

void step() {
    steps = steps + 1;
    if (steps % report_every == 0)
        say();
}

// A value that is sometimes small, sometimes an address, sometimes anything.
std::uint64_t value() {
    const std::uint64_t r = random();
    switch (r % 6) {
    case 0:
        return random() % 256;
    case 1:
        return reinterpret_cast<std::uint64_t>(data.data()) + random() % sizeof data;
    case 2:
        return std::uint64_t{1} << random() % 64;
    case 3:
        return ~(random() % 4096);
    case 4:
        return random() % guest::boot_page().memory_bytes;
    default:
        return random();
    }
}

// Instructions after which nothing comes any more are stepped over: HLT, and what switches stepping or interrupts off.
bool ends_stepping(const std::uint8_t* at) {
    const auto prefix = [](std::uint8_t byte) {
        return byte == 0x66 || byte == 0x67 || byte == 0xF2 || byte == 0xF3 || byte == 0x2E || byte == 0x36 ||
               byte == 0x3E || byte == 0x26 || byte == 0x64 || byte == 0x65 || byte == 0xF0 ||
               (byte & 0xF0) == 0x40;
    };
    unsigned i = 0;
    while (i < 14 && prefix(at[i]))
        ++i;
    switch (at[i]) {
    case 0xF4: // HLT
    case 0x9D: // POPF
    case 0xCF: // IRET
    case 0xFA: // CLI
    case 0x8E: // MOV to a segment register: holds the next #DB back
    case 0x17: // POP SS
        return true;
    case 0x0F: // MOV to a control or debug register, LIDT and its neighbours, WRMSR: done as requests, in measure
        return at[i + 1] == 0x22 || at[i + 1] == 0x23 || at[i + 1] == 0x01 || at[i + 1] == 0x00 ||
               at[i + 1] == 0x30;
    default:
        return false;
    }
}

bool in_code(std::uint64_t rip) {
    const auto base = reinterpret_cast<std::uint64_t>(code.data());
    return rip >= base && rip < base + sizeof code - 32;
}

// #DB after each instruction. False: enough, go back to the loop.
bool on_step(guest::Frame& frame) {
    if (!stepping || frame.vector != 1)
        return false;
    step();
    budget = budget - 1;
    if (budget == 0 || !in_code(frame.rip))
        return false;
    while (in_code(frame.rip) && ends_stepping(reinterpret_cast<const std::uint8_t*>(frame.rip)))
        ++frame.rip;
    if (!in_code(frame.rip))
        return false;
    frame.rflags |= 0x100;
    return true;
}

// Where the next code starts.
std::uint64_t entry = 0;

[[noreturn]] void jump_into_code() {
    // SAFETY: the first #DB or any other exception comes back through exception_of().
    static std::array<std::uint64_t, 12> set;
    for (std::uint64_t& word : set)
        word = value();
    asm volatile(
        "pushfq\n\torq $0x100, (%%rsp)\n\tmovq (%0), %%rax\n\tmovq 8(%0), %%rcx\n\tmovq 16(%0), %%rdx\n\t"
        "movq 24(%0), %%rsi\n\tmovq 32(%0), %%rdi\n\tmovq 40(%0), %%r8\n\tmovq 48(%0), %%r9\n\t"
        "movq 56(%0), %%r10\n\tmovq 64(%0), %%r11\n\tmovq 72(%0), %%r12\n\tpopfq\n\tjmp *%1"
        :
        : "b"(set.data()), "r"(entry)
        : "memory");
    __builtin_unreachable();
}

// As many new bytes as the steps can reach in a row; a jump leads to what was made before.
void random_code(bool ring3) {
    constexpr std::size_t fresh = 32;
    const std::size_t first = random() % (code.size() - 2 * fresh);
    for (std::size_t i = 0; i < fresh; ++i)
        code[first + i] = random();
    entry = reinterpret_cast<std::uint64_t>(&code[first]) + random() % 8;
    budget = 64;
    stepping = true;
    if (ring3)
        guest::exception_of([] { in_ring3([] { jump_into_code(); }); });
    else
        guest::exception_of([] { jump_into_code(); });
    stepping = false;
    step();
}

void random_msr() {
    static constexpr std::array<std::uint32_t, 8> places{0,     0x100,      0x400,      0x800,
                                                         0x800, 0xC0000080, 0xC0010000, 0xDA0};
    std::uint32_t msr = places[random() % places.size()] + static_cast<std::uint32_t>(random() % 64);
    if (random() % 8 == 0)
        msr = static_cast<std::uint32_t>(random());
    // QEMU's main loop would do nothing but a periodic timer of a few nanoseconds, and no CPU would run any more.
    const std::uint64_t v = msr == 0x838 ? value() | 1u << 20 : value();
    // The timer's current count is what QEMU cannot read under icount; an interrupt table for vectors below 32 is ours.
    guest::exception_of([&] {
        if (random() % 2 != 0 || msr == 0x839)
            cpu::wrmsr(msr, v);
        else
            (void)cpu::rdmsr(msr);
    });
}

void random_call() {
    std::uint64_t number = random() % 4 == 0 ? random() : random() % 34;
    if (number == CAISSON_CALL_EXIT)
        number = CAISSON_CALL_AUDIT;
    (void)guest::call(number, value(), value(), value(), value());
}

void random_port() {
    const auto port = static_cast<std::uint16_t>(random());
    const std::uint64_t v = random();
    guest::exception_of([&] {
        switch (v % 6) {
        case 0:
            return (void)cpu::Ports::in8(port);
        case 1:
            return (void)cpu::Ports::in16(port);
        case 2:
            return (void)cpu::Ports::in32(port);
        case 3:
            return cpu::Ports::out8(port, static_cast<std::uint8_t>(v >> 8));
        case 4:
            return cpu::Ports::out16(port, static_cast<std::uint16_t>(v >> 8));
        default:
            return cpu::Ports::out32(port, static_cast<std::uint32_t>(v >> 8));
        }
    });
}

// Control registers. CR0 and CR4 are set for good, whatever becomes of the life: mostly it ends, so they are rare.
void random_control() {
    const std::uint64_t cr0 = cpu::read_cr<0>(), cr4 = cpu::read_cr<4>(), v = value();
    const std::uint64_t what = random() % 256;
    switch (what < 2 ? what : 2 + what % 32) {
    case 0:
        guest::exception_of([=] { cpu::write_cr<0>(cr0 ^ v); });
        cpu::write_cr<0>(cr0);
        break;
    case 1:
        guest::exception_of([=] { cpu::write_cr<4>(cr4 ^ v); });
        cpu::write_cr<4>(cr4);
        break;
    case 2:
        guest::exception_of([=] { asm volatile("mov %0, %%dr7" : : "r"(v & ~std::uint64_t{0xFF})); });
        break;
    case 3:
        guest::exception_of([=] { asm volatile("mov %0, %%cr8" : : "r"(v & 15)); });
        break;
    default:
        guest::exception_of(
            [=] { cpu::xsetbv(static_cast<std::uint32_t>(v % 3), random() % 4 == 0 ? random() : v); });
    }
}

void random_request() {
    switch (random() % 8) {
    case 0:
    case 1:
        random_msr();
        break;
    case 2:
    case 3:
        random_call();
        break;
    case 4:
        random_port();
        break;
    case 5:
        random_control();
        break;
    case 6:
        (void)cpu::cpuid(static_cast<std::uint32_t>(value()), static_cast<std::uint32_t>(value()));
        break;
    default:
        cpu::wbinvd();
        break;
    }
    step();
}

// The second CPU: a life without progress ends by a triple fault.
[[noreturn]] void watch() {
    constexpr unsigned vector = 0x60, seconds = 3;
    const std::uint64_t hz = guest::boot_page().apic_timer_hz;
    guest::start_timer(vector, static_cast<std::uint32_t>(hz != 0 && hz <= UINT32_MAX ? hz : 1'000'000'000));
    for (std::uint64_t last = ~std::uint64_t{0};;) {
        for (unsigned i = 0; i < seconds; ++i)
            asm volatile("sti\n\thlt\n\tcli" : : : "memory");
        if (steps == last) {
            cpu::lidt({0, 0});
            asm volatile("int3");
        }
        last = steps;
    }
}

} // namespace

void run_random(std::string_view options) {
    const auto life =
        static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_GENERATION).value);
    constexpr std::string_view key = "seed=";
    const std::string_view seed = options.starts_with(key) ? options.data() + key.size() : options;
    state = number_in(seed) * 0x100000001B3 + life;
    for (std::uint64_t& word : code)
        word = random();
    if (life == 1)
        guest::print(on_intel() ? "attack table 0 vmx\n"
                                : "attack table 0 svm\n"); // no cases, but the vendor
    guest::step_hook = on_step;
    guest::interrupt_hook = [](unsigned) {};
    guest::start_cpu(1, watch);
    for (;;) {
        const std::uint64_t what = random() % 4;
        if (what == 0)
            random_code(false);
        else if (what == 1)
            random_code(true);
        else
            random_request();
    }
}

} // namespace attack
