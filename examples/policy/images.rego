# SPDX-License-Identifier: Apache-2.0
# Every image is signed, or comes from a registry that is named here.
package main

import rego.v1

registries := {"docker://registry.example/"}

from_known_registry(image) if {
	some registry in registries
	startswith(image.reference, registry)
}

signed(image) if image.trust.how == "signed"

deny contains message if {
	some item in input.items
	item.image != null
	not signed(item.image)
	not from_known_registry(item.image)
	message := sprintf("%s: %s is neither signed nor from a registry that is known", [item.name, item.image.reference])
}
