// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/describe.cpp - from a node back to its path.
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {

namespace {

// A path that grows to the left.
class Path {
public:
    Path() : text_(static_cast<char*>(mm::allocate(path_max))) {}
    Path(const Path&) = delete;
    Path& operator=(const Path&) = delete;
    ~Path() { mm::free(text_); }

    [[nodiscard]] bool prepend(std::string_view name) {
        if (text_ == nullptr || name.size() + 1 > start_)
            return false;
        start_ -= name.size() + 1;
        text_[start_] = '/';
        std::memcpy(text_ + start_ + 1, name.data(), name.size());
        return true;
    }
    [[nodiscard]] std::string_view view() const {
        return start_ == path_max ? std::string_view{"/"}
                                  : std::string_view{text_ + start_, path_max - start_};
    }

private:
    char* text_;
    std::size_t start_ = path_max;
};

constexpr std::string_view too_long = "(too long)";

} // namespace

void describe(Node& node, const Node& root, TextSink& out) {
    if (node.volume->kind() == VolumeKind::anonymous) {
        if (node.target.empty())
            out << (node.type() == mode::socket ? "socket:[" : "pipe:[") << node.number << "]";
        else
            out << node.target;
        return;
    }
    Path path;
    bool deleted = false;
    for (Node* here = &node; here != &root;) {
        while (here->covers != nullptr)
            here = here->covers;
        if (here->parent == nullptr)
            break;
        TextSink made;
        std::string_view name = here->synthetic.entry != 0
                                    ? synthetic_name(*here, made)
                                    : here->parent->volume->name_of(*here->parent, *here);
        if (name.empty()) {
            deleted = true;
            name = here->target; // the last name it had
        }
        if (!path.prepend(name)) {
            out << too_long;
            return;
        }
        here = here->parent;
    }
    out << path.view();
    if (deleted)
        out << " (deleted)";
}

namespace {

void octal(TextSink& out, std::uint32_t value) {
    bool leading = true;
    for (unsigned shift = 30; shift > 0; shift -= 3) {
        leading = leading && (value >> shift & 7) == 0;
        if (!leading)
            out << static_cast<char>('0' + (value >> shift & 7));
    }
    out << static_cast<char>('0' + (value & 7));
}

} // namespace

void describe_open_file(File& file, bool close_on_exec, TextSink& out) {
    out << "pos:\t" << file.position << "\nflags:\t0";
    octal(out, file.flags | (close_on_exec ? open_flag::close_on_exec : 0));
    out << "\nmnt_id:\t" << std::uint64_t{file.node->volume->id()} << "\nino:\t" << file.node->number << '\n';
    if (file.operations->information != nullptr)
        file.operations->information(file, out);
}

Status path_of_working_directory(Context& context, TextSink& out) {
    Node& here = *context.working;
    if (here.links == 0)
        return base::Failure{Errno::noent};
    describe(here, *context.root, out);
    if (!out.complete())
        return base::Failure{Errno::nomem};
    if (out.view() == too_long)
        return base::Failure{Errno::nametoolong};
    return base::success;
}

} // namespace uk::fs
