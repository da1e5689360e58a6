# SPDX-License-Identifier: Apache-2.0
# Run by a static busybox; only built-in commands, so that no second process is needed.
echo "hello from a static program, alone in its partition"
number=0
while [ "$number" -lt 3 ]; do
    number=$((number + 1))
    echo "line $number of 3"
done
