// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/container.cpp - see container.hpp.
#include "partitions/unikernel/start/container.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/exec/allowed.hpp"
#include "partitions/unikernel/exec/exec.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/process/fork.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/start/network.hpp"
#include "partitions/unikernel/start/startup.hpp"
#include "partitions/unikernel/syscalls/seccomp.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <array>
#include <new>

namespace uk {

namespace start {

namespace {

constexpr unsigned not_executable_status = 126, not_found_status = 127;
constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// Made in place once, never destroyed: no static constructors, nothing at exit.
alignas(fs::Tree) std::array<std::byte, sizeof(fs::Tree)> tree_memory;

[[noreturn]] void refuse(unsigned status, std::string_view what, std::string_view subject,
                         std::string_view reason) {
    base::Text<300> text;
    text << what << ": \"" << subject.substr(0, 200) << "\": " << reason;
    log(text.view());
    machine::end_partition(status, CAISSON_EXIT_NORMAL);
}

std::string_view reason_of(Errno error) {
    switch (error) {
    case Errno::noent:
        return "no such file or directory";
    case Errno::acces:
    case Errno::perm:
        return "permission denied";
    case Errno::noexec:
        return "exec format error";
    case Errno::notdir:
        return "not a directory";
    case Errno::isdir:
        return "is a directory";
    case Errno::loop:
        return "too many levels of symbolic links";
    case Errno::nomem:
        return "out of memory";
    case Errno::nametoolong:
        return "file name too long";
    case Errno::too_big:
        return "argument list too long";
    default:
        return "cannot be started";
    }
}

fs::Credentials credentials_of(const Startup& startup) {
    fs::Credentials who;
    who.real_user = who.effective_user = who.saved_user = who.file_user = startup.header().user_id;
    who.real_group = who.effective_group = who.saved_group = who.file_group = startup.header().group_id;
    who.capabilities.bounding = startup.header().capabilities & capability::all;
    who.capabilities.begin(who.real_user == 0);
    if (startup.header().group_count == 0)
        return who;
    who.groups = fs::GroupList::make(startup.header().group_count);
    if (!who.groups)
        base::fail("out of memory at start", "", 0);
    for (unsigned i = 0; i < startup.header().group_count; ++i)
        who.groups->ids()[i] = startup.group(i);
    who.groups->sort();
    return who;
}

// What runtimes put over an image's own. One that has them keeps its names; name servers are the manifest's where it has some.
void add_name_files(fs::Tree& tree, const Startup& startup) {
    const std::string_view hostname = startup.hostname();
    base::Text<256> name;
    NetworkTexts texts;
    name << hostname << '\n';
    texts.hosts << "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    describe_network(startup, texts);
    using Existing = fs::Tree::Existing;
    const bool added = tree.add_file("/etc/hostname", name.view(), Existing::kept).ok() &&
                       tree.add_file("/etc/hosts", texts.hosts.view(), Existing::kept).ok() &&
                       (texts.resolver.view().empty() ||
                        tree.add_file("/etc/resolv.conf", texts.resolver.view(), Existing::replaced).ok());
    if (!added)
        log("no room for /etc/hosts and /etc/hostname");
}

void start_files(const Startup& startup, std::span<const std::byte> root) {
    auto* tree = new (tree_memory.data()) fs::Tree;
    fs::TreeOptions options;
    options.root_image = root;
    options.writable_limit = startup.header().writable_limit;
    options.read_only = (startup.header().flags & CAISSON_STARTUP_READ_ONLY) != 0;
    if (!tree->start(options).ok())
        base::fail("the root image is not a sound EROFS image, or memory is too small for it", "", 0);
    for (unsigned i = 0; i < startup.header().tmpfs_count; ++i) {
        const Startup::Tmpfs tmpfs = startup.tmpfs(i);
        if (const Status mounted = tree->mount_tmpfs(tmpfs.path, tmpfs.mode, tmpfs.size); !mounted.ok())
            refuse(machine::failure_status, "tmpfs", tmpfs.path, reason_of(mounted.error()));
    }
    add_name_files(*tree, startup);
    tree->finish();
}

void set_limits(Process& process) {
    constexpr std::uint64_t stack_bytes = std::uint64_t{8} << 20, files_soft = 1024, files_hard = 1 << 20,
                            frames_a_signal = 64; // as Linux: half of the threads that the memory is for
    const auto limit = [&](Resource resource) -> ResourceLimit& {
        return process.limits[static_cast<unsigned>(resource)];
    };
    limit(Resource::stack).soft = stack_bytes;
    limit(Resource::core).soft = 0;
    limit(Resource::open_files) = {files_soft, files_hard};
    limit(Resource::processes) = {4000, 4000};
    limit(Resource::locked) = {stack_bytes, stack_bytes};
    limit(Resource::pending_signals).soft = mm::frame_counts().total / frames_a_signal;
    limit(Resource::pending_signals).hard = limit(Resource::pending_signals).soft;
    limit(Resource::message_queues) = {819200, 819200};
    limit(Resource::nice) = {0, 0};
    limit(Resource::realtime_priority) = {0, 0};
    process.files->limit = files_soft;
}

Process& make_process(const Startup& startup) {
    auto* process = mm::make<Process>();
    auto number = pid_table().make();
    if (process == nullptr || !number.ok())
        base::fail("out of memory at start", "", 0);
    process->pid = process->group = process->session = std::move(number).value();
    process->id = process->pid->id;
    process->pid->process = process;
    process->unkillable = true;
    process->no_new_privileges = (startup.header().flags & CAISSON_STARTUP_NO_NEW_PRIVILEGES) != 0;
    process->files = Ref<fs::FileTable>{mm::make<fs::FileTable>()};
    process->actions = Ref<signal::ActionTable>{mm::make<signal::ActionTable>()};
    if (!process->files || !process->actions)
        base::fail("out of memory at start", "", 0);
    set_limits(*process);
    process::set_task_limit(startup.header().pids);
    auto context = fs::Tree::current().context(credentials_of(startup), startup.working_directory());
    if (!context.ok())
        refuse(machine::failure_status, "working directory", startup.working_directory(),
               reason_of(context.error()));
    process->context = std::move(context).value();
    process->space = Ref<mm::AddressSpace>{mm::AddressSpace::make()};
    if (!fs::Tree::current().open_standard(*process->files).ok() || !process->space)
        base::fail("out of memory at start", "", 0);
    return *process;
}

std::string_view path_variable(const Startup& startup) {
    constexpr std::string_view name = "PATH=";
    for (unsigned i = 0; i < startup.header().envc; ++i)
        if (startup.environment(i).starts_with(name))
            return startup.environment(i).substr(name.size());
    return default_path;
}

struct Found {
    Ref<fs::Node> file;
    std::array<char, 512> path{};
    std::size_t length = 0;
    [[nodiscard]] std::string_view view() const { return {path.data(), length}; }
};

[[noreturn]] void refuse_entrypoint(std::string_view name, Errno error) {
    const bool absent = error == Errno::noent || error == Errno::notdir;
    refuse(absent ? not_found_status : not_executable_status, "exec", name, reason_of(error));
}

// A name without '/' is looked for along PATH; what is found but may not be run counts only if nothing else
// is found.
void find_entrypoint(const Startup& startup, Process& process, Found& found) {
    const std::string_view name = startup.argument(0);
    const auto try_path = [&](std::string_view directory) -> Result<Ref<fs::Node>> {
        base::Text<512> path;
        path << directory << (directory.empty() ? "" : "/") << name;
        if (path.truncated())
            return base::Failure{Errno::nametoolong};
        found.length = path.view().size();
        std::copy(path.view().begin(), path.view().end(), found.path.begin());
        return fs::find_executable(process.context, *process.context.working, found.view());
    };
    if (name.find('/') != std::string_view::npos) {
        auto file = try_path("");
        if (!file.ok())
            refuse_entrypoint(name, file.error());
        found.file = std::move(file).value();
        return;
    }
    bool denied = false;
    std::string_view rest = path_variable(startup);
    while (!name.empty()) {
        const std::size_t colon = rest.find(':');
        const std::string_view directory = rest.substr(0, colon);
        auto file = try_path(directory.empty() ? "." : directory);
        if (file.ok()) {
            found.file = std::move(file).value();
            return;
        }
        denied = denied || file.error() == Errno::acces;
        if (colon == std::string_view::npos)
            break;
        rest.remove_prefix(colon + 1);
    }
    if (denied)
        refuse_entrypoint(name, Errno::acces);
    refuse(not_found_status, "exec", name, "executable file not found in $PATH");
}

// The program of the record that is to be PID 1 before the container's own.
void place_init(const Startup& startup, Found& found) {
    constexpr std::string_view path = "/dev/init";
    std::copy(path.begin(), path.end(), found.path.begin());
    found.length = path.size();
    auto context = fs::Tree::current().context({}, "/");
    auto file = context.ok() ? fs::open(*context, *context->root, path,
                                        fs::open_flag::create | fs::open_flag::write_only, 0555)
                             : Result<Ref<fs::File>>{base::Failure{context.error()}};
    fs::Origin bytes{startup.init()};
    if (!file.ok() || !fs::write_node(*(*file)->node, 0, bytes).ok())
        base::fail("out of memory at start", "", 0);
    found.file = (*file)->node;
    first_process_tells = true;
}

// A path that a tmpfs covers names nothing that may be run.
void limit_programs(const Startup& startup, Process& process) {
    if ((startup.header().flags & CAISSON_STARTUP_ONLY_LISTED) == 0)
        return;
    if (!exec::allow_only(startup.header().program_count).ok())
        base::fail("out of memory at start", "", 0);
    for (unsigned i = 0; i < startup.header().program_count; ++i)
        if (const auto file = fs::find(process.context, *process.context.root, startup.program(i), 0);
            file.ok())
            exec::allow(**file);
}

Thread& start_program(const Startup& startup, Process& process) {
    Found found;
    if (startup.init().empty())
        find_entrypoint(startup, process, found);
    else
        place_init(startup, found);
    exec::ProgramStrings strings;
    bool complete = true;
    for (unsigned i = 0; i < startup.header().argc; ++i)
        complete = complete && strings.add_argument(startup.argument(i)).ok();
    for (unsigned i = 0; i < startup.header().envc; ++i)
        complete = complete && strings.add_environment(startup.environment(i)).ok();
    Thread* thread = sched::make_thread(process);
    if (!complete || thread == nullptr)
        base::fail("out of memory at start", "", 0);
    thread->pid = process.pid;
    thread->pid->thread = thread;
    thread->id = process.id;
    process.threads = thread;
    process.thread_count = 1;
    if (!startup.filter().empty())
        seccomp::start_policy(*thread, startup.filter(),
                              (startup.header().flags & CAISSON_STARTUP_RECORD_CALLS) != 0);
    enter_process(process);
    if (startup.init().empty())
        limit_programs(startup, process);
    const Status started = exec::execute(process, *thread, std::move(found.file), found.view(), strings);
    if (!started.ok())
        refuse_entrypoint(startup.argument(0), started.error());
    if (!startup.init().empty()) // which is no file of the image
        limit_programs(startup, process);
    return *thread;
}

} // namespace

void start_container(const caisson_boot_page& boot_page, const ContainerFiles& files, void (*release)()) {
    if (boot_page.startup_offset > files.module.size() ||
        boot_page.startup_bytes > files.module.size() - boot_page.startup_offset)
        base::fail("startup record: outside the module", "", 0);
    const auto startup =
        Startup::parse(files.module.subspan(boot_page.startup_offset, boot_page.startup_bytes));
    if (!startup)
        base::fail("the startup record is missing or not sound", "", 0);
    set_hostname(startup->hostname());
    if (startup->has_network())
        start_network(boot_page, *startup);
    start_files(*startup, files.root);
    Process& process = make_process(*startup);
    Thread& first = start_program(*startup, process);
    release(); // nothing allocates until the boot stack, which lies in it, has been left
    sched::run_first(first);
}

} // namespace start

} // namespace uk
