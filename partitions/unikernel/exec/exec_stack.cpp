// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/exec_stack.cpp - see exec_stack.hpp.
// Spec: System V ABI AMD64 supplement, figure "Initial Process Stack".
#include "partitions/unikernel/exec/exec_stack.hpp"

#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"

#include <array>
#include <cstring>

namespace uk::exec {

namespace {

// a_type values.
enum class Auxiliary : std::uint64_t {
    null = 0,
    program_headers = 3,
    header_bytes = 4,
    header_count = 5,
    page_bytes = 6,
    base = 7,
    flags = 8,
    entry = 9,
    user = 11,
    effective_user = 12,
    group = 13,
    effective_group = 14,
    platform = 15,
    hardware = 16,
    clock_ticks = 17,
    secure = 23,
    random = 25,
    hardware2 = 26,
    executable_name = 31,
    vdso = 33,
    minimum_signal_stack = 51,
};
constexpr std::string_view platform_name = "x86_64";
constexpr std::uint64_t clock_ticks = 100, program_header_bytes = 56;

// Writes downwards, then upwards, in the new program's stack; remembers the first failure.
class StackWriter {
public:
    StackWriter(mm::AddressSpace& space, std::uint64_t top) : space_(space), at_(top) {}

    std::uint64_t push(const void* bytes, std::size_t size) {
        at_ -= size;
        write(at_, bytes, size);
        return at_;
    }
    std::uint64_t push_string(std::string_view text) {
        at_ -= text.size() + 1;
        write(at_, text.data(), text.size());
        return at_; // the NUL is there: the page is new
    }
    void align_for(std::uint64_t words) { at_ = base::round_down(at_ - words * 8, 16); }
    void put(std::uint64_t word) {
        if (filled_ == words_.size())
            flush();
        words_[filled_++] = word;
    }
    void start_words() { next_ = at_; }
    void flush() {
        write(next_, words_.data(), filled_ * 8);
        next_ += filled_ * 8;
        filled_ = 0;
    }
    [[nodiscard]] std::uint64_t at() const { return at_; }
    [[nodiscard]] std::uint64_t next_word() const { return next_ + filled_ * 8; }
    [[nodiscard]] bool good() const { return good_; }

private:
    void write(std::uint64_t address, const void* bytes, std::size_t size) {
        good_ = good_ && space_.write_memory(address, bytes, size).ok();
    }

    mm::AddressSpace& space_;
    std::uint64_t at_, next_ = 0;
    std::array<std::uint64_t, 32> words_{};
    std::size_t filled_ = 0;
    bool good_ = true;
};

// Pointers to `count` strings that lie one after the other from `at`.
std::uint64_t put_pointers(StackWriter& stack, const char* text, std::uint64_t at, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        stack.put(at);
        const std::size_t bytes = std::strlen(text) + 1;
        text += bytes;
        at += bytes;
    }
    stack.put(0);
    return at;
}

std::uint64_t bytes_of(const char* text, unsigned count) {
    const char* at = text;
    for (unsigned i = 0; i < count; ++i)
        at += std::strlen(at) + 1;
    return static_cast<std::uint64_t>(at - text);
}

constexpr std::uint64_t auxiliary_entries = 21;

void put_auxiliary(StackWriter& stack, std::uint64_t vdso, const fs::Credentials& who, const StackPlan& plan,
                   std::uint64_t random, std::uint64_t platform, std::uint64_t name) {
    struct Entry {
        Auxiliary type;
        std::uint64_t value;
    };
    const std::array<Entry, auxiliary_entries> entries{
        {{Auxiliary::vdso, vdso},
         {Auxiliary::minimum_signal_stack, signal::frame_bytes_max(machine::features().vector_bytes)},
         {Auxiliary::hardware, machine::features().hwcap},
         {Auxiliary::page_bytes, base::page_size},
         {Auxiliary::clock_ticks, clock_ticks},
         {Auxiliary::program_headers, plan.program_headers},
         {Auxiliary::header_bytes, program_header_bytes},
         {Auxiliary::header_count, plan.header_count},
         {Auxiliary::base, plan.interpreter_base},
         {Auxiliary::flags, 0},
         {Auxiliary::entry, plan.entry},
         {Auxiliary::user, who.real_user},
         {Auxiliary::effective_user, who.effective_user},
         {Auxiliary::group, who.real_group},
         {Auxiliary::effective_group, who.effective_group},
         {Auxiliary::secure, plan.secure ? 1U : 0U},
         {Auxiliary::random, random},
         {Auxiliary::hardware2, 0},
         {Auxiliary::executable_name, name},
         {Auxiliary::platform, platform},
         {Auxiliary::null, 0}}};
    for (const Entry& entry : std::span{entries}.subspan(vdso == 0 ? 1 : 0)) {
        stack.put(static_cast<std::uint64_t>(entry.type));
        stack.put(entry.value);
    }
}

} // namespace

Result<std::uint64_t> build_stack(mm::AddressSpace& space, const fs::Credentials& who,
                                  const ProgramStrings& strings, const StackPlan& plan) {
    StackWriter stack{space, space.stack_top - 8}; // the last word stays zero
    const std::uint64_t name = stack.push_string(plan.path);
    const std::uint64_t text = stack.push(strings.bytes().data(), strings.bytes().size());
    const char* first = strings.bytes().data();
    space.arguments_start = text;
    space.arguments_end = space.environment_start = text + bytes_of(first, strings.argument_count());
    space.environment_end = text + strings.bytes().size();
    const std::uint64_t platform = stack.push_string(platform_name);
    std::array<std::byte, 16> random{};
    machine::random_bytes(random);
    const std::uint64_t random_at = stack.push(random.data(), random.size());

    const std::uint64_t words =
        1 + strings.argument_count() + 1 + strings.environment_count() + 1 + 2 * auxiliary_entries;
    stack.align_for(words);
    stack.start_words();
    stack.put(strings.argument_count());
    const std::uint64_t environment = put_pointers(stack, first, text, strings.argument_count());
    (void)put_pointers(stack, first + (environment - text), environment, strings.environment_count());
    space.auxiliary_start = stack.next_word();
    put_auxiliary(stack, space.vdso, who, plan, random_at, platform, name);
    space.auxiliary_end = stack.next_word();
    stack.flush();
    if (!stack.good())
        return base::Failure{Errno::nomem};
    return stack.at();
}

ProgramStrings::~ProgramStrings() {
    mm::free(data_);
}

Status ProgramStrings::reserve(std::size_t more) {
    constexpr std::size_t bytes_max = std::size_t{2} << 20; // a quarter of the usual stack limit
    if (more > bytes_max || size_ + more > bytes_max)
        return base::Failure{Errno::too_big};
    if (size_ + more <= capacity_)
        return base::success;
    const std::size_t capacity = std::max(capacity_ * 2, std::max<std::size_t>(size_ + more, 512));
    auto* data = static_cast<char*>(mm::allocate(capacity));
    if (data == nullptr)
        return base::Failure{Errno::nomem};
    if (size_ > 0)
        std::memcpy(data, data_, size_);
    mm::free(data_);
    data_ = data;
    capacity_ = capacity;
    return base::success;
}

Status ProgramStrings::append(std::string_view text) {
    CAISSON_TRY(reserve(text.size() + 1));
    std::memcpy(data_ + size_, text.data(), text.size());
    data_[size_ + text.size()] = '\0';
    size_ += text.size() + 1;
    return base::success;
}

Status ProgramStrings::add_argument(std::string_view text) {
    CAISSON_TRY(append(text));
    ++arguments_;
    return base::success;
}

Status ProgramStrings::add_environment(std::string_view text) {
    CAISSON_TRY(append(text));
    ++environments_;
    return base::success;
}

Status ProgramStrings::replace_first(std::span<const std::string_view> prefix) {
    const std::size_t old = arguments_ == 0 ? 0 : std::strlen(data_) + 1;
    std::size_t bytes = 0;
    for (const std::string_view part : prefix)
        bytes += part.size() + 1;
    CAISSON_TRY(reserve(bytes));
    std::memmove(data_ + bytes, data_ + old, size_ - old);
    char* at = data_;
    for (const std::string_view part : prefix) {
        std::memcpy(at, part.data(), part.size());
        at[part.size()] = '\0';
        at += part.size() + 1;
    }
    size_ += bytes - old;
    arguments_ += static_cast<unsigned>(prefix.size()) - (arguments_ == 0 ? 0 : 1);
    return base::success;
}

} // namespace uk::exec
