// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/walk.hpp - the way along a path, component by component, with search permission
// checked.
//
// Symlinks are followed up to 40 times; what is left of the path waits on a stack of views, so nothing is
// copied. A link's text stays until the walk is over, for names may lie in it.
// ".." stops at the context's root; mount points are crossed both ways.
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/seam.hpp"

#include <string_view>

namespace uk::fs {

// Where a path ends.
struct Place {
    Ref<Node> directory; // that holds, or would hold, the last name
    std::string_view
        name;       // valid while the Walk lives; empty: the path ends in "/", "." or ".." or a direct link
    Ref<Node> node; // nothing: the name is free
    bool must_be_directory = false; // a slash follows the last name
};

enum class LastLink : std::uint8_t {
    follow,
    keep,  // unless a slash follows it
    never, // the name itself, whatever it is; what a slash behind it asks for is the caller's to check
};

class Walk {
public:
    explicit Walk(Context& context) : context_(context) {}
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;
    ~Walk();

    // For O_CREAT: a slash behind the last name is EISDIR, whatever the name is.
    void refuse_last_slash() { refuse_last_slash_ = true; }
    // Errors: noent (empty path, or a missing directory on the way), notdir, acces, loop, nametoolong, nomem.
    [[nodiscard]] Result<Place> to(Node& start, std::string_view path, LastLink last);

private:
    struct Link { // one that was followed
        Ref<Node> node;
        std::string_view outer; // what is left of the path that led to it
        Link* below = nullptr;  // of the stack
        Link* before = nullptr; // of all
    };
    [[nodiscard]] Status step(std::string_view name, LastLink last);
    [[nodiscard]] Status enter_link(Ref<Node> link);
    [[nodiscard]] std::string_view next_component();
    [[nodiscard]] bool skip_slashes();
    void go_up();

    Context& context_;
    Ref<Node> here_;
    Place place_;
    std::string_view rest_; // of the path or link that is being read
    Link* stack_ = nullptr;
    Link* links_ = nullptr;
    unsigned followed_ = 0;
    bool refuse_last_slash_ = false;
    bool is_last_ = false;    // the component just taken
    bool last_slash_ = false; // somewhere behind the last component
};

// One name in a directory, mounts crossed, without any permission check.
[[nodiscard]] Result<Ref<Node>> look_up(Node& directory, std::string_view name);
// The volume's root that is mounted on it, if any.
[[nodiscard]] Node& top_of(Node& node);
// The directory above, across mounts; the root gives itself.
[[nodiscard]] Node& parent_of(Node& directory);

} // namespace uk::fs
