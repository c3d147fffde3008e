#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check.py - the house rules as a program. Prints "file:line: RULE: what" and ends with status 1 if
any rule is broken.

One place may be let off with a comment on its line or the line above:
    /* lint: allow RULE reason */
and a file or a function with a line in exceptions.txt beside this program:
    RULE path[:function] - reason
Both must be needed: an allowance that lets nothing off is an error itself, so lists only shrink.

usage: check.py [--root FOLDER] [--scorecard]
"""
import argparse
import os
import re
import sys

FILE_MAX = 800
FUNCTION_MAX = 80
PATH_LINES_MAX = 450
PATH_FILES_MAX = 8

PRODUCT = ("rtp", "conf", "ice", "sfu", "signaling")
CHECKED = PRODUCT + ("tests", "bench", "docker", ".ci", ".githooks")
SOURCE_ENDS = (".c", ".h", ".py", ".sh", ".js", ".mjs", ".html", ".css", ".build", ".txt", ".json",
               ".yaml", ".yml", ".service", ".conf")

# Which folder may include which (README, "Architecture"). A name with a slash is one header.
LAYERS = {
    "rtp": {"rtp"},
    "conf": {"conf"},
    "ice": {"ice", "rtp", "conf"},
    "sfu": {"sfu", "ice", "rtp", "conf"},
    "signaling": {"signaling", "conf", "sfu/api.h", "rtp/codec.h", "rtp/ext.h", "rtp/list.h",
                  "rtp/speaker.h",
                  "ice/addr.h", "ice/candidate.h", "ice/cert.h", "ice/link.h", "ice/owner.h"},
    # A peer that shared code with the server would share its errors.
    "tests/peer": {"tests/peer"},
}
EVERYWHERE = {"rtp/base.h"}
# Made by the build from files of the same folder.
GENERATED = {"web_assets.h", "admin_assets.h"}
# The composition root and the self-check see everything.
ROOTS = {"sfu/main.c", "sfu/doctor.c", "sfu/doctor_machine.c", "sfu/doctor_server.c"}

THIRD_PARTY = {
    "cjson/": {"conf", "signaling"},
    "nice/": {"ice"},
    "stun/": {"ice"},
    "openssl/": {"ice", "signaling"},
    "srtp2/": {"ice"},
    "intel-ipsec-mb.h": {"ice"},
    "usrsctp.h": {"ice"},
    "uv.h": {"ice", "sfu", "signaling"},
    "microhttpd.h": {"signaling"},
    "gnutls/": {"signaling"},  # libmicrohttpd's own types for certificates
    "curl/": {"signaling"},
    "hiredis/": {"signaling"},
}
PURE_C = {"assert", "errno", "float", "inttypes", "limits", "math", "stdalign", "stdarg", "stdbool", "stddef",
          "stdint", "stdio", "stdlib", "string", "strings"}
SYSTEM = PURE_C | {"arpa/inet", "ctype", "dirent", "fcntl", "fnmatch", "ifaddrs", "malloc", "net/if",
                   "netdb", "poll", "pthread", "pwd", "sched", "signal", "stdatomic",
                   "time", "unistd", "immintrin", "x86intrin"}
SYSTEM_FOLDERS = ("sys/", "netinet/", "linux/")

BANNED_CALLS = {
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strcpy": "snprintf or memcpy",
    "strcat": "snprintf", "strncat": "snprintf", "strncpy": "memcpy with a length",
    "atoi": "strtol", "atol": "strtol", "atof": "strtod", "strtok": "strcspn", "alloca": "an array",
    "gets": "fgets", "random": "an injected generator", "inet_ntoa": "inet_ntop", "gmtime": "gmtime_r", "localtime": "localtime_r",
    "strerror_l": "strerror", "system": "no shell", "popen": "no shell",
}
# Banned in tests too: they make them slow, or different from run to run.
BANNED_IN_TESTS = {
    "sleep": "poll, or virtual time", "usleep": "poll, or virtual time",
    "nanosleep": "poll, or virtual time", "uv_sleep": "a timer", "g_usleep": "a timer",
    "rand": "a seeded generator", "srand": "a seeded generator",
}
CLOCK_CALLS = {"clock_gettime", "gettimeofday", "time", "uv_hrtime", "uv_now", "g_get_monotonic_time"}
PRINT_CALLS = {"printf", "fprintf", "vprintf", "vfprintf", "puts", "fputs", "perror", "putchar"}
HEAP_CALLS = {"malloc", "calloc", "realloc", "strdup", "strndup", "free"}

FORBIDDEN_STEMS = ("stun_", "sctp_", "srtp_", "nice_", "uv_", "conf_ssl_")
RULES = ("LAYER", "THIRDPARTY", "BANNED", "SIZE", "STEM", "FORBIDDEN_STEM", "NODOC", "RUNON", "TODO",
         "NOTEST", "README-NAMES", "PATH", "SPDX")

ALLOW_RE = re.compile(r"lint: allow(?: +([A-Z_-]+))?(?: +([^*\n]*?))?\s*(?:\*/|$)")
CALL_RE = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
TODO_RE = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\s*\(?#\d+)")
# A line of a contract that clang-format has joined to the one before: a long line of "name  what it is"
# or of a table is wrapped as if it were prose.
COMMENT_RE = re.compile(r"/\*.*?\*/", re.S)
RUNON_RE = re.compile(r"[\w)\]%] Returns\b")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "defined"}


def blank(text):
    """The text with comments, strings and character constants replaced by spaces; lines stay."""
    out = []
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        if text.startswith("/*", i):
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
        elif text.startswith("//", i):
            end = text.find("\n", i)
            end = n if end < 0 else end
        elif c in "\"'":
            end = i + 1
            while end < n and text[end] != c and text[end] != "\n":
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, n)
            out.append(c + re.sub(r"[^\n]", " ", text[i + 1:end - 1]) + c)
            i = end
            continue
        else:
            out.append(c)
            i += 1
            continue
        out.append(re.sub(r"[^\n]", " ", text[i:end]))
        i = end
    return "".join(out)


class Function:
    def __init__(self, name, path, line, lines, static):
        self.name, self.path, self.line, self.lines, self.static = name, path, line, lines, static


class Source:
    """One C file, read once."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            self.text = f.read()
        self.raw = self.text.split("\n")
        self.code = blank(self.text).split("\n")
        self.folder = path.split("/")[0]
        if path.startswith("tests/peer/"):
            self.folder = "tests/peer"
        self.functions = list(self.find_functions())

    def find_functions(self):
        """House style: the brace of a function stands alone in column 0, on both ends."""
        for i, line in enumerate(self.code):
            if line.rstrip() != "{":
                continue
            start = i
            while start > 0 and self.code[start - 1].strip() and \
                    not re.match(r"[#}]|.*[;}]\s*$", self.code[start - 1]):
                start -= 1
            end = i
            while end + 1 < len(self.code) and not self.code[end].startswith("}"):
                end += 1
            head = " ".join(self.code[start:i])
            head = re.sub(r"^\s*(?:[A-Z][A-Z_]+\([^)]*\)\s*)+", "", head)
            test = re.match(r"\s*Test\(\s*(\w+)\s*,\s*(\w+)", head)
            name = re.match(r"[^(]*?(\w+)\s*\(", head)
            if test:
                yield Function(test.group(1) + "." + test.group(2), self.path, start + 1,
                               end - start + 1, True)
            elif name:
                yield Function(name.group(1), self.path, start + 1, end - start + 1,
                               re.search(r"\bstatic\b", head.split("(")[0]) is not None)

    def prototypes(self):
        """(line index, name) of every non-static function declared in column 0."""
        for i, line in enumerate(self.code):
            if not re.match(r"[A-Za-z_]", line) or re.match(r"(static|typedef|enum|union)\b", line):
                continue
            m = re.match(r"(?:extern\s+)?(?:const\s+)?(?:unsigned\s+|struct\s+|enum\s+)?\w+[\s*]+"
                         r"(?:const\s+)?(\w+)\s*\(", line)
            if not m or m.group(1) in KEYWORDS:
                continue
            if not re.match(r"\s*$|^\{", self.after_prototype(i)):
                yield i, m.group(1)

    def after_prototype(self, i):
        """Empty if line i begins a function's body, not a declaration."""
        text = "\n".join(self.code[i:i + 12])
        stop = re.search(r"[;{]", text)
        return ";" if stop and stop.group() == ";" else ""


class Checker:
    def __init__(self, root):
        self.root = root
        self.found = []  # (path, line, rule, symbol, what)
        self.files = sorted(self.list_files())
        self.sources = {p: Source(root, p) for p in self.files if p.endswith((".c", ".h"))}
        self.scores = {}

    def list_files(self):
        for top in CHECKED:
            for folder, dirs, names in os.walk(os.path.join(self.root, top)):
                dirs[:] = sorted(d for d in dirs if d not in ("node_modules", "__pycache__", "corpus",
                                                              "data"))
                for n in names:
                    if n.startswith("."):
                        continue
                    yield os.path.relpath(os.path.join(folder, n), self.root)
        for n in os.listdir(self.root):
            if os.path.isfile(os.path.join(self.root, n)):
                yield n

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def say(self, path, line, rule, what, symbol=None):
        self.found.append((path, line, rule, symbol, what))

    def product(self):
        return [s for s in self.sources.values() if s.folder in PRODUCT]

    # ---- rules -------------------------------------------------------------------------------

    def check_layer(self):
        for s in self.sources.values():
            allowed = LAYERS.get(s.folder)
            if s.path in ROOTS:
                continue
            for i, raw in enumerate(s.raw):
                m = re.match(r'\s*#\s*include\s+"([^"]+)"', raw)
                if not m:
                    continue
                inc = m.group(1)
                if inc in EVERYWHERE or inc in GENERATED or (allowed is None and s.folder not in PRODUCT):
                    continue
                folder = "tests/peer" if inc.startswith("tests/peer/") else inc.split("/")[0]
                if "/" not in inc:
                    if s.folder == "tests/peer":
                        continue
                    self.say(s.path, i + 1, "LAYER", 'include "%s" by folder and name' % inc)
                elif folder not in allowed and inc not in allowed:
                    self.say(s.path, i + 1, "LAYER", "%s may not include %s" % (s.folder, inc))

    def check_third_party(self):
        for s in self.product():
            if s.path in ROOTS:
                continue
            for i, raw in enumerate(s.raw):
                m = re.match(r"\s*#\s*include\s+<([^>]+)>", raw)
                if not m:
                    continue
                inc = m.group(1)
                owner = [f for p, f in THIRD_PARTY.items() if inc.startswith(p)]
                base = inc[:-2] if inc.endswith(".h") else inc
                system = base in SYSTEM or inc.startswith(SYSTEM_FOLDERS)
                if owner:
                    if s.folder not in owner[0]:
                        self.say(s.path, i + 1, "THIRDPARTY", "%s may not see <%s>" % (s.folder, inc))
                elif not system:
                    self.say(s.path, i + 1, "THIRDPARTY", "<%s> is in no table" % inc)
                elif s.folder == "rtp" and base not in PURE_C:
                    self.say(s.path, i + 1, "THIRDPARTY", "rtp is pure C, <%s> is not" % inc)

    def banned_reason(self, s, name):
        product = s.folder in PRODUCT
        if name in BANNED_IN_TESTS:
            return "use %s" % BANNED_IN_TESTS[name]
        if product and name in BANNED_CALLS:
            return "use %s" % BANNED_CALLS[name]
        if product and name in CLOCK_CALLS and s.path != "conf/clock.c":
            return "only conf/clock.c reads a clock"
        if product and name in PRINT_CALLS and s.path not in ROOTS and s.path != "conf/log.c":
            return "only conf/log.c writes"
        if s.folder == "rtp" and name in HEAP_CALLS:
            return "rtp's memory is its caller's"
        if s.folder == "rtp" and name.startswith("log_"):
            return "rtp logs nothing"
        return None

    def check_banned(self):
        for s in self.sources.values():
            defined = {f.name for f in s.functions}
            for i, line in enumerate(s.code):
                for m in CALL_RE.finditer(line):
                    why = self.banned_reason(s, m.group(1))
                    if why and m.group(1) not in defined:
                        self.say(s.path, i + 1, "BANNED", "%s(): %s" % (m.group(1), why))

    def check_size(self):
        long_files = long_functions = 0
        for s in self.sources.values():
            n = len(s.raw) - (s.raw[-1] == "")
            long_files += n > 500
            if n > FILE_MAX:
                self.say(s.path, 1, "SIZE", "%d lines, more than %d" % (n, FILE_MAX))
            if s.folder == "tests":
                continue  # tables of rows
            for f in s.functions:
                long_functions += f.lines > 60
                if f.lines > FUNCTION_MAX:
                    self.say(s.path, f.line, "SIZE", "%s has %d lines, more than %d" %
                             (f.name, f.lines, FUNCTION_MAX), f.name)
        self.scores["files > 500"] = long_files
        self.scores["functions > 60"] = long_functions

    def stems_of(self, folder, stem):
        """negotiate_plan.h may declare negotiate_plan_x, and negotiate_x if negotiate.c is its head."""
        stems = {stem, folder + "_" + stem}
        parts = stem.split("_")
        for n in range(1, len(parts)):
            head = "_".join(parts[:n])
            if any("%s/%s.%s" % (folder, head, end) in self.sources for end in "ch"):
                stems.add(head)
        return stems

    def check_stem(self):
        defined_in = {}  # the stem of the file that defines a function is as good as the header's
        for s in self.product():
            for f in s.functions:
                if not f.static and s.path.endswith(".c"):
                    defined_in.setdefault((s.folder, f.name), set()).add(os.path.basename(s.path)[:-2])
        for s in self.product():
            for f in s.functions:
                if not f.static and f.name.startswith(FORBIDDEN_STEMS):
                    self.say(s.path, f.line, "FORBIDDEN_STEM",
                             "%s: a library exports that prefix" % f.name, f.name)
            stem = os.path.basename(s.path)[:-2]
            if (stem + "_").startswith(FORBIDDEN_STEMS):
                self.say(s.path, 1, "FORBIDDEN_STEM", "a library exports %s_" % stem)
            if not s.path.endswith(".h"):
                continue
            prefixes = self.stems_of(s.folder, stem)
            prefixes |= set(re.findall(r"^(?:struct|enum|union)\s+(\w+)\s*\{", "\n".join(s.code), re.M))
            for i, name in s.prototypes():
                if not any(name == p or name.startswith(p + "_") for p in
                           prefixes | defined_in.get((s.folder, name), set())):
                    self.say(s.path, i + 1, "STEM", "%s begins with neither %s_ nor a type of this header"
                             % (name, stem), name)

    def is_documented(self, s, i):
        """A comment above, behind, or above the block of declarations that it stands in."""
        while True:
            end = i
            while end + 1 < len(s.code) and ";" not in s.code[end]:
                end += 1
            if "*/" in "".join(s.raw[i:end + 1]) or "//" in "".join(s.raw[i:end + 1]):
                return True
            above = s.raw[i - 1].strip() if i > 0 else ""
            if above.endswith("*/") or above.startswith("//"):
                return True
            if not above or above.startswith("#"):
                return False
            i -= 1  # a declaration above, or its first line

    def check_doc(self):
        for s in self.product():
            if not s.path.endswith(".h"):
                continue
            name = os.path.basename(s.path)
            if not any(re.match(r"/\* %s - \S" % re.escape(name), line) for line in s.raw[:4]):
                self.say(s.path, 1, "NODOC", 'the header must begin with "/* %s - what it is"' % name)
            for i, function in s.prototypes():
                if not self.is_documented(s, i):
                    self.say(s.path, i + 1, "NODOC", "%s has no comment" % function, function)

    def check_runon(self):
        for s in self.sources.values():
            text = "\n".join(s.raw)
            for comment in COMMENT_RE.finditer(text):
                for i, line in enumerate(comment.group().split("\n")):
                    if RUNON_RE.search(line):
                        self.say(s.path, text.count("\n", 0, comment.start()) + i + 1, "RUNON",
                                 '"Returns" in the middle of a sentence: give it a line of its own')

    def check_text(self):
        todos = 0
        for path in self.files:
            if not path.endswith(SOURCE_ENDS + (".md",)) and os.path.basename(path) not in (
                    "Makefile", "Dockerfile", "run", "deps", "pre-commit"):
                continue
            lines = self.read(path).split("\n")
            for i, line in enumerate(lines if not path.startswith("tests/lint/") else []):
                m = TODO_RE.search(line)
                if m:
                    todos += 1
                    self.say(path, i + 1, "TODO", "%s without #issue" % m.group(1))
            if path.endswith((".c", ".h", ".py", ".sh", ".js", ".mjs", ".build")) and \
                    not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:2]):
                self.say(path, 1, "SPDX", "the first line must be the SPDX line")
        self.scores["open marks"] = todos

    def check_test_files(self):
        tests = {re.match(r"(?:test|stress)_(\w+)\.c$", os.path.basename(p)).group(1)
                 for p in self.files if re.match(r"tests/(?:\w+/)?(?:test|stress)_\w+\.c$", p)}
        for s in self.product():
            if not s.path.endswith(".c") or s.path in ROOTS:
                continue
            parts = os.path.basename(s.path)[:-2].split("_")
            if not any("_".join(parts[:n]) in tests for n in range(1, len(parts) + 1)):
                self.say(s.path, 1, "NOTEST", "no tests/test_%s.c" % "_".join(parts))

    # ---- README ------------------------------------------------------------------------------

    def readme(self):
        path = os.path.join(self.root, "README.md")
        return self.read("README.md").split("\n") if os.path.exists(path) else []

    def check_readme_names(self):
        lines = self.readme()
        words = set()
        paths = set(self.files)
        if lines:
            for p in self.files:
                if p.endswith(SOURCE_ENDS) or "." not in os.path.basename(p):
                    words |= set(re.findall(r"[A-Za-z_]\w*", self.read(p)))
        fenced = False
        for i, line in enumerate(lines):
            fenced ^= line.startswith("```")
            if fenced:
                continue
            for code in re.findall(r"`([^`]+)`", line):
                name = code.rstrip("()").split(" ")[0]
                if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name) and name not in words:
                    self.say("README.md", i + 1, "README-NAMES", "`%s` is nowhere in the tree" % name)
                if re.fullmatch(r"(?:%s)/[\w./-]*\w" % "|".join(PRODUCT + ("tests", "bench", "docker")),
                                name) and not re.search(r"_x(\.[ch])?$", name) and \
                        not self.path_exists(name, paths):  # codec_x.c stands for any codec
                    self.say("README.md", i + 1, "README-NAMES", "there is no %s" % name)

    def path_exists(self, name, paths):
        return name in paths or os.path.exists(os.path.join(self.root, name)) or \
            any(p.startswith(name + ".") for p in paths)

    def check_path(self):
        functions = {}
        for s in self.product():
            for f in s.functions:
                functions.setdefault(f.name, f)
        section, level, start = [], 0, 0
        for i, line in enumerate(self.readme()):
            head = re.match(r"(#+)\s+(.*)", line)
            if head and level and len(head.group(1)) <= level:
                break
            if head and "life of a packet" in head.group(2).lower():
                level, start = len(head.group(1)), i + 1
            elif level:
                section.append((i + 1, line))
        if not level:
            return
        path = {}
        for i, line in section:
            for code in re.findall(r"`([^`]+)`", line):
                name = code[:-2] if code.endswith("()") else code
                if name in functions:
                    path[name] = functions[name]
                elif re.fullmatch(r"\w+", name) and (code.endswith("()") or
                                                     re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", name)):
                    self.say("README.md", i, "PATH", "there is no function %s" % name)
        if not path:
            self.say("README.md", start, "PATH", "the section names no function")
        lines = sum(f.lines for f in path.values())
        files = len({f.path for f in path.values()})
        self.scores["packet path"] = "%d lines in %d files" % (lines, files)
        if lines > PATH_LINES_MAX:
            self.say("README.md", start, "PATH", "the packet path has %d lines, more than %d" %
                     (lines, PATH_LINES_MAX))
        if files > PATH_FILES_MAX:
            self.say("README.md", start, "PATH", "the packet path has %d files, more than %d" %
                     (files, PATH_FILES_MAX))

    # ---- allowances --------------------------------------------------------------------------

    def inline_allowances(self):
        """[path, line, rule] of every "lint: allow"; complains about those without a reason."""
        for path in self.files:
            if not path.endswith((".c", ".h", ".py", ".sh", ".js", ".mjs")):
                continue
            if path.startswith("tests/lint/"):
                continue  # this program and the fixtures of its own tests
            for i, line in enumerate(self.read(path).split("\n")):
                m = ALLOW_RE.search(line)
                if not m:
                    continue
                if m.group(1) not in RULES:
                    yield path, i + 1, None, "there is no rule %s" % m.group(1)
                elif not m.group(2):
                    yield path, i + 1, None, "an allowance needs a reason"
                else:
                    yield path, i + 1, m.group(1), None

    def listed_allowances(self):
        path = "tests/lint/exceptions.txt"
        if not os.path.exists(os.path.join(self.root, path)):
            return
        for i, line in enumerate(self.read(path).split("\n")):
            if not line.strip() or line.startswith("#"):
                continue
            m = re.fullmatch(r"([A-Z_-]+) (\S+?)(?::(\w+))? - (\S.*)", line)
            if not m or m.group(1) not in RULES:
                yield i + 1, None, None, None
            else:
                yield i + 1, m.group(1), m.group(2), m.group(3)

    def apply_allowances(self):
        errors = []
        inline = list(self.inline_allowances())
        errors += [(p, n, "ALLOW", None, what) for p, n, rule, what in inline if what]
        used = set()
        left = []
        for v in self.found:
            path, line, rule, _, _ = v
            hit = [a for a in inline if a[0] == path and a[2] == rule and
                   (a[1] in (line, line - 1) or (line == 1 and a[1] <= 5))]
            used |= set(hit)
            if not hit:
                left.append(v)
        errors += [(a[0], a[1], "ALLOW", None, "%s lets nothing off; remove it" % a[2])
                   for a in inline if a[2] and a not in used]
        listed = list(self.listed_allowances())
        still = []
        needed = set()
        for v in left:
            hit = [a for a in listed if a[1] == v[2] and a[2] == v[0] and a[3] in (None, v[3])]
            needed |= {a[0] for a in hit}
            if not hit:
                still.append(v)
        for n, rule, path, _ in listed:
            what = "must be: RULE path[:function] - reason" if not rule else \
                "%s %s lets nothing off; remove it" % (rule, path)
            if not rule or n not in needed:
                errors.append(("tests/lint/exceptions.txt", n, "ALLOW", None, what))
        self.scores["exceptions"] = len(listed)
        self.found = still + errors

    def run(self):
        self.check_layer()
        self.check_third_party()
        self.check_banned()
        self.check_size()
        self.check_stem()
        self.check_doc()
        self.check_runon()
        self.check_text()
        self.check_test_files()
        self.check_readme_names()
        self.check_path()
        self.apply_allowances()
        return sorted(self.found, key=lambda v: (v[0], v[1], v[2], v[4]))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="checks the house rules")
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--scorecard", action="store_true", help="print the numbers that may only improve")
    args = parser.parse_args()
    checker = Checker(args.root)
    found = checker.run()
    for path, line, rule, _, what in found:
        print("%s:%d: %s: %s" % (path, line, rule, what))
    if args.scorecard:
        print("scorecard: " + ", ".join("%s: %s" % kv for kv in sorted(checker.scores.items())))
    print("lint: %d files, %d complaints" % (len(checker.files), len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
