// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/flush.hpp - what the CPU must forget after a run over entries: a few pages one by
// one, more of them all at once.
#pragma once

#include "partitions/unikernel/mm/address_space.hpp"

namespace uk::mm {

class AddressSpace::Flush {
public:
    explicit Flush(const AddressSpace& space) : active_(active_space() == &space) {}
    Flush(const Flush&) = delete;
    Flush& operator=(const Flush&) = delete;
    ~Flush() {
        if (active_ && pages_ > one_by_one)
            forget_user_translations();
    }
    void add(std::uint64_t virt) {
        if (active_ && ++pages_ <= one_by_one)
            forget_translation(virt);
    }

private:
    static constexpr std::uint64_t one_by_one = 32;
    bool active_;
    std::uint64_t pages_ = 0;
};

} // namespace uk::mm
