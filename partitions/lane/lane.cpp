// SPDX-License-Identifier: Apache-2.0
// partitions/lane/lane.cpp - the protocol of lanes, compiled for every environment it is used in.
#include "partitions/abi/boot_page.h"

#include "partitions/abi/lane.h"
