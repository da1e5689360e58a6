// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/walk.cpp - path resolution (path_resolution(7)).
#include "partitions/unikernel/fs/walk.hpp"

#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <utility>

namespace uk::fs {

Node& top_of(Node& node) {
    Node* here = &node;
    while (here->mounted != nullptr)
        here = here->mounted;
    return *here;
}

Node& parent_of(Node& directory) {
    Node* here = &directory;
    while (here->covers != nullptr)
        here = here->covers;
    return here->parent != nullptr ? top_of(*here->parent) : directory;
}

Result<Ref<Node>> look_up(Node& directory, std::string_view name) {
    if (name.size() > name_max)
        return base::Failure{Errno::nametoolong};
    auto found = directory.volume->look_up(directory, name);
    if (found.ok() && (*found)->mounted != nullptr)
        return Ref<Node>{&top_of(**found)};
    return found;
}

Walk::~Walk() {
    while (links_ != nullptr) {
        Link* link = links_;
        links_ = link->before;
        mm::destroy(link);
    }
}

// To the next component, out of links that have been read to their end. True: there was a slash.
bool Walk::skip_slashes() {
    bool any = false;
    for (;;) {
        std::size_t slashes = 0;
        while (slashes < rest_.size() && rest_[slashes] == '/')
            ++slashes;
        rest_.remove_prefix(slashes);
        any = any || slashes > 0;
        if (!rest_.empty() || stack_ == nullptr)
            return any;
        rest_ = stack_->outer;
        stack_ = stack_->below;
    }
}

// The next component of what is left; empty when nothing is left.
std::string_view Walk::next_component() {
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != '/')
        ++end;
    const std::string_view name = rest_.substr(0, end);
    rest_.remove_prefix(end);
    const bool slash = skip_slashes();
    is_last_ = rest_.empty();
    // What a link in the last place leads to has the slash behind it too.
    last_slash_ = last_slash_ || (is_last_ && slash);
    return name;
}

void Walk::go_up() {
    if (!(here_ == context_.root))
        here_ = Ref<Node>{&parent_of(*here_)};
}

Status Walk::enter_link(Ref<Node> link) {
    if (++followed_ > symlinks_max)
        return base::Failure{Errno::loop};
    if (link->synthetic.entry != 0 && link->target.empty()) {
        if (!may_inspect(*link, context_.credentials))
            return base::Failure{Errno::acces};
        here_ = CAISSON_TRY(follow_synthetic(*link));
        return base::success;
    }
    Link* entered = mm::make<Link>();
    if (entered == nullptr)
        return base::Failure{Errno::nomem};
    const std::string_view target = link->target;
    *entered = {std::move(link), rest_, stack_, links_};
    stack_ = links_ = entered;
    rest_ = target;
    if (target.starts_with('/')) {
        here_ = Ref<Node>{&top_of(*context_.root)};
        (void)skip_slashes();
        if (is_last_ && rest_.empty()) // a link to "/" itself
            place_ = {here_, {}, here_, true};
    }
    return base::success;
}

// Takes one component from here_. At the last one fills in place_.
Status Walk::step(std::string_view name, LastLink last) {
    const bool is_last = is_last_;
    if (!here_->is_directory())
        return base::Failure{Errno::notdir};
    if (!permits(*here_, context_.credentials, want::execute))
        return base::Failure{Errno::acces};
    const bool up = name == "..";
    if (up || name == ".") {
        if (up)
            go_up();
        if (is_last)
            place_ = {here_, {}, here_, true};
        return base::success;
    }
    if (is_last && last_slash_ && refuse_last_slash_)
        return base::Failure{Errno::isdir};
    auto found = look_up(*here_, name);
    if (!found.ok()) {
        if (found.error() != Errno::noent || !is_last)
            return base::Failure{found.error()};
        place_ = {here_, name, {}, last_slash_};
        return base::success;
    }
    Ref<Node> node = std::move(found).value();
    const bool follow = node->is_symlink() &&
                        (!is_last || last == LastLink::follow || (last == LastLink::keep && last_slash_));
    if (!follow) {
        if (is_last)
            place_ = {std::move(here_), name, std::move(node), last_slash_};
        else
            here_ = std::move(node);
        return base::success;
    }
    // Nobody is led astray by a stranger's link in a directory where everybody may make one (protected_symlinks).
    const bool shared_place = (here_->mode & (mode::sticky | 0002)) == (mode::sticky | 0002);
    const bool strangers = node->user != context_.credentials.file_user && node->user != here_->user;
    if (is_last && shared_place && strangers)
        return base::Failure{Errno::acces};
    const bool direct = node->synthetic.entry != 0 && node->target.empty();
    CAISSON_TRY(enter_link(std::move(node)));
    if (direct && is_last)
        place_ = {{}, {}, here_, last_slash_};
    return base::success;
}

Result<Place> Walk::to(Node& start, std::string_view path, LastLink last) {
    if (path.empty())
        return base::Failure{Errno::noent};
    if (path.size() >= path_max)
        return base::Failure{Errno::nametoolong};
    here_ = Ref<Node>{path.starts_with('/') ? &top_of(*context_.root) : &start};
    rest_ = path;
    (void)skip_slashes();
    if (rest_.empty())
        return Place{here_, {}, here_, true};
    while (!rest_.empty())
        CAISSON_TRY(step(next_component(), last));
    if (last != LastLink::never && place_.node && place_.must_be_directory && !place_.node->is_directory())
        return base::Failure{Errno::notdir};
    return std::move(place_);
}

} // namespace uk::fs
