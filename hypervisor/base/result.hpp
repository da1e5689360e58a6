// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/result.hpp - a value or an error, and TRY.
//
// Result<T, E> holds either a T or an E (a small `enum class Error` of the module). Both branches must be looked at:
// the type is [[nodiscard]] and value() of an error is our own bug (base::fail).
#pragma once

#include "hypervisor/base/fail.hpp"

#include <concepts>
#include <optional>
#include <utility>

namespace base {

template <typename E> struct Failure { E error; };
template <typename E> Failure(E) -> Failure<E>;

struct Nothing {};

template <typename T, typename E> class [[nodiscard]] Result {
public:
    constexpr Result(T value) : value_(std::move(value)) {}
    template <std::convertible_to<E> Other>
    constexpr Result(Failure<Other> failure) : error_(failure.error) {}

    [[nodiscard]] constexpr explicit operator bool() const { return ok(); }
    [[nodiscard]] constexpr bool ok() const { return value_.has_value(); }
    // The value, which libstdc++ asserts to be there (_GLIBCXX_ASSERTIONS).
    [[nodiscard]] constexpr T& value() & { return *value_; }
    [[nodiscard]] constexpr const T& value() const& { return *value_; }
    [[nodiscard]] constexpr T&& value() && { return *std::move(value_); }
    [[nodiscard]] constexpr E error() const {
        expects(!ok(), "Result: error of a value");
        return error_;
    }
    constexpr T* operator->() { return &value(); }
    constexpr const T* operator->() const { return &value(); }
    constexpr T& operator*() & { return value(); }
    constexpr const T& operator*() const& { return value(); }

private:
    std::optional<T> value_;
    E error_{}; // where there is no value
};

// A result without a value.
template <typename E> using Status = Result<Nothing, E>;
inline constexpr Nothing success{};

} // namespace base

// TRY(expression): the value of a Result, or return its error from the enclosing function.
#define CAISSON_TRY(expression)                                                                              \
    __extension__({                                                                                          \
        auto caisson_result = (expression);                                                                  \
        if (!caisson_result.ok())                                                                            \
            return ::base::Failure{caisson_result.error()};                                                  \
        std::move(caisson_result).value();                                                                   \
    })
