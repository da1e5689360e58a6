// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/walk.cpp - path resolution (path_resolution(7)).
#include "partitions/unikernel/fs/walk.hpp"

#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"

#include <algorithm>
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
    const Ref<Node> found = CAISSON_TRY(directory.volume->look_up(directory, name));
    return Ref<Node>{&top_of(*found)};
}

// The next component of what is left; empty when nothing is left.
std::string_view Walk::next_component() {
    while (depth_ > 0) {
        Rest& rest = rest_[depth_ - 1];
        const std::size_t start = rest.text.find_first_not_of('/');
        if (start == std::string_view::npos) {
            --depth_;
            continue;
        }
        const std::size_t end = std::min(rest.text.find('/', start), rest.text.size());
        const std::string_view name = rest.text.substr(start, end - start);
        rest.text = rest.text.substr(end);
        return name;
    }
    return {};
}

bool Walk::at_end() const {
    for (unsigned i = 0; i < depth_; ++i)
        if (rest_[i].text.find_first_not_of('/') != std::string_view::npos)
            return false;
    return true;
}

void Walk::go_up() {
    if (!(here_ == context_.root))
        here_ = Ref<Node>{&parent_of(*here_)};
}

Status Walk::enter_link(Ref<Node> link) {
    if (++links_ > symlinks_max)
        return base::Failure{Errno::loop};
    if (link->synthetic.entry != 0 && link->target.empty()) {
        if (!may_inspect(*link, context_.credentials))
            return base::Failure{Errno::acces};
        here_ = CAISSON_TRY(follow_synthetic(*link));
        return base::success;
    }
    const std::string_view target = link->target;
    if (target.starts_with('/'))
        here_ = Ref<Node>{&top_of(*context_.root)};
    rest_[depth_++] = {target, std::move(link)};
    return base::success;
}

// Takes one component from here_. At the last one fills in place_.
Status Walk::step(std::string_view name, bool is_last, LastLink last) {
    if (!here_->is_directory())
        return base::Failure{Errno::notdir};
    if (!permits(*here_, context_.credentials, want::execute))
        return base::Failure{Errno::acces};
    if (name == "." || name == "..") {
        if (name == "..")
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
    Ref<Node> node = *found;
    const bool follow = node->is_symlink() &&
                        (!is_last || last == LastLink::follow || (last == LastLink::keep && last_slash_));
    if (!follow) {
        if (is_last)
            place_ = {here_, name, node, last_slash_};
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
    place_ = {here_, {}, here_, true};
    rest_[depth_++] = {path, {}};
    for (;;) {
        const std::string_view name = next_component();
        if (name.empty())
            break;
        const bool is_last = at_end();
        last_slash_ = false;
        for (unsigned i = 0; i < depth_ && is_last; ++i)
            last_slash_ = last_slash_ || !rest_[i].text.empty();
        CAISSON_TRY(step(name, is_last, last));
    }
    if (last != LastLink::never && place_.node && place_.must_be_directory && !place_.node->is_directory())
        return base::Failure{Errno::notdir};
    return std::move(place_);
}

} // namespace uk::fs
