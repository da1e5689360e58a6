// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/single.cpp - attacks that take a whole boot, chosen by the command line (`cmdline: ports`).
//
// Each attack prints what it achieved as `attack NAME: KEY=VALUE ...` and ends with status 0 if the
// hypervisor refused everything and let it live, 1 if something was granted that must not be. Attacks that
// must be stopped never return. The verdict and the audit record that each must leave are in
// qemu-tests/cases.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace {

using guest::exception_of;
using guest::no_exception;
constexpr unsigned vector_ud = 6;
constexpr unsigned vector_gp = 13;

// --- must be stopped
// -------------------------------------------------------------------------------------------

void triple_fault() {
    cpu::lidt({0, 0});
    asm volatile("int3");
}

// Guest-physical addresses outside every own region: ours is identity-mapped below 4 GiB.
void touch(std::uint64_t address, bool write) {
    auto* p = reinterpret_cast<volatile std::uint32_t*>(address);
    if (write)
        *p = 0xBADC0DE;
    else
        (void)*p;
}

void write_root_image() {
    touch(CAISSON_GPA_ROOT, true);
}
void read_outside() {
    touch(0xF0000000, false);
}
void write_outside() {
    touch(0xF0000000, true);
}
void read_local_apic() {
    touch(0xFEE00020, false);
}
void execute_outside() {
    reinterpret_cast<void (*)()>(std::uint64_t{0xF0000000})();
}

void invalid_state() {
    const std::uint64_t cr4 = cpu::read_cr<4>();
    cpu::write_cr<4>(cr4 | std::uint64_t{1} << 23 | std::uint64_t{1} << 31); // CET and a reserved bit
}

// The other CPU spins with interrupts off: only the hypervisor's kick can take it out of guest mode.
void fault_while_other_spins() {
    guest::start_cpu(1, [] {
        for (;;)
            cpu::pause();
    });
    for (unsigned i = 0; i < 1'000'000; ++i)
        cpu::pause();
    triple_fault();
}

// --- must be refused, and the guest lives
// ------------------------------------------------------------------------

struct Tally {
    unsigned tried = 0, granted = 0;
};

void report(const char* name, Tally tally) {
    base::Text<96> text;
    text << "attack " << name << ": tried=" << tally.tried << " granted=" << tally.granted << '\n';
    guest::print(text);
    guest::exit(tally.granted == 0 ? 0 : 1);
}

void ports() {
    // fw_cfg, SMI command, PCI configuration, reset, system control, keyboard, CMOS, PM1, debug exit, a UART
    // that is not ours, DMA, VMware's, ACPI GPE.
    constexpr std::array<std::uint16_t, 22> list{0x510, 0x511, 0x514, 0xB2,   0xB3, 0xCF8, 0xCFC, 0xCF9,
                                                 0x92,  0x64,  0x60,  0x70,   0x71, 0x600, 0x604, 0x620,
                                                 0xF4,  0x2F8, 0x00,  0x5658, 0xE9, 0x402};
    Tally tally;
    for (std::uint16_t port : list) {
        ++tally.tried;
        std::uint32_t seen = 0xFFFFFFFF;
        exception_of([&] { seen = cpu::Ports::in32(port); });
        if (seen != 0xFFFFFFFF)
            ++tally.granted;
        std::uint8_t low = 0xFF;
        exception_of([&] { low = cpu::Ports::in8(port); });
        if (low != 0xFF)
            ++tally.granted;
        exception_of([&] { cpu::Ports::out8(port, 0x06); });
        exception_of([&] { cpu::Ports::out32(port, 0x2000); });
    }
    // String I/O is refused with an exception.
    std::uint8_t buffer = 0x55;
    ++tally.tried;
    exception_of([&] {
        void* to = &buffer;
        asm volatile("insb" : "+D"(to) : "d"(std::uint16_t{0x71}) : "memory");
    });
    if (buffer != 0x55)
        ++tally.granted;
    report("ports", tally);
}

void msrs() {
    struct Attempt {
        std::uint32_t msr;
        std::uint64_t value;
    };
    // VM_CR, VM_HSAVE_PA, SMM base/mask, SYSCFG, TOP_MEM, HWCR, EFER.SVME, APIC base away, debug and trace
    // controls, MTRRs, microcode, machine checks, TSC, extended LVTs, an LVT with delivery mode SMI, an ICR
    // with SMI.
    constexpr std::array<Attempt, 22> writes{{{0xC0010114, 0}, {0xC0010117, 0x1000}, {0xC0010111, 0x1000},
                                              {0xC0010112, 0}, {0xC0010113, 0},      {0xC0010010, 0},
                                              {0xC001001A, 0}, {0xC0010015, 0},      {0x1B, 0xFED00C00},
                                              {0x1B, 0},       {0x1D9, 1},           {0x570, 1},
                                              {0x2FF, 0},      {0x200, 6},           {0x79, 0},
                                              {0x8B, 0},       {0x402, 0},           {0x10, 0},
                                              {0x840, 0x200},  {0x837, 0x200},       {0x835, 0x500},
                                              {0x830, 0x200}}};
    constexpr std::array<std::uint32_t, 9> reads{0xC0010117, 0xC0010114, 0xC0010111, 0xC001001A, 0x200,
                                                 0x570,      0x3A,       0x480,      0x401};
    Tally tally;
    for (const Attempt& attempt : writes) {
        ++tally.tried;
        if (exception_of([&] { cpu::wrmsr(attempt.msr, attempt.value); }) == no_exception) {
            ++tally.granted;
            base::Text<64> text;
            text << "granted: wrmsr " << base::hex(attempt.msr) << '\n';
            guest::print(text);
        }
    }
    for (std::uint32_t msr : reads) {
        ++tally.tried;
        if (exception_of([&] { (void)cpu::rdmsr(msr); }) == no_exception) {
            ++tally.granted;
            base::Text<64> text;
            text << "granted: rdmsr " << base::hex(msr) << '\n';
            guest::print(text);
        }
    }
    // EFER.SVME must neither be seen nor be settable.
    constexpr std::uint32_t efer = 0xC0000080;
    constexpr std::uint64_t svme = 1u << 12;
    ++tally.tried;
    exception_of([&] { cpu::wrmsr(efer, cpu::rdmsr(efer) | svme); });
    if ((cpu::rdmsr(efer) & svme) != 0)
        ++tally.granted;
    report("msrs", tally);
}

void instructions() {
    Tally tally;
    const auto expect_ud = [&](auto action) {
        ++tally.tried;
        if (exception_of(action) != vector_ud)
            ++tally.granted;
    };
    expect_ud([] { asm volatile("vmrun %%rax" : : "a"(0x100000) : "memory"); });
    expect_ud([] { asm volatile("vmload %%rax" : : "a"(0x100000) : "memory"); });
    expect_ud([] { asm volatile("vmsave %%rax" : : "a"(0x100000) : "memory"); });
    expect_ud([] { asm volatile("clgi" : : : "memory"); });
    expect_ud([] { asm volatile("stgi" : : : "memory"); });
    expect_ud([] { asm volatile("invlpga %%rax, %%ecx" : : "a"(0), "c"(0) : "memory"); });
    expect_ud([] { asm volatile("skinit %%eax" : : "a"(0x100000) : "memory"); });
    expect_ud([] { asm volatile("monitor" : : "a"(0x100000), "c"(0), "d"(0) : "memory"); });
    expect_ud([] { asm volatile("mwait" : : "a"(0), "c"(0) : "memory"); });
    // XCR0 with a reserved bit, and without x87.
    constexpr std::uint64_t cr4_osxsave = std::uint64_t{1} << 18;
    if ((cpu::cpuid(1).ecx & 1u << 26) != 0) {
        cpu::write_cr<4>(cpu::read_cr<4>() | cr4_osxsave);
        for (std::uint64_t value : {std::uint64_t{1} << 62 | 1, std::uint64_t{2}, std::uint64_t{0}}) {
            ++tally.tried;
            if (exception_of([&] { cpu::xsetbv(0, value); }) != vector_gp)
                ++tally.granted;
        }
    }
    exception_of([] { cpu::wbinvd(); });
    exception_of([] { asm volatile("invd" : : : "memory"); });
    report("instructions", tally);
}

void hypercalls() {
    Tally tally;
    const auto expect_error = [&](std::uint64_t number, std::uint64_t rdi, std::uint64_t rsi) {
        ++tally.tried;
        if (guest::call(number, rdi, rsi).value >= 0) {
            ++tally.granted;
            base::Text<96> text;
            text << "granted: call " << number << ' ' << base::hex(rdi) << ' ' << base::hex(rsi) << '\n';
            guest::print(text);
        }
    };
    expect_error(CAISSON_CALL_CONSOLE_WRITE, 0xF0000000, 16);
    expect_error(CAISSON_CALL_CONSOLE_WRITE, 0x100000, 0xFFFFFFFFFFFFFFFF);
    expect_error(CAISSON_CALL_CONSOLE_WRITE, 0xFFFFFFFFFFFFFFF0, 0x20);
    expect_error(CAISSON_CALL_CONSOLE_WRITE, guest::boot_page().memory_bytes - 8, 16);
    expect_error(CAISSON_CALL_CONSOLE_WRITE, 0x100000, 4097);
    expect_error(CAISSON_CALL_CONSOLE_PUT, 0, 9);
    expect_error(CAISSON_CALL_AUDIT, 0x100000, 257);
    expect_error(CAISSON_CALL_AUDIT, 0xF0000000, 8);
    expect_error(CAISSON_CALL_CLOCK, 99, 0);
    expect_error(CAISSON_CALL_COUNTER, 99, 0);
    for (std::uint64_t number : {9ull, 15ull, 16ull, 31ull, 255ull, 0xFFFFFFFFull, ~0ull, 1ull << 63})
        expect_error(number, 0, 0);
    report("hypercalls", tally);
}

// Keeps its CPU busy with refused calls; the neighbours must not notice.
void hypercall_flood() {
    for (unsigned i = 0; i < 100'000; ++i)
        guest::call(200 + (i & 7), i, i);
    guest::print("attack hypercall-flood: done\n");
}

// Tries to open, close and forge frames and to look like a neighbour on a terminal.
void forge() {
    guest::print("calm      | I am the neighbour\n");
    guest::print("\x1e"
                 "o\x1f"
                 "7\x1f"
                 "0\x1f"
                 "1\x1f forged\n");
    guest::print("\n\x1e"
                 "x\x1f"
                 "8\x1f"
                 "0\x1f"
                 "1\x1fpartition=calm generation=1 status=0 reason=exit detail=none exits=0 refusals=0 "
                 "dropped=0 last=1\n");
    guest::print("\x1e"
                 "e\x1f"
                 "9\x1fhv\x1f"
                 "0\x1freason=all-stopped action=poweroff\n");
    guest::print("\x1b[2J\x1b[1;1H\x1b]0;owned\x07 escape\n");
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        guest::print({&c, 1});
    }
    guest::print("\nattack forge: done\n");
}

// An audit text must not be able to open a record of its own.
void forge_audit() {
    static const char text[] = "ok event=start seq=1\n\x1e"
                               "a\x1f"
                               "9\x1fhv\x1f"
                               "0\x1f event=forged\n";
    guest::call(CAISSON_CALL_AUDIT, reinterpret_cast<std::uint64_t>(text), sizeof text - 1);
    for (unsigned i = 0; i < 10'000; ++i)
        guest::call(CAISSON_CALL_AUDIT, reinterpret_cast<std::uint64_t>(text), 2);
    guest::print("attack forge-audit: done\n");
}

// IPIs to CPUs that are not ours: physical, logical, shorthands, INIT, NMI; none may arrive anywhere.
void ipis() {
    constexpr std::uint32_t icr = 0x830;
    Tally tally;
    for (std::uint64_t destination = 0; destination < 16; ++destination)
        for (std::uint64_t low :
             {0x4030ull, 0x4400ull, 0x4500ull, 0x4608ull, 0x4200ull, 0x4830ull, 0x4005ull}) {
            if (destination == 0)
                continue; // ourselves: the guest's IDs start at 0
            ++tally.tried;
            exception_of([&] { cpu::wrmsr(icr, destination << 32 | low); });
        }
    exception_of([&] { cpu::wrmsr(icr, 0xC4500); }); // all but self, INIT
    exception_of([&] { cpu::wrmsr(icr, 0xC4400); }); // all but self, NMI
    exception_of([&] { cpu::wrmsr(icr, std::uint64_t{0xFFFFFFFF} << 32 | 0x4500); });
    report("ipis", tally);
}

void ring3_hypercall();

void run_forever() {
    for (;;)
        cpu::pause();
}

struct Attack {
    std::string_view name;
    void (*run)();
};
constexpr std::array<Attack, 20> attacks{{{"triple-fault", triple_fault},
                                          {"fault-while-other-spins", fault_while_other_spins},
                                          {"write-root", write_root_image},
                                          {"read-outside", read_outside},
                                          {"write-outside", write_outside},
                                          {"execute-outside", execute_outside},
                                          {"read-apic", read_local_apic},
                                          {"invalid-state", invalid_state},
                                          {"ports", ports},
                                          {"msrs", msrs},
                                          {"instructions", instructions},
                                          {"hypercalls", hypercalls},
                                          {"hypercall-flood", hypercall_flood},
                                          {"forge", forge},
                                          {"forge-audit", forge_audit},
                                          {"ipis", ipis},
                                          {"ring3-hypercall", ring3_hypercall},
                                          {"run-forever", run_forever},
                                          {"status-128", [] { guest::exit(128); }},
                                          {"status-255", [] { guest::exit(255); }}}};

// A hypercall at CPL 3 must give #UD.
void ring3_hypercall() {
    const unsigned seen = exception_of([] {
        attack::in_ring3([] {
            guest::call(CAISSON_CALL_EXIT, 0, 0); // would end the partition with status 0, were it granted
            for (;;)
                cpu::pause();
        });
    });
    report("ring3-hypercall", {1, seen == vector_ud ? 0u : 1u});
}

} // namespace

void attack::run_single(std::string_view wanted) {
    for (const Attack& one : attacks)
        if (one.name == wanted) {
            one.run();
            guest::exit(0);
        }
}
