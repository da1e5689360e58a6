// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic.cpp - look-up, listing and contents of /proc and /sys.
#include "partitions/unikernel/fs/proc/synthetic.hpp"

#include "partitions/unikernel/fs/files/file_table.hpp"
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"
#include "partitions/unikernel/fs/tree.hpp"

#include <array>

namespace uk::fs {

using synthetic::Entry;
using synthetic::Kind;

namespace {

constexpr std::uint64_t dynamic_cookies = std::uint64_t{1} << 32;

const Entry& entry_of(const Node& node) {
    return synthetic::table()[node.synthetic.entry];
}

std::uint32_t mode_of(const Entry& entry) {
    switch (entry.kind) {
    case Kind::directory:
    case Kind::processes:
    case Kind::threads:
    case Kind::descriptors:
    case Kind::descriptor_infos:
        return mode::directory | entry.permissions;
    case Kind::link:
    case Kind::direct_link:
    case Kind::descriptor:
    case Kind::self:
    case Kind::thread_self:
        return mode::symlink | entry.permissions;
    case Kind::text:
    case Kind::kernel:
    case Kind::made:
    case Kind::memory:
    case Kind::descriptor_info:
        return mode::regular | entry.permissions;
    }
    return 0;
}

// A decimal number without sign or leading zeros; -1: it is none.
int number_in(std::string_view text) {
    if (text.empty() || text.size() > 9 || (text.size() > 1 && text[0] == '0'))
        return -1;
    int value = 0;
    for (char c : text) {
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::uint64_t node_number(const SyntheticIdentity& identity) {
    return identity.entry + (static_cast<std::uint64_t>(identity.process) << 12) +
           (static_cast<std::uint64_t>(identity.thread) << 36) +
           static_cast<std::uint64_t>(identity.descriptor + 1) * 131;
}

bool process_exists(int process) {
    return process > 0 && seam::next_process(process - 1) == process;
}

bool thread_exists(int process, int thread) {
    return thread > 0 && seam::next_thread(process, thread - 1) == thread;
}

Result<Ref<Node>> make(Volume& volume, Node& directory, const SyntheticIdentity& identity) {
    const Entry& entry = synthetic::table()[identity.entry];
    Ref<Node> node = CAISSON_TRY(volume.make_synthetic(identity, mode_of(entry)));
    node->number = node_number(identity);
    if (const Credentials* owner = identity.process != 0 ? seam::credentials_of(identity.process) : nullptr) {
        node->user = owner->effective_user;
        node->group = owner->effective_group;
    }
    retain(directory);
    node->parent = &directory;
    TextSink target;
    if (entry.kind == Kind::link)
        node->target = entry.content.text;
    else if (entry.kind == Kind::self)
        target << static_cast<std::uint64_t>(seam::current_process());
    else if (entry.kind == Kind::thread_self)
        target << static_cast<std::uint64_t>(seam::current_process()) << "/task/"
               << static_cast<std::uint64_t>(seam::current_thread());
    if (entry.kind == Kind::self || entry.kind == Kind::thread_self)
        CAISSON_TRY(set_generated_target(*node, target));
    return node;
}

// The identity that `name` has as a number in a directory whose names are numbers.
std::optional<SyntheticIdentity> numbered(const Node& directory, std::string_view name) {
    const int number = number_in(name);
    SyntheticIdentity identity = directory.synthetic;
    switch (entry_of(directory).kind) {
    case Kind::processes:
        if (!process_exists(number))
            return std::nullopt;
        identity.entry = synthetic::process_directory;
        identity.process = number;
        return identity;
    case Kind::threads:
        if (!thread_exists(identity.process, number))
            return std::nullopt;
        identity.entry = synthetic::thread_directory;
        identity.thread = number;
        return identity;
    case Kind::descriptors:
    case Kind::descriptor_infos: {
        const FileTable* files = seam::files_of(identity.process);
        if (number < 0 || files == nullptr || files->next(number) != number)
            return std::nullopt;
        const bool itself = entry_of(directory).kind == Kind::descriptors;
        identity.entry = itself ? synthetic::descriptor_entry : synthetic::descriptor_info_entry;
        identity.descriptor = number;
        return identity;
    }
    default:
        return std::nullopt;
    }
}

// The number behind `number` (-1: the first) in such a directory; -1 at the end.
int next_number(const Node& directory, int number) {
    const int process = directory.synthetic.process;
    int next = 0;
    switch (entry_of(directory).kind) {
    case Kind::processes:
        next = seam::next_process(number < 0 ? 0 : number);
        return next == 0 ? -1 : next;
    case Kind::threads:
        next = seam::next_thread(process, number < 0 ? 0 : number);
        return next == 0 ? -1 : next;
    case Kind::descriptors:
    case Kind::descriptor_infos: {
        const FileTable* files = seam::files_of(process);
        return files == nullptr ? -1 : files->next(number + 1);
    }
    default:
        return -1;
    }
}

std::string_view decimal(int value) {
    // One listing at a time: the caller copies the name before the next call.
    static std::array<char, 12> digits{};
    std::size_t at = digits.size();
    do {
        digits[--at] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return {digits.data() + at, digits.size() - at};
}

} // namespace

Result<Ref<Node>> make_synthetic_root(Volume& volume) {
    SyntheticIdentity identity;
    identity.entry = volume.kind() == VolumeKind::proc ? synthetic::proc_root : synthetic::sys_root;
    Ref<Node> node =
        CAISSON_TRY(volume.make_synthetic(identity, mode_of(synthetic::table()[identity.entry])));
    node->number = 1;
    return node;
}

Result<Ref<Node>> look_up_synthetic(Volume& volume, Node& directory, std::string_view name) {
    const auto entries = synthetic::table();
    for (std::size_t i = 1; i < entries.size(); ++i)
        if (entries[i].parent == directory.synthetic.entry && entries[i].name == name) {
            SyntheticIdentity identity = directory.synthetic;
            identity.entry = static_cast<std::uint16_t>(i);
            return make(volume, directory, identity);
        }
    if (const auto identity = numbered(directory, name))
        return make(volume, directory, *identity);
    return base::Failure{Errno::noent};
}

Result<std::optional<Volume::ListedName>> synthetic_name_at(Node& directory, std::uint64_t cookie) {
    const auto entries = synthetic::table();
    for (std::size_t i = cookie + 1; cookie < entries.size() && i < entries.size(); ++i)
        if (entries[i].parent == directory.synthetic.entry && entries[i].name[0] != '\0')
            return std::optional{
                Volume::ListedName{entries[i].name, i, mode_of(entries[i]) & mode::type_mask, i}};
    const int before = cookie < dynamic_cookies ? -1 : static_cast<int>(cookie - dynamic_cookies);
    const int number = next_number(directory, before);
    if (number < 0)
        return std::optional<Volume::ListedName>{};
    const Kind kind = entry_of(directory).kind;
    const std::uint32_t type = kind == Kind::descriptors        ? mode::symlink
                               : kind == Kind::descriptor_infos ? mode::regular
                                                                : mode::directory;
    return std::optional{Volume::ListedName{decimal(number), static_cast<std::uint64_t>(number) + 4096, type,
                                            dynamic_cookies + static_cast<std::uint64_t>(number)}};
}

std::string_view synthetic_name(const Node& node, TextSink& made) {
    switch (node.synthetic.entry) {
    case synthetic::process_directory:
        made << static_cast<std::uint64_t>(node.synthetic.process);
        return made.view();
    case synthetic::thread_directory:
        made << static_cast<std::uint64_t>(node.synthetic.thread);
        return made.view();
    case synthetic::descriptor_entry:
    case synthetic::descriptor_info_entry:
        made << static_cast<std::uint64_t>(node.synthetic.descriptor);
        return made.view();
    default:
        return entry_of(node).name;
    }
}

Status synthetic_text(const Node& node, TextSink& out) {
    const Entry& entry = entry_of(node);
    if (node.synthetic.process != 0 && !process_exists(node.synthetic.process))
        return base::Failure{Errno::srch};
    switch (entry.kind) {
    case Kind::text:
        out << std::string_view{entry.content.text};
        return base::success;
    case Kind::made:
        entry.content.make(node.synthetic.process, out);
        return base::success;
    case Kind::kernel:
        seam::proc_text(entry.which, node.synthetic.process, node.synthetic.thread, out);
        return base::success;
    case Kind::descriptor_info: {
        const FileTable* files = seam::files_of(node.synthetic.process);
        if (files == nullptr)
            return base::Failure{Errno::noent};
        const Ref<File> file = CAISSON_TRY(files->get(node.synthetic.descriptor));
        const auto closes = files->close_on_exec(node.synthetic.descriptor);
        describe_open_file(*file, closes.ok() && *closes, out);
        return base::success;
    }
    default:
        return base::Failure{Errno::inval};
    }
}

Status synthetic_write(const Node& node, std::string_view text) {
    const Entry& entry = entry_of(node);
    if (entry.kind != Kind::kernel)
        return base::Failure{Errno::inval};
    if (node.synthetic.process != 0 && !process_exists(node.synthetic.process))
        return base::Failure{Errno::srch};
    return seam::proc_write(entry.which, node.synthetic.process, node.synthetic.thread, text);
}

bool is_process_memory(const Node& node) {
    return entry_of(node).kind == Kind::memory;
}

bool may_inspect(const Node& node, const Credentials& who) {
    const int process = node.synthetic.process;
    if (process == 0 || process == seam::current_process())
        return true;
    const Credentials* owner = seam::credentials_of(process);
    return owner != nullptr && who.may_trace(*owner, false);
}

Result<Ref<Node>> follow_synthetic(const Node& link) {
    const int process = link.synthetic.process;
    Node* node = nullptr;
    switch (link.synthetic.entry) {
    case synthetic::executable_link:
        node = seam::executable_of(process);
        break;
    case synthetic::working_link:
        node = seam::working_directory_of(process);
        break;
    case synthetic::root_link:
        node = &Tree::current().root();
        break;
    case synthetic::descriptor_entry: {
        const FileTable* files = seam::files_of(process);
        if (files == nullptr)
            return base::Failure{Errno::noent};
        const auto file = files->get(link.synthetic.descriptor);
        if (!file.ok())
            return base::Failure{Errno::noent};
        return (*file)->node;
    }
    default:
        break;
    }
    if (node == nullptr)
        return base::Failure{Errno::noent};
    return Ref<Node>{node};
}

} // namespace uk::fs
