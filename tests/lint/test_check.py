#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_check.py - each rule of check.py on small trees: once broken, once kept."""
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check  # noqa: E402

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


def c(text=""):
    return SPDX + text


def h(name, text=""):
    return SPDX + "/* %s - a fixture. */\n" % name + text


def function(name, lines, head="void"):
    return "%s %s(void)\n{\n" % (head, name) + "    x();\n" * (lines - 3) + "}\n"


class Lint(unittest.TestCase):
    def lint(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
            return [(v[0], v[1], v[2]) for v in check.Checker(root).run()]

    def red(self, files, *wanted):
        self.assertEqual(self.lint(files), sorted(wanted))

    def green(self, files):
        self.assertEqual(self.lint(files), [])

    def test_layer(self):
        test = {"tests/test_a.c": c()}
        for folder, inc, ok in [
                ("rtp", "rtp/seq.h", True), ("rtp", "conf/log.h", False), ("rtp", "ice/link.h", False),
                ("conf", "rtp/base.h", True), ("conf", "rtp/seq.h", False),
                ("ice", "rtp/seq.h", True), ("ice", "conf/log.h", True), ("ice", "sfu/api.h", False),
                ("sfu", "ice/link.h", True), ("sfu", "signaling/http.h", False),
                ("signaling", "sfu/api.h", True), ("signaling", "sfu/worker.h", False),
                ("signaling", "rtp/codec.h", True), ("signaling", "rtp/history.h", False),
                ("signaling", "ice/dtls.h", False), ("sfu", "seq.h", False),
                ("tests/peer", "tests/peer/peer.h", True), ("tests/peer", "ice/link.h", False),
                ("tests/peer", "rtp/base.h", True), ("tests", "signaling/http.h", True)]:
            files = dict(test)
            files["%s/a.c" % folder] = c('#include "%s"\n' % inc)
            if ok:
                self.green(files)
            else:
                self.red(files, ("%s/a.c" % folder, 2, "LAYER"))
        self.green({"sfu/main.c": c('#include "signaling/http.h"\n')})

    def test_third_party(self):
        for folder, inc, ok in [
                ("ice", "nice/nice.h", True), ("ice", "stun/stunagent.h", True),
                ("sfu", "openssl/ssl.h", False), ("sfu", "uv.h", True), ("conf", "uv.h", False),
                ("signaling", "microhttpd.h", True), ("ice", "microhttpd.h", False),
                ("conf", "cjson/cJSON.h", True), ("sfu", "cjson/cJSON.h", False),
                ("rtp", "string.h", True), ("rtp", "unistd.h", False), ("rtp", "sys/socket.h", False),
                ("ice", "sys/socket.h", True), ("signaling", "glib.h", False)]:
            files = {"tests/test_a.c": c(), "%s/a.c" % folder: c("#include <%s>\n" % inc)}
            if ok:
                self.green(files)
            else:
                self.red(files, ("%s/a.c" % folder, 2, "THIRDPARTY"))

    def test_banned(self):
        for path, call, ok in [
                ("sfu/a.c", "strcpy(a, b)", False), ("sfu/a.c", "sprintf(a, b)", False),
                ("sfu/a.c", "snprintf(a, n, b)", True), ("sfu/a.c", "atoi(a)", False),
                ("sfu/a.c", "usleep(1)", False), ("sfu/a.c", "clock_gettime(0, &t)", False),
                ("sfu/a.c", "time(NULL)", False), ("sfu/a.c", "s->time(1)", True),
                ("conf/clock.c", "clock_gettime(0, &t)", True), ("sfu/a.c", "printf(a)", False),
                ("sfu/main.c", "printf(a)", True), ("conf/log.c", "fputs(a, b)", True),
                ("rtp/a.c", "malloc(1)", False), ("sfu/a.c", "malloc(1)", True),
                ("rtp/a.c", 'log_info("x")', False), ("sfu/a.c", 'log_info("x")', True),
                ("tests/test_b.c", "usleep(1)", False), ("tests/test_b.c", "printf(a)", True),
                ("sfu/a.c", 'x("strcpy(a)") /* strcpy(b) */', True)]:
            files = {"tests/test_a.c": c(), "tests/test_clock.c": c(), "tests/test_log.c": c(),
                     path: c("static void f(void)\n{\n    %s;\n}\n" % call)}
            if ok:
                self.green(files)
            else:
                self.red(files, (path, 4, "BANNED"))

    def test_size(self):
        test = {"tests/test_a.c": c()}
        self.green(dict(test, **{"rtp/a.c": c(function("f", 80, "static void"))}))
        self.red(dict(test, **{"rtp/a.c": c("\n" + function("f", 81, "static void"))}),
                 ("rtp/a.c", 3, "SIZE"))
        self.green(dict(test, **{"rtp/a.c": c("int x;\n" * 799)}))
        self.red(dict(test, **{"rtp/a.c": c("int x;\n" * 800)}), ("rtp/a.c", 1, "SIZE"))
        self.red({"tests/test_a.c": c("int x;\n" * 800)}, ("tests/test_a.c", 1, "SIZE"))
        self.green({"tests/test_a.c": c(function("f", 200, "static void"))})

    def test_stem(self):
        test = {"tests/test_a.c": c()}
        for decl, ok in [("int a_new(int x);", True), ("int a(int x);", True), ("int b_new(int x);", False),
                         ("struct a *a_new(int x);", True), ("const char *b_name(int x);", False),
                         ("static inline int b(void)\n{\n    return 0;\n}", True),
                         ("struct path {\n    int x;\n};\nbool path_equal(int x);", True),
                         ("int rtp_a_read(int x);", True), ("typedef void (b_fn)(int x);", True),
                         ("int\n b;", True)]:
            text = "\n".join("/* Does it. */\n" + line if line.endswith("x);") else line
                             for line in decl.split("\n")) + "\n"
            files = dict(test, **{"rtp/a.h": h("a.h", text)})
            if ok:
                self.green(files)
            else:
                self.red(files, ("rtp/a.h", 4, "STEM"))
        # the file that defines it, and the head of a family
        decl = h("a.h", "/* Does it. */\nint b_new(int x);\n")
        self.green(dict(test, **{"rtp/a.h": decl, "tests/test_b.c": c(),
                                 "rtp/b.c": c("int b_new(int x)\n{\n    return x;\n}\n")}))
        self.green(dict(test, **{"rtp/a.h": h("a.h"), "rtp/a_ops.h":
                                 h("a_ops.h", "/* Does it. */\nint a_new(int x);\n")}))

    def test_forbidden_stem(self):
        test = {"tests/test_a.c": c(), "tests/test_stun.c": c()}
        self.red(dict(test, **{"ice/a.c": c(function("srtp_x", 4))}), ("ice/a.c", 2, "FORBIDDEN_STEM"))
        self.green(dict(test, **{"ice/a.c": c(function("srtp_x", 4, "static void"))}))
        self.red(dict(test, **{"ice/stun.c": c()}), ("ice/stun.c", 1, "FORBIDDEN_STEM"))

    def test_nodoc(self):
        for text, ok in [("/* Does it. */\nint a_x(int x);", True), ("\nint a_x(int x);", False),
                         ("\nint a_x(int x); /* does it */", True),
                         ("/* Both do it. */\nint a_y(int x);\nint a_x(int x);", True),
                         ("/* Does it. */\nint a_y(int x,\n        int y);\nint a_x(int x);", True),
                         ("/* Of the struct. */\n\nint a_x(int x);", False),
                         ("#define X 1\nint a_x(int x);", False)]:
            files = {"rtp/a.h": h("a.h", text + "\n")}
            if ok:
                self.green(files)
            else:
                line = 2 + len(text.split("\n"))
                self.red(files, ("rtp/a.h", line, "NODOC"))
        self.red({"rtp/a.h": SPDX + "int x;\n"}, ("rtp/a.h", 1, "NODOC"))

    def test_runon(self):
        for text, ok in [("/* Adds.\n * a  what\n * Returns 0. */", True), ("/* a: what. Returns 0. */", True),
                         ("/* Adds.\n * a  the first of two Returns 0. */", False), ("int Returns;", True)]:
            files = {"rtp/a.h": h("a.h", text + "\nint a_x(int a);\n")}
            if ok:
                self.green(files)
            else:
                self.red(files, ("rtp/a.h", 4, "RUNON"))

    def test_todo(self):
        for text, ok in [("TODO: later", False), ("FIXME", False), ("TODO #12: later", True),
                         ("TODO(#12) later", True), ("TODOS are fine", True)]:
            files = {"tests/test_a.c": c("/* %s */\n" % text)}
            if ok:
                self.green(files)
            else:
                self.red(files, ("tests/test_a.c", 2, "TODO"))

    def test_notest(self):
        self.red({"rtp/a.c": c()}, ("rtp/a.c", 1, "NOTEST"))
        self.green({"rtp/a.c": c(), "tests/test_a.c": c()})
        self.green({"rtp/a.c": c(), "tests/stress/stress_a.c": c()})
        self.green({"rtp/a_b.c": c(), "tests/test_a.c": c()})
        self.red({"rtp/ab.c": c(), "tests/test_a.c": c()}, ("rtp/ab.c", 1, "NOTEST"))
        self.green({"tests/lint/exceptions.txt": "NOTEST rtp/a.c - covered by e2e\n", "rtp/a.c": c()})

    def test_spdx(self):
        self.red({"tests/run.sh": "#!/bin/sh\n"}, ("tests/run.sh", 1, "SPDX"))
        self.green({"tests/run.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"})

    def test_readme_names(self):
        test = {"tests/test_a.c": c("int known_name;\n")}
        self.green(dict(test, **{"README.md": "`known_name` `known_name()` `tests/test_a.c` `tests/test_a`\n"
                                 "```\nnothing_here `no_name`\n```\n`media.workers` `x` `rtp/codec_x.c`\n"}))
        self.red(dict(test, **{"README.md": "\n`no_name`\n"}), ("README.md", 2, "README-NAMES"))
        self.red(dict(test, **{"README.md": "`tests/none.c`\n"}), ("README.md", 1, "README-NAMES"))

    def path_tree(self, readme, lines=40, files=1):
        tree = {"README.md": readme, "tests/test_a.c": c()}
        for i in range(files):
            text = "".join(function("a_f%d_%d" % (i, j), lines, "static void") for j in range(2))
            tree["sfu/a_%d.c" % i] = c(text)
        return tree

    def test_path(self):
        head = "# A\n## Life of a packet\n"
        self.green(self.path_tree("# A\nno such section\n"))
        self.green(self.path_tree(head + "`a_f0_0()` then `a_f0_1`, with `x`\n## Next\n`b.c`\n"))
        self.red(self.path_tree(head + "`gone()`\n`a_f0_0`\n"), ("README.md", 3, "PATH"))
        self.red(self.path_tree(head + "nothing\n"), ("README.md", 2, "PATH"))
        names = " ".join("`a_f%d_%d()`" % (i, j) for i in range(8) for j in range(2))
        self.green(self.path_tree(head + names + "\n", lines=28, files=8))  # 448 lines
        self.red(self.path_tree(head + names + "\n", lines=29, files=8), ("README.md", 2, "PATH"))
        names = " ".join("`a_f%d_0()`" % i for i in range(9))
        self.red(self.path_tree(head + names + "\n", lines=10, files=9), ("README.md", 2, "PATH"))

    def test_inline_allowance(self):
        body = "static void f(void)\n{\n%s\n}\n"
        test = {"tests/test_a.c": c()}

        def tree(line):
            return dict(test, **{"sfu/a.c": c(body % line)})
        self.green(tree("    usleep(1); /* lint: allow BANNED the probe needs it */"))
        self.green(tree("    /* lint: allow BANNED the probe needs it */\n    usleep(1);"))
        self.red(tree("    usleep(1); /* lint: allow BANNED */"),
                 ("sfu/a.c", 4, "ALLOW"), ("sfu/a.c", 4, "BANNED"))
        self.red(tree("    x(1); /* lint: allow BANNED no longer needed */"), ("sfu/a.c", 4, "ALLOW"))
        self.red(tree("    usleep(1); /* lint: allow SIZE wrong rule */"),
                 ("sfu/a.c", 4, "ALLOW"), ("sfu/a.c", 4, "BANNED"))
        self.red(tree("    x(1); /* lint: allow NOSUCH reason */"), ("sfu/a.c", 4, "ALLOW"))
        self.green({"rtp/a.c": c("/* lint: allow NOTEST only tables */\n")})

    def test_listed_allowance(self):
        tree = {"tests/test_a.c": c(), "rtp/a.c": c("\n" + function("f", 81, "static void"))}
        listed = "tests/lint/exceptions.txt"
        self.green(dict(tree, **{listed: "# why\n\nSIZE rtp/a.c:f - a flat switch\n"}))
        self.green(dict(tree, **{listed: "SIZE rtp/a.c - a flat switch\n"}))
        self.red(dict(tree, **{listed: "SIZE rtp/a.c:g - a flat switch\n"}),
                 ("rtp/a.c", 3, "SIZE"), (listed, 1, "ALLOW"))
        self.red({listed: "SIZE rtp/a.c - gone\n"}, (listed, 1, "ALLOW"))
        self.red({listed: "nonsense\n"}, (listed, 1, "ALLOW"))

    def test_finds_functions(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "rtp"))
            with open(os.path.join(root, "rtp/a.c"), "w", encoding="utf-8") as f:
                f.write(c("struct x {\n    int y;\n};\n\nPRINTF_LIKE(2, 3) static int one(int a,\n"
                          "               char *b)\n{\n}\n\n/* doc */\nstruct x *two(void)\n{\n    \"{\";\n}\n"
                          "Test(three, works)\n{\n}\n"))
            s = check.Source(root, "rtp/a.c")
            self.assertEqual([(f.name, f.line, f.lines, f.static) for f in s.functions],
                             [("one", 6, 4, True), ("two", 12, 4, False), ("three.works", 16, 3, True)])


if __name__ == "__main__":
    unittest.main()
