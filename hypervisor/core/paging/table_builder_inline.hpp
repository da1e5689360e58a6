// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/table_builder_inline.hpp - bodies of TableBuilder; included by table_builder.hpp
// only.
//
// Each change runs twice over the same code: once counting (checks everything, stores nothing), once storing,
// which can then no longer fail.
#pragma once

#include "hypervisor/core/paging/table_builder.hpp"

namespace paging {

template <TableFormat Format, TableMemory Memory>
std::optional<Error> TableBuilder<Format, Memory>::check_range(std::uint64_t from, std::uint64_t bytes) {
    if (bytes == 0 || ((from | bytes) & (base::page_size - 1)) != 0)
        return Error::misaligned;
    if (from >= input_limit || bytes > input_limit - from)
        return Error::out_of_range;
    return std::nullopt;
}

template <TableFormat Format, TableMemory Memory>
auto TableBuilder<Format, Memory>::descend(std::uint64_t address) const -> Step {
    Step step{root_, root_level, 0};
    for (;;) {
        step.entry = memory_->read(step.table, level_index(address, step.level));
        if (!Format::present(step.entry) || Format::is_leaf(step.entry, step.level))
            return step;
        step.table = Format::address(step.entry);
        --step.level;
    }
}

template <TableFormat Format, TableMemory Memory>
template <typename TableBuilder<Format, Memory>::Pass pass>
auto TableBuilder<Format, Memory>::fill(std::uint64_t from, std::uint64_t to, std::uint64_t bytes,
                                        Access access, bool tables_only) -> base::Result<Tally, Error> {
    Tally tally;
    // While counting, tables that would be made are imagined: at each level, up to which address one covers
    // already.
    std::array<std::uint64_t, root_level> imagined{};
    const std::uint64_t end = from + bytes;
    for (std::uint64_t at = from; at < end;) {
        Step step = descend(at);
        if (Format::present(step.entry) && !(tables_only && step.level == 0))
            return base::Failure{Error::overlap};
        const std::uint64_t target = to + (at - from);
        const auto too_big = [&](unsigned level) {
            return tables_only ? level > 0 : level > largest_ || !fits(at, target, end - at, level);
        };
        while (too_big(step.level)) {
            if constexpr (pass == Pass::count) {
                std::uint64_t& covered = imagined[step.level - 1];
                if (at >= covered) {
                    ++tally.tables;
                    covered = (at | (level_size(step.level) - 1)) + 1;
                }
            } else {
                const base::PhysAddr table = memory_->allocate();
                memory_->write(step.table, level_index(at, step.level), Format::table(table));
                ++tally.written;
                step.table = table;
            }
            --step.level;
        }
        if (tables_only) {
            at = (at | (level_size(1) - 1)) + 1;
            continue;
        }
        if constexpr (pass == Pass::store) {
            memory_->write(step.table, level_index(at, step.level),
                           Format::leaf(base::PhysAddr{target}, step.level, access));
            ++tally.written;
        }
        at += level_size(step.level);
    }
    return tally;
}

template <TableFormat Format, TableMemory Memory>
base::Result<unsigned, Error> TableBuilder<Format, Memory>::map(std::uint64_t from, base::PhysAddr to,
                                                                std::uint64_t bytes, Access access) {
    if (const auto error = check_range(from, bytes))
        return base::Failure{*error};
    if (!to.is_aligned(base::page_size))
        return base::Failure{Error::misaligned};
    if (to.value() >= output_limit || bytes > output_limit - to.value())
        return base::Failure{Error::out_of_range};
    if (!Format::allows(access))
        return base::Failure{Error::bad_access};
    const Tally needed = CAISSON_TRY(fill<Pass::count>(from, to.value(), bytes, access, false));
    if (needed.tables > memory_->available())
        return base::Failure{Error::out_of_frames};
    return CAISSON_TRY(fill<Pass::store>(from, to.value(), bytes, access, false)).written;
}

template <TableFormat Format, TableMemory Memory>
base::Result<unsigned, Error> TableBuilder<Format, Memory>::prepare(std::uint64_t from, std::uint64_t bytes) {
    if (const auto error = check_range(from, bytes))
        return base::Failure{*error};
    const Tally needed = CAISSON_TRY(fill<Pass::count>(from, 0, bytes, Access{}, true));
    if (needed.tables > memory_->available())
        return base::Failure{Error::out_of_frames};
    return CAISSON_TRY(fill<Pass::store>(from, 0, bytes, Access{}, true)).written;
}

// Replaces one large leaf by a table of the next smaller ones with the same translation; the new table is
// complete before the one store that puts it in place.
template <TableFormat Format, TableMemory Memory>
base::PhysAddr TableBuilder<Format, Memory>::split(const Step& step, std::uint64_t address, Tally& tally) {
    const base::PhysAddr table = memory_->allocate();
    const Access access = Format::access(step.entry);
    const std::uint64_t first = Format::address(step.entry).value();
    for (unsigned i = 0; i < 512; ++i)
        memory_->write(
            table, i,
            Format::leaf(base::PhysAddr{first + i * level_size(step.level - 1)}, step.level - 1, access));
    memory_->write(step.table, level_index(address, step.level), Format::table(table));
    tally.written += 513;
    return table;
}

template <TableFormat Format, TableMemory Memory>
template <typename TableBuilder<Format, Memory>::Pass pass>
auto TableBuilder<Format, Memory>::change(std::uint64_t from, std::uint64_t bytes,
                                          std::optional<Access> access) -> base::Result<Tally, Error> {
    Tally tally;
    std::array<std::uint64_t, root_level> imagined{};
    const std::uint64_t end = from + bytes;
    for (std::uint64_t at = from; at < end;) {
        Step step = descend(at);
        if (!Format::present(step.entry))
            return base::Failure{Error::not_mapped};
        while (!fits(at, 0, end - at, step.level)) {
            if constexpr (pass == Pass::count) {
                std::uint64_t& covered = imagined[step.level - 1];
                if (at >= covered) {
                    ++tally.tables;
                    covered = (at | (level_size(step.level) - 1)) + 1;
                }
            } else {
                step.table = split(step, at, tally);
                step.entry = memory_->read(step.table, level_index(at, step.level - 1));
            }
            --step.level;
        }
        if constexpr (pass == Pass::store) {
            const std::uint64_t entry =
                access ? Format::leaf(Format::address(step.entry), step.level, *access) : 0;
            memory_->write(step.table, level_index(at, step.level), entry);
            ++tally.written;
        }
        at += level_size(step.level);
    }
    return tally;
}

template <TableFormat Format, TableMemory Memory>
base::Result<unsigned, Error> TableBuilder<Format, Memory>::unmap(std::uint64_t from, std::uint64_t bytes) {
    if (const auto error = check_range(from, bytes))
        return base::Failure{*error};
    const Tally needed = CAISSON_TRY(change<Pass::count>(from, bytes, std::nullopt));
    if (needed.tables > memory_->available())
        return base::Failure{Error::out_of_frames};
    return CAISSON_TRY(change<Pass::store>(from, bytes, std::nullopt)).written;
}

template <TableFormat Format, TableMemory Memory>
base::Result<unsigned, Error> TableBuilder<Format, Memory>::protect(std::uint64_t from, std::uint64_t bytes,
                                                                    Access access) {
    if (const auto error = check_range(from, bytes))
        return base::Failure{*error};
    if (!Format::allows(access))
        return base::Failure{Error::bad_access};
    const Tally needed = CAISSON_TRY(change<Pass::count>(from, bytes, access));
    if (needed.tables > memory_->available())
        return base::Failure{Error::out_of_frames};
    return CAISSON_TRY(change<Pass::store>(from, bytes, access)).written;
}

template <TableFormat Format, TableMemory Memory>
std::optional<Leaf> TableBuilder<Format, Memory>::query(std::uint64_t address) const {
    if (address >= input_limit)
        return std::nullopt;
    const Step step = descend(address);
    if (!Format::present(step.entry))
        return std::nullopt;
    const std::uint64_t size = level_size(step.level);
    return Leaf{address & ~(size - 1), Format::address(step.entry), size, Format::access(step.entry)};
}

template <TableFormat Format, TableMemory Memory>
std::optional<Leaf> TableBuilder<Format, Memory>::next(std::uint64_t address) const {
    for (std::uint64_t at = address; at < input_limit;) {
        const Step step = descend(at);
        const std::uint64_t size = level_size(step.level);
        if (Format::present(step.entry))
            return Leaf{at & ~(size - 1), Format::address(step.entry), size, Format::access(step.entry)};
        at = (at | (size - 1)) + 1;
    }
    return std::nullopt;
}

template <TableFormat Format, TableMemory Memory>
std::optional<base::PhysAddr> TableBuilder<Format, Memory>::last_table(std::uint64_t address) const {
    if (address >= input_limit)
        return std::nullopt;
    const Step step = descend(address);
    if (step.level != 0)
        return std::nullopt;
    return step.table;
}

} // namespace paging
