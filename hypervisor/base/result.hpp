// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/result.hpp - a value or an error, and TRY.
//
// Result<T, E> holds either a T or an E (a small `enum class Error` of the module). Both branches must be looked at:
// the type is [[nodiscard]] and value() on an error is our own bug (base::fail).
#pragma once

#include "hypervisor/base/fail.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace base {

template <typename E> struct Failure { E error; };
template <typename E> Failure(E) -> Failure<E>;

struct Nothing {};

template <typename T, typename E> class [[nodiscard]] Result {
public:
    using Value = T;
    using Error = E;

    constexpr Result(T value) : good_(true), value_(std::move(value)) {}
    constexpr Result(Failure<E> failure) : good_(false), error_(failure.error) {}
    template <typename Other>
    requires(!std::is_same_v<Other, E> &&
             std::is_convertible_v<Other, E>) constexpr Result(Failure<Other> failure)
        : good_(false), error_(failure.error) {}

    constexpr Result(const Result& other) : good_(other.good_) {
        if (good_)
            std::construct_at(&value_, other.value_);
        else
            std::construct_at(&error_, other.error_);
    }
    constexpr Result(Result&& other) noexcept : good_(other.good_) {
        if (good_)
            std::construct_at(&value_, std::move(other.value_));
        else
            std::construct_at(&error_, other.error_);
    }
    Result& operator=(const Result&) = delete;
    constexpr ~Result() {
        if constexpr (!std::is_trivially_destructible_v<T>)
            if (good_)
                value_.~T();
    }

    [[nodiscard]] constexpr explicit operator bool() const { return good_; }
    [[nodiscard]] constexpr bool ok() const { return good_; }
    [[nodiscard]] constexpr T& value() & {
        expects(good_, "Result: value of an error");
        return value_;
    }
    [[nodiscard]] constexpr const T& value() const& {
        expects(good_, "Result: value of an error");
        return value_;
    }
    [[nodiscard]] constexpr T&& value() && {
        expects(good_, "Result: value of an error");
        return std::move(value_);
    }
    [[nodiscard]] constexpr E error() const {
        expects(!good_, "Result: error of a value");
        return error_;
    }
    constexpr T* operator->() { return &value(); }
    constexpr const T* operator->() const { return &value(); }
    constexpr T& operator*() & { return value(); }
    constexpr const T& operator*() const& { return value(); }

private:
    bool good_;
    union {
        T value_;
        E error_;
    };
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
