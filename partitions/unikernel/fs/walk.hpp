// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/walk.hpp - the way along a path, component by component, with search permission
// checked.
//
// Symlinks are followed up to 40 times; what is left of the path waits on a stack of views, so nothing is
// copied.
// ".." stops at the context's root; mount points are crossed both ways.
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/seam.hpp"

#include <array>
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

    // For O_CREAT: a slash behind the last name is EISDIR, whatever the name is.
    void refuse_last_slash() { refuse_last_slash_ = true; }
    // Errors: noent (empty path, or a missing directory on the way), notdir, acces, loop, nametoolong.
    [[nodiscard]] Result<Place> to(Node& start, std::string_view path, LastLink last);

private:
    struct Rest {
        std::string_view text;
        Ref<Node> link; // keeps the text alive
    };
    [[nodiscard]] Status step(std::string_view name, bool is_last, LastLink last);
    [[nodiscard]] Status enter_link(Ref<Node> link);
    [[nodiscard]] std::string_view next_component();
    [[nodiscard]] bool at_end() const;
    void go_up();

    Context& context_;
    Ref<Node> here_;
    Place place_;
    std::array<Rest, symlinks_max + 1> rest_{};
    unsigned depth_ = 0; // of rest_
    unsigned links_ = 0;
    bool refuse_last_slash_ = false;
    bool last_slash_ = false; // somewhere behind the last component
};

// One name in a directory, mounts crossed, without any permission check.
[[nodiscard]] Result<Ref<Node>> look_up(Node& directory, std::string_view name);
// The volume's root that is mounted on it, if any.
[[nodiscard]] Node& top_of(Node& node);
// The directory above, across mounts; the root gives itself.
[[nodiscard]] Node& parent_of(Node& directory);

} // namespace uk::fs
