// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/host_seam.cpp - see host_seam.hpp.
#include "partitions/unikernel/sched/host_seam.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"
#include "partitions/unikernel/sched/timer.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <semaphore>
#include <thread>

namespace uk {

namespace sched {

extern "C" [[noreturn]] void run_idle();

namespace host {

namespace {
Machine* it = nullptr;
struct Unwind {}; // the end of a host thread whose thread is dead, or whose machine goes
} // namespace

struct Machine::Baton {
    std::binary_semaphore mine{0};
    std::thread runner;
};

struct Machine::Contexts {
    std::deque<Baton> batons; // a host thread each; a switched-out thread's stack pointer is its address
    std::map<const Thread*, std::function<void()>> work;
    bool ending = false;
};

Machine& machine() {
    return *it;
}

namespace {

thread_local Machine::Baton* own = nullptr;

void wait_for_turn() {
    own->mine.acquire();
    if (it->contexts->ending)
        throw Unwind{};
}

void run_host_thread(Machine::Baton* baton, void (*entry)()) {
    own = baton;
    try {
        wait_for_turn();
        entry();
    } catch (const Unwind&) {
    }
}

} // namespace

Machine::Machine() : contexts(std::make_unique<Contexts>()) {
    it = this;
    uk::machine::host_cpu = &cpu;
    cpu.self = &cpu;
    uk::machine::cpus[0] = &cpu;
    uk::machine::cpu_count = 1;
    if (!uk::machine::kernel_lock.is_held())
        uk::machine::kernel_lock.take();
    own = &contexts->batons.emplace_back();
    set_up_timer(1'000'000'000); // a count is a nanosecond
    body.process = &process;
    body.id = process.id = 1;
    body.on_cpu = true;
    body.switched_in = now;
    process.threads = &body;
    process.thread_count = 1;
    cpu.thread = &body;
    base::expects(make_idle_thread(cpu), "host machine: no idle thread");
}

Machine::~Machine() {
    contexts->ending = true;
    for (Baton& baton : contexts->batons)
        if (baton.runner.joinable()) {
            baton.mine.release();
            baton.runner.join();
        }
    mm::unmap_kernel_stack(cpu.idle->stack_end);
    mm::destroy(cpu.idle);
    uk::machine::host_cpu = &uk::machine::first_host_cpu;
    uk::machine::cpu_count = 0;
    it = nullptr;
}

Thread* Machine::start(std::function<void()> work) {
    Thread* thread = make_thread(process);
    if (thread == nullptr)
        return nullptr;
    thread->id = static_cast<int>(++process.thread_count);
    contexts->work[thread] = std::move(work);
    thread->next_in_process = body.next_in_process;
    body.next_in_process = thread;
    make_runnable(*thread);
    return thread;
}

void Machine::compute(std::uint64_t ns) {
    leave();
    while (ns > 0) {
        const std::uint64_t step = std::min(ns, fires > now ? fires - now : 0);
        now += step;
        ns -= step;
        if (fires > now)
            continue;
        acknowledge_timer();
        act_on_interrupts();
        leave();
    }
}

} // namespace host
} // namespace sched

Thread* find_thread(int id) {
    Thread* thread = current_process().threads;
    while (thread != nullptr && thread->id != id)
        thread = thread->next_in_process;
    return thread;
}

std::uint64_t monotonic_ns() {
    return sched::host::it->now;
}
Deadline deadline_after(std::uint64_t duration_ns) {
    std::uint64_t deadline = 0;
    return __builtin_add_overflow(monotonic_ns(), duration_ns, &deadline) ? never : deadline;
}

namespace machine {

void set_kernel_stack(std::uint64_t top) {
    this_cpu().kernel_stack = top;
}
void load_user_bases(std::uint64_t fs_base, std::uint64_t gs_base) {
    sched::host::it->fs_base = fs_base;
    sched::host::it->gs_base = gs_base;
}
const Features& features() {
    static const Features found;
    return found;
}
void save_vectors(std::byte*) {}
bool restore_vectors(const std::byte* area) {
    sched::host::it->vectors = area;
    return true;
}
void start_local_timer() {}
void set_timer_count(std::uint32_t count) {
    ++sched::host::it->timer_writes;
    sched::host::it->fires = count == 0 ? never : sched::host::it->now + count;
}
void send_interrupt(std::uint32_t number, unsigned) {
    base::expects(number != host_cpu->number, "an interrupt for oneself");
    ++sched::host::it->interrupts_sent;
}
void end_interrupt() {
    sched::host::it->fires = never;
}

} // namespace machine

namespace mm {

void forget_stacks() {}
std::uint64_t map_kernel_stack() {
    sched::host::Machine& on = *sched::host::it;
    if (on.stacks_left == 0)
        return 0;
    --on.stacks_left;
    ++on.live_stacks;
    constexpr std::size_t bytes = 4096;
    return reinterpret_cast<std::uint64_t>(std::aligned_alloc(4096, bytes)) + bytes;
}
void unmap_kernel_stack(std::uint64_t top) {
    --sched::host::it->live_stacks;
    std::free(reinterpret_cast<void*>(top - 4096));
}

// The host's frames are told by the addresses of their bytes (fs/host_seam.cpp).
std::optional<PhysAddr> zero_frame() {
    alignas(base::page_size) static std::byte zeros[base::page_size];
    return frame_of(zeros);
}

void share_kernel_half(std::uint64_t*) {}
void load_tables(PhysAddr) {
    ++sched::host::it->table_loads;
}
void load_kernel_tables() {
    ++sched::host::it->table_loads;
}
void forget_translation(std::uint64_t) {}
void forget_user_translations() {}

// By the current process's space; a fault makes the page present.
Status copy_in(void* to, UserAddress from, std::size_t bytes) {
    AddressSpace& space = *current_process().space;
    if (from.value() >= user_end ||
        space.populate(from.value(), from.value() + bytes, Access::read) != Fault::resolved ||
        !space.read_memory(from.value(), to, bytes))
        return base::Failure{Errno::fault};
    return base::success;
}
Status copy_out(UserAddress to, const void* from, std::size_t bytes) {
    return current_process().space->write_memory(to.value(), from, bytes);
}

// As many bytes as can be had, page by page.
std::size_t copy_in_some(void* to, UserAddress from, std::size_t bytes) {
    if (from.value() >= user_end)
        return 0;
    return current_process().space->read_pages(from.value(), {static_cast<std::byte*>(to), bytes});
}
std::size_t copy_out_some(UserAddress to, const void* from, std::size_t bytes) {
    return current_process().space->write_pages(to.value(), {static_cast<const std::byte*>(from), bytes});
}
Result<std::size_t> copy_string(std::span<char> to, UserAddress from) {
    for (std::size_t i = 0; i < to.size(); ++i) {
        CAISSON_TRY(copy_in(&to[i], UserAddress{from.value() + i}, 1));
        if (to[i] == '\0')
            return i;
    }
    return base::Failure{Errno::nametoolong};
}

} // namespace mm

extern "C" {

void switch_stack(std::uint64_t* save, std::uint64_t load) {
    using namespace sched::host;
    Machine& on = *it;
    base::expects(machine::kernel_lock.is_held(), "a switch without the kernel lock");
    ++on.switches;
    const Thread& leaving = *on.cpu.left;
    const bool dead = leaving.state == ThreadState::dead;
    *save = reinterpret_cast<std::uint64_t>(own);
    Machine::Baton* next = nullptr;
    for (Machine::Baton& baton : on.contexts->batons)
        if (reinterpret_cast<std::uint64_t>(&baton) == load)
            next = &baton;
    if (next == nullptr) { // a stack that make_stack laid out: six registers, then where it begins
        next = &on.contexts->batons.emplace_back();
        const auto entry = reinterpret_cast<void (*)()>(reinterpret_cast<const std::uint64_t*>(load)[6]);
        next->runner = std::thread(&run_host_thread, next, entry);
    }
    next->mine.release();
    if (dead)
        throw Unwind{};
    wait_for_turn();
}

void leave_boot_stack(std::uint64_t) {
    base::fail("leave_boot_stack", "", 0);
}

void thread_begin() {
    sched::after_switch();
    Thread& thread = current();
    const auto work = sched::host::it->contexts->work.at(&thread);
    work();
    for (Thread** link = &thread.process->threads; *link != nullptr; link = &(*link)->next_in_process)
        if (*link == &thread) {
            *link = thread.next_in_process;
            break;
        }
    sched::end_current();
}

long user_compare_exchange(std::uint32_t* word, std::uint32_t expected, std::uint32_t desired,
                           std::uint32_t* seen) {
    const mm::UserAddress at{reinterpret_cast<std::uint64_t>(word)};
    const auto value = mm::read_user<std::uint32_t>(at);
    if (!value.ok() || (*value == expected && !mm::write_user(at, desired).ok()))
        return 1;
    *seen = *value;
    return 0;
}

void idle_begin() {
    sched::run_idle();
}

void idle_wait() {
    sched::host::Machine& on = *sched::host::it;
    base::expects(!machine::kernel_lock.is_held(), "the idle thread holds the kernel lock");
    base::expects(on.fires != never, "nothing is ready, and no interrupt is to come");
    on.idled += on.fires > on.now ? on.fires - on.now : 0;
    on.now = std::max(on.now, on.fires);
    sched::acknowledge_timer();
}

void take_interrupts() {
    sched::host::Machine& on = *sched::host::it;
    base::expects(!machine::kernel_lock.is_held(), "interrupts are taken under the kernel lock");
    if (on.fires > on.now)
        return;
    ++on.interrupts_in_kernel;
    sched::acknowledge_timer();
}

} // extern "C"

} // namespace uk
