// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/ref.hpp - an owning pointer to an object that counts its references.
//
// T gives `retain(T&)` and `release(T&)` by argument-dependent lookup; release frees at zero. Not atomic: the
// file systems run under the kernel's one lock.
#pragma once

#include <cstddef>
#include <utility>

namespace uk {

template <typename T> class Ref {
public:
    constexpr Ref() = default;
    constexpr Ref(std::nullptr_t) {}
    explicit Ref(T* object) : object_(object) { // adds a reference
        if (object_ != nullptr)
            retain(*object_);
    }
    Ref(const Ref& other) : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ != nullptr)
            release(*object_);
    }
    // Takes over the reference that the caller holds.
    [[nodiscard]] static Ref adopt(T* object) {
        Ref ref;
        ref.object_ = object;
        return ref;
    }
    // Gives the reference to the caller.
    [[nodiscard]] T* leak() { return std::exchange(object_, nullptr); }

    [[nodiscard]] T* get() const { return object_; }
    [[nodiscard]] T* operator->() const { return object_; }
    [[nodiscard]] T& operator*() const { return *object_; }
    [[nodiscard]] explicit operator bool() const { return object_ != nullptr; }
    [[nodiscard]] bool operator==(const Ref& other) const { return object_ == other.object_; }

private:
    T* object_ = nullptr;
};

} // namespace uk
