// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/exec.cpp - see exec.hpp. The first stack is in exec_stack.cpp.
#include "partitions/unikernel/exec/exec.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/exec/allowed.hpp"
#include "partitions/unikernel/exec/exec_stack.hpp"
#include "partitions/unikernel/exec/program.hpp"
#include "partitions/unikernel/exec/vdso.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace uk::exec {

namespace {

constexpr unsigned script_depth_max = 4;
constexpr std::uint64_t position_independent_base = 0x555555554000;
// How much of each address is random: as Linux does, in pages.
constexpr std::uint64_t mmap_random_pages = std::uint64_t{1} << 28,
                        stack_random_pages = std::uint64_t{1} << 22,
                        break_random_pages = std::uint64_t{1} << 13, stack_gap_pages = std::uint64_t{1} << 15;
constexpr std::uint64_t stack_first_bytes = 128 * 1024;
constexpr std::uint64_t stack_limit_max = std::uint64_t{1} << 40;

struct FileProgram {
    Ref<fs::Node> file;
    Program program;
};

struct HeadBuffer {
    mm::Owned<std::array<std::byte, program_head_bytes>> bytes{
        mm::make<std::array<std::byte, program_head_bytes>>()};
    std::size_t size = 0;
    [[nodiscard]] std::span<const std::byte> view() const { return {bytes->data(), size}; }
};

Status read_head(fs::Node& file, HeadBuffer& head) {
    if (head.bytes == nullptr)
        return base::Failure{Errno::nomem};
    if (file.writers > 0)
        return base::Failure{Errno::txtbsy};
    head.size = CAISSON_TRY(fs::read_node(file, 0, std::span{*head.bytes}));
    return base::success;
}

// Follows "#!" lines until a binary is found. Its own frame: kernel stacks are small.
[[gnu::noinline]] Result<FileProgram> resolve(fs::Context& context, Ref<fs::Node> file, std::string_view path,
                                              ProgramStrings& strings) {
    HeadBuffer head;
    std::array<char, 256> previous{};
    for (unsigned depth = 0;; ++depth) {
        CAISSON_TRY(may_run(context, *file));
        CAISSON_TRY(read_head(*file, head));
        const auto script = parse_script(head.view());
        if (!script.ok())
            return FileProgram{file, CAISSON_TRY(parse_program(head.view()))};
        if (depth == script_depth_max)
            return base::Failure{Errno::loop};
        std::array<std::string_view, 3> prefix{script->interpreter, script->argument, path};
        if (script->argument.empty())
            CAISSON_TRY(strings.replace_first(std::array{script->interpreter, path}));
        else
            CAISSON_TRY(strings.replace_first(prefix));
        file = CAISSON_TRY(fs::find_executable(context, *context.working, script->interpreter));
        // `head` is read anew; the next script's path must outlive that.
        std::copy(script->interpreter.begin(), script->interpreter.end(), previous.begin());
        path = {previous.data(), script->interpreter.size()};
    }
}

[[gnu::noinline]] Result<FileProgram> find_interpreter(fs::Context& context, fs::Node& file,
                                                       const Program& program) {
    std::array<char, 256> path{};
    if (program.interpreter_bytes > path.size())
        return base::Failure{Errno::nametoolong};
    const auto bytes = std::as_writable_bytes(std::span{path}).first(program.interpreter_bytes);
    if (CAISSON_TRY(fs::read_node(file, program.interpreter_offset, bytes)) != bytes.size() ||
        path[program.interpreter_bytes - 1] != '\0')
        return base::Failure{Errno::noexec};
    auto node = CAISSON_TRY(fs::find_executable(context, *context.working, path.data()));
    HeadBuffer head;
    CAISSON_TRY(read_head(*node, head));
    const auto parsed = CAISSON_TRY(parse_program(head.view()));
    return FileProgram{node, parsed};
}

Status map_segment(mm::AddressSpace& space, fs::Node& file, const ProgramSegment& segment,
                   std::uint64_t bias) {
    const std::uint64_t start = base::round_down(segment.address + bias, base::page_size);
    const std::uint64_t file_end = segment.address + bias + segment.file_bytes;
    const std::uint64_t file_pages_end =
        segment.file_bytes == 0 ? start : *base::round_up(file_end, base::page_size);
    const std::uint64_t end = *base::round_up(segment.end() + bias, base::page_size);
    mm::MapRequest request;
    request.fixed = true;
    request.no_replace = true;
    request.protection = segment.protection;
    if (file_pages_end > start) {
        request.address = start;
        request.bytes = file_pages_end - start;
        request.node = &file;
        request.offset = base::round_down(segment.offset, base::page_size);
        (void)CAISSON_TRY(space.map(request));
    }
    if (segment.memory_bytes > segment.file_bytes && file_pages_end > file_end && segment.file_bytes > 0 &&
        (segment.protection & mm::protection::write) != 0) {
        static constexpr std::array<std::byte, 256> zeros{};
        for (std::uint64_t at = file_end; at < file_pages_end;) {
            const std::uint64_t part = std::min<std::uint64_t>(file_pages_end - at, zeros.size());
            CAISSON_TRY(space.write_memory(at, zeros.data(), part));
            at += part;
        }
    }
    if (end > file_pages_end) {
        request.node = nullptr;
        request.offset = 0;
        request.address = file_pages_end;
        request.bytes = end - file_pages_end;
        (void)CAISSON_TRY(space.map(request));
    }
    return base::success;
}

Status map_program(mm::AddressSpace& space, const FileProgram& program, std::uint64_t bias) {
    for (const ProgramSegment& segment : program.program.segments)
        CAISSON_TRY(map_segment(space, *program.file, segment, bias));
    return base::success;
}

void choose_layout(const Process& process, mm::AddressSpace& space, std::uint64_t stack_bytes) {
    const std::uint64_t limit =
        std::clamp(process.limits[static_cast<unsigned>(Resource::stack)].soft, stack_bytes, stack_limit_max);
    space.stack_top = mm::user_end - machine::random_below(stack_random_pages) * base::page_size;
    space.limits = memory_limits(process);
    space.limits.stack = limit;
    // Below the deepest stack; a huge limit must not push mappings out of the upper half.
    const std::uint64_t gap =
        std::clamp<std::uint64_t>(limit, std::uint64_t{128} << 20, mm::user_end / 6 * 5);
    space.mmap_top = base::round_down(mm::user_end - gap - stack_random_pages * base::page_size -
                                          stack_gap_pages * base::page_size -
                                          machine::random_below(mmap_random_pages) * base::page_size,
                                      base::page_size);
}

// A bias for a position-independent image of `bytes` at its alignment, below mmap_top.
Result<std::uint64_t> interpreter_bias(mm::AddressSpace& space, const Program& program) {
    const std::uint64_t bytes = program.end() - program.lowest();
    const auto hole =
        space.ranges().find_hole(bytes + program.alignment, base::page_size * 16, space.mmap_top);
    if (!hole)
        return base::Failure{Errno::nomem};
    const std::uint64_t start = *base::round_up(*hole, program.alignment);
    return start - program.lowest();
}

Status map_stack(mm::AddressSpace& space, std::uint64_t bytes, bool executable) {
    mm::MapRequest stack;
    stack.address = space.stack_top - bytes;
    stack.bytes = bytes;
    stack.fixed = true;
    stack.kind = mm::VmaKind::stack;
    stack.grows_down = true;
    stack.protection = static_cast<std::uint8_t>(mm::protection::read | mm::protection::write |
                                                 (executable ? mm::protection::execute : 0));
    return space.map(stack).ok() ? Status{base::success} : Status{base::Failure{Errno::nomem}};
}

// As whom the program runs.
struct Identity {
    fs::Credentials who;
    bool secure = false; // it gained an identity: AT_SECURE
};

// With the set-user-ID and set-group-ID bits of the file, and its capabilities. perm: they cannot all be given.
// Where no new privileges are to be had nothing is gained.
Result<Identity> identity_for(const Process& process, fs::Node& file) {
    Identity identity{process.context.credentials};
    fs::Credentials& who = identity.who;
    if (!process.no_new_privileges) {
        if ((file.mode & fs::mode::set_user) != 0)
            who.effective_user = file.user;
        if ((file.mode & (fs::mode::set_group | 010)) == (fs::mode::set_group | 010))
            who.effective_group = file.group;
    }
    const auto changed = [&who] {
        return who.effective_user != who.real_user || who.effective_group != who.real_group;
    };
    const fs::Credentials& before = process.context.credentials;
    const FileCapabilities brought = fs::file_capabilities(file);
    if (!who.capabilities.program_begins({who.real_user, who.effective_user, who.saved_user}, changed(),
                                         brought))
        return base::Failure{Errno::perm};
    if (process.no_new_privileges && (who.capabilities.permitted & ~before.capabilities.permitted) != 0) {
        who.effective_user = who.real_user;
        who.effective_group = who.real_group;
        who.capabilities.permitted &= before.capabilities.permitted;
        who.capabilities.effective &= before.capabilities.permitted;
    }
    who.saved_user = who.file_user = who.effective_user;
    who.saved_group = who.file_group = who.effective_group;
    const bool grew = (who.capabilities.permitted & ~who.capabilities.ambient) != 0;
    identity.secure = changed() || (who.real_user != 0 && (grew || brought.effective));
    return identity;
}

struct Loaded {
    std::uint64_t start = 0; // first instruction
    std::uint64_t stack = 0;
};

// Everything the program starts with, in a space that is not in use yet.
[[gnu::noinline]] Result<Loaded> load(const Process& process, mm::AddressSpace& space,
                                      const FileProgram& main, const FileProgram* interpreter,
                                      std::string_view path, const ProgramStrings& strings,
                                      const Identity& identity) {
    const std::uint64_t stack_bytes =
        *base::round_up(strings.bytes().size() + stack_first_bytes, base::page_size);
    choose_layout(process, space, stack_bytes);
    const Program& program = main.program;
    std::uint64_t bias = 0;
    if (program.position_independent) {
        const std::uint64_t chosen =
            position_independent_base + machine::random_below(mmap_random_pages) * base::page_size;
        bias = base::round_down(chosen, program.alignment) -
               base::round_down(program.lowest(), program.alignment);
    }
    CAISSON_TRY(map_program(space, main, bias));
    std::uint64_t interpreter_base = 0;
    Loaded result{program.entry + bias, 0};
    if (interpreter != nullptr) {
        interpreter_base = interpreter->program.position_independent
                               ? CAISSON_TRY(interpreter_bias(space, interpreter->program))
                               : 0;
        CAISSON_TRY(map_program(space, *interpreter, interpreter_base));
        result.start = interpreter->program.entry + interpreter_base;
    }
    space.break_start = space.break_end = *base::round_up(program.end() + bias, base::page_size) +
                                          machine::random_below(break_random_pages) * base::page_size;
    CAISSON_TRY(map_stack(space, stack_bytes, program.executable_stack));
    space.vdso = map_vdso(space);

    StackPlan plan;
    plan.program_headers = program.headers_address == 0 ? 0 : program.headers_address + bias;
    plan.header_count = program.header_count;
    plan.entry = program.entry + bias;
    plan.interpreter_base = interpreter_base;
    plan.path = path;
    plan.secure = identity.secure;
    result.stack = CAISSON_TRY(build_stack(space, identity.who, strings, plan));
    return result;
}

// By the last name of the path; a program that a descriptor named (execveat) is called as its file is.
void name_thread(const Process& process, Thread& thread, std::string_view path) {
    fs::TextSink described;
    if (path.starts_with(descriptor_path) &&
        path.find('/', descriptor_path.size()) == std::string_view::npos) {
        fs::describe(*process.executable.get(), *process.context.root, described);
        path = described.view();
    }
    const std::string_view name = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    thread.name.fill('\0');
    std::copy_n(name.begin(), std::min(name.size(), thread.name.size() - 1), thread.name.begin());
}

} // namespace

Status execute(Process& process, Thread& thread, Ref<fs::Node> file, std::string_view path,
               ProgramStrings& strings, LastMoment last_moment) {
    const FileProgram main = CAISSON_TRY(resolve(process.context, file, path, strings));
    fs::Executable executable = CAISSON_TRY(fs::Executable::of(main.file));
    FileProgram interpreter;
    const bool dynamic = main.program.interpreter_bytes > 0;
    if (dynamic) {
        auto found = CAISSON_TRY(find_interpreter(process.context, *main.file, main.program));
        interpreter.file = found.file;
        interpreter.program = found.program;
    }
    const Identity identity = CAISSON_TRY(identity_for(process, *main.file));
    Ref<mm::AddressSpace> space{mm::AddressSpace::make()};
    if (!space)
        return base::Failure{Errno::nomem};
    const Loaded loaded =
        CAISSON_TRY(load(process, *space, main, dynamic ? &interpreter : nullptr, path, strings, identity));
    if (last_moment != nullptr)
        CAISSON_TRY(last_moment());

    // From here on nothing can fail, and the old program is gone.
    if (process.space && mm::active_space() == process.space.get())
        space->activate();
    process.resident_max =
        std::max(process.resident_max, process.space ? process.space->resident_pages() : 0);
    std::swap(process.space, space); // it keeps the old one
    release_vfork(thread);
    process.context.credentials = identity.who;
    process.files->close_marked();
    signal::reset_for_exec(thread);
    if (identity.secure)
        process.death_signal = 0;
    const bool secure = identity.secure;
    process.executable = std::move(executable);
    process.dumpable = !secure;
    name_thread(process, thread, path);
    thread.clear_child_tid = thread.robust_list = thread.restartable = 0;
    thread.restart_due = false;
    thread.fs_base = thread.gs_base = 0;
    thread.alternate_stack = {};
    TrapFrame& frame = thread.frame();
    std::memset(&frame, 0, sizeof(frame));
    frame.rip = loaded.start;
    frame.rsp = loaded.stack;
    frame.rflags = rflags::interrupt | rflags::always_set;
    frame.cs = user_code_selector;
    frame.ss = user_data_selector;
    std::memset(thread.vector_state, 0, machine::features().vector_bytes);
    std::memcpy(thread.vector_state, machine::initial_vectors(), machine::features().xsave ? 576 : 512);
    if (space && space->references == 1)
        space->shed(&sched::preemption_point);
    return base::success;
}

} // namespace uk::exec
