# SPDX-License-Identifier: Apache-2.0
# No container runs as root, or may write to its root file system.
package main

import rego.v1

containers contains item if {
	some item in input.items
	item.payload == "unikernel"
}

deny contains message if {
	some item in containers
	item.user == 0
	message := sprintf("%s runs as root", [item.name])
}

deny contains message if {
	some item in containers
	not item.readOnly
	message := sprintf("%s may write to its root", [item.name])
}
