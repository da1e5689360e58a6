// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/vcpu_decide_fuzz.cpp - arbitrary exits of a hostile guest: the invariants of decide.hpp hold, and no
// action faults in the strict processor.
#include "hypervisor/core/vcpu/decide_model_test.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// The input, a word at a time; zeroes behind it.
struct Bytes {
    const std::uint8_t* at;
    std::size_t left;
    std::uint64_t next() {
        std::uint64_t word = 0;
        const std::size_t size = left < sizeof word ? left : sizeof word;
        std::memcpy(&word, at, size);
        at += size;
        left -= size;
        return word;
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    Bytes bytes{data + 1, size - 1};
    vcpu::testing::ModelMachine<Bytes> machine{
        vcpu::testing::processors[data[0] % vcpu::testing::processors.size()]};
    while (bytes.left > 0)
        if (const std::string wrong = machine.step(bytes); !wrong.empty()) {
            std::fprintf(stderr, "%s\n", wrong.c_str());
            std::abort();
        }
    return 0;
}
