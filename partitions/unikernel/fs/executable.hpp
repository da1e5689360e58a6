// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/executable.hpp - the file of a program that runs. While it runs nobody opens it for
// writing, and while somebody may write to it nobody runs it (ETXTBSY). A copy is one more that runs.
#pragma once

#include "partitions/unikernel/fs/overlay/node.hpp"

#include <utility>

namespace uk::fs {

class Executable {
public:
    Executable() = default;
    // txtbsy: it is open for writing.
    [[nodiscard]] static Result<Executable> of(Ref<Node> file) {
        if (file->writers > 0)
            return base::Failure{Errno::txtbsy};
        Executable made;
        made.file_ = std::move(file);
        ++made.file_->executions;
        return made;
    }
    Executable(const Executable& other) : file_(other.file_) {
        if (file_)
            ++file_->executions;
    }
    Executable(Executable&& other) noexcept : file_(std::move(other.file_)) {}
    Executable& operator=(Executable other) noexcept {
        std::swap(file_, other.file_);
        return *this;
    }
    ~Executable() {
        if (file_)
            --file_->executions;
    }

    [[nodiscard]] Node* get() const { return file_.get(); }
    [[nodiscard]] const Ref<Node>& file() const { return file_; }

private:
    Ref<Node> file_;
};

} // namespace uk::fs
