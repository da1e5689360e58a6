// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/host_seam.cpp - heap, frames, clock, console and processes on the host, for tests.
#include "partitions/unikernel/fs/host_seam.hpp"

#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>

namespace uk {

namespace {

bool may_allocate() {
    auto& left = fs::host::state().allocations_left;
    if (left == 0)
        return false;
    if (left > 0)
        --left;
    return true;
}

std::map<std::uint64_t, unsigned>& users() {
    static std::map<std::uint64_t, unsigned> map;
    return map;
}

} // namespace

namespace fs::host {

State& state() {
    static State the_state;
    return the_state;
}

} // namespace fs::host

void console_write(std::span<const std::byte> bytes, unsigned stream) {
    std::string& console = stream == 2 ? fs::host::state().errors : fs::host::state().console;
    console.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void log(std::string_view) {}

namespace mm {

void* allocate(std::size_t bytes) {
    if (!may_allocate())
        return nullptr;
    ++fs::host::state().heap_objects;
    return std::malloc(bytes == 0 ? 1 : bytes);
}

void free(void* memory) {
    if (memory != nullptr)
        --fs::host::state().heap_objects;
    std::free(memory);
}

std::size_t heap_bytes() {
    return 0;
}

std::optional<PhysAddr> allocate_frame(Fill) {
    if (!may_allocate())
        return std::nullopt;
    void* frame = std::aligned_alloc(base::page_size, base::page_size);
    std::memset(frame, 0, base::page_size);
    ++fs::host::state().frames;
    const auto address = std::bit_cast<std::uint64_t>(frame);
    users()[address] = 1;
    return PhysAddr{address};
}

void retain_frame(PhysAddr frame) {
    ++users().at(frame.value());
}

void release_frame(PhysAddr frame) {
    if (--users().at(frame.value()) > 0)
        return;
    users().erase(frame.value());
    --fs::host::state().frames;
    std::free(std::bit_cast<void*>(frame.value()));
}

unsigned frame_users(PhysAddr frame) {
    return users().at(frame.value());
}

std::byte* frame_data(PhysAddr frame) {
    return std::bit_cast<std::byte*>(frame.value());
}

PhysAddr frame_of(const std::byte* data) {
    return PhysAddr{base::round_down(std::bit_cast<std::uint64_t>(data), base::page_size)};
}

FrameCounts frame_counts() {
    return {4096, 2048};
}

} // namespace mm

std::uint64_t realtime_ns() {
    return static_cast<std::uint64_t>(fs::host::state().now);
}

void move_realtime(std::int64_t by_ns) {
    fs::host::state().now += by_ns;
}

namespace fs::seam {

void random(std::span<std::byte> out) {
    static std::uint64_t word = 88172645463325252;
    for (std::byte& byte : out) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        byte = static_cast<std::byte>(word);
    }
}

std::uint64_t file_size_limit() {
    return host::state().file_size_limit;
}

void signal_file_size() {
    ++host::state().file_size_signals;
}

void preemption_point() {
    if (host::state().between)
        host::state().between();
}

void forget_mapped_pages(Node&, std::uint64_t first, std::uint64_t end, bool) {
    host::state().forgotten_pages += end - first;
}

int current_session() {
    return host::state().session;
}
int current_group() {
    return host::state().group;
}
bool leads_session() {
    return host::state().session == 1;
}
int session_of_group(int group) {
    return group < 10 ? host::state().session : group < 100 ? 77 : 0;
}
void signal_group(int group, int number) {
    host::state().signalled += std::to_string(group) + ":" + std::to_string(number) + " ";
}
void signal_process(int process, int number) {
    host::state().signalled += "p" + std::to_string(process) + ":" + std::to_string(number) + " ";
}
bool owner_exists(const FileOwner& owner) {
    return owner.id > 0 && owner.id < 100;
}
void signal_owner(const FileOwner& owner, const FileSignal& what) {
    host::state().signalled += "o" + std::to_string(owner.id) + ":" + std::to_string(what.number) + ":" +
                               std::to_string(what.code) + " ";
}
Status may_use_terminal(int session, int foreground, int number) {
    if (session != host::state().session || session == 0 || foreground == host::state().group)
        return base::success;
    signal_group(host::state().group, number);
    return base::Failure{Errno::restart_sys};
}

int current_process() {
    return 1;
}
int current_thread() {
    return 1;
}
int next_process(int after) {
    return after < 1 ? 1 : 0;
}
int next_thread(int process, int after) {
    return process == 1 && after < 1 ? 1 : 0;
}
FileTable* files_of(int) {
    return host::state().process.files;
}
const Credentials* credentials_of(int) {
    const Context* context = host::state().process.context;
    return context != nullptr ? &context->credentials : nullptr;
}
Node* executable_of(int) {
    return host::state().process.executable;
}
Node* working_directory_of(int) {
    const Context* context = host::state().process.context;
    return context != nullptr ? context->working.get() : nullptr;
}
void proc_text(ProcText which, int process, int thread, TextSink& out) {
    out << "text " << static_cast<std::uint64_t>(which) << ' ' << static_cast<std::uint64_t>(process) << ' '
        << static_cast<std::uint64_t>(thread) << '\n';
}
Status proc_write(ProcText which, int, int, std::string_view text) {
    if (which != ProcText::command_name || text.empty())
        return base::Failure{Errno::inval};
    host::state().written = text;
    return base::success;
}
std::size_t read_memory_of(int, std::uint64_t address, std::span<std::byte> to) {
    std::size_t done = 0;
    for (; done < to.size() && address + done < host::memory_end; ++done)
        to[done] = static_cast<std::byte>(address + done);
    return done;
}
std::size_t write_memory_of(int, std::uint64_t address, std::span<const std::byte> from) {
    host::state().written.assign(reinterpret_cast<const char*>(from.data()), from.size());
    return address < host::memory_end ? std::min<std::size_t>(from.size(), host::memory_end - address) : 0;
}
std::string_view hostname() {
    return "host";
}
unsigned cpu_count() {
    return 2;
}
std::uint64_t tasks() {
    return 1;
}
std::uint64_t task_limit() {
    return 100;
}
std::uint64_t memory_bytes() {
    return std::uint64_t{64} << 20;
}

} // namespace fs::seam
} // namespace uk
