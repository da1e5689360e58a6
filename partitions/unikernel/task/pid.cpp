// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/pid.cpp - see pid.hpp.
#include "partitions/unikernel/task/pid.hpp"

#include "partitions/unikernel/mm/heap.hpp"

namespace uk {

void retain(Pid& pid) {
    ++pid.references;
}

void release(Pid& pid) {
    if (--pid.references > 0)
        return;
    pid.table->remove(pid);
    mm::destroy(&pid);
}

Pid* PidTable::find(int id) const {
    for (Pid* pid = buckets_[bucket_of(id)]; pid != nullptr; pid = pid->next)
        if (pid->id == id)
            return pid;
    return nullptr;
}

Result<Ref<Pid>> PidTable::make() {
    if (count_ >= most - reserved)
        return base::Failure{Errno::again};
    int id = last_;
    do
        id = id >= most ? reserved : id + 1;
    while (find(id) != nullptr);
    Pid* pid = mm::make<Pid>();
    if (pid == nullptr)
        return base::Failure{Errno::nomem};
    last_ = id;
    pid->id = id;
    pid->table = this;
    Pid*& bucket = buckets_[bucket_of(id)];
    pid->next = bucket;
    bucket = pid;
    ++count_;
    return Ref<Pid>{pid};
}

void PidTable::remove(Pid& pid) {
    Pid** link = &buckets_[bucket_of(pid.id)];
    while (*link != &pid)
        link = &(*link)->next;
    *link = pid.next;
    --count_;
}

} // namespace uk
