// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/igb.cpp - the driver is a template over its seams (igb.hpp); compiled here by itself.
#include "partitions/drivers/net/igb.hpp"
