// SPDX-License-Identifier: Apache-2.0
#include "partitions/formats/elf.hpp"
#include "partitions/unikernel/exec/program.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace uk;
using namespace uk::exec;

std::vector<std::byte> image(std::uint16_t type, std::vector<elf::ProgramHeader64> headers) {
    std::vector<std::byte> bytes(4096);
    elf::Header64 header{};
    header.identification.magic = elf::magic;
    header.identification.file_class = elf::class_64;
    header.identification.data = elf::data_little_endian;
    header.type = type;
    header.machine = elf::machine_x86_64;
    header.entry = 0x401000;
    header.program_header_offset = sizeof(header);
    header.program_header_entsize = sizeof(elf::ProgramHeader64);
    header.program_header_count = static_cast<std::uint16_t>(headers.size());
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), headers.data(), headers.size() * sizeof(headers[0]));
    return bytes;
}

elf::ProgramHeader64 segment(std::uint64_t address, std::uint64_t offset, std::uint64_t file,
                             std::uint64_t memory) {
    return {elf::segment_load, 5, offset, address, address, file, memory, 4096};
}

TEST(Program, AcceptsAnOrdinaryExecutable) {
    const auto program = parse_program(
        image(2, {segment(0x400000, 0, 0x1800, 0x1800), segment(0x403000, 0x2000, 0x10, 0x5000)}));
    ASSERT_TRUE(program.ok());
    EXPECT_FALSE(program->position_independent);
    EXPECT_EQ(program->headers_address, 0x400040u);
    EXPECT_EQ(program->end(), 0x408000u);
}

TEST(Program, RefusesUnsoundSegments) {
    EXPECT_FALSE(parse_program(image(2, {segment(0x400000, 0, 0x2000, 0x1000)})).ok())
        << "file larger than memory";
    EXPECT_FALSE(parse_program(image(2, {segment(0x400100, 0, 0x10, 0x10)})).ok()) << "not congruent";
    EXPECT_FALSE(parse_program(image(2, {segment(~0xfffull, 0, 0x1000, 0x2000)})).ok()) << "wraps";
    EXPECT_FALSE(parse_program(image(2, {segment(0x800000000000, 0, 0x10, 0x10)})).ok()) << "kernel half";
    EXPECT_FALSE(parse_program(image(2, {segment(0x402000, 0x2000, 1, 1), segment(0x400000, 0, 1, 1)})).ok())
        << "order";
    EXPECT_FALSE(
        parse_program(image(2, {segment(0x400000, 0, 0x1001, 0x1001), segment(0x401800, 0x1800, 1, 1)})).ok())
        << "two segments in one page";
    EXPECT_FALSE(parse_program(image(2, std::vector(30, segment(0, 0, 0, 0)))).ok()) << "nothing to load";
    EXPECT_FALSE(parse_program(image(1, {segment(0x400000, 0, 1, 1)})).ok()) << "relocatable";
    auto truncated = image(2, {segment(0x400000, 0, 1, 1)});
    truncated.resize(100);
    EXPECT_FALSE(parse_program(truncated).ok());
}

TEST(Program, ReadsTheTestProgramItself) {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    std::vector<std::byte> bytes(4096);
    file.read(reinterpret_cast<char*>(bytes.data()), 4096);
    const auto program = parse_program(bytes);
    ASSERT_TRUE(program.ok());
    EXPECT_GT(program->interpreter_bytes, 0u);
    EXPECT_FALSE(program->executable_stack);
}

Result<Script> script(std::string_view text) {
    return parse_script(std::as_bytes(std::span{text}));
}

TEST(Script, TakesInterpreterAndOneArgument) {
    EXPECT_EQ(script("#!/bin/sh\necho")->interpreter, "/bin/sh");
    EXPECT_EQ(script("#! /bin/sh  -e x \n")->interpreter, "/bin/sh");
    EXPECT_EQ(script("#! /bin/sh  -e x \n")->argument, "-e x");
    EXPECT_EQ(script("#!/bin/sh")->interpreter, "/bin/sh");
    EXPECT_FALSE(script("#!\n").ok());
    EXPECT_FALSE(script("# /bin/sh\n").ok());
    EXPECT_FALSE(script("").ok());
    EXPECT_FALSE(script("#!" + std::string(400, 'a') + "\n").ok());
}

} // namespace
