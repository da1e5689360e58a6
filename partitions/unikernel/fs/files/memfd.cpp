// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/memfd.cpp - see memfd.hpp. What a seal forbids is asked where it would be done.
#include "partitions/unikernel/fs/files/memfd.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/mm/vma.hpp"

namespace uk::fs {

Result<Ref<File>> make_memfd(Ref<Node> node, std::string_view name, std::uint8_t seals) {
    TextSink shown;
    shown << "/memfd:" << name << " (deleted)";
    CAISSON_TRY(set_generated_target(*node, shown));
    node->links = 0;
    node->seals = seals;
    return make_file(std::move(node), regular_file, open_flag::read_write | open_flag::large_file);
}

Result<std::uint64_t> control_seals(File& file, std::uint32_t request, std::uint64_t argument) {
    Node& node = *file.node;
    if (node.seals == seal::not_offered)
        return base::Failure{Errno::inval};
    if (request == control::get_seals)
        return std::uint64_t{node.seals};
    if (!file.writable)
        return base::Failure{Errno::perm};
    if ((argument & ~std::uint64_t{seal::known}) != 0)
        return base::Failure{Errno::inval};
    if (node.sealed(seal::seal))
        return base::Failure{Errno::perm};
    if ((argument & seal::write) != 0)
        for (const mm::Vma* vma = node.mappings.first(); vma != nullptr; vma = vma->next_of_node)
            if (vma->shared && vma->shared_writable)
                return base::Failure{Errno::busy};
    node.seals |= static_cast<std::uint8_t>(argument);
    return std::uint64_t{0};
}

} // namespace uk::fs
