#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright (c) 2026 the OpenSSPI authors
"""Holds the pages of docs/ against the headers and the library.

Usage: test_reference.py ROOT COMPILER LIBRARY [TEST...]

Every function and structure of opensspi.h has a page with the same declaration and the same
statuses; every block of C in docs/reference, docs/porting.md and docs/certificates.md compiles
without a warning, and those that are whole programs run and end with 0; names and links lead
somewhere.

COMPILER is a command with its flags; LIBRARY is libopensspi.so.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(".")
COMPILER = ["cc"]
LIBRARY = Path("libopensspi.so")
PATIENCE = 120  # only bounds what hangs

FUNCTION_SECTIONS = ["Syntax", "Parameters", "Return value", "Remarks", "Example", "Requirements",
                     "See also"]
TYPE_SECTIONS = ["Syntax", "Members", "Remarks", "Example", "Requirements", "See also"]
TYPES = ["OsspiOptions", "OsspiStatistics", "OsspiHistogram", "OsspiTraceRecord", "OsspiStoreFile", "OsspiServerKey"]
# What a fragment may take for granted; a block that includes something itself gets nothing.
PRELUDE = ("#include <stdbool.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
           "#include <opensspi.h>\n#include <schannel.h>\n")
WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Wvla", "-Wundef", "-Werror",
            "-Wno-unused-function"]
STATUS = r"(?:(?:SEC_[EI]|STATUS|CRYPT_E|ERROR)_[A-Z0-9_]+)"


def header():
    return (ROOT / "include/opensspi/opensspi.h").read_text(encoding="utf-8")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def tokens(text):
    return re.findall(r"\w+|[^\w\s]", without_comments(text))


def declarations():
    """Name -> (declaration, comment in front of it) of each function of opensspi.h."""
    found = {}
    for match in re.finditer(r"/\*\*((?:(?!\*/).)*)\*/\s*OSSPI_API\s+([^;]*?\b(Osspi\w+)\([^;]*\));",
                             header(), re.S):
        found[match.group(3)] = (match.group(2) + ";", match.group(1))
    return found


def structure(name):
    match = re.search(r"typedef struct %s \{.*?\} %s;" % (name, name), header(), re.S)
    return match.group(0) if match else None


def pages():
    return sorted((ROOT / "docs/reference").glob("*.md"))


def read(path):
    return path.read_text(encoding="utf-8")


def sections(text):
    """Heading of level 2 -> its text; code is not searched for headings."""
    found, name, code = {}, "", False
    for line in text.split("\n"):
        if line.startswith("```"):
            code = not code
        if line.startswith("## ") and not code:
            name = line[3:].strip()
            found[name] = ""
        else:
            found[name] = found.get(name, "") + line + "\n"
    return found


def blocks(text, language):
    return re.findall(r"^```%s\n(.*?)^```$" % language, text, re.S | re.M)


class Reference(unittest.TestCase):
    def test_there_are_functions(self):
        self.assertEqual(len(declarations()), len(re.findall(r"\bOSSPI_API\b", header())))

    def test_each_has_a_page_with_its_declaration(self):
        for name, (declaration, _) in declarations().items():
            with self.subTest(name):
                page = sections(read(ROOT / f"docs/reference/{name}.md"))
                code = blocks(page["Syntax"], "c")
                self.assertEqual([tokens(block) for block in code], [tokens(declaration)])
        for name in TYPES:
            with self.subTest(name):
                page = sections(read(ROOT / f"docs/reference/{name}.md"))
                self.assertIn(tokens(structure(name)),
                              [tokens(block) for block in blocks(page["Syntax"], "c")])

    def test_pages_have_the_same_sections(self):
        for path in pages():
            name = path.stem
            if name not in declarations() and name not in TYPES:
                continue
            with self.subTest(name):
                text = read(path)
                self.assertTrue(text.startswith(f"# {name}\n"))
                self.assertEqual([key for key in sections(text) if key],
                                 TYPE_SECTIONS if name in TYPES else FUNCTION_SECTIONS)

    def test_statuses_are_the_headers(self):
        for name, (_, comment) in declarations().items():
            with self.subTest(name):
                page = sections(read(ROOT / f"docs/reference/{name}.md"))["Return value"]
                rows = re.findall(r"^\| `([^`]*)` \|", page, re.M)
                told = re.findall(r"@retval\s+(HRESULT_FROM_WIN32\(\w+\)|\w+)", comment)
                self.assertEqual(sorted(set(rows) & set(told)), sorted(told))
                self.assertEqual([row for row in rows if row not in told
                                  and re.match(STATUS + "|HRESULT", row)], [])

    def test_parameters_are_the_headers(self):
        for name, (declaration, _) in declarations().items():
            with self.subTest(name):
                inside = declaration[declaration.index("(") + 1:declaration.rindex(")")]
                wanted = [re.search(r"(\w+)\s*$", one).group(1) for one in inside.split(",")]
                page = sections(read(ROOT / f"docs/reference/{name}.md"))["Parameters"]
                self.assertEqual(re.findall(r"^### `?(\w+)`?$", page, re.M), wanted)

    def test_the_index_names_each_page(self):
        index = read(ROOT / "docs/reference/README.md")
        for path in pages():
            if path.name != "README.md":
                self.assertIn(f"]({path.name})", index)


class Names(unittest.TestCase):
    def documents(self):
        return [*pages(), ROOT / "docs/porting.md", ROOT / "docs/certificates.md"]

    def test_what_is_named_exists(self):
        known = ""
        for path in (ROOT / "include/opensspi").rglob("*.h"):
            known += read(path)
        known = set(re.findall(r"\w+", known))
        for path in self.documents():
            for name in set(re.findall(r"\b(?:%s|(?:Osspi|OSSPI_|ISC_|ASC_|SECPKG_|SECBUFFER_|SCH_|"
                                       r"SP_PROT_|PKCS12_)\w+)" % STATUS, read(path))):
                if not name.endswith("_"):
                    self.assertIn(name, known, path.name)

    def test_links_lead_somewhere(self):
        for path in [*self.documents(), ROOT / "README.md", ROOT / "examples/README.md"]:
            for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
                if not re.match(r"\w+:|#", target):
                    self.assertTrue((path.parent / target.split("#")[0]).exists(),
                                    f"{path.name}: {target}")


class Code(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reference-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compile(self, text, whole):
        source, program = self.folder / "block.c", self.folder / "block"
        if "#include" not in text:
            text = PRELUDE + text
        source.write_text(text, encoding="utf-8")
        include = ROOT / "include/opensspi"
        command = [*COMPILER, *WARNINGS, "-D_GNU_SOURCE=", f"-I{include}", f"-I{include}/compat"]
        command += ([str(source), "-o", str(program), str(LIBRARY), "-pthread",
                     f"-Wl,-rpath,{LIBRARY.parent}"] if whole else
                    ["-c", str(source), "-o", str(program) + ".o"])
        result = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(result.returncode, 0, text + result.stderr.decode("utf-8", "replace"))
        return program

    def check(self, path, text):
        count = 0
        for number, block in enumerate(blocks(text, "c")):
            with self.subTest(f"{path.name}, block {number + 1}"):
                whole = re.search(r"^int main\(", block, re.M) is not None
                program = self.compile(block, whole)
                if whole:
                    result = subprocess.run([program], stdin=subprocess.DEVNULL, cwd=self.folder,
                                            capture_output=True, timeout=PATIENCE, check=False)
                    self.assertEqual(result.returncode, 0, block + str(result))
                count += 1
        return count

    def test_examples_of_the_reference(self):
        for path in pages():
            text = read(path)
            if path.stem in declarations() or path.stem in TYPES:
                text = sections(text)["Example"]
                self.assertEqual(len(blocks(text, "c")), 1, path.name)
            self.check(path, text)

    def test_blocks_of_certificates(self):
        page = ROOT / "docs/certificates.md"
        self.assertGreater(self.check(page, read(page)), 0)

    def test_blocks_of_porting(self):
        self.assertGreater(self.check(ROOT / "docs/porting.md", read(ROOT / "docs/porting.md")), 3)

    def test_the_diff_is_the_one_between_the_programs(self):
        result = subprocess.run(["diff", "-U2", "before.c", "after.c"], cwd=ROOT / "examples/port",
                                capture_output=True, check=False)
        expected = result.stdout.decode().split("\n", 2)[2]
        self.assertEqual(blocks(read(ROOT / "docs/porting.md"), "diff"), [expected])


def main():
    global ROOT, COMPILER, LIBRARY
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    ROOT = Path(sys.argv[1]).resolve()
    COMPILER = shlex.split(sys.argv[2])
    LIBRARY = Path(sys.argv[3]).resolve()
    tests = [test for case in [Reference, Names, Code]
             for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)]
    if len(sys.argv) > 4:
        tests = [test for test in tests if any(word in test.id() for word in sys.argv[4:])]
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    sys.exit(main())
