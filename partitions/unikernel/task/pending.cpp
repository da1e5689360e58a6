// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/pending.cpp - see pending.hpp.
#include "partitions/unikernel/task/pending.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <bit>

namespace uk::signal {

namespace {

constexpr int first_realtime = 32;

// Linux answers "full" only to a sender that asked for a value to be delivered.
bool must_carry_value(const Information& information) {
    return information.number >= first_realtime && information.code != code::user;
}

// Standard signals and the kernel's own are queued beyond the limit.
bool limited(const Information& information) {
    return information.number >= first_realtime || information.code < 0;
}

void drop(Waiting* node, Account& account) {
    node->queued = false;
    if (node->taken == nullptr) {
        --account.queued;
        mm::destroy(node);
    }
}

} // namespace

void Pending::append(Waiting& node) {
    node.next = nullptr;
    node.queued = true;
    Waiting** link = &first_;
    while (*link != nullptr)
        link = &(*link)->next;
    *link = &node;
    set_ |= bit(node.information.number);
}

void Pending::settle(int number) {
    for (const Waiting* node = first_; node != nullptr; node = node->next)
        if (node->information.number == number)
            return;
    set_ &= ~bit(number);
}

Status Pending::enter(const Information& information, Account& account) {
    const int number = information.number;
    if (number < first_realtime && (set_ & bit(number)) != 0)
        return base::success;
    Waiting* node = limited(information) && account.queued >= account.limit ? nullptr : mm::make<Waiting>();
    if (node == nullptr) {
        if (must_carry_value(information))
            return base::Failure{Errno::again};
        set_ |= bit(number);
        return base::success;
    }
    ++account.queued;
    node->information = information;
    append(*node);
    return base::success;
}

bool Pending::enter(Waiting& own) {
    if (own.queued)
        return false;
    append(own);
    return true;
}

Information Pending::take(Set wanted, Account& account) {
    Set set = set_ & wanted;
    if (set == 0)
        return {};
    if ((set & synchronous) != 0)
        set &= synchronous;
    const int number = std::countr_zero(set) + 1;
    for (Waiting** link = &first_; *link != nullptr; link = &(*link)->next) {
        Waiting* node = *link;
        if (node->information.number != number)
            continue;
        *link = node->next;
        settle(number);
        if (node->taken != nullptr) {
            node->queued = false;
            node->taken(*node);
        }
        const Information information = node->information;
        if (node->taken == nullptr)
            drop(node, account);
        return information;
    }
    set_ &= ~bit(number);
    Information lost; // it came when there was no room for more
    lost.number = number;
    return lost;
}

void Pending::flush(Set which, Account& account) {
    for (Waiting** link = &first_; *link != nullptr;) {
        Waiting* node = *link;
        if ((which & bit(node->information.number)) == 0) {
            link = &node->next;
            continue;
        }
        *link = node->next;
        drop(node, account);
    }
    set_ &= ~which;
}

void Pending::remove(Waiting& own) {
    for (Waiting** link = &first_; *link != nullptr; link = &(*link)->next)
        if (*link == &own) {
            *link = own.next;
            own.queued = false;
            settle(own.information.number);
            return;
        }
}

} // namespace uk::signal
