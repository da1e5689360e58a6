# SPDX-License-Identifier: Apache-2.0
# Nobody talks to every port outside, and low ports are not published.
package main

import rego.v1

lowest_port := 1024

deny contains message if {
	some rule in input.network.rules
	rule.to == "outside"
	count(rule.ports) == 0
	message := sprintf("%s may talk to every port outside", [rule.from])
}

deny contains message if {
	some item in input.items
	some port in item.ports
	port.outside < lowest_port
	message := sprintf("%s publishes port %d", [item.name, port.outside])
}
