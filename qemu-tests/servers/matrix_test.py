# SPDX-License-Identifier: Apache-2.0
"""What of the matrix is not a boot: whom it asks, which card a machine gets, the table."""
import sys
import unittest

import matrix


class MatrixTest(unittest.TestCase):
    def test_the_cards_take_turns_in_the_cases(self):
        known = {name: matrix.cases.load(path) for name, path in matrix.asked_cases().items()}
        wanted = {"redis", "memcached", "mosquitto", "python", "haproxy", "openssl", "dropbear"}
        self.assertEqual({name.removeprefix("card-") for name in known}, wanted)
        self.assertEqual({matrix.card_of(case) for case in known.values()}, set(matrix.CARDS))
        for name, case in known.items():
            self.assertIn("${scale}", [word for step in case["boot"]["host"] for word in step.get("run", [])], name)

    def test_another_card(self):
        case = matrix.cases.load(matrix.asked_cases()["card-redis"])
        for card, device in matrix.CARDS.items():
            other = matrix.with_card(case, card)
            self.assertEqual(matrix.card_of(other), card)
            self.assertEqual(other["boot"]["qemu"].count(device), 1)
        self.assertEqual(matrix.card_of(case), "virtio-net")
        with self.assertRaises(matrix.cases.CaseError):
            matrix.card_of({"boot": {"qemu": ["-device", "rtl8139"]}})

    def test_a_table_keeps_what_did_not_run(self):
        page = f"a\n{matrix.BEGIN}\n{matrix.END}\nb\n"
        first = matrix.written(page, {("redis", "igb"): ("passed", 10), ("nginx", "igb"): ("skipped", 10)}, "2026-12-01 abc")
        self.assertEqual(matrix.read_table(first), {("redis", "virtio-net"): "", ("redis", "e1000e"): "", ("redis", "igb"): "passed, ×10, 2026-12-01 abc"})
        second = matrix.written(first, {("redis", "e1000e"): ("FAILED", 1), ("go", "igb"): ("passed", 1)}, "2026-12-02 def")
        table = matrix.read_table(second)
        self.assertEqual(table["redis", "igb"], "passed, ×10, 2026-12-01 abc")
        self.assertEqual(table["redis", "e1000e"], "FAILED, ×1, 2026-12-02 def")
        self.assertEqual(table["go", "igb"], "passed, ×1, 2026-12-02 def")
        self.assertTrue(second.startswith("a\n") and second.endswith("\nb\n"))

    def test_the_page_has_its_place(self):
        with open(matrix.PAGE, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual((text.count(matrix.BEGIN), text.count(matrix.END)), (1, 1))


if __name__ == "__main__":
    sys.exit(unittest.main())
