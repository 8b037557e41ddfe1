"""What files of others, and paths, bring onto the terminal: names that would move the cursor, forge lines, or turn
text round."""
import json
import os
import struct
import unicodedata
import zipfile

import files
import programs
from programs import Case, path, run

ACTS = "\x1b[31m\r\nforged: line\x07\x7f\x9b2J\u2028\u202e\u2066"
SHORT = ["--epochs", "1", "--tsne-iterations", "60"]
SHOWN = "?[31m??forged: line???2J???"


def npy(kind, shape=(4, 4)):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(64)


class Names(Case):
    def expect_shown(self, process, *words):
        """Lines of text and nothing else, which have the words."""
        text = process.stdout + process.stderr
        bad = [letter for letter in text if letter != "\n" and
               (unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "\u202e\u2066")]
        self.assertEqual(bad, [], text)
        self.assertFalse([line for line in text.splitlines() if line.startswith("forged")], text)
        for word in words:
            self.assertIn(word, text)

    def test_a_type_of_numbers(self):
        files.write(path("type.npy"), npy("<f\x1b[31m\n"))
        self.expect_shown(self.expect(1, run("dlviz-embed", "pca", "type.npy", "out.npy")), "dtype '<f?[31m?'")

    def test_arrays_of_an_archive(self):
        with zipfile.ZipFile(path("names.npz"), "w") as archive:
            for i in range(2):
                archive.writestr(f"{ACTS}{i}.npy", npy("<f4"))
        self.expect_shown(self.expect(1, run("dlviz-embed", "pca", "names.npz", "out.npy")), SHOWN)

    def test_a_path(self):
        for name in (f"no{ACTS}.npy", b"no\xff\xc3.npy"):
            self.expect_shown(self.expect(1, run("dlviz-embed", "pca", os.fsdecode(name), "out.npy")), "no?")
            self.expect_shown(run("dlviz-train", os.fsdecode(name), "--out", "out"), "no?")

    def test_layers(self):
        """In the table of the network and what follows it; where a layer is of a type that nobody knows; as an option
        that names none."""
        layers = [{"name": f"first{ACTS}", "type": "flatten"},
                  {"name": "fc", "type": "linear", "settings": {"out_features": 10, "bias": True}}]
        for i, kind in enumerate(["flatten", f"flatten{ACTS}"]):
            layers[0]["type"] = kind
            with open(path("net.json"), "w", encoding="utf-8") as file:
                json.dump({"input": [1, 28, 28], "layers": layers}, file)
            process = run("dlviz-train", programs.data, "--out", f"out{i}", "--network", "net.json", *SHORT)
            self.expect_shown(self.expect(i, process), f"first{SHOWN}")
            if i == 0:
                lines = process.stdout.splitlines()
                self.assertTrue([line for line in lines if line.startswith(f"first{SHOWN} flatten  ")], lines)
                self.assertTrue([line for line in lines if line.startswith("PCA of ") and SHOWN in line], lines)
        process = run("dlviz-train", programs.data, "--out", "out2", "--layer", ACTS, *SHORT)
        self.expect_shown(process, SHOWN)
        self.assertNotEqual(process.returncode, 0)

    def test_layers_of_a_model(self):
        layers = [{"name": "features.0", "type": "conv2d",
                   "settings": {"out_channels": 8, "kernel": [3, 3], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1],
                                "groups": 1, "bias": True}},
                  {"name": "flat", "type": "flatten"},
                  {"name": f"module.fc{ACTS}", "type": "linear", "settings": {"out_features": 10, "bias": True}}]
        with open(path("net.json"), "w", encoding="utf-8") as file:
            json.dump({"input": [1, 28, 28], "layers": layers}, file)
        self.expect(0, run("dlviz-train", programs.data, "--out", "out", "--network", "net.json", *SHORT))
        model = path("out", "model.safetensors")
        self.expect_shown(self.expect(0, run("export_onnx", model, "model.onnx")), f'gives "module.fc{SHOWN}')
        self.expect_shown(self.expect(0, run("finetune", model, programs.data, 200, 1)), f"left: fc{SHOWN}")

    def test_classes(self):
        """Of a folder of images, and of the model that has learned them."""
        files.make_pictures(path("pictures"), 20, size=28, channels=1)
        for name in os.listdir(path("pictures")):
            os.rename(path("pictures", name), path("pictures", name + ACTS))
        self.expect_shown(self.expect(0, run("dlviz-train", path("pictures"), "--out", "out", *SHORT)))
        images = os.path.join(programs.data, "t10k-images-idx3-ubyte")
        process = self.expect(0, run("predict", path("out", "model.safetensors"), images))
        self.expect_shown(process, SHOWN)
        self.assertEqual(len(process.stdout.split("\n")), 200 + 1)
