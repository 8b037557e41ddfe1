"""The layer of one's own: its gradient is that of finite differences, and training finds the power."""
import re

from programs import Case, run


class CustomLayer(Case):
    def test_gradient_and_power(self):
        lines = self.expect(0, run("custom_layer")).stdout.splitlines()
        self.assertEqual(len(lines), 2, lines)
        gradient, difference = map(float, re.findall(r"-?\d+\.\d+", lines[0]))
        self.assertGreater(abs(gradient), 1e-3)
        self.assertAlmostEqual(gradient, difference, delta=0.02 * abs(gradient))
        power, loss = map(float, re.findall(r"-?\d+\.\d+", lines[1]))
        self.assertTrue(2.8 < power < 3.4 and loss < 0.05, lines[1])
