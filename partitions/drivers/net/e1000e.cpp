// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/e1000e.cpp - the driver is a template over its seams (e1000e.hpp); compiled here by itself.
#include "partitions/drivers/net/e1000e.hpp"
