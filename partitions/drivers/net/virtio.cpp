// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/virtio.cpp - the driver is a template over its seams (virtio.hpp); compiled here by itself.
#include "partitions/drivers/net/virtio.hpp"
