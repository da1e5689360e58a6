// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/tree.cpp - mounts at start: root, /proc, /sys, /dev, /dev/shm and the manifest's tmpfs.
#include "partitions/unikernel/fs/tree.hpp"

#include "partitions/unikernel/fs/files/device.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/fs/walk.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::fs {

namespace {

constexpr std::uint64_t device_limit = std::uint64_t{1} << 20;
constexpr std::uint64_t shared_memory_limit = std::uint64_t{64}
                                              << 20; // what container runtimes give /dev/shm
constexpr std::uint64_t anonymous_limit = ~std::uint64_t{0};

Tree* the_tree = nullptr;

// The directory `path`, made with all that is missing on the way.
Result<Ref<Node>> make_path(Context& context, std::string_view path) {
    for (std::size_t end = path.find('/', 1); end != std::string_view::npos; end = path.find('/', end + 1)) {
        const Status made = make_directory(context, *context.root, path.substr(0, end), 0755);
        if (!made.ok() && made.error() != Errno::exist)
            return base::Failure{made.error()};
    }
    const Status made = make_directory(context, *context.root, path, 0755);
    if (!made.ok() && made.error() != Errno::exist)
        return base::Failure{made.error()};
    return find(context, *context.root, path, 0);
}

Context privileged_context(const Ref<Node>& root) {
    Context context;
    context.root = root;
    context.working = root;
    return context;
}

std::string_view kind_name(VolumeKind kind) {
    switch (kind) {
    case VolumeKind::overlay:
        return "overlay";
    case VolumeKind::proc:
        return "proc";
    case VolumeKind::sys:
        return "sysfs";
    case VolumeKind::terminals:
        return "devpts";
    case VolumeKind::tmpfs:
    case VolumeKind::device:
    case VolumeKind::anonymous:
        return "tmpfs";
    }
    return {};
}

} // namespace

Tree& Tree::current() {
    base::expects(the_tree != nullptr, "Tree: not started");
    return *the_tree;
}

bool give_back_kept() {
    return free_a_piece() || (the_tree != nullptr && the_tree->give_back_kept());
}

Node& Tree::terminals() {
    for (Volume* volume = volumes_; volume != nullptr; volume = volume->next)
        if (volume->kind() == VolumeKind::terminals)
            return *volume->mount_point->mounted;
    base::fail("Tree: no /dev/pts", "", 0);
}

Result<Volume*> Tree::make_volume(VolumeKind kind, std::uint64_t limit) {
    Volume* volume = mm::make<Volume>(kind, next_volume_++, limit);
    if (volume == nullptr)
        return base::Failure{Errno::nomem};
    volume->next = volumes_;
    volumes_ = volume;
    return volume;
}

Status Tree::start(const TreeOptions& options) {
    the_tree = this;
    options_ = options;
    // Mount points that the image lacks are made whatever the limit says: it counts from finish() on.
    Volume* overlay = CAISSON_TRY(make_volume(VolumeKind::overlay, anonymous_limit));
    if (options.root_image.empty())
        root_ = CAISSON_TRY(overlay->make_root(0755));
    else
        root_ = CAISSON_TRY(overlay->open_image(options.root_image));
    anonymous_ = CAISSON_TRY(make_volume(VolumeKind::anonymous, anonymous_limit));
    Volume* proc = CAISSON_TRY(make_volume(VolumeKind::proc, 0));
    Ref<Node> proc_root = CAISSON_TRY(make_synthetic_root(*proc));
    CAISSON_TRY(mount("/proc", *proc, std::move(proc_root)));
    Volume* sys = CAISSON_TRY(make_volume(VolumeKind::sys, 0));
    Ref<Node> sys_root = CAISSON_TRY(make_synthetic_root(*sys));
    CAISSON_TRY(mount("/sys", *sys, std::move(sys_root)));
    proc->set_read_only(true);
    sys->set_read_only(true);
    Volume* devices = CAISSON_TRY(make_volume(VolumeKind::device, device_limit));
    Ref<Node> device_root = CAISSON_TRY(devices->make_root(0755));
    CAISSON_TRY(mount("/dev", *devices, std::move(device_root)));
    CAISSON_TRY(populate_devices());
    Volume* terminals = CAISSON_TRY(make_volume(VolumeKind::terminals, device_limit));
    Ref<Node> terminals_root = CAISSON_TRY(terminals->make_root(0755));
    CAISSON_TRY(mount("/dev/pts", *terminals, std::move(terminals_root)));
    Context context = privileged_context(root_);
    context.umask = 0;
    CAISSON_TRY(make_node(context, *root_, "/dev/pts/ptmx", mode::character | 0666, device::terminal_maker));
    return mount_tmpfs("/dev/shm", 01777, shared_memory_limit);
}

Status Tree::mount(std::string_view path, Volume& volume, Ref<Node> root) {
    Context context = privileged_context(root_);
    Ref<Node> point = CAISSON_TRY(make_path(context, path));
    if (!point->is_directory())
        return base::Failure{Errno::notdir};
    root->covers = point.get();
    volume.mount_point = point;
    point->mounted = root.leak();
    return base::success;
}

Status Tree::mount_tmpfs(std::string_view path, std::uint32_t root_mode, std::uint64_t bytes) {
    if (!path.starts_with('/') || path == "/")
        return base::Failure{Errno::inval};
    Volume* volume =
        CAISSON_TRY(make_volume(VolumeKind::tmpfs, std::max<std::uint64_t>(bytes, sizeof(Node))));
    Ref<Node> root = CAISSON_TRY(volume->make_root(root_mode & mode::permissions));
    return mount(path, *volume, std::move(root));
}

Status Tree::populate_devices() {
    struct Device {
        std::string_view path;
        std::uint32_t permissions;
        std::uint64_t number;
    };
    constexpr Device devices[] = {
        {"/dev/null", 0666, device::null},       {"/dev/zero", 0666, device::zero},
        {"/dev/full", 0666, device::full},       {"/dev/random", 0666, device::random},
        {"/dev/urandom", 0666, device::urandom}, {"/dev/tty", 0666, device::tty},
        {"/dev/console", 0620, device::console}, {"/dev/ptmx", 0666, device::terminal_maker},
    };
    struct Link {
        std::string_view path, target;
    };
    constexpr Link links[] = {{"/dev/fd", "/proc/self/fd"},
                              {"/dev/stdin", "/proc/self/fd/0"},
                              {"/dev/stdout", "/proc/self/fd/1"},
                              {"/dev/stderr", "/proc/self/fd/2"}};
    Context context = privileged_context(root_);
    context.umask = 0;
    for (const Device& device : devices)
        CAISSON_TRY(
            make_node(context, *root_, device.path, mode::character | device.permissions, device.number));
    for (const Link& link : links)
        CAISSON_TRY(make_symlink(context, link.target, *root_, link.path));
    return base::success;
}

Status Tree::add_file(std::string_view path, std::string_view contents, Existing existing) {
    Context context = privileged_context(root_);
    context.umask = 0;
    (void)CAISSON_TRY(make_path(context, path.substr(0, path.rfind('/'))));
    const auto file = open(context, *root_, path,
                           open_flag::write_only | open_flag::create |
                               (existing == Existing::replaced ? open_flag::truncate
                                                               : open_flag::exclusive | open_flag::no_follow),
                           0644);
    if (!file.ok())
        return file.error() == Errno::exist ? base::success : Status{base::Failure{file.error()}};
    Origin from{std::as_bytes(std::span{contents})};
    (void)CAISSON_TRY(write_node(*(*file)->node, 0, from));
    return base::success;
}

void Tree::finish() {
    Volume& overlay = *root_->volume;
    overlay.set_limit(overlay.used() + options_.writable_limit);
    overlay.set_read_only(options_.read_only);
}

Result<Context> Tree::context(const Credentials& credentials, std::string_view working_directory) {
    Context context = privileged_context(root_);
    if (!working_directory.empty()) {
        const bool read_only = root_->volume->read_only();
        root_->volume->set_read_only(false);
        auto found = make_path(context, working_directory);
        root_->volume->set_read_only(read_only);
        context.working = CAISSON_TRY(std::move(found));
    }
    if (!context.working->is_directory())
        return base::Failure{Errno::notdir};
    context.credentials = credentials;
    return context;
}

Result<Ref<Node>> Tree::make_anonymous(std::uint32_t file_mode) {
    Ref<Node> node = CAISSON_TRY(anonymous_->make_node(file_mode, 0, 0));
    node->links = 1;
    return node;
}

Status Tree::open_standard(FileTable& table) {
    Context context = privileged_context(root_);
    Ref<File> input = CAISSON_TRY(open(context, *root_, "/dev/null", open_flag::read_only, 0));
    (void)CAISSON_TRY(table.add(std::move(input), false));
    for (const unsigned stream : {1u, 2u}) {
        Ref<Node> node = CAISSON_TRY(make_anonymous(mode::fifo | 0600));
        node->console = stream;
        Ref<File> output = CAISSON_TRY(make_file(std::move(node), console_file, open_flag::write_only));
        (void)CAISSON_TRY(table.add(std::move(output), false));
    }
    return base::success;
}

void Tree::describe_mounts(TextSink& out, bool mountinfo) const {
    // The list has the newest first; mounts are told oldest first.
    for (std::uint32_t id = 1; id < next_volume_; ++id) {
        const Volume* volume = volumes_;
        while (volume != nullptr && volume->id() != id)
            volume = volume->next;
        const bool is_root = volume == root_->volume;
        if (volume == nullptr || (!is_root && !volume->mount_point))
            continue;
        const std::string_view kind = kind_name(volume->kind());
        const std::string_view access = volume->read_only() ? "ro,relatime" : "rw,relatime";
        if (mountinfo)
            out << std::uint64_t{id} << (is_root ? " 0 0:" : " 1 0:") << std::uint64_t{id} << " / ";
        else
            out << kind << ' ';
        if (is_root)
            out << '/';
        else
            describe(*volume->mount_point, *root_, out);
        if (mountinfo)
            out << ' ' << access << " - " << kind << ' ' << kind << ' ' << access << '\n';
        else
            out << ' ' << kind << ' ' << access << " 0 0\n";
    }
}

void Tree::tear_down() {
    while (volumes_ != nullptr) {
        Volume* volume = volumes_;
        volumes_ = volume->next;
        if (volume->mount_point) {
            Ref<Node> top = Ref<Node>::adopt(volume->mount_point->mounted);
            volume->mount_point->mounted = nullptr;
            volume->drop_all(*top);
        } else if (root_ && volume == root_->volume) {
            volume->drop_all(*root_);
            root_ = {};
        }
        mm::destroy(volume);
    }
    while (free_a_piece())
        ;
    the_tree = nullptr;
}

} // namespace uk::fs
