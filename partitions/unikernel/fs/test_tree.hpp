// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/test_tree.hpp - a tree with one process for tests, and short ways to use it. Test code only.
#pragma once

#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/tree.hpp"

#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace uk::fs::test {

// 0, or the error's number.
template <typename T> int code(const uk::Result<T>& result) {
    return result.ok() ? 0 : static_cast<int>(result.error());
}

class TestTree {
public:
    explicit TestTree(const TreeOptions& options) {
        host::state().allocations_left = -1;
        started = code(tree.start(options));
    }
    TestTree(const TestTree&) = delete;
    TestTree& operator=(const TestTree&) = delete;
    ~TestTree() {
        host::state().process = {};
        files.close_all();
        context = {};
        tree.tear_down();
    }
    void run_as(std::uint32_t user, std::uint32_t group) {
        Credentials who;
        who.real_user = who.effective_user = who.saved_user = who.file_user = user;
        who.real_group = who.effective_group = who.saved_group = who.file_group = group;
        who.capabilities.begin(user == 0);
        auto made = tree.context(who, "/");
        context = std::move(made).value();
        host::state().process = {&files, &context, nullptr};
    }
    Node& here() { return *context.working; }

    // -errno or a descriptor.
    int open(std::string_view path, std::uint32_t flags, std::uint32_t mode = 0644) {
        auto file = fs::open(context, here(), path, flags, mode);
        if (!file.ok())
            return -static_cast<int>(file.error());
        const auto descriptor = files.add(std::move(file).value(), false);
        return descriptor.ok() ? *descriptor : -static_cast<int>(descriptor.error());
    }
    File& file(int descriptor) { return *files.get(descriptor).value(); }
    int write(int descriptor, std::string_view text) {
        Origin from{std::as_bytes(std::span{text})};
        const auto done = write_file(file(descriptor), from);
        return done.ok() ? static_cast<int>(*done) : -static_cast<int>(done.error());
    }
    std::string read(int descriptor, std::size_t bytes = 1 << 20) {
        std::string text(bytes, '\0');
        Destination to{std::as_writable_bytes(std::span{text})};
        const auto done = read_file(file(descriptor), to);
        if (!done.ok())
            return "error " + std::to_string(static_cast<int>(done.error()));
        text.resize(*done);
        return text;
    }
    int put(std::string_view path, std::string_view text, std::uint32_t mode = 0644) {
        const int descriptor =
            open(path, open_flag::write_only | open_flag::create | open_flag::truncate, mode);
        if (descriptor < 0)
            return descriptor;
        const int done = write(descriptor, text);
        (void)files.close(descriptor);
        return done;
    }
    std::string content(std::string_view path) {
        const int descriptor = open(path, open_flag::read_only);
        if (descriptor < 0)
            return "error " + std::to_string(-descriptor);
        std::string text = read(descriptor);
        (void)files.close(descriptor);
        return text;
    }
    std::vector<std::string> names(std::string_view path) {
        std::vector<std::string> out;
        const int descriptor = open(path, open_flag::read_only | open_flag::directory);
        if (descriptor < 0)
            return {"error " + std::to_string(-descriptor)};
        (void)list(
            file(descriptor),
            [](void* to, const ListedEntry& entry) {
                if (entry.name != "." && entry.name != "..")
                    static_cast<std::vector<std::string>*>(to)->emplace_back(entry.name);
                return true;
            },
            &out);
        (void)files.close(descriptor);
        return out;
    }
    Ref<Node> node(std::string_view path, bool follow = true) {
        auto found = find(context, here(), path, follow ? 0 : at::symlink_no_follow);
        return found.ok() ? std::move(found).value() : Ref<Node>{};
    }
    std::string link(std::string_view path) {
        const Ref<Node> found = node(path, false);
        TextSink made;
        const auto target = found ? read_link(context, *found, made)
                                  : uk::Result<std::string_view>{base::Failure{Errno::noent}};
        return target.ok() ? std::string{*target}
                           : "error " + std::to_string(static_cast<int>(target.error()));
    }
    std::string path_of(std::string_view path) {
        const Ref<Node> found = node(path, false);
        TextSink out;
        describe(*found, tree.root(), out);
        return std::string{out.view()};
    }

    Tree tree;
    Context context;
    FileTable files;
    int started = 0;
};

// Page-aligned copy of an image file.
class Image {
public:
    explicit Image(const std::vector<char>& bytes)
        : size_(bytes.size()), memory_(static_cast<std::byte*>(
                                   std::aligned_alloc(4096, (bytes.size() + 4095) / 4096 * 4096 + 4096))) {
        std::memset(memory_, 0, (size_ + 4095) / 4096 * 4096 + 4096);
        if (!bytes.empty())
            std::memcpy(memory_, bytes.data(), bytes.size());
    }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    ~Image() { std::free(memory_); }
    [[nodiscard]] std::span<const std::byte> view() const { return {memory_, size_}; }
    [[nodiscard]] std::span<std::byte> bytes() { return {memory_, size_}; }

private:
    std::size_t size_;
    std::byte* memory_;
};

} // namespace uk::fs::test
