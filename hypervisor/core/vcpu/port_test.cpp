// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/port.hpp"

#include <gtest/gtest.h>

namespace {

using vcpu::PortClass;
using vcpu::Uart16550;

TEST(Port, Classes) {
    for (std::uint16_t port :
         {0x20, 0x21, 0x40, 0x43, 0x61, 0x70, 0x71, 0x80, 0xA0, 0xCF8, 0xCFF, 0xF4, 0x2F8, 0x64, 0x92 - 0x32})
        EXPECT_EQ(vcpu::classify_port(port), PortClass::legacy) << std::hex << port;
    for (std::uint16_t port : {0x3F8, 0x3FD, 0x3FF})
        EXPECT_EQ(vcpu::classify_port(port), PortClass::uart);
    for (std::uint16_t port :
         {0, 0x92, 0xB2, 0x3F7, 0x400, 0x510, 0x511, 0x604, 0x5658, 0xFFFF, 0xD00, 0xCF7})
        EXPECT_EQ(vcpu::classify_port(port), PortClass::other) << std::hex << port;
}

TEST(Uart, PrintsAndIsAlwaysReady) {
    Uart16550 uart;
    EXPECT_EQ(uart.write(0x3F8, 'x'), 'x');
    EXPECT_EQ(uart.read(0x3FD), 0x60);
    EXPECT_EQ(uart.read(0x3F8), 0);
    EXPECT_EQ(uart.read(0x3FE), 0xB0);
}

TEST(Uart, DivisorLatchHidesTheData) {
    Uart16550 uart;
    EXPECT_FALSE(uart.write(0x3FB, 0x83));
    EXPECT_FALSE(uart.write(0x3F8, 3));
    EXPECT_FALSE(uart.write(0x3F9, 1));
    EXPECT_EQ(uart.read(0x3F8), 3);
    EXPECT_EQ(uart.read(0x3F9), 1);
    EXPECT_FALSE(uart.write(0x3FB, 0x03));
    EXPECT_EQ(uart.read(0x3FB), 0x03);
    EXPECT_EQ(uart.read(0x3F9), 0);
    EXPECT_EQ(uart.write(0x3F8, 'y'), 'y');
}

TEST(Uart, WhatADriverProbes) {
    Uart16550 uart;
    EXPECT_FALSE(uart.write(0x3F9, 0xFF)); // IER keeps four bits
    EXPECT_EQ(uart.read(0x3F9), 0x0F);
    EXPECT_EQ(uart.read(0x3FA), 0x01);
    EXPECT_FALSE(uart.write(0x3FA, 0x01));
    EXPECT_EQ(uart.read(0x3FA), 0xC1); // a 16550A with its FIFOs on
    EXPECT_FALSE(uart.write(0x3FF, 0xA5));
    EXPECT_EQ(uart.read(0x3FF), 0xA5);
    EXPECT_FALSE(uart.write(0x3FC, 0x1A)); // loopback, OUT2, RTS
    EXPECT_EQ(uart.read(0x3FC), 0x1A);
    EXPECT_EQ(uart.read(0x3FE) & 0xF0, 0x90);
    EXPECT_FALSE(uart.write(0x3F8, 'z')); // looped back, not printed
    EXPECT_FALSE(uart.write(0x3FD, 0));
    EXPECT_FALSE(uart.write(0x3FE, 0));
    EXPECT_FALSE(uart.write(0x3FC, 0x15)); // loopback, OUT1, DTR
    EXPECT_EQ(uart.read(0x3FE), 0x60);
}

} // namespace
