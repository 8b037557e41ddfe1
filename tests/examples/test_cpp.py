"""The library from C++: handles free themselves, and the network learns."""
import os
import re
import unittest

import programs
from programs import Case, run


class Cpp(Case):
    def test_ring(self):
        if not os.path.exists(os.path.join(programs.examples, "ring")):
            raise unittest.SkipTest("there is no C++ compiler")
        accuracy = re.fullmatch(r"test accuracy (\d+\.\d) %\n", self.expect(0, run("ring")).stdout)
        self.assertTrue(accuracy)
        self.assertGreater(float(accuracy.group(1)), 95)
