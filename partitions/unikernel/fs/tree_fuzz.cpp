// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/tree_fuzz.cpp - any operations on a tree over any image; at the end nothing may be left over.
//
// Input: one byte, how many operations follow; four bytes an operation; the rest is the image (unsound: an empty root).
#include "partitions/unikernel/fs/test_tree.hpp"

namespace {

using namespace uk::fs;

struct Operation {
    std::uint8_t kind, first, second, argument;
};

// Two nibbles choose names: few, so that operations meet; "usr", "lib" and the like are in the seed's image.
std::string path_of(std::uint8_t choice) {
    static constexpr std::string_view names[] = {"a",  "b",    "usr",      "lib", "file", "link", "..",   ".",
                                                 "ab", "proc", "self/fd/", "dev", "shm",  "big",  "zero", ""};
    std::string out{names[choice & 15]};
    if ((choice >> 4) != 0)
        out += "/" + std::string{names[choice >> 4]};
    return out;
}

void run(test::TestTree& t, const Operation& operation) {
    const std::string first = path_of(operation.first);
    const std::string second = path_of(operation.second);
    const std::uint32_t argument = operation.argument;
    Node& here = *t.context.root;
    switch (operation.kind % 16) {
    case 0:
        (void)make_directory(t.context, here, first, argument * 3u);
        break;
    case 1:
        (void)remove_directory(t.context, here, first);
        break;
    case 2:
        (void)unlink(t.context, here, first);
        break;
    case 3:
        (void)rename(t.context, here, first, here, second, argument % 4);
        break;
    case 4:
        (void)make_link(t.context, here, first, here, second, (argument & 1) != 0 ? at::symlink_follow : 0);
        break;
    case 5:
        (void)make_symlink(t.context, first, here, second);
        break;
    case 6:
    case 7: {
        const auto file = t.open(
            first, (argument & 3) | (argument & 0x40) | ((argument & 0x20) << 4) | (argument & 0x80), 0666);
        if (file >= 0 && (argument & 4) != 0) {
            (void)seek_file(t.file(file), operation.second * 500, 0);
            (void)t.write(file, std::string(argument * 30u, 'x'));
            (void)t.read(file, 3000);
        }
        break;
    }
    case 8:
        (void)t.files.close(argument % 24);
        break;
    case 9:
        if (const uk::Ref<Node> node = t.node(first))
            (void)truncate(t.context, *node, operation.second * 300u);
        break;
    case 10:
        if (const uk::Ref<Node> node = t.node(first)) {
            (void)change_mode(t.context, *node, argument * 2u);
            (void)change_owner(t.context, *node, operation.second % 3 * 1000, keep_owner);
        }
        break;
    case 11:
        (void)t.names(first);
        break;
    case 12:
        if (const uk::Ref<Node> node = t.node(first, false)) {
            TextSink text;
            (void)read_link(t.context, *node, text);
            describe(*node, t.tree.root(), text);
            const auto page = map_page(*node, argument % 4, static_cast<MapUse>(operation.second % 3));
            if (page.ok() && page->kind == MappedPage::Kind::frame)
                uk::mm::release_frame(page->frame);
        }
        break;
    case 13:
        t.run_as(argument % 2 * 1000u, argument % 2 * 1000u);
        break;
    case 14:
        (void)make_node(t.context, here, first,
                        (argument & 1) != 0 ? mode::fifo | 0666 : mode::character | 0666,
                        make_device(1, argument % 10));
        break;
    default:
        host::state().allocations_left = (argument & 1) != 0 ? static_cast<std::int64_t>(argument) : -1;
        break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1 + std::size_t{data[0]} * sizeof(Operation))
        return 0;
    const std::size_t operations = data[0];
    const std::uint8_t* rest = data + 1 + operations * sizeof(Operation);
    const auto before = host::state();
    {
        const test::Image image{{rest, data + size}};
        test::TestTree t{{image.view(), 1u << 20, false}};
        if (t.started != 0) {
            t.tree.tear_down();
            t.started = test::code(t.tree.start({{}, 1u << 20, false}));
        }
        t.tree.finish();
        t.run_as(0, 0);
        for (std::size_t i = 0; i < operations; ++i) {
            Operation operation{};
            std::memcpy(&operation, data + 1 + i * sizeof(Operation), sizeof(Operation));
            run(t, operation);
        }
        host::state().allocations_left = -1;
    }
    const auto& after = host::state();
    if (after.frames != before.frames || after.heap_objects != before.heap_objects)
        std::abort();
    return 0;
}
