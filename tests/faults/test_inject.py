"""Whether libinject.so makes each call fail that it is asked to, and no other: test_inject.py LIBRARY PROGRAM ..."""
import errno
import os
import signal
import subprocess
import sys
import tempfile
import unittest

LIBRARY, PROGRAMS = None, []
CALLS = ("creat mkdir open openat write pwrite writev fsync fdatasync ftruncate fallocate fchmod fchown fsetxattr "
         "fremovexattr getxattr flock lseek read pread readv mmap fstat stat lstat fstatat access readlink realpath "
         "opendir readdir link linkat rename renameat unlink unlinkat close pthread_create malloc").split()
TRANSFERS = ["write", "pwrite", "writev", "read", "pread", "readv"]
# calls.c makes some calls more than once before the one whose result it tells.
NUMBER = {"open": 1, "close": 2, "malloc": None}


def run(program, *words, **settings):
    """(exit status, {call: (result, errno)}, {call: count}, lines of faults)"""
    with tempfile.TemporaryDirectory(prefix="dlviz-inject-") as folder:
        counts = os.path.join(folder, "counts")
        work = os.path.join(folder, "work")
        os.makedirs(work)
        environment = dict(os.environ, LD_PRELOAD=LIBRARY, DLVIZ_FAULT_COUNT=counts, DLVIZ_FAULT_ONLY=work, **settings)
        process = subprocess.run([program, work, *words], env=environment, text=True, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        told = {}
        for line in process.stdout.splitlines():
            call, result, number = line.split()
            told.setdefault(call, (int(result), int(number)))
        lines = []
        if os.path.exists(counts):
            with open(counts, encoding="utf-8") as file:
                lines = file.read().splitlines()
        hits = [line for line in lines if line.startswith(("hit ", "crash "))]
        return (process.returncode, told, {line.split()[0]: int(line.split()[1]) for line in lines if line not in hits},
                hits)


class Inject(unittest.TestCase):
    def each(self):
        for program in PROGRAMS:
            yield program, run(program)

    def test_nothing_fails_unasked_and_all_is_counted(self):
        for program, (status, told, counts, hits) in self.each():
            self.assertEqual((status, hits), (0, []))
            for call in CALLS:
                self.assertGreaterEqual(told[call][0], 0, (program, call, told))
                self.assertGreaterEqual(counts[call], 1, (program, call))
            # One each, and no call of the C library's own, or of the streams', counts for another.
            for call in ("creat", "pwrite", "fsync", "rename", "unlink", "pread", "pthread_create", "fchmod"):
                self.assertEqual(counts[call], 1, (program, call))
            self.assertEqual((counts["open"], counts["write"], counts["read"] >= 2), (3, 2, True))

    def number_of(self, call, counts):
        return counts["malloc"] - 2 if call == "malloc" else NUMBER.get(call, 1)

    def test_each_call_fails(self):
        for program, (_, without, counts, _) in self.each():
            for call in CALLS:
                wanted = errno.ENOMEM if call == "malloc" else errno.EIO
                name = errno.errorcode[wanted]
                number = self.number_of(call, counts)
                _, told, _, hits = run(program, DLVIZ_FAULT=f"{call}:{number}:{name}")
                self.assertEqual(told[call], (-1, wanted), (program, call, hits))
                self.assertEqual(len(hits), 1, (program, call))
                self.assertTrue(hits[0].startswith(f"hit {call} {number} {name}"), hits)

    def test_transfers_fall_short(self):
        for program, (_, without, _, _) in self.each():
            for call in TRANSFERS:
                _, told, _, _ = run(program, DLVIZ_FAULT=f"{call}:1:short")
                self.assertEqual(told[call][0], without[call][0] // 2, (program, call))
                _, told, _, _ = run(program, DLVIZ_FAULT=f"{call}:1:zero")
                self.assertEqual(told[call], (0, 0), (program, call))

    def test_a_disk_fills_up(self):
        for program in PROGRAMS:
            _, told, _, _ = run(program, DLVIZ_FAULT="write:1:full")
            self.assertEqual(told["write"], (4, 0))
            self.assertEqual(told["fflush"], (-1, errno.ENOSPC))

    def test_streams_fail_as_the_system_calls_in_them(self):
        for program in PROGRAMS:
            for fault, call, wanted in (("open:2:EMFILE", "fopen", (-1, errno.EMFILE)),
                                        ("write:2:ENOSPC", "fflush", (-1, errno.ENOSPC)),
                                        ("close:3:EIO", "fclose", (-1, errno.EIO)),
                                        ("read:2:EIO", "fread", (0, errno.EIO))):
                _, told, _, hits = run(program, DLVIZ_FAULT=fault)
                self.assertEqual(told[call], wanted, (program, fault, hits, told))
            _, told, _, _ = run(program, DLVIZ_FAULT="write:2:short")
            self.assertEqual(told["fflush"], (0, 0))

    def test_the_process_is_killed_before_or_after(self):
        for program in PROGRAMS:
            for fault, hit in (("rename:1:kill", "hit rename 1 kill "),
                               ("rename:1:kill-after", "hit rename 1 kill-after "),
                               ("save:1:kill", "hit creat 1 kill ")):
                status, told, _, hits = run(program, DLVIZ_FAULT=fault)
                self.assertEqual((status, told), (-signal.SIGKILL, {}))
                self.assertTrue(hits[0].startswith(hit), hits)

    def test_a_crash_is_told_with_whose_code_it_was_in(self):
        for program in PROGRAMS:
            name = os.path.basename(program)
            for how, ends in (("pointer", [signal.SIGSEGV]), ("argument", [signal.SIGSEGV]),
                              ("abort", [signal.SIGABRT]), ("jump", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])):
                status, _, counts, told = run(program, how)
                self.assertIn(-status, ends, (program, how))
                self.assertEqual(len(told), 1, (program, how, told))
                self.assertTrue(told[0].startswith(f"crash {name} {signal.Signals(-status).name} "), (how, told))
                self.assertIn(f" {name}+0x", told[0])

    def test_all_later_ones_fail_too(self):
        for program in PROGRAMS:
            _, told, _, hits = run(program, DLVIZ_FAULT="fsync:1:EIO:all")
            self.assertEqual((told["fsync"], len(hits)), ((-1, errno.EIO), 1))
            _, told, _, hits = run(program, DLVIZ_FAULT="write:1:EIO:all")
            self.assertEqual((told["write"], told["fflush"]), ((-1, errno.EIO), (-1, errno.EIO)))

    def test_what_it_does_not_understand(self):
        for fault in ("write", "write:0:EIO", "write:1:ENONSENSE", "nonsense:1:EIO", "write:1:EIO:some"):
            self.assertEqual(run(PROGRAMS[0], DLVIZ_FAULT=fault)[0], 125, fault)


if __name__ == "__main__":
    LIBRARY, PROGRAMS = os.path.abspath(sys.argv[1]), [os.path.abspath(program) for program in sys.argv[2:]]
    unittest.main(argv=sys.argv[:1])
